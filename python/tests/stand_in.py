"""An executable that only writes down its arguments and says what a test wants: for what is asked of zcdp, and what is made
of its answers. How zcdp itself behaves is tested with zcdp."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Optional, Union
from unittest import mock

PROGRAM = """#!{python} -SE
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(__file__).parent
with open(folder / "asked", "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
script = json.loads((folder / "script").read_text())
if script["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in script["stderr"]:
    print(line, file=sys.stderr, flush=True)
for line in script["stdout"]:
    print(line, flush=True)
if script["hangs"]:
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(600)
if script["signal"]:
    os.kill(os.getpid(), script["signal"])
sys.exit(script["code"])
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
        self.program.write_text(PROGRAM.replace("{python}", sys.executable))
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
        script = {
            "stdout": [text_of(line) for line in stdout or ({},)],
            "stderr": [text_of(line) for line in stderr],
            "code": code,
            "signal": signal,
            "hangs": hangs,
            "stubborn": stubborn,
        }
        (self.folder / "script").write_text(json.dumps(script))
        (self.folder / "asked").unlink(missing_ok=True)
        (self.folder / "pid").unlink(missing_ok=True)

    def asked(self) -> list[list[str]]:
        """The commands, without the flags that all of them have."""
        path = self.folder / "asked"
        common = ["--json", "--log-format", "json", "--log-level"]
        found: list[list[str]] = []
        for line in path.read_text().splitlines() if path.exists() else []:
            command, *rest = json.loads(line)
            self.assertEqual(rest[:4], common)
            found.append([command, *rest[5:]])
        return found

    def fails(self, kind: str, what: str = "it failed", object: str = "", code: int = 1) -> None:
        self.says({"error": {"kind": kind, "what": what, "object": object}}, code=code)
