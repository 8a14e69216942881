#!/usr/bin/env python3
"""No text names a path of this repository that is not there.

Read are the documents and the comments of sources, tests, CMake and scripts. A path is what begins with a folder of the
repository's top (src/sync/plan), or ends as a source or document does (sync/plan/plan.cpp, plan.hpp): the first has to
exist from the top, the second as the end of some file's path. LAYER, NAME, * and … stand for any name, {a,b} for both.
A document marks what is not there yet with [planned]: at a heading for the section, before a sentence for what follows
in it, behind a path for that path.
"""

import ast
import fnmatch
import io
import itertools
import os
import re
import sys
import tokenize

import kit

DOCUMENTS = (".md",)
HASHED = (".cmake", ".sh", "CMakeLists.txt", "Dockerfile")
ENDINGS = "cpp|hpp|py|md|cmake|proto|yaml"
# The folders of the top, and two that texts have named without their being there.
FOLDERS = "src|include/zcdp|tests|docs|scripts|cmake|bench|manifests|python|facts"
NAME = r"[\w.*{},…+-]"
BEFORE = r"(?<![\w/.~$%@:}>…*-])"
PATH = re.compile(rf"{BEFORE}(?:(?:{FOLDERS})/(?:{NAME}+/?)*|(?:{NAME}+/)*{NAME}+\.(?:{ENDINGS}))(?![\w/])")
PLACEHOLDER = re.compile(r"(?<![A-Za-z0-9])(?!README|HACKING|LICENSE)[A-Z][A-Z_]*(?![A-Za-z0-9])")
PLANNED = re.compile(r"[`*]*\s*`?\[planned\]")
BEGUN = re.compile(r"\[planned\](?!.*\.\s).*$")  # a sentence that is marked and goes on
# Names of other programs' files, which look like ours.
FOREIGN = re.compile(r"(?:^|/)(?:index|config|credentials)\.ya?ml$|googleapis|pb\.|kubernetes/")


def texts(top, name: str):
    """(line, text) of what is written for people in this file."""
    content = (top / name).read_text(errors="replace")
    if name.endswith(DOCUMENTS):
        yield from built_text(content)
    elif name.endswith(kit.CPP):
        for line, comment in kit.comments_of(content):
            yield from enumerate(comment.split("\n"), line)
    elif kit.is_python(top, name):
        yield from python_texts(content)
    elif name.endswith(HASHED) or content.startswith("#!"):
        for line, text in enumerate(content.split("\n"), 1):
            if comment := re.search(r"(?:^|\s)#(?!!).*", text):
                yield line, comment[0]


def built_text(content: str):
    """A document's lines, without the sections whose heading is marked as planned."""
    planned = 0  # how deep the heading is under which all is
    for line, text in enumerate(content.split("\n"), 1):
        if heading := re.match(r"(#+) ", text):
            depth = len(heading[1])
            if not planned or depth <= planned:
                planned = depth if "[planned]" in text else 0
        if not planned:
            yield line, text


def python_texts(content: str):
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and ast.get_docstring(node):
                yield from enumerate(first.value.value.split("\n"), first.lineno)


def alternatives(path: str) -> list[str]:
    """a/{b,c}.x is a/b.x and a/c.x."""
    parts = re.split(r"\{([^{}]*)\}", path)
    choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


class Tree:
    def __init__(self, names: list[str]):
        self.paths = set(names)
        for name in names:
            parts = name.split("/")
            self.paths.update("/".join(parts[:n]) for n in range(1, len(parts)))
        self.ends = {"/".join(path.split("/")[n:]) for path in self.paths for n in range(path.count("/") + 1)}

    def has(self, path: str) -> bool:
        known = self.paths if re.match(rf"(?:{FOLDERS})(?:/|$)", path) else self.ends
        pattern = re.sub(r"\.\.\.|…", "*", PLACEHOLDER.sub("*", path))
        return path in known or ("*" in pattern and any(fnmatch.fnmatchcase(one, pattern) for one in known))


def dead(tree: Tree, folder: str, text: str):
    for match in PATH.finditer(text):
        path = match[0].rstrip("/.,…") if not match[0].endswith("/…") else match[0].removesuffix("/…")
        before = text[: match.start()]
        if (
            PLANNED.match(text, match.end())
            or BEGUN.search(before)
            or FOREIGN.search(path)
            or "://" in before.split(" ")[-1]
        ):
            continue
        if path.startswith((".", "..")):
            path = os.path.normpath(os.path.join(folder, path))
        for one in alternatives(path):
            if not tree.has(one):
                yield one


def main() -> int:
    top, found, looked_at = kit.root(), [], 0
    names = kit.tree(top)
    tree = Tree(names)
    for name in names:
        for line, text in texts(top, name):
            looked_at += 1
            found += [f"{name}:{line}: there is no {path}" for path in dead(tree, os.path.dirname(name), text)]
    return kit.report(looked_at, found, "paths")


if __name__ == "__main__":
    sys.exit(main())
