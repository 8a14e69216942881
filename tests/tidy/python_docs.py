#!/usr/bin/env python3
"""docs/python.md is as scripts/python_docs writes it from the package's docstrings."""

import subprocess
import sys

import kit


def main() -> int:
    top = kit.root()
    done = subprocess.run([sys.executable, top / "scripts/python_docs", "--check"], capture_output=True, text=True)
    found = [] if done.returncode == 0 else [(done.stdout or done.stderr).strip()]
    return kit.report(1, found, "python_docs")


if __name__ == "__main__":
    sys.exit(main())
