"""An executable that only writes down its arguments and says what a test wants: for what is asked of zcdp, and what is made
of its answers. How zcdp itself behaves is tested with zcdp."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any, Optional, Union
from unittest import mock

# Of sh, which starts in a millisecond. Every argument ends with a NUL, every command with one more.
PROGRAM = """#!/bin/sh
cd "$(dirname "$0")" || exit 99
printf '%s\\0' "$@" >>asked; printf '\\0' >>asked
. ./settings
[ "$stubborn" ] && trap '' TERM
cat stderr >&2; cat stdout
[ "$hangs" ] && { echo $$ >pid; exec sleep 600; }
[ "$signal" ] && kill -"$signal" $$
exit "$code"
"""

Line = Union[str, dict[str, Any]]


def text_of(line: Line) -> str:
    return line if isinstance(line, str) else json.dumps(line)


class StandIn(unittest.TestCase):
    """`self.says(…)` sets what the executable answers; `self.asked()` is what it was asked since."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="zcdp-py-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.program = self.folder / "zcdp"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        for place in ("zcdp._child.find_zcdp_bin", "zcdp.aio.find_zcdp_bin"):
            patch = mock.patch(place, return_value=str(self.program))
            patch.start()
            self.addCleanup(patch.stop)
        self.source = self.folder / "source"
        self.source.mkdir()
        self.says()

    def go_to(self, folder: Path) -> None:
        before = os.getcwd()
        os.chdir(folder)
        self.addCleanup(os.chdir, before)

    def says(
        self,
        *stdout: Line,
        stderr: tuple[Line, ...] = (),
        code: int = 0,
        signal: Optional[int] = None,
        hangs: bool = False,
        stubborn: bool = False,
    ) -> None:
        (self.folder / "stdout").write_text("".join(text_of(line) + "\n" for line in stdout or ({},)))
        (self.folder / "stderr").write_text("".join(text_of(line) + "\n" for line in stderr))
        settings = {"code": code, "signal": signal or "", "hangs": hangs or "", "stubborn": stubborn or ""}
        (self.folder / "settings").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        for name in ("asked", "pid"):
            (self.folder / name).unlink(missing_ok=True)

    def commands(self) -> list[list[str]]:
        """All that it was called with, since says()."""
        path = self.folder / "asked"
        text = os.fsdecode(path.read_bytes()) if path.exists() else ""
        return [words.split("\0") for words in text.split("\0\0") if words]

    def asked(self) -> list[list[str]]:
        """The commands, without the flags that all of them have."""
        common = ["--json", "--log-format", "json", "--log-level"]
        found: list[list[str]] = []
        for command, *rest in self.commands():
            self.assertEqual(rest[:4], common)
            found.append([command, *rest[5:]])
        return found

    def fails(self, kind: str, what: str = "it failed", object: str = "", code: int = 1) -> None:
        self.says({"error": {"kind": kind, "what": what, "object": object}}, code=code)
