#!/usr/bin/env python3
# ctest: 300
"""What users of other tools reported in public, replayed on zcdp: tests/reports, whose README.md says where each is from.
With words: only those whose file or name has one of them."""

import importlib
import pathlib
import sys
import traceback

from tests.reports import kit
from tests.support.harness import ROOT, TestRun


def replay(name, function):
    """Whether it holds."""
    try:
        with TestRun() as bench:
            function(bench)
        return True
    except SystemExit as ended:
        return not ended.code
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return False


for path in sorted(pathlib.Path(ROOT, "tests/reports").glob("*.py")):
    if path.stem not in ("__init__", "kit"):
        importlib.import_module(f"tests.reports.{path.stem}")
failed, count = [], 0
for module, name, source, right, function in kit.REPORTS:
    if sys.argv[1:] and not any(word in f"{module}.{name}" for word in sys.argv[1:]):
        continue
    count += 1
    print(f"-- {module}.{name} ({source}): {right}", flush=True)
    if not replay(name, function):
        failed.append(f"{module}.{name}")
print(f"{count - len(failed)} of {count} hold" + (f"; not: {' '.join(failed)}" if failed else ""))
sys.exit(1 if failed or count == 0 else 0)
