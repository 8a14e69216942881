"""One run of the executable: what it is asked, and what is made of all that it says. No process is started here."""

from __future__ import annotations

import collections
import json
import logging
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar, Union, cast

from ._errors import DataStoreError, error_of
from ._progress import Reporter

logger = logging.getLogger("zcdp")

R = TypeVar("R")
Said = dict[str, Any]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_LAST_LINES = 5


@dataclass(frozen=True)
class Command:
    """What the executable is asked: `zcdp NAME FLAGS… -- KEYS… PATHS…`."""

    name: str
    keys: list[str] = field(default_factory=lambda: [])
    paths: list[str] = field(default_factory=lambda: [])
    flags: list[str] = field(default_factory=lambda: [])
    reporter: Reporter = field(default_factory=Reporter)
    verbose: bool = False
    timeout: Optional[float] = None

    def arguments(self) -> list[str]:
        """All that follows the executable's path. Keys and paths stand behind `--`, so that none is taken for a flag."""
        progress = ["--progress", "json"] if self.reporter.wanted else []
        common = ["--json", "--log-format", "json", "--log-level", self._level()]
        return [self.name, *common, *progress, *self.flags, "--", *self.keys, *self.paths]

    def _level(self) -> str:
        enabled = [name for name, level in _LEVELS.items() if logger.isEnabledFor(level)]
        if self.verbose and "info" not in enabled:
            return "info"
        return enabled[0] if enabled else "error"


# An operation is a generator: it yields commands, gets back what each printed, or is thrown its error, and returns the
# result. So the same code serves those who wait and those who await.
Steps = Generator[Command, list[Said], R]


class Hearing:
    """Takes the executable's output as it comes and its exit code at the end."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._pending = {"stdout": b"", "stderr": b""}
        self._said: list[Said] = []
        self._last_lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        command.reporter.begin(command.name, ", ".join(command.keys))

    def feed(self, stream: str, piece: bytes) -> None:
        """A piece of "stdout" or "stderr", of any size; b"" is the end."""
        *lines, rest = (self._pending[stream] + piece).split(b"\n")
        if not piece and rest:
            lines, rest = [*lines, rest], b""
        self._pending[stream] = rest
        for line in lines:
            if line:
                (self._result if stream == "stdout" else self._remark)(line.decode(errors="surrogateescape"))

    def answer(self, exit_code: int) -> list[Said]:
        """What was printed on stdout. DataStoreError when it failed."""
        self._command.reporter.end(exit_code == 0)
        if exit_code == 0:
            return self._said
        error = self._said[-1].get("error") if self._said else None
        if isinstance(error, dict):
            raise self._error(cast(Said, error), exit_code)
        ended = f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        words = ": " + " / ".join(self._last_lines) if self._last_lines else ""
        kind = "interrupted" if exit_code == 130 else "usage" if exit_code == 2 else "failed"
        raise DataStoreError(f"zcdp {self._command.name} {ended}{words}", kind=kind, exit_code=exit_code)

    def _error(self, said: Said, exit_code: int) -> DataStoreError:
        puts = self._command.name == "put"
        return error_of(said, exit_code, () if puts else self._command.keys, self._command.paths if puts else ())

    def _result(self, line: str) -> None:
        said = _object(line)
        if said is None:
            raise DataStoreError(f"zcdp {self._command.name} printed what is no JSON object: {line[:200]!r}")
        self._said.append(said)

    def _remark(self, line: str) -> None:
        said = _object(line)
        if said is None:
            self._last_lines.append(line)
            logger.debug("%s", line)
        elif isinstance(said.get("progress"), dict):
            self._command.reporter.heard(said["progress"])
        else:
            self._log(said)

    def _log(self, said: Said) -> None:
        level = _LEVELS.get(str(said.pop("level", "info")), logging.INFO)
        message = str(said.pop("message", ""))
        said.pop("time", None)
        text = " ".join([message, *(f"{name}={value}" for name, value in said.items())])
        logger.log(level, "%s", text, extra={"zcdp": said})
        if self._command.verbose and not logger.isEnabledFor(level):
            print(f"zcdp: {text}", file=sys.stderr)


def _object(line: str) -> Optional[Said]:
    try:
        said: Union[Said, object] = json.loads(line)
    except ValueError:
        return None
    return cast(Said, said) if isinstance(said, dict) else None
