"""Where the executable is that this package drives."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ._errors import ExecutableNotFound


def find_zcdp_bin() -> str:
    """The path of the ``zcdp`` executable that came with this package; else of the one on PATH.

    Looked at, in this order: where this Python has its scripts, its base installation's, ``bin`` of ``pip install
    --prefix``, ``bin`` of ``pip install --target``, the user's scripts; then PATH (a package from an sdist has none).

    Raises:
        ExecutableNotFound: there is none; the message says where it was looked for.

    Example:
        >>> subprocess.run([zcdp.find_zcdp_bin(), "version"], check=True)
    """
    looked: list[str] = []
    for folder in _folders():
        path = os.path.join(folder, "zcdp")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        looked.append(folder)
    on_path = shutil.which("zcdp")
    if on_path:
        return on_path
    raise ExecutableNotFound(
        f"zcdp: there is no executable in {', '.join(looked)} or on PATH; install the package from a wheel",
        kind="not_found",
        object="zcdp",
    )


def _folders() -> Iterator[str]:
    yield sysconfig.get_path("scripts")
    yield sysconfig.get_path("scripts", vars={"base": sys.base_prefix})
    site = Path(__file__).parents[1]
    if site.parent.name.startswith("python"):  # PREFIX/lib/python3.11/site-packages
        yield str(site.parents[2] / "bin")
    yield str(site / "bin")
    yield sysconfig.get_path("scripts", scheme=_user_scheme())


def _user_scheme() -> str:
    if sys.version_info >= (3, 10):
        return sysconfig.get_preferred_scheme("user")
    return "posix_user"
