"""The data store of zcdp, the Zero Copy Data Plane: files and directories between laptops, CI and pods, by name.

The package carries the ``zcdp`` executable and drives it. Where the store is, and who asks, is said by the environment:
``ZCDP_SERVER``, ``ZCDP_TOKEN_FILE``.

Example:
    >>> import zcdp
    >>> zcdp.put("team/model/v3", src="./checkpoint")
    >>> zcdp.get("team/model/v3", dest="./model")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import aio
from ._bin import find_zcdp_bin
from ._errors import (
    AccessDenied,
    DataStoreError,
    ExecutableNotFound,
    KeyNotFound,
    QuotaExceeded,
    RsyncError,
    SourceChanged,
    SourceNotFound,
    TimedOut,
    Unsupported,
)
from ._operations import get, history, ls, put, rm, stat
from ._progress import Progress
from ._types import BroadcastWindow, GetResult, Item, Lifespan, Locale, PutResult

__all__ = [
    "AccessDenied",
    "BroadcastWindow",
    "DataStoreError",
    "ExecutableNotFound",
    "GetResult",
    "Item",
    "KeyNotFound",
    "Lifespan",
    "Locale",
    "Progress",
    "PutResult",
    "QuotaExceeded",
    "RsyncError",
    "SourceChanged",
    "SourceNotFound",
    "TimedOut",
    "Unsupported",
    "__version__",
    "aio",
    "find_zcdp_bin",
    "get",
    "history",
    "ls",
    "put",
    "rm",
    "stat",
]


if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("zcdp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
