#!/usr/bin/env python3
"""No passage of six or more lines stands in src/ or include/ twice.

Lines are compared without their white space and comments; includes, empty lines and lines of closing brackets alone are
not counted. A passage that repeats is told once, with both its places.
"""

import collections
import re
import sys

import kit

LENGTH = 6
EMPTY = re.compile(
    r"[\s})\];,]*$|namespace [\w:]+ \{$|\}  ?// ?namespace|#\s*(?:include|pragma)\b|(?:public|private|protected):$"
)


def lines_of(text: str) -> list[tuple[int, str]]:
    """(line number, line) of what counts."""
    lines = enumerate(kit.without_comments(text).split("\n"), 1)
    return [(number, re.sub(r"\s+", "", line)) for number, line in lines if not EMPTY.match(line.strip())]


def passages(files: dict[str, list[tuple[int, str]]]):
    """(name, index, name, index, length) of pairs of equal passages, each as long as it can be."""
    places = collections.defaultdict(list)
    for name, lines in files.items():
        for at in range(len(lines) - LENGTH + 1):
            places[tuple(text for _, text in lines[at : at + LENGTH])].append((name, at))
    for where in places.values():
        first_name, first = where[0]
        for name, at in where[1:]:
            a, b = files[first_name], files[name]
            if first and at and a[first - 1][1] == b[at - 1][1]:
                continue  # the middle of a longer one
            length = LENGTH
            while first + length < len(a) and at + length < len(b) and a[first + length][1] == b[at + length][1]:
                length += 1
            yield first_name, first, name, at, length


def main() -> int:
    top, found = kit.root(), []
    names = kit.sources(top, "src", "include")
    files = {name: lines_of((top / name).read_text()) for name in names}
    for one, at, other, there, length in passages(files):
        place = f"{other}:{files[other][there][0]}"
        found.append(f"{one}:{files[one][at][0]}: {length} lines stand at {place}, too")
    return kit.report(len(names), found, "repeated")


if __name__ == "__main__":
    sys.exit(main())
