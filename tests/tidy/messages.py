#!/usr/bin/env python3
"""No code looks into a message: what an error is, its kind and its fields say; its words are for people.

Found are searches and comparisons of what(), message(), hint() and line(), of fields and parameters with such names,
and of variables that such a call filled in the same function. Taking single characters out (escaping) is no look.
"""

import re
import sys

import kit

# A text of the outside, the body of an HTTP answer, in which a service says only in words what it means.
OUTSIDE = {
    ("src/origin/gcs/answers.cpp", 'out.message.find("requester pays")'): "Google's 400 has no code for it",
    ("src/origin/s3/answers.cpp", "answer.message.find(header)"): "S3's message names the header it refuses",
}

CALL = r"\b(?:what|message|hint|line)\(\)"
SPOKEN = rf"(?:{CALL}|\b(?:message|hint|what|prose)_?)"
LOOK = r"(?:r?find(?:_first_of|_last_of)?|contains|starts_with|ends_with|compare)"
TEXT = r"""(?!'|\s*\))"""  # an argument, but not a single character
FREE = r"\b(?:contains|starts_with|ends_with|find|search|regex_search|regex_match|strstr|strcmp|equals)"
HELD = re.compile(rf"\b(\w+)\s*(?:=|\(|\{{)\s*[^;=]*?{CALL}(?:\.c_str\(\))?\s*[)}}]*;")


def looks(spoken: str, called: str) -> re.Pattern:
    """Of what is `spoken`: a search in it, a comparison with a text; of what is `called`: being handed to a search."""
    searched = rf"[\w\])>.-]*?{spoken}\)?\s*\.\s*{LOOK}\({TEXT}[^;]*?\)"
    compared = rf'[\w\])>.-]*?{spoken}\s*[!=]=\s*"|"\s*[!=]=\s*[\w.>()-]*?{spoken}'
    asked = rf"[\w\])>.-]*?{CALL}\s*\.\s*empty\("  # whether there are words says nothing, either
    return re.compile(rf"{searched}|{compared}|{asked}|{FREE}\([^;()]*(?<!\w)[\w.>-]*?{called}")


SAID = looks(SPOKEN, CALL)


def found_in(code: str):
    """(offset, what stands there) of each look into a message."""
    for match in SAID.finditer(code):
        yield match.start(), match[0]
    for held in HELD.finditer(code):
        end = code.find("\n}", held.end())
        for match in looks(rf"\b{held[1]}\b", rf"\b{held[1]}\b").finditer(
            code, held.end(), end if end > 0 else len(code)
        ):
            yield match.start(), match[0]


def main() -> int:
    top, found, used = kit.root(), [], set()
    names = kit.sources(top, "src", "include")
    for name in names:
        code = kit.without_comments((top / name).read_text())
        for at, look in sorted(set(found_in(code))):
            key = (name, re.sub(r"\s+", " ", look))
            if key in OUTSIDE:
                used.add(key)
                continue
            found.append(f"{name}:{code.count(chr(10), 0, at) + 1}: looks into a message: {key[1]}")
    found += [f"{name}:1: has no {look} any more: take it out of OUTSIDE" for name, look in OUTSIDE.keys() - used]
    return kit.report(len(names), found, "messages")


if __name__ == "__main__":
    sys.exit(main())
