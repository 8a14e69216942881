"""filter_options: the part of rsync's filters that means the same here, and a refusal of the rest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Optional

_ALL = "*"
_ALL_FOLDERS = "*/"
_ADVICE = "use include= and exclude= instead"


def include_and_exclude(filter_options: Optional[str]) -> tuple[list[str], list[str]]:
    """(include, exclude) that take the same files as these options of rsync.

    rsync takes the first pattern that matches and everything that none matches; here an exclude wins over an include,
    and with includes all else is out. So includes stand for themselves only before ``--exclude='*'`` at the end.
    ValueError for what cannot be said here.
    """
    rules = list(_rules(filter_options or ""))
    only = bool(rules) and rules[-1] == ("exclude", _ALL)
    if only:
        rules.pop()
    include = [pattern for kind, pattern in rules if kind == "include"]
    exclude = [pattern for kind, pattern in rules if kind == "exclude"]
    if include and not only:
        raise ValueError(f"filter_options: --include without --exclude='*' at the end makes exceptions; {_ADVICE}")
    if only and not include:
        raise ValueError("filter_options: --exclude='*' alone leaves nothing")
    if include and any(kind == "exclude" for kind, _ in rules[_first_include(rules) :]):
        raise ValueError(f"filter_options: an --include before an --exclude makes exceptions of it; {_ADVICE}")
    include = [pattern for pattern in include if pattern != _ALL_FOLDERS]  # rsync's way of going into folders
    if only and not include:
        raise ValueError("filter_options: these leave folders alone")
    return include, exclude


def _first_include(rules: Sequence[tuple[str, str]]) -> int:
    return next(i for i, (kind, _) in enumerate(rules) if kind == "include")


def _rules(options: str) -> Iterator[tuple[str, str]]:
    words = iter(shlex.split(options))
    for word in words:
        name, equals, pattern = word.partition("=")
        if name not in ("--include", "--exclude"):
            raise ValueError(f"filter_options: {word!r}: only --include and --exclude are known")
        if not equals:
            pattern = next(words, "")
        if not pattern:
            raise ValueError(f"filter_options: {name} without a pattern")
        yield name[2:], pattern
