"""``python -m zcdp`` is the executable, with the same arguments, streams and exit code."""

from __future__ import annotations

import os
import sys

from ._bin import find_zcdp_bin
from ._errors import ExecutableNotFound


def main() -> None:
    """Becomes the executable."""
    try:
        path = find_zcdp_bin()
    except ExecutableNotFound as error:
        sys.exit(str(error))
    os.execv(path, ["zcdp", *sys.argv[1:]])


if __name__ == "__main__":
    main()
