#!/usr/bin/env python3
"""Layers point down only: fails on any #include that docs/design.md section 3 does not allow.

A file's layer is the folder below src/ or include/zcdp/. An include's layer is read off its path: "zcdp/LAYER/..."
or "src/LAYER/..."; an include without a folder is a neighbour and always allowed. A library that is slow to compile is
included by the files alone that DOORS names.
"""

import pathlib
import re
import sys

BELOW = {
    "base": set(),
    "transfer": {"base"},
    "store": {"base"},
    "net": {"base"},
    "api": {"base"},
    "origin": {"net", "transfer", "base"},
    "kube": {"net", "api", "base"},
    "sync": {"origin", "store", "transfer", "net", "swarm", "base"},
    "swarm": {"net", "store", "transfer", "base"},
    "datastore": {"sync", "origin", "store", "transfer", "net", "api", "base"},
    "services": {"base", "transfer", "store", "net", "api", "origin", "kube", "sync", "swarm", "datastore"},
    "modes": {"base", "transfer", "store", "net", "api", "origin", "kube", "sync", "swarm", "datastore", "services"},
    "main": {"modes", "base"},
}
# Libraries whose headers are slow to compile: who may include them.
DOORS = {
    r"CLI/": {"src/modes/command_line.cpp"},
    r"(?:grpc|google/protobuf)[\w+]*/|[\w./]+\.pb\.h": {"src/kube/csi/server.cpp"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*["<](?:zcdp|src)/([a-z_]+)/', re.M)


def layer_of(path: pathlib.Path, root: pathlib.Path) -> str:
    parts = path.relative_to(root).parts
    if parts[0] == "src":
        return "main" if len(parts) == 2 else parts[1]
    return parts[2]


def beside_the_door(name: str, text: str):
    for library, doors in DOORS.items():
        if name not in doors and (found := re.search(rf'^\s*#\s*include\s*["<]((?:{library})[^">]*)', text, re.M)):
            yield f"{name}: only {' and '.join(doors)} may include {found[1]}"


def breaches(root: pathlib.Path):
    files = [p for top in ("src", "include") for p in (root / top).rglob("*") if p.suffix in (".cpp", ".hpp")]
    if not files:
        yield "no sources found: the check would pass on nothing"
    for path in files:
        text = path.read_text()
        yield from beside_the_door(str(path.relative_to(root)), text)
        layer = layer_of(path, root)
        if layer not in BELOW:
            yield f"{path.relative_to(root)}: '{layer}' is no layer of docs/design.md section 3"
            continue
        for target in INCLUDE.findall(text):
            if target != layer and target not in BELOW[layer]:
                yield f"{path.relative_to(root)}: {layer} may not include {target}"


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = list(breaches(root))
    print("\n".join(found) or "layers: every include points down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
