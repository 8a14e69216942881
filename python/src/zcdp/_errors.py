"""What can go wrong, by the kind that the executable says: never by its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional


class DataStoreError(Exception):
    """The store could not do it. ``str()`` is one line: what, about which object, and what to do next.

    Attributes:
        kind: the kind of error as a word, ``"no_space"`` for example. Decide by this or by the class, never by the text.
        what: what happened and why.
        object: the key, file or address concerned; empty when there is none.
        hint: what to do next; may be empty.
        exit_code: of the executable; None when it did not get that far.

    Example:
        >>> try:
        ...     zcdp.get("team/model/v3", "./model")
        ... except zcdp.DataStoreError as error:
        ...     print(error.kind, error.object)
        not_found team/model/v3
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "failed",
        what: str = "",
        object: str = "",
        hint: str = "",
        exit_code: Optional[int] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.what = what or message
        self.object = object
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return self.message


class KeyNotFound(DataStoreError, KeyError):
    """There is no such key, or no such version of it; also a ``KeyError``. Keys that you may not read are absent, too."""


class SourceNotFound(DataStoreError, FileNotFoundError, ValueError):
    """What was to be put is not there; also a ``FileNotFoundError``."""


class AccessDenied(DataStoreError, PermissionError):
    """The token is missing, wrong or without the right, or a file is not yours; also a ``PermissionError``."""


class QuotaExceeded(DataStoreError):
    """No space, here or in the store, or over a quota. Nothing travelled for nothing: quotas are answered before."""


class SourceChanged(DataStoreError):
    """A file changed while it was put, or another wrote the key since ``if_version``."""


class TimedOut(DataStoreError, TimeoutError):
    """It took longer than ``timeout``, or a peer was silent for too long; also a ``TimeoutError``."""


class Unsupported(DataStoreError, NotImplementedError):
    """zcdp cannot do this yet; also a ``NotImplementedError``. The message names what is missing."""


class ExecutableNotFound(DataStoreError, FileNotFoundError):
    """The ``zcdp`` executable is neither beside this package nor on PATH; also a ``FileNotFoundError``."""


RsyncError = DataStoreError  # code that catches kt.RsyncError keeps working

_CLASSES: Mapping[str, type[DataStoreError]] = {
    "denied": AccessDenied,
    "no_space": QuotaExceeded,
    "source_changed": SourceChanged,
    "timeout": TimedOut,
}


def error_of(
    said: Mapping[str, Any], exit_code: int, keys: Sequence[str] = (), sources: Sequence[str] = ()
) -> DataStoreError:
    """The exception for the object that the executable printed with --json. What is not found is a key or a source only
    when it is one of these; else it is a host, say."""
    kind, what = str(said.get("kind", "failed")), str(said.get("what", ""))
    about, hint = str(said.get("object", "")), str(said.get("hint", ""))
    message = (f"{about}: " if about else "") + what + (f"; {hint}" if hint else "")
    cls = _CLASSES.get(kind, DataStoreError)
    if kind == "not_found" and _bare(about) in map(_bare, keys):
        cls = KeyNotFound
    elif kind == "not_found" and about in sources:
        cls = SourceNotFound
    return cls(message, kind=kind, what=what, object=about, hint=hint, exit_code=exit_code)


def _bare(key: str) -> str:
    """Without a version and the slashes that mean nothing."""
    name, at, version = key.strip("/").rpartition("@")
    return name if at and version.isdigit() else key.strip("/")
