#!/usr/bin/env python3
"""Every C++ file is as clang-format-19 writes it."""

import concurrent.futures
import os
import re
import subprocess
import sys

import kit


def breaches(top, names: list[str]) -> list[str]:
    command = ["clang-format-19", "--dry-run", "--ferror-limit=1", *names]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True)
    found = re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)", done.stderr, re.M)
    if done.returncode and not found:
        return [f"clang-format-19: {done.stderr.strip()}"]
    return [f"{name}:{line}: is not as clang-format-19 writes it" for name, line, _ in found]


def main() -> int:
    top = kit.root()
    names = [name for name in kit.tree(top) if name.endswith(kit.CPP)]
    workers = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda part: breaches(top, part), [names[i::workers] for i in range(workers) if names[i:]])
        return kit.report(len(names), sorted(line for part in found for line in part), "formatting")


if __name__ == "__main__":
    sys.exit(main())
