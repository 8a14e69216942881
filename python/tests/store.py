"""A folder and a part of a real store's keys, for one test; without ZCDP_SERVER such tests are skipped."""

from __future__ import annotations

import os
import tempfile
import unittest
import uuid
from pathlib import Path

import zcdp


@unittest.skipUnless(
    os.environ.get("ZCDP_SERVER"), "no store: set ZCDP_SERVER, and ZCDP_TOKEN_FILE where it wants a token"
)
class Store(unittest.TestCase):
    """`self.folder` is the current directory, too; `self.top` is a prefix that no other test has."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="zcdp-py-")
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        self.folder = Path(folder.name)
        os.chdir(self.folder)
        self.top = f"t{uuid.uuid4().hex[:12]}"
        self.addCleanup(zcdp.rm, self.top, recursive=True, missing_ok=True)

    def write(self, files: dict[str, bytes], folder: str = "src") -> Path:
        for name, content in files.items():
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self.folder / folder

    def files(self, folder: str) -> dict[str, bytes]:
        top = self.folder / folder
        found = [path for path in top.rglob("*") if path.is_file() and ".zcdp" not in path.parts]
        return {str(path.relative_to(top)): path.read_bytes() for path in found}
