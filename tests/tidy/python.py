#!/usr/bin/env python3
"""Python is as `ruff format` writes it, and `ruff check` (ruff.toml) finds nothing wrong in it.

ruff is taken from $ZCDP_RUFF, the tests' environment (scripts/lib/venv.sh) or PATH; without it the check is skipped.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import kit


def ruff() -> str | None:
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    cache = pathlib.Path(os.environ.get("ZCDP_CACHE") or pathlib.Path(cache, "zcdp-build"))
    return os.environ.get("ZCDP_RUFF") or shutil.which(cache / "venv-ruff/bin/ruff") or shutil.which("ruff")


def breaches(top, program: str, names: list[str]):
    for step in (["format", "--check"], ["check"]):
        command = [program, *step, "--no-cache", "--output-format=concise", *names]
        done = subprocess.run(command, cwd=top, capture_output=True, text=True)
        lines = re.findall(r"^\S+:\d+:\d+: .*", done.stdout, re.M)
        yield from lines
        if done.returncode and not lines:
            yield f"ruff {step[0]}: {done.stderr.strip() or done.stdout.strip()}"


def main() -> int:
    top = kit.root()
    program = ruff()
    if not program:
        print("there is no ruff here: `. scripts/lib/venv.sh && need_ruff` gets it")
        return kit.SKIPPED
    names = [name for name in kit.tree(top) if kit.is_python(top, name)]
    return kit.report(len(names), list(breaches(top, program, names)), "python")


if __name__ == "__main__":
    sys.exit(main())
