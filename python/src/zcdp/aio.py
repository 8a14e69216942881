"""The functions of ``zcdp``, to be awaited: same names, parameters, results and errors.

A call that is cancelled ends the transfer (SIGTERM, then SIGKILL); running it again goes on where it was. Several may be
under way at once.

Example:
    >>> async def both():
    ...     await asyncio.gather(
    ...         zcdp.aio.get("team/model/v3", "./model"),
    ...         zcdp.aio.get("team/data", "./data"),
    ...     )
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Callable

from . import _operations
from ._bin import find_zcdp_bin
from ._child import TERMINATED_WITHIN_S, timed_out
from ._command import Command, Hearing, R, Said, Steps
from ._errors import DataStoreError

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    P = ParamSpec("P")

__all__ = ["get", "history", "ls", "put", "rm", "stat"]

_PIECE = 1 << 16


def _awaitable(blocking: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    steps: Callable[P, Steps[R]] = blocking.__wrapped__  # type: ignore[attr-defined]

    async def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return await _perform(steps(*args, **kwargs))

    _operations.dressed(function, steps)
    return function


async def _perform(steps: Steps[R]) -> R:
    try:
        command = next(steps)
        while True:
            try:
                answer = await _run(command)
            except DataStoreError as error:
                command = steps.throw(error)
            else:
                command = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def _run(command: Command) -> list[Said]:
    hearing = Hearing(command)
    child = await asyncio.create_subprocess_exec(
        find_zcdp_bin(),
        *command.arguments(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        return hearing.answer(await asyncio.wait_for(_listen(child, hearing), command.timeout))
    except asyncio.TimeoutError:
        raise timed_out(command) from None
    finally:
        if child.returncode is None:
            await _end(child)


async def _listen(child: asyncio.subprocess.Process, hearing: Hearing) -> int:
    streams = {"stdout": child.stdout, "stderr": child.stderr}
    pumps = [asyncio.ensure_future(_pump(stream, hearing, name)) for name, stream in streams.items() if stream]
    try:
        await asyncio.gather(*pumps)
        return await child.wait()
    finally:
        for pump in pumps:
            pump.cancel()


async def _pump(stream: asyncio.StreamReader, hearing: Hearing, name: str) -> None:
    while True:
        piece = await stream.read(_PIECE)
        hearing.feed(name, piece)
        if not piece:
            return


async def _end(child: asyncio.subprocess.Process) -> None:
    """Asks, then insists; also when it is cancelled once more meanwhile."""
    try:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await asyncio.wait_for(child.wait(), TERMINATED_WITHIN_S)
    except asyncio.TimeoutError:
        pass
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


put = _awaitable(_operations.put)
get = _awaitable(_operations.get)
ls = _awaitable(_operations.ls)
stat = _awaitable(_operations.stat)
history = _awaitable(_operations.history)
rm = _awaitable(_operations.rm)
