"""The package and a real store."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import threading
import unittest
from datetime import datetime, timedelta, timezone
from unittest import mock

import zcdp

from .store import Store

FILES = {"a.txt": b"hello\n", "d/b.bin": os.urandom(100_000), "empty": b"", "d/\u00fc x": b"1"}


def get_in_worker(job: tuple[str, str]) -> int:
    return zcdp.get(job[0], job[1]).files


class RoundTrip(Store):
    def test_a_directory(self) -> None:
        key = f"{self.top}/model"
        files = {**FILES, "new": os.urandom(100)}
        source = self.write(files)
        (source / "a.txt").chmod(0o755)
        done = zcdp.put(key, source)
        self.assertEqual((done.key, done.version, done.kind, done.files), (key, 1, "tree", len(files)))
        self.assertEqual((done.bytes, done.unchanged), (sum(map(len, files.values())), False))
        self.assertGreaterEqual(done.bytes_sent, 100)
        got = zcdp.get(f"/{key}", "out")
        self.assertEqual(self.files("out"), files)
        self.assertEqual((got.version, got.files, got.path), (1, len(files), self.folder.resolve() / "out"))
        self.assertTrue(os.access("out/a.txt", os.X_OK))
        self.assertFalse(os.access("out/empty", os.X_OK))

    def test_again_nothing_travels(self) -> None:
        source = self.write(FILES)
        zcdp.put(self.top, source)
        again = zcdp.put(self.top, source)
        self.assertEqual((again.unchanged, again.version, again.bytes_sent), (True, 1, 0))
        zcdp.get(self.top, "out")
        self.assertEqual(zcdp.get(self.top, "out").bytes_fetched, 0)

    def test_a_file(self) -> None:
        self.write({"f": b"one"})
        done = zcdp.put(f"{self.top}/name", "src/f")
        self.assertEqual((done.kind, done.files), ("file", 1))
        self.assertEqual(zcdp.get(f"{self.top}/name").path.read_bytes(), b"one")
        self.assertEqual((self.folder / "name").read_bytes(), b"one")
        zcdp.get(f"{self.top}/name", "d/")
        self.assertEqual(self.files("d"), {"name": b"one"})

    def test_versions(self) -> None:
        key = f"{self.top}/k"
        for content in (b"1", b"2"):
            zcdp.put(key, self.write({"f": content}))
        self.assertEqual([item.version for item in zcdp.history(key)], [2, 1])
        zcdp.get(key, "old", version=1)
        zcdp.get(key, "new")
        self.assertEqual((self.files("old"), self.files("new")), ({"f": b"1"}, {"f": b"2"}))
        self.assertEqual(zcdp.stat(f"{key}@1").version, 1)
        with self.assertRaises(zcdp.SourceChanged):
            zcdp.put(key, self.write({"f": b"3"}), if_version=1)
        self.assertEqual(zcdp.put(key, "src", if_version=2).version, 3)
        self.assertEqual(zcdp.put(key, "src", force=True).version, 4)

    def test_several(self) -> None:
        source = self.write({"f": b"1", "g": b"2"})
        done = zcdp.put(f"{self.top}/in", [source / "f", source / "g"])
        self.assertEqual([part.key for part in done.parts], [f"{self.top}/in/f", f"{self.top}/in/g"])
        zcdp.put([f"{self.top}/x", f"{self.top}/y"], source)
        zcdp.get([f"{self.top}/x", f"{self.top}/in/f"], "out")
        self.assertEqual(self.files("out"), {"x/f": b"1", "x/g": b"2", "f": b"1"})
        got = zcdp.get(f"{self.top}/in/", "all")
        self.assertEqual((self.files("all"), len(got.parts)), ({"f": b"1", "g": b"2"}, 2))

    def test_filters(self) -> None:
        source = self.write({"a.py": b"", "a.tmp": b"", "d/b.py": b"", "d/c": b""})
        zcdp.put(f"{self.top}/all", source, exclude="*.tmp")
        zcdp.get(f"{self.top}/all", "some", include=["*.py"])
        zcdp.put(f"{self.top}/py", source, filter_options="--include='*/' --include='*.py' --exclude='*'")
        zcdp.get(f"{self.top}/py", "py")
        self.assertEqual((set(self.files("some")), set(self.files("py"))), ({"a.py", "d/b.py"}, {"a.py", "d/b.py"}))
        zcdp.get(f"{self.top}/all", "most")
        self.assertEqual(set(self.files("most")), {"a.py", "d/b.py", "d/c"})

    def test_names_that_look_like_flags(self) -> None:
        self.write({"-": b"1", "--delete": b"2"}, ".")
        for name in ("-", "--delete"):
            zcdp.put(f"{self.top}/{name}", name)
            zcdp.get(f"{self.top}/{name}", f"got{name}")
        self.assertEqual(
            ((self.folder / "got-").read_bytes(), (self.folder / "got--delete").read_bytes()), (b"1", b"2")
        )


class Looking(Store):
    def test_ls(self) -> None:
        source = self.write({"f": b"123"})
        for key in ("m/one", "m/two", "n"):
            zcdp.put(f"{self.top}/{key}", source)
        level = zcdp.ls(self.top)
        self.assertEqual([(item.name, item.is_directory, item.locale) for item in level][-1], ("n", False, "store"))
        self.assertTrue(any(item["is_directory"] for item in level))
        every = zcdp.ls(self.top, recursive=True)
        self.assertEqual(
            [item.key for item in every if not item.is_directory], [f"{self.top}/{k}" for k in ("m/one", "m/two", "n")]
        )
        json.dumps(every)
        self.assertEqual(zcdp.ls(f"{self.top}/nothing"), [])
        self.assertIn(self.top, [item.name.strip("/") for item in zcdp.ls()])

    def test_stat(self) -> None:
        begun = datetime.now(timezone.utc) - timedelta(seconds=2)
        zcdp.put(self.top, self.write({"f": b"123"}), ttl="1h")
        item = zcdp.stat(self.top)
        self.assertEqual((item.key, item.version, item.size_bytes, item.files, item.kind), (self.top, 1, 3, 1, "tree"))
        assert item.modified
        assert item.expires
        self.assertGreater(item.modified, begun)
        self.assertGreater(item.expires, begun + timedelta(minutes=59))
        zcdp.put(f"{self.top}/other", "src")
        self.assertEqual(zcdp.stat(f"{self.top}/other").digest, item.digest)

    def test_rm(self) -> None:
        source = self.write({"f": b""})
        for key in ("a", "d/a", "d/b", "pre-1", "pre-2/x", "post"):
            zcdp.put(f"{self.top}/{key}", source)
        with self.assertRaises(zcdp.KeyNotFound):
            zcdp.rm(f"{self.top}/none")
        zcdp.rm(f"{self.top}/none", missing_ok=True)
        zcdp.rm(f"{self.top}/a")
        with self.assertRaises(zcdp.DataStoreError):
            zcdp.rm(f"{self.top}/d")
        zcdp.rm(f"{self.top}/d", recursive=True)
        zcdp.rm(f"{self.top}/pre-", prefix=True)
        self.assertEqual([item.key for item in zcdp.ls(self.top, recursive=True)], [f"{self.top}/post"])


class Wrong(Store):
    def test_what_is_not_there(self) -> None:
        zcdp.put(f"{self.top}/k", self.write({"f": b""}))
        for call in (zcdp.get, zcdp.stat, zcdp.history):
            with self.assertRaises(KeyError) as caught:
                call(f"/{self.top}/none")
            self.assertIsInstance(caught.exception, zcdp.KeyNotFound)
        for call in (zcdp.get, zcdp.stat):
            with self.assertRaises(zcdp.KeyNotFound):
                call(f"{self.top}/k@9")
        with self.assertRaises(zcdp.KeyNotFound):
            zcdp.get(f"{self.top}/k", version=9)

    def test_keys_that_cannot_be(self) -> None:
        source = self.write({"f": b""})
        for key in ("../x", "a/../b", "a//b", "a/./b", "a\nb", "x" * 5000):
            with self.assertRaises(zcdp.DataStoreError) as caught:
                zcdp.put(key, source)
            self.assertNotIsInstance(caught.exception, KeyError)
            self.assertIn(caught.exception.kind, ("refused", "usage"), key)

    def test_a_wrong_token(self) -> None:
        (self.folder / "wrong").write_text("wrong")
        with mock.patch.dict(os.environ, ZCDP_TOKEN_FILE="wrong"), self.assertRaises(PermissionError) as caught:
            zcdp.ls()
        self.assertIsInstance(caught.exception, zcdp.AccessDenied)

    def test_nobody_to_ask(self) -> None:
        with mock.patch.dict(os.environ):
            del os.environ["ZCDP_SERVER"]
            with self.assertRaises(zcdp.DataStoreError) as caught:
                zcdp.ls()
        self.assertEqual(caught.exception.kind, "usage")

    def test_a_namespace_beside_a_server_is_not_ignored(self) -> None:
        with self.assertRaises(zcdp.DataStoreError) as caught:
            zcdp.ls(namespace="team")
        self.assertEqual(caught.exception.kind, "usage")

    def test_a_fifo_is_refused_by_name(self) -> None:
        source = self.write({"f": b""})
        os.mkfifo(source / "pipe")
        with self.assertRaises(zcdp.DataStoreError) as caught:
            zcdp.put(self.top, source)
        self.assertIn("pipe", str(caught.exception))


class AtWork(Store):
    def test_progress(self) -> None:
        seen: list[zcdp.Progress] = []
        zcdp.put(self.top, self.write({"f": os.urandom(1 << 20)}), progress=seen.append)
        self.assertTrue(seen)
        self.assertEqual((seen[-1].command, seen[-1].key), ("put", self.top))
        seen.clear()
        zcdp.get(self.top, "out", progress=seen.append)
        self.assertGreaterEqual(max(one.bytes_done for one in seen), 1 << 20)

    def test_workers_that_were_forked(self) -> None:
        """As a DataLoader makes them."""
        zcdp.put(self.top, self.write(FILES))
        with multiprocessing.get_context("fork").Pool(3) as pool:
            got = pool.map(get_in_worker, [(self.top, f"out{n}") for n in range(6)])
        self.assertEqual(got, [len(FILES)] * 6)
        self.assertEqual(self.files("out5"), FILES)

    def test_asyncio(self) -> None:
        async def main() -> None:
            done = await zcdp.aio.put(self.top, self.write(FILES))
            self.assertEqual(done.version, 1)
            await asyncio.gather(*(zcdp.aio.get(self.top, f"out{n}") for n in range(3)))
            self.assertEqual((await zcdp.aio.stat(self.top)).files, len(FILES))
            self.assertEqual([item.key for item in await zcdp.aio.ls(self.top)], [self.top])
            await zcdp.aio.rm(self.top)
            with self.assertRaises(zcdp.KeyNotFound):
                await zcdp.aio.stat(self.top)

        asyncio.run(main())
        self.assertEqual(self.files("out2"), FILES)

    def test_cancelled_while_the_server_says_nothing(self) -> None:
        """The executable itself ends when it is told to."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            peers: list[socket.socket] = []
            accepting = threading.Thread(target=lambda: peers.append(silent.accept()[0]))
            accepting.start()

            async def main() -> None:
                task = asyncio.ensure_future(zcdp.aio.ls(self.top))
                await asyncio.get_running_loop().run_in_executor(None, accepting.join)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task

            with mock.patch.dict(os.environ, ZCDP_SERVER=f"http://127.0.0.1:{silent.getsockname()[1]}"):
                asyncio.run(main())
            peers[0].close()
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


if __name__ == "__main__":
    unittest.main()
