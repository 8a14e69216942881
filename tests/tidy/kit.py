"""What the checks share: the tree's files, C++ without its comments or texts, and how breaches are told."""

import pathlib
import re
import subprocess
import sys

CPP = (".cpp", ".hpp")
SKIPPED = 77  # ctest's exit code for a check that cannot run here

_TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<text>R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)"|"(?:[^"\\\n]|\\.)*"'
    r"|(?<![0-9A-Za-z_])'(?:[^'\\\n]|\\.)+')",
    re.S,
)


def root() -> pathlib.Path:
    return pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()


def tree(top: pathlib.Path) -> list[str]:
    """The files that git knows or would take, as paths below `top`."""
    command = ["git", "-c", f"safe.directory={top}", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=top, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(name for name in set(names) if name and (top / name).is_file())


def sources(top: pathlib.Path, *folders: str) -> list[str]:
    """C++ below these folders."""
    return [name for name in tree(top) if name.endswith(CPP) and name.startswith(tuple(f + "/" for f in folders))]


def is_python(top: pathlib.Path, name: str) -> bool:
    if name.endswith(".py"):
        return True
    with (top / name).open("rb") as file:
        return b"python" in file.readline() if file.read(2) == b"#!" else False


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_comments(text: str) -> str:
    """Every comment becomes as many spaces: lines and columns stay what they were."""
    return _TOKEN.sub(lambda m: _blank(m[0]) if m["comment"] else m[0], text)


def code_of(text: str) -> str:
    """Neither comments nor what stands between quotes, nor preprocessor lines."""

    def gone(match: re.Match) -> str:
        if match["comment"]:
            return _blank(match[0])
        return match[0][0] + _blank(match[0][1:-1]) + match[0][-1]

    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: _blank(m[0]), _TOKEN.sub(gone, text), flags=re.M)


def comments_of(text: str):
    """(line, comment) of C++."""
    for match in _TOKEN.finditer(text):
        if match["comment"]:
            yield text.count("\n", 0, match.start()) + 1, match[0]


def report(looked_at: int, found: list[str], what: str) -> int:
    """The exit code of a check: a line for each breach, and one when it looked at nothing."""
    if not looked_at:
        found = ["nothing was looked at: the check would pass on an empty tree"]
    print("\n".join(found) or f"{what}: {looked_at} looked at")
    return 1 if found else 0
