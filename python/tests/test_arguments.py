"""What the functions ask of the executable, and what they refuse."""

from __future__ import annotations

import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import zcdp

from .stand_in import StandIn

PUT = {"key": "a/b", "version": 3, "kind": "tree", "files": 2, "bytes": 10, "bytes_sent": 4, "chunks_sent": 1}
GET = {"key": "a/b", "version": 3, "kind": "file", "path": "./b", "files": 1, "bytes": 10, "files_fetched": 1}


class Put(StandIn):
    def test_plain(self) -> None:
        self.says({**PUT, "unchanged": False, "seconds": 0.5, "of_a_later_zcdp": 1})
        done = zcdp.put("a/b", self.source)
        self.assertEqual(self.asked(), [["put", "--", "a/b", str(self.source)]])
        self.assertEqual((done.key, done.version, done.bytes_sent, done.seconds, done.parts), ("a/b", 3, 4, 0.5, ()))

    def test_everything(self) -> None:
        zcdp.put(
            "k",
            src=str(self.source) + "/",
            filter_options="--exclude='a b'",
            force=True,
            contents=True,
            namespace="team",
            ttl="6h",
            include="*.py",
            exclude=["x", "y"],
            if_version=0,
        )
        want = "put --namespace=team --include=*.py --exclude=x --exclude=y --exclude=a_b --ttl=6h --force --if-version=0 --"
        asked = [word.replace(" ", "_") for word in self.asked()[0]]
        self.assertEqual(asked, [*want.split(), "k", f"{self.source}/"])

    def test_ttl(self) -> None:
        for ttl, want in ((90, "90s"), (timedelta(hours=1), "3600s"), ("7d", "7d")):
            self.says()
            zcdp.put("k", self.source, ttl=ttl)
            self.assertEqual(self.asked()[0][1], f"--ttl={want}")
        with self.assertRaises(ValueError):
            zcdp.put("k", self.source, ttl=0)

    def test_several_keys_each_get_the_source(self) -> None:
        self.says(PUT)
        done = zcdp.put(["a", "b"], self.source)
        self.assertEqual([words[2:] for words in self.asked()], [["a", str(self.source)], ["b", str(self.source)]])
        self.assertEqual((done.key, done.files, done.bytes_sent, len(done.parts)), ("", 4, 8, 2))

    def test_several_sources_go_inside(self) -> None:
        (self.folder / "one").touch()
        self.says(PUT)
        done = zcdp.put("a/", [self.source, self.folder / "one"])
        sources = [str(self.source), str(self.folder / "one")]
        self.assertEqual([words[2:] for words in self.asked()], [["a/", sources[0]], ["a/", sources[1]]])
        self.assertEqual(len(done.parts), 2)

    def test_nothing_is_taken_for_a_flag_or_a_stream(self) -> None:
        self.go_to(self.folder)
        Path("-").touch()
        Path("--delete").touch()
        zcdp.put("--force", "-")
        zcdp.put("-", "--delete")
        self.assertEqual(self.asked(), [["put", "--", "--force", "./-"], ["put", "--", "-", "--delete"]])

    def test_a_source_that_is_not_there(self) -> None:
        for cls in (zcdp.SourceNotFound, zcdp.DataStoreError, FileNotFoundError, ValueError):
            with self.assertRaises(cls) as caught:
                zcdp.put("k", [self.source, self.folder / "nowhere"])
            self.assertIn("nowhere", str(caught.exception))
        self.assertEqual(self.asked(), [])

    def test_what_makes_no_sense(self) -> None:
        wrong: list[tuple[type[Exception], Callable[[], Any]]] = [
            (ValueError, lambda: zcdp.put("k")),
            (ValueError, lambda: zcdp.put("k", "")),
            (ValueError, lambda: zcdp.put([], self.source)),
            (ValueError, lambda: zcdp.put("", self.source)),
            (ValueError, lambda: zcdp.rm(["k", ""])),
            (ValueError, lambda: zcdp.put("k", [])),
            (TypeError, lambda: zcdp.put(3, self.source)),  # type: ignore[arg-type]
            (TypeError, lambda: zcdp.put(["k", 3], self.source)),  # type: ignore[list-item]
            (TypeError, lambda: zcdp.put("k", 3)),  # type: ignore[arg-type]
            (TypeError, lambda: zcdp.put("k", b"bytes")),  # type: ignore[arg-type]
            (TypeError, lambda: zcdp.put("k", self.source, progress=3)),  # type: ignore[arg-type]
            (ValueError, lambda: zcdp.put("k\0", self.source)),
            (ValueError, lambda: zcdp.put("k", self.source, locale="moon")),  # type: ignore[arg-type]
            (ValueError, lambda: zcdp.put("k", self.source, lifespan="moon")),  # type: ignore[arg-type]
            (ValueError, lambda: zcdp.get("k/", version=1)),
        ]
        for cls, call in wrong:
            with self.assertRaises(cls):
                call()
        self.assertEqual(self.asked(), [])

    def test_what_is_not_built_is_named(self) -> None:
        window = zcdp.BroadcastWindow(world_size=2)
        unbuilt: list[tuple[str, Callable[[], Any]]] = [
            ("locale", lambda: zcdp.put("k", self.source, locale="local")),
            ("broadcast", lambda: zcdp.put("k", self.source, broadcast=window)),
            ("broadcast", lambda: zcdp.get("k", broadcast=window)),
            ("lifespan", lambda: zcdp.put("k", self.source, lifespan="resource")),
            ("owner", lambda: zcdp.put("k", self.source, owner="pod")),
            ("copy", lambda: zcdp.put("k", self.source, copy=True)),
            ("kubeconfig_path", lambda: zcdp.ls(kubeconfig_path="c")),
            ("tensors", lambda: zcdp.put("k", {"w": 1})),  # type: ignore[arg-type]
            ("tensors", lambda: zcdp.get("k", {"w": 1})),  # type: ignore[arg-type]
        ]
        for name, call in unbuilt:
            for cls in (zcdp.Unsupported, zcdp.DataStoreError, NotImplementedError):
                with self.assertRaises(cls) as caught:
                    call()
                self.assertIn(name, str(caught.exception))
        with self.assertRaises(ValueError):
            zcdp.put(["k", "l"], {"w": 1})  # type: ignore[arg-type]
        self.assertEqual(self.asked(), [])

    def test_what_kubetorch_has_and_zcdp_ignores_is_warned_of_once(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            zcdp.put("k", self.source, start_rsyncd=False, nccl_port=1, nccl_pg_mode="global", base_path="/x")
        self.assertEqual([(one.category, one.filename) for one in caught], [(DeprecationWarning, __file__)])
        for name in ("start_rsyncd", "nccl_port", "nccl_pg_mode", "base_path"):
            self.assertIn(name, str(caught[0].message))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            zcdp.put("k", self.source)


class Get(StandIn):
    def test_plain(self) -> None:
        self.says(GET)
        done = zcdp.get("a/b")
        self.assertEqual(self.asked(), [["get", "--", "a/b"]])
        self.assertEqual((done.path, done.kind, done.files_fetched), (Path("b"), "file", 1))

    def test_everything(self) -> None:
        zcdp.get("/a/b", Path("d"), filter_options="--exclude x", force=True, version=7, include=["i"], timeout=60)
        self.assertEqual(self.asked(), [["get", "--include=i", "--exclude=x", "--", "/a/b@7", "d"]])

    def test_dest_keeps_its_slash_and_is_no_stream(self) -> None:
        zcdp.get("a", "d/")
        zcdp.get("a", "-")
        self.assertEqual([words[-1] for words in self.asked()], ["d/", "./-"])

    def test_several_go_inside(self) -> None:
        self.says(GET)
        done = zcdp.get(["a", "b"], "d")
        zcdp.get(["a"])
        self.assertEqual([words[2:] for words in self.asked()], [["a", "d/"], ["b", "d/"], ["a", "./"]])
        self.assertEqual((done.path, done.files, len(done.parts)), (Path("d").absolute(), 2, 2))

    def test_a_prefix(self) -> None:
        self.says({"keys": [GET, GET, GET], "path": "/x/d", "files": 3, "bytes_fetched": 7})
        done = zcdp.get("a/", "d")
        self.assertEqual((done.path, done.files, done.bytes_fetched, done.key), (Path("/x/d"), 3, 7, ""))
        self.assertEqual([part.key for part in done.parts], ["a/b"] * 3)
        self.says({"keys": [], "path": "/x/d"})
        self.assertEqual(zcdp.get("a/", "d").parts, ())


class Others(StandIn):
    def test_ls(self) -> None:
        items = [
            {"name": "m", "key": "t/m", "is_directory": True, "locale": "store"},
            {"name": "f", "key": "t/f", "is_directory": False, "locale": "store", "size_bytes": 3, "version": 2}
            | {"modified": "2026-01-02T03:04:05Z", "expires": "2026-01-02T03:04:05.250Z", "snapshot": "ab"},
        ]
        self.says(*items)
        found = zcdp.ls("t", recursive=True)
        self.assertEqual(self.asked(), [["ls", "--recursive", "--", "t"]])
        self.assertEqual(found, items)
        folder, file = found
        self.assertEqual((folder.name, folder.is_directory, folder.version, folder.modified), ("m", True, None, None))
        self.assertEqual((file.size_bytes, file.version, file.digest, file.lifespan), (3, 2, "ab", "cluster"))
        assert file.modified
        assert file.expires
        self.assertEqual(file.modified.isoformat(), "2026-01-02T03:04:05+00:00")
        self.assertEqual((file.expires - file.modified).total_seconds(), 0.25)
        self.says("")
        self.assertEqual(zcdp.ls(), [])
        self.assertEqual(self.asked(), [["ls", "--"]])

    def test_stat_and_history(self) -> None:
        self.says({"name": "b", "version": 1})
        self.assertEqual(zcdp.stat("a/b@1").version, 1)
        self.assertEqual([item.version for item in zcdp.history("a/b", namespace="n")], [1])
        self.assertEqual(self.asked(), [["stat", "--", "a/b@1"], ["history", "--namespace=n", "--", "a/b"]])

    def test_rm(self) -> None:
        zcdp.rm("a", recursive=True)
        zcdp.rm(["a", "b"], prefix=True)
        self.assertEqual(self.asked(), [["rm", "--recursive", "--", "a"], ["rm", "--prefix", "--", "a", "b"]])
        self.fails("not_found", object="a", code=4)
        zcdp.rm("a", missing_ok=True)
        self.assertEqual(zcdp.ls("a"), [])
        with self.assertRaises(zcdp.KeyNotFound):
            zcdp.rm("a")

    def test_a_window_needs_a_condition(self) -> None:
        with self.assertRaises(ValueError):
            zcdp.BroadcastWindow(group_id="g")
        window = zcdp.BroadcastWindow(ips=["10.0.0.1"])
        self.assertEqual((window.timeout, window.fanout, window.pack), (None, None, False))
