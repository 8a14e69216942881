"""put, get, ls, stat, history and rm. Each is written as the steps that it takes (_command.Steps): yields the commands it
needs, returns its result. `@blocking` makes of that the function that people call; aio.py the same to be awaited."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from . import _arguments
from ._child import perform
from ._command import Command, R, Steps
from ._errors import KeyNotFound
from ._progress import ProgressLike, reporter_of
from ._types import BroadcastWindow, GetResult, Item, Lifespan, Locale, PutResult, StrPath

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    P = ParamSpec("P")


def dressed(function: Callable[..., Any], steps: Callable[..., Any]) -> None:
    """Gives `function` the name, words and parameters of the steps, and says that it returns their result."""
    functools.update_wrapper(function, steps)
    signature = inspect.signature(steps)
    result = str(signature.return_annotation).removeprefix("Steps[").removesuffix("]")
    function.__signature__ = signature.replace(return_annotation=result)  # type: ignore[attr-defined]
    function.__annotations__ = {**steps.__annotations__, "return": result}


def blocking(steps: Callable[P, Steps[R]]) -> Callable[P, R]:
    """The function that runs these steps; they stay its __wrapped__."""

    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return perform(steps(*args, **kwargs))

    dressed(function, steps)
    return function


@blocking
def put(
    key: Union[str, Sequence[str]],
    src: Union[StrPath, Sequence[StrPath], None] = None,
    locale: Locale = "store",
    broadcast: Optional[BroadcastWindow] = None,
    contents: bool = False,
    filter_options: Optional[str] = None,
    force: bool = False,
    verbose: bool = False,
    namespace: Optional[str] = None,
    kubeconfig_path: Optional[StrPath] = None,
    start_rsyncd: bool = True,
    base_path: str = "/",
    nccl_port: int = 29500,
    nccl_pg_mode: Optional[str] = None,
    *,
    lifespan: Lifespan = "cluster",
    owner: Optional[str] = None,
    ttl: Union[str, float, timedelta, None] = None,
    include: Union[str, Sequence[str]] = (),
    exclude: Union[str, Sequence[str]] = (),
    if_version: Optional[int] = None,
    copy: bool = False,
    progress: ProgressLike = None,
) -> Steps[PutResult]:
    """Makes a key be a file or a directory: a new version of it, whole and verified, that readers see at once.

    Only what the store does not have yet travels. A put that was interrupted goes on where it was when it is run again.

    Args:
        key: the key, ``"team/model/v3"``; a leading slash means nothing, one at its end means inside it. With several
            keys each gets the source.
        src: a file or a directory; a slash at its end changes nothing. With several each goes inside the key, under its
            own name.
        locale: ``"store"``: into the store. ``"local"`` cannot be done yet.
        broadcast: cannot be done yet.
        contents: has no effect: a directory's contents are always what the key holds.
        filter_options: ``--include`` and ``--exclude`` of rsync, where they mean the same here; ``ValueError`` for others.
        force: makes a version also when nothing changed.
        verbose: what zcdp does is logged, and printed on stderr where no logging is set up.
        namespace: the namespace whose store it is; not where ``ZCDP_SERVER`` names one.
        kubeconfig_path: cannot be done yet.
        start_rsyncd: ignored, there is no rsync; so are ``base_path``, ``nccl_port`` and ``nccl_pg_mode``.
        base_path: see ``start_rsyncd``.
        nccl_port: see ``start_rsyncd``.
        nccl_pg_mode: see ``start_rsyncd``.
        lifespan: ``"cluster"``: until it is removed. ``"resource"`` cannot be done yet.
        owner: cannot be done yet.
        ttl: the key goes by itself after so long: ``"6h"``, seconds, or a ``timedelta``.
        include: only what matches this glob, or one of these.
        exclude: nothing that matches this glob, or one of these; wins over ``include``.
        if_version: only if this is the key's version now; 0: only if there is no such key.
        copy: cannot be done yet.
        progress: a function that is called with ``zcdp.Progress``, a bar with tqdm's interface or the class of one, or
            True: tqdm where it is installed, else a line on stderr every five seconds.

    Returns:
        What was put, and what of it had to travel.

    Raises:
        SourceNotFound: there is no ``src``.
        SourceChanged: a file changed while it was read, or the key has another version than ``if_version``.
        QuotaExceeded: the store, or your share of it, is full.
        AccessDenied: you may not write this key, or may not read a file.
        DataStoreError: anything else; the ones above are such, too.

    Examples:
        >>> zcdp.put("team/model/v3", src="./checkpoint")
        >>> zcdp.put("team/run/log.txt", src="log.txt", ttl="6h")
        >>> zcdp.put("team/model/v3", src="./checkpoint", exclude="*.tmp", if_version=0, progress=True)
    """
    if src is None:
        raise ValueError("src is required: the file or directory to put")
    keys = _arguments.keys_of(key)
    _arguments.refuse_tensors_of(src, "src", keys=key)
    _arguments.refuse_unbuilt(
        locale=locale,
        lifespan=lifespan,
        owner=owner,
        copy=copy,
        broadcast=broadcast,
        kubeconfig_path=kubeconfig_path,
    )
    _arguments.warn_ignored(
        start_rsyncd=not start_rsyncd,
        base_path=base_path != "/",
        nccl_port=nccl_port != 29500,
        nccl_pg_mode=nccl_pg_mode is not None,
    )
    flags = _arguments.namespace_flags(namespace)
    flags += _arguments.filter_flags(include, exclude, filter_options) + _arguments.ttl_flags(ttl)
    if force:
        flags.append("--force")
    if if_version is not None:
        flags.append(f"--if-version={if_version}")
    several = isinstance(src, (list, tuple))
    sources = _arguments.sources_of(src)
    if several:
        keys = [one.rstrip("/") + "/" for one in keys]
    reporter = reporter_of(progress)
    parts: list[PutResult] = []
    try:
        for one, path in itertools.product(keys, sources):
            said = yield Command("put", [one], [path], flags, reporter, verbose)
            parts.append(PutResult._of(said[0]))
    finally:
        reporter.close()
    return parts[0] if isinstance(key, str) and not several else PutResult._together(parts)


@blocking
def get(
    key: Union[str, Sequence[str]],
    dest: Optional[StrPath] = None,
    broadcast: Optional[BroadcastWindow] = None,
    contents: bool = False,
    filter_options: Optional[str] = None,
    force: bool = False,
    verbose: bool = False,
    namespace: Optional[str] = None,
    kubeconfig_path: Optional[StrPath] = None,
    nccl_pg_mode: Optional[str] = None,
    *,
    version: Optional[int] = None,
    include: Union[str, Sequence[str]] = (),
    exclude: Union[str, Sequence[str]] = (),
    timeout: Optional[float] = None,
    progress: ProgressLike = None,
) -> Steps[GetResult]:
    """Makes a path be what a key holds: a file, or a directory that is brought up to date file by file.

    Every byte is verified; what is there already is not fetched again, and files that zcdp did not put there stay. A get
    that was interrupted goes on where it was when it is run again.

    Args:
        key: the key; ``"KEY@N"`` is version N of it. One that ends in a slash stands for every key below it. Several are
            each put inside ``dest``, under their last names.
        dest: what the key becomes. With a slash at its end, or when it is a directory and the key a file: inside it. By
            default the key's last part, in the current directory.
        broadcast: cannot be done yet.
        contents: has no effect: ``dest`` is always what the key holds.
        filter_options: ``--include`` and ``--exclude`` of rsync, where they mean the same here; ``ValueError`` for others.
        force: has no effect: what differs from the key is always replaced.
        verbose: what zcdp does is logged, and printed on stderr where no logging is set up.
        namespace: the namespace whose store it is; not where ``ZCDP_SERVER`` names one.
        kubeconfig_path: cannot be done yet.
        nccl_pg_mode: ignored.
        version: this version instead of the present one.
        include: only what matches this glob, or one of these.
        exclude: nothing that matches this glob, or one of these; wins over ``include``.
        timeout: seconds, after which it is given up with ``TimedOut``.
        progress: as with ``put``.

    Returns:
        Where it is now, and what of it had to travel.

    Raises:
        KeyNotFound: there is no such key or version, or you may not read it.
        TimedOut: it took longer than ``timeout``.
        DataStoreError: anything else; the ones above are such, too.

    Examples:
        >>> zcdp.get("team/model/v3", dest="./model")
        >>> zcdp.get("team/model/v3", dest="./old", version=1)
        >>> zcdp.get(["team/tokenizer", "team/config.json"], dest="./parts")
    """
    keys = _arguments.keys_of(key)
    _arguments.refuse_tensors_of(dest, "dest", keys=key)
    _arguments.refuse_unbuilt(broadcast=broadcast, kubeconfig_path=kubeconfig_path)
    _arguments.warn_ignored(nccl_pg_mode=nccl_pg_mode is not None)
    flags = _arguments.namespace_flags(namespace)
    flags += _arguments.filter_flags(include, exclude, filter_options)
    several = not isinstance(key, str)
    where = [] if dest is None else [_arguments.path_of(dest, "dest")]
    if several:
        where = [where[0].rstrip("/") + "/" if where else "./"]
    reporter = reporter_of(progress)
    parts: list[GetResult] = []
    try:
        for one in keys:
            said = yield Command(
                "get", [_arguments.key_with_version(one, version)], where, flags, reporter, verbose, timeout
            )
            parts.append(GetResult._of(said[0]))
    finally:
        reporter.close()
    return GetResult._together(parts, Path(where[0]).absolute()) if several else parts[0]


@blocking
def ls(
    key: str = "",
    verbose: bool = False,
    namespace: Optional[str] = None,
    kubeconfig_path: Optional[StrPath] = None,
    *,
    recursive: bool = False,
) -> Steps[list[Item]]:
    """What there is below a key: keys, and folders of keys.

    Args:
        key: below this one; all there is when it is empty. A key that nothing lies below is told of itself.
        verbose: what zcdp does is logged, and printed on stderr where no logging is set up.
        namespace: the namespace whose store it is; not where ``ZCDP_SERVER`` names one.
        kubeconfig_path: cannot be done yet.
        recursive: every key at any depth instead of one level.

    Returns:
        Items, by name; none when there is nothing.

    Raises:
        DataStoreError: the store could not be asked.

    Examples:
        >>> zcdp.ls("team")
        [Item({'name': 'model', 'key': 'team/model', 'is_directory': True, 'locale': 'store'})]
        >>> sum(item.size_bytes for item in zcdp.ls("team", recursive=True))
        1073741824
    """
    _arguments.refuse_unbuilt(kubeconfig_path=kubeconfig_path)
    prefix = _arguments.keys_of(key) if key else []
    flags = _arguments.namespace_flags(namespace)
    if recursive:
        flags.append("--recursive")
    try:
        said = yield Command("ls", prefix, flags=flags, verbose=verbose)
    except KeyNotFound:
        return []
    return [Item(each) for each in said]


@blocking
def stat(key: str, *, namespace: Optional[str] = None, kubeconfig_path: Optional[StrPath] = None) -> Steps[Item]:
    """One key: its version, size, time and digest.

    Args:
        key: the key; ``"KEY@N"`` is version N of it.
        namespace: the namespace whose store it is; not where ``ZCDP_SERVER`` names one.
        kubeconfig_path: cannot be done yet.

    Raises:
        KeyNotFound: there is no such key or version, or you may not read it.
        DataStoreError: anything else.

    Example:
        >>> zcdp.stat("team/model/v3").version
        7
    """
    _arguments.refuse_unbuilt(kubeconfig_path=kubeconfig_path)
    said = yield Command("stat", _arguments.keys_of(key), flags=_arguments.namespace_flags(namespace))
    return Item(said[0])


@blocking
def history(
    key: str, *, namespace: Optional[str] = None, kubeconfig_path: Optional[StrPath] = None
) -> Steps[list[Item]]:
    """The versions of a key that are kept, newest first.

    Args:
        key: the key.
        namespace: the namespace whose store it is; not where ``ZCDP_SERVER`` names one.
        kubeconfig_path: cannot be done yet.

    Raises:
        KeyNotFound: there is no such key, or you may not read it.
        DataStoreError: anything else.

    Example:
        >>> [item.version for item in zcdp.history("team/model/v3")]
        [7, 6, 5]
    """
    _arguments.refuse_unbuilt(kubeconfig_path=kubeconfig_path)
    said = yield Command("history", _arguments.keys_of(key), flags=_arguments.namespace_flags(namespace))
    return [Item(each) for each in said]


@blocking
def rm(
    key: Union[str, Sequence[str]],
    recursive: bool = False,
    prefix: bool = False,
    verbose: bool = False,
    namespace: Optional[str] = None,
    kubeconfig_path: Optional[StrPath] = None,
    *,
    missing_ok: bool = False,
) -> Steps[None]:
    """Removes a key with all its versions. Who is in the middle of reading it finishes.

    Args:
        key: the key, or several.
        recursive: also every key below it.
        prefix: every key that begins with this text.
        verbose: what zcdp does is logged, and printed on stderr where no logging is set up.
        namespace: the namespace whose store it is; not where ``ZCDP_SERVER`` names one.
        kubeconfig_path: cannot be done yet.
        missing_ok: it is no error when there is no such key.

    Raises:
        KeyNotFound: there is no such key.
        DataStoreError: anything else; a folder without ``recursive``, for one.

    Examples:
        >>> zcdp.rm("team/model/v2")
        >>> zcdp.rm("team/old", recursive=True, missing_ok=True)
    """
    _arguments.refuse_unbuilt(kubeconfig_path=kubeconfig_path)
    flags = _arguments.namespace_flags(namespace)
    if recursive:
        flags.append("--recursive")
    if prefix:
        flags.append("--prefix")
    keys = _arguments.keys_of(key)
    if not missing_ok:
        yield Command("rm", keys, flags=flags, verbose=verbose)
        return
    for one in keys:
        with contextlib.suppress(KeyNotFound):
            yield Command("rm", [one], flags=flags, verbose=verbose)
