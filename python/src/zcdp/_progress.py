"""Showing how far a transfer is: to a function, to anything with tqdm's interface, or as lines of text."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol, Union, runtime_checkable

_PLAIN_EVERY_S = 5.0


@dataclass(frozen=True)
class Progress:
    """How far a transfer is, a few times a second.

    Attributes:
        command: ``"put"`` or ``"get"``.
        key: of which key.
        phase: what is being done, as a word.
        bytes_done: of this phase.
        bytes_total: of this phase, as far as is known; it may grow.
        files_done: of this phase.
        files_total: of this phase, as far as is known.

    Example:
        >>> zcdp.put("team/model/v3", "./checkpoint", progress=lambda now: print(now.bytes_done, now.bytes_total))
    """

    command: str
    key: str
    phase: str
    bytes_done: int
    bytes_total: int
    files_done: int
    files_total: int


@runtime_checkable
class ProgressBar(Protocol):
    """The part of tqdm's interface that is used; ``total``, ``refresh`` and ``set_description`` are, where they are there."""

    def update(self, n: int, /) -> object:
        """So many bytes more."""
        ...


ProgressLike = Union[None, bool, Callable[[Progress], object], ProgressBar, type[Any]]


class Reporter:
    """Hands on what is heard of one call; the default says nothing. Made by reporter_of()."""

    wanted = False

    def begin(self, command: str, key: str) -> None:
        """A transfer of this key begins."""

    def heard(self, said: Mapping[str, Any]) -> None:
        """The executable said how far it is."""

    def end(self, succeeded: bool) -> None:
        """The transfer has ended."""

    def close(self) -> None:
        """The call has ended; whatever was made here is closed."""


class _Numbers(Reporter):
    wanted = True

    def begin(self, command: str, key: str) -> None:
        self.command, self.key = command, key

    def heard(self, said: Mapping[str, Any]) -> None:
        numbers = (int(said.get(name, 0)) for name in ("bytes_done", "bytes_total", "files_done", "files_total"))
        self.show(Progress(self.command, self.key, str(said.get("phase", "")), *numbers))

    def show(self, now: Progress) -> None:
        raise NotImplementedError


class _Function(_Numbers):
    def __init__(self, function: Callable[[Progress], object]) -> None:
        self.function = function

    def show(self, now: Progress) -> None:
        self.function(now)


class _Bar(_Numbers):
    """Counts the bytes of all phases of all keys of a call, so that the bar only goes forwards."""

    def __init__(self, bar: ProgressBar, own: bool = False) -> None:
        self.bar, self.own = bar, own
        self.shown = 0
        self.phases: dict[tuple[str, str], tuple[int, int]] = {}

    def begin(self, command: str, key: str) -> None:
        super().begin(command, key)
        if self.own:
            self._ask("set_description", f"{command} {key}")

    def show(self, now: Progress) -> None:
        ended = now.phase == "done" and any(total for (key, _), (_, total) in self.phases.items() if key == now.key)
        if ended:  # it says once more what the last phase did
            return
        self.phases[now.key, now.phase] = (now.bytes_done, max(now.bytes_done, now.bytes_total))
        self._draw()

    def end(self, succeeded: bool) -> None:
        if succeeded:  # what the last look missed
            self.phases = {name: (total, total) for name, (_, total) in self.phases.items()}
            self._draw()

    def close(self) -> None:
        if self.own:
            self._ask("close")

    def _draw(self) -> None:
        done = sum(part[0] for part in self.phases.values())
        total = sum(part[1] for part in self.phases.values())
        if getattr(self.bar, "total", None) != total:
            self.bar.total = total  # type: ignore[attr-defined]
            self._ask("refresh")
        if done > self.shown:
            self.bar.update(done - self.shown)
            self.shown = done

    def _ask(self, name: str, *args: object) -> None:
        method = getattr(self.bar, name, None)
        if callable(method):
            method(*args)


class _Lines(_Numbers):
    """A line on stderr every few seconds."""

    def __init__(self) -> None:
        self.shown_at = time.monotonic()

    def show(self, now: Progress) -> None:
        if time.monotonic() - self.shown_at < _PLAIN_EVERY_S:
            return
        self.shown_at = time.monotonic()
        percent = f"{100 * now.bytes_done // now.bytes_total}% " if now.bytes_total else ""
        print(
            f"{now.command} {now.key}: {now.phase}: {percent}{now.bytes_done / 2**20:.1f} of "
            f"{now.bytes_total / 2**20:.1f} MiB, {now.files_done} of {now.files_total} files",
            file=sys.stderr,
        )


def _tqdm() -> Optional[type[Any]]:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def reporter_of(progress: ProgressLike) -> Reporter:
    """What `progress=` means. TypeError for what is none of what it may be."""
    if progress is None or progress is False:
        return Reporter()
    if progress is True:
        progress = _tqdm()
        if progress is None:
            return _Lines()
    if isinstance(progress, type) and hasattr(progress, "update"):
        return _Bar(progress(total=0, unit="B", unit_scale=True, unit_divisor=1024), own=True)
    if isinstance(progress, ProgressBar):
        return _Bar(progress)
    if callable(progress):
        return _Function(progress)
    raise TypeError(f"progress: {type(progress).__name__} is neither a function nor has it tqdm's update()")
