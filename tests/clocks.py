#!/usr/bin/env python3
"""No decision reads the machine's time past the injected Clock: fails on any source that names a system clock.

What is decided by how much time went by must be testable under ManualClock. Timers that only end a wait may use the
machine's time; where they name its clock, the file is listed here with its reason.
"""

import pathlib
import re
import sys

MAY = {
    "src/base/clock.cpp": "the implementation of Clock",
    "include/zcdp/base/clock.hpp": "declares it",
    "include/zcdp/base/tasks.hpp": "Deadline, a timer of the loop",
    "src/base/tasks.cpp": "Deadline, a timer of the loop",
    "src/kube/csi/server.cpp": "gRPC takes the end of a shutdown as an instant",
    "src/modes/run.cpp": "hands the machine's Clock down",
}
READS = re.compile(
    r"\b(?:steady_clock|high_resolution_clock|system_clock)\b"
    r"|\b(?:clock_gettime|gettimeofday|timespec_get|ftime)\s*\("
    r"|(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&)"
)
COMMENT = re.compile(r"//.*")


def breaches(root: pathlib.Path):
    files = [p for top in ("src", "include") for p in (root / top).rglob("*") if p.suffix in (".cpp", ".hpp")]
    if not files:
        yield "no sources found: the check would pass on nothing"
    for path in files:
        name = str(path.relative_to(root))
        if name in MAY:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := READS.search(COMMENT.sub("", line)):
                yield f"{name}:{number}: reads '{found.group().strip()}': take the Clock that is handed down"


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = list(breaches(root))
    print("\n".join(found) or "clocks: every decision asks the injected Clock")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
