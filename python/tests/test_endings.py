"""No child outlives its call: timeouts, Ctrl-C, cancellation, an executable that does not listen; and calls after fork()."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import zcdp

from .stand_in import StandIn

# Run by Python in a process of its own: what Ctrl-C does to a script.
SCRIPT = """
import sys, zcdp, zcdp._child
zcdp._child.find_zcdp_bin = lambda: sys.argv[1]
try:
    zcdp.ls("a")
except KeyboardInterrupt:
    print("interrupted")
"""


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Hanging(StandIn):
    def pid(self) -> int:
        """The hanging executable's, once it is there."""
        until = time.monotonic() + 30
        path = self.folder / "pid"
        while not (path.exists() and path.read_text()):
            self.assertLess(time.monotonic(), until, "it was never started")
            time.sleep(0.01)
        return int(path.read_text())

    def hangs(self, stubborn: bool = False) -> None:
        self.says(hangs=True, stubborn=stubborn, stderr=({"progress": {"phase": "fetching", "bytes_done": 1}},))

    def broken(self, _: zcdp.Progress) -> None:
        """A callback that fails once the executable hangs."""
        self.pid()
        raise LookupError

    def assert_no_children(self) -> None:
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


class Endings(Hanging):
    def test_a_timeout(self) -> None:
        self.hangs()
        with self.assertRaises(TimeoutError) as caught:
            zcdp.get("a", timeout=0.3)
        self.assertIsInstance(caught.exception, zcdp.TimedOut)
        self.assert_no_children()

    def test_a_callers_exception_ends_it(self) -> None:
        self.hangs()
        with self.assertRaises(LookupError):
            zcdp.get("a", progress=self.broken)
        self.assert_no_children()

    def test_one_that_does_not_listen_is_killed(self) -> None:
        self.hangs(stubborn=True)
        with mock.patch("zcdp._child.TERMINATED_WITHIN_S", 0.1), self.assertRaises(LookupError):
            zcdp.get("a", progress=self.broken)
        self.assert_no_children()

    def test_interrupted(self) -> None:
        self.says(hangs=True)
        script = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, self.program], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.addCleanup(script.kill)
        child = self.pid()
        script.send_signal(signal.SIGINT)  # to Python alone; a terminal would tell both
        out, _ = script.communicate(timeout=30)
        self.assertEqual((out, script.returncode), ("interrupted\n", 0))
        self.assertFalse(exists(child))

    def test_interrupted_while_it_is_started(self) -> None:
        """Between the child's start and Popen's return."""
        real = subprocess.Popen

        def popen(*args: Any, **kwargs: Any) -> Any:
            child = real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGINT)
            return child

        self.says(hangs=True)
        with mock.patch("subprocess.Popen", popen), self.assertRaises(KeyboardInterrupt):
            zcdp.ls("a")
        self.assert_no_children()
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_no_file_stays_open(self) -> None:
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(5):
            self.says({"name": "a"})
            zcdp.ls()
            self.fails("failed")
            with self.assertRaises(zcdp.DataStoreError):
                zcdp.ls()
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)

    def test_after_fork(self) -> None:
        """With a thread that is in the middle of a call of its own."""
        self.says(hangs=True)
        thread = threading.Thread(target=lambda: self.assertRaises(zcdp.DataStoreError, zcdp.get, "a"))
        thread.start()
        hanging = self.pid()
        self.says({"name": "a"})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # later Pythons warn of threads beside a fork, which is what is tested
            child = os.fork()
        if child == 0:
            try:
                os._exit(0 if zcdp.ls() == [{"name": "a"}] and asyncio.run(zcdp.aio.ls()) == [{"name": "a"}] else 1)
            except BaseException:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        os.kill(hanging, signal.SIGKILL)
        thread.join()

    def test_from_many_threads(self) -> None:
        self.says({"name": "a"})
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(zcdp.ls())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [[{"name": "a"}]] * 4)


class Awaited(Hanging):
    """The same of zcdp.aio, and what only it has."""

    def test_a_timeout(self) -> None:
        self.hangs()
        with self.assertRaises(zcdp.TimedOut):
            asyncio.run(zcdp.aio.get("a", timeout=0.3))
        self.assert_no_children()

    def test_a_callers_exception_ends_it(self) -> None:
        self.hangs()
        with self.assertRaises(LookupError):
            asyncio.run(zcdp.aio.get("a", progress=self.broken))
        self.assert_no_children()

    def test_one_that_does_not_listen_is_killed(self) -> None:
        self.hangs(stubborn=True)
        with mock.patch("zcdp.aio.TERMINATED_WITHIN_S", 0.1), self.assertRaises(LookupError):
            asyncio.run(zcdp.aio.get("a", progress=self.broken))
        self.assert_no_children()

    def test_cancelled(self) -> None:
        async def main() -> None:
            task = asyncio.ensure_future(zcdp.aio.get("a"))
            while not (self.folder / "pid").exists():
                await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.says(hangs=True)
        asyncio.run(main())
        self.assert_no_children()

    def test_no_file_stays_open(self) -> None:
        async def both() -> None:
            self.says({"name": "a"})
            await zcdp.aio.ls()
            self.fails("failed")
            with self.assertRaises(zcdp.DataStoreError):
                await zcdp.aio.ls()

        asyncio.run(both())  # what asyncio itself opens once
        before = sorted(os.listdir("/proc/self/fd"))
        asyncio.run(both())
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)

    def test_results_and_errors_are_the_same(self) -> None:
        async def main() -> None:
            self.says({"key": "k", "version": 2})
            self.assertEqual((await zcdp.aio.put("k", self.source)).version, 2)
            self.assertEqual((await zcdp.aio.get(["k", "l"], Path("d"))).parts[1].key, "k")
            self.assertEqual((await zcdp.aio.stat("k")).version, 2)
            self.assertEqual(len(await zcdp.aio.history("k")), 1)
            self.fails("not_found", object="k", code=4)
            await zcdp.aio.rm("k", missing_ok=True)
            with self.assertRaises(zcdp.KeyNotFound):
                await zcdp.aio.rm("k")

        asyncio.run(main())

    def test_several_at_once(self) -> None:
        async def main() -> list[Any]:
            return list(await asyncio.gather(*(zcdp.aio.ls() for _ in range(4))))

        self.says({"name": "a"})
        self.assertEqual(asyncio.run(main()), [[{"name": "a"}]] * 4)

    def test_from_a_thread(self) -> None:
        """A loop that is not the main thread's."""
        self.says({"name": "a"})
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(asyncio.run(zcdp.aio.ls())))
        thread.start()
        thread.join()
        self.assertEqual(found, [[{"name": "a"}]])
