#!/usr/bin/env python3
"""A file's namespace is its folder: src/L and include/zcdp/L hold zcdp::L, and `base` holds zcdp itself.

The folders in MODULES are namespaces of their own; every other folder below a layer is a shelf and changes nothing.
A .cpp that implements a public header of its layer may stand in the layer's namespace. Namespaces inside the expected
one are free.
"""

import re
import sys

import kit

MODULES = {
    "origin": {"s3", "gcs", "azure", "oss", "http", "local"},
    "services": {"agent", "backend", "controller", "serve"},
}
OPENED = re.compile(r"\bnamespace\s+([\w:]+)?\s*\{|[{}]")
LIBRARY = re.compile(r"FMT_BEGIN_NAMESPACE.*?FMT_END_NAMESPACE", re.S)  # {fmt}'s own, opened by its macro


def namespaces(code: str):
    """(line, name) of each outermost namespace with a name."""
    depth = 0
    for match in OPENED.finditer(code):
        if match[0] == "}":
            depth -= 1
            continue
        if depth == 0 and match[1]:
            yield code.count("\n", 0, match.start()) + 1, match[1]
        depth += 1


FORWARD = re.compile(
    r"\bnamespace\s+[\w:]+\s*\{(?:\s*(?:class|struct)\s+\w+;)+\s*\}"
)  # of a library that a header names only


def expected(name: str) -> tuple[str, str]:
    """The namespace of the file's layer, and that of its folder."""
    parts = name.split("/")[1 if name.startswith("src/") else 2 :]
    layer = "zcdp" if parts[0] == "base" else f"zcdp::{parts[0]}"
    module = parts[1] if parts[1] in MODULES.get(parts[0], ()) else None
    return layer, f"{layer}::{module}" if module else layer


def without_libraries(code: str) -> str:
    for what in (LIBRARY, FORWARD):
        code = what.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), code)
    return code


def allowed(name: str, text: str) -> set[str]:
    layer, own = expected(name)
    public = layer.removeprefix("zcdp::")
    implements = name.endswith(".cpp") and f'#include "zcdp/{public}/' in text
    return {own, layer} if implements else {own}


def main() -> int:
    top, found, looked_at = kit.root(), [], 0
    for name in kit.sources(top, "src", "include/zcdp"):
        if name.count("/") < 2:
            continue  # main.cpp and the precompiled header belong to no layer
        text = (top / name).read_text()
        names = allowed(name, text)
        for line, opened in namespaces(without_libraries(kit.code_of(text))):
            looked_at += 1
            if not any(opened == good or opened.startswith(good + "::") for good in names):
                found.append(f"{name}:{line}: is in namespace {opened}, its folder says {expected(name)[1]}")
    return kit.report(looked_at, found, "namespaces")


if __name__ == "__main__":
    sys.exit(main())
