"""Runs the executable and waits for it. Nothing is kept between calls and no thread is started: safe after fork()."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Generator
from typing import Optional

from ._bin import find_zcdp_bin
from ._command import Command, Hearing, R, Said, Steps
from ._errors import DataStoreError, TimedOut

TERMINATED_WITHIN_S = 5.0  # then it is killed
_INTERRUPTED_WITHIN_S = 0.5  # a terminal's Ctrl-C reached the child as well: it ends by itself
_PIECE = 1 << 16


def perform(steps: Steps[R]) -> R:
    """Runs what an operation asks for, one command after the other, and returns its result."""
    try:
        command = next(steps)
        while True:
            try:
                answer = _run(command)
            except DataStoreError as error:
                command = steps.throw(error)
            else:
                command = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        steps.close()


def timed_out(command: Command) -> TimedOut:
    """The error of a command that took too long."""
    about = ", ".join(command.keys)
    message = f"{about}: {command.name} took longer than {command.timeout} s; run it again to go on"
    return TimedOut(message, kind="timeout", object=about)


def _run(command: Command) -> list[Said]:
    hearing = Hearing(command)
    deadline = None if command.timeout is None else time.monotonic() + command.timeout
    words = [find_zcdp_bin(), *command.arguments()]
    child = None
    try:
        with _interrupts_wait():
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _listen(child, hearing, command, deadline)
        return hearing.answer(child.wait())
    except BaseException as error:
        if child:
            _end(child, by_itself=isinstance(error, KeyboardInterrupt))
        raise
    finally:
        for stream in (child.stdout, child.stderr) if child else ():
            if stream:
                stream.close()


@contextlib.contextmanager
def _interrupts_wait() -> Generator[None, None, None]:
    """Ctrl-C that comes meanwhile counts afterwards: inside of Popen it would leave a child that nobody knows."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _listen(child: subprocess.Popen[bytes], hearing: Hearing, command: Command, deadline: Optional[float]) -> None:
    with selectors.DefaultSelector() as ready:
        for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
            assert stream
            ready.register(stream, selectors.EVENT_READ, name)
        while ready.get_map():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise timed_out(command)
            for key, _ in ready.select(left):
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    ready.unregister(key.fileobj)
                hearing.feed(key.data, piece)


def _end(child: subprocess.Popen[bytes], by_itself: bool) -> None:
    """Asks, then insists: whatever happens, no child is left behind."""
    try:
        if by_itself and _ended(child, _INTERRUPTED_WITHIN_S):
            return
        child.send_signal(signal.SIGTERM)
        if _ended(child, TERMINATED_WITHIN_S):
            return
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _ended(child: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        child.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True
