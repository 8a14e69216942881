#!/usr/bin/env python3
"""Every public header opens with its contract, and every free function in one has words.

Words are a comment above the function, above its group (what stands together without an empty line) or on its own line.
The contract speaks for the header's classes; their members' comments are for reviewers to weigh.
"""

import re
import sys

import kit

ATTRIBUTE = re.compile(r"\[\[.*?\]\]|\bZCDP_\w+(?:\([^()]*\))?", re.S)
TEMPLATE = re.compile(r"^template\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>\s*(?:requires\s[^;{]*?\)\s*)?", re.S)
OTHER = re.compile(r"(?:using|enum|namespace|static_assert|typedef|union|struct|class)\b")
SILENT = re.compile(r"\boperator\b|\bthrow_exception_from_error\b")  # the second is Boost's hook, not for callers


def statements(code: str):
    """(offset, head) of everything declared in namespaces."""
    stack, start, at, parens = ["namespace"], 0, 0, 0
    while at < len(code):
        char = code[at]
        if char in "()":
            parens += 1 if char == "(" else -1
        elif char == "}" or (char == "{" and stack[-1] != "namespace"):
            stack.append("body") if char == "{" else stack.pop()
            start = at + 1
        elif char in ";{" and not parens and stack[-1] == "namespace":
            head = code[start:at]
            yield start + len(head) - len(head.lstrip()), head.strip()
            if char == "{":
                stack.append("namespace" if re.match(r"\s*(?:inline\s+)?namespace\b", head) else "body")
            start = at + 1
        at += 1


def name_of(head: str) -> str | None:
    """Of a free function; None for anything else."""
    head = TEMPLATE.sub("", ATTRIBUTE.sub("", head).strip())
    if OTHER.match(head) or SILENT.search(head):
        return None
    function = re.match(r"[^=({]*?[\s&*]([\w:]+)\s*\(", head)
    return function[1] if function and "::" not in function[1] else None


def has_words(lines: list[str], first: int, last: int) -> bool:
    """Comments in the lines from `first` to `last`, or above them in the same group."""
    if any("//" in line for line in lines[first : last + 1]):
        return True
    for line in reversed(lines[:first]):
        text = line.strip()
        if not text:
            return False
        if text.startswith("//"):
            return True
    return False


def missing(text: str):
    """(line, what) of each gap; and None for each function that has words."""
    lines, known = text.split("\n"), set()
    yield None if lines[0].startswith("//") else (1, "the header opens with no words of what it is for")
    for at, head in statements(kit.code_of(text)):
        if called := name_of(head):
            first = text.count("\n", 0, at)
            if has_words(lines, first, first + head.count("\n")):
                known.add(called)  # its definition below, or its other overloads, need none
            yield None if called in known else (first + 1, f"{called}() has no words")


def main() -> int:
    top, found, looked_at = kit.root(), [], 0
    for name in kit.sources(top, "include"):
        for gap in missing((top / name).read_text()):
            looked_at += 1
            if gap:
                found.append(f"{name}:{gap[0]}: {gap[1]}")
    return kit.report(looked_at, found, "words")


if __name__ == "__main__":
    sys.exit(main())
