"""filter_options means what rsync means by it, or is refused."""

from __future__ import annotations

import unittest
from typing import Optional

from zcdp._filters import include_and_exclude


class Filters(unittest.TestCase):
    def test_taken(self) -> None:
        cases: list[tuple[Optional[str], tuple[list[str], list[str]]]] = [
            (None, ([], [])),
            ("", ([], [])),
            ("--exclude='*.log' --exclude tmp/", ([], ["*.log", "tmp/"])),
            ("--include='*.py' --exclude='*'", (["*.py"], [])),
            ("--include=*/ --include='*.py' --include=*.md --exclude=*", (["*.py", "*.md"], [])),
            ("--exclude=x.py --include='*.py' --exclude='*'", (["*.py"], ["x.py"])),
            ("--exclude='a b'", ([], ["a b"])),
        ]
        for options, want in cases:
            self.assertEqual(include_and_exclude(options), want, options)

    def test_refused(self) -> None:
        for options in (
            "--delete",
            "-av",
            "--exclude",
            "--exclude=",
            "--exclude-from=f",
            "x",
            "--include=a",
            "--include=keep.log --exclude=*.log",
            "--include=a --exclude=b --exclude=*",
            "--exclude=*",
            "--include=*/ --exclude=*",
            "--exclude='open",
        ):
            with self.assertRaises(ValueError, msg=options):
                include_and_exclude(options)
