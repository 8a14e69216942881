"""What people hand in, checked and said as the executable wants it. Pure."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Optional, Union

from ._errors import SourceNotFound, Unsupported
from ._filters import include_and_exclude
from ._types import BroadcastWindow, StrPath

# User's frame: this function, the operation, perform() or its like, the function that users call.
_USERS_FRAME = 5


def keys_of(key: Union[str, Sequence[str]]) -> list[str]:
    """One or several keys. TypeError for what is none."""
    keys = [key] if isinstance(key, str) else list(key)
    for one in keys:
        if not isinstance(one, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"key: {type(one).__name__} is no str")
    if not all(keys):
        raise ValueError("key: is empty")
    if not keys:
        raise ValueError("key: an empty list")
    return keys


def key_with_version(key: str, version: Optional[int]) -> str:
    """KEY@N."""
    if version is None:
        return key
    if key.endswith("/"):
        raise ValueError("version: a prefix of keys has none")
    return f"{key}@{version}"


def path_of(path: object, name: str) -> str:
    """A path as text that the executable takes for one ("-" would be a stream). TypeError for anything else."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name}: {type(path).__name__} is no path")
    text = os.fspath(path)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if not isinstance(text, str):
        raise TypeError(f"{name}: paths are str, not bytes")
    if not text:
        raise ValueError(f"{name}: an empty path")
    return "./-" if text == "-" else text


def sources_of(src: Union[StrPath, Sequence[StrPath]]) -> list[str]:
    """The paths of one or several sources. SourceNotFound, naming it, when one is not there."""
    sources: Sequence[object] = src if isinstance(src, (list, tuple)) else [src]
    paths = [path_of(one, "src") for one in sources]
    if not paths:
        raise ValueError("src: an empty list")
    for path in paths:
        if not os.path.lexists(path):
            raise SourceNotFound(f"{path}: no such file or directory", kind="not_found", object=path)
    return paths


def refuse_tensors_of(value: object, name: str, *, keys: object) -> None:
    """ValueError for tensors (or arrays, or dicts) with several keys, Unsupported for those with one."""
    if isinstance(value, Mapping) or hasattr(value, "data_ptr") or hasattr(value, "__array_interface__"):
        if not isinstance(keys, str):
            raise ValueError(f"{name}: tensors go to one key, not to several")
        raise Unsupported(f"{name}: tensors cannot be put or got yet; save them to a file", kind="refused")


def filter_flags(
    include: Union[str, Sequence[str]], exclude: Union[str, Sequence[str]], options: Optional[str]
) -> list[str]:
    """--include and --exclude, also those of filter_options."""
    more_include, more_exclude = include_and_exclude(options)
    flags: list[str] = []
    for name, globs, more in (("--include", include, more_include), ("--exclude", exclude, more_exclude)):
        for glob in [*([globs] if isinstance(globs, str) else globs), *more]:
            flags.append(f"{name}={glob}")
    return flags


def ttl_flags(ttl: Union[str, float, timedelta, None]) -> list[str]:
    """--ttl, of a text as the executable takes it ("6h"), of seconds or of a timedelta."""
    if ttl is None:
        return []
    if isinstance(ttl, str):
        return [f"--ttl={ttl}"]
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if seconds < 1:
        raise ValueError("ttl: at least a second")
    return [f"--ttl={round(seconds)}s"]


def namespace_flags(namespace: Optional[str]) -> list[str]:
    """--namespace; the executable refuses it where a server is named that has another."""
    return [] if namespace is None else [f"--namespace={namespace}"]


def refuse_unbuilt(
    *,
    locale: str = "store",
    lifespan: str = "cluster",
    owner: Optional[str] = None,
    copy: bool = False,
    broadcast: Optional[BroadcastWindow] = None,
    kubeconfig_path: Any = None,
) -> None:
    """Unsupported for what zcdp cannot do yet, ValueError for what it never will."""
    if locale not in ("store", "local"):
        raise ValueError(f"locale: {locale!r} is neither 'store' nor 'local'")
    if lifespan not in ("cluster", "resource"):
        raise ValueError(f"lifespan: {lifespan!r} is neither 'cluster' nor 'resource'")
    missing = {
        "locale='local': publishing in place": locale == "local",
        "copy=True: publishing a copy in place": copy,
        "lifespan='resource'": lifespan == "resource",
        "owner=": owner is not None,
        "broadcast=: coordinated transfers": broadcast is not None,
        "kubeconfig_path=: finding a cluster's store": kubeconfig_path is not None,
    }
    for what, asked in missing.items():
        if asked:
            raise Unsupported(f"{what} cannot be done yet", kind="refused")


def warn_ignored(**given: bool) -> None:
    """One DeprecationWarning that names the parameters of Kubetorch that were given and mean nothing here."""
    names = [name for name, asked in given.items() if asked]
    if names:
        warnings.warn(f"zcdp ignores {', '.join(names)}", DeprecationWarning, stacklevel=_USERS_FRAME)
