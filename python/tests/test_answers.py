"""What is made of the executable's exit code, errors, logs and progress."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
import subprocess
import sys
from typing import Any
from unittest import mock

import zcdp
from zcdp import _progress

from .stand_in import StandIn

STEPS = [
    {"progress": {"phase": "fetching", "bytes_done": 1, "bytes_total": 4, "files_done": 0, "files_total": 2}},
    {"progress": {"phase": "fetching", "bytes_done": 3, "bytes_total": 6, "files_done": 1, "files_total": 2}},
    {"progress": {"phase": "placing", "bytes_done": 2, "bytes_total": 6, "files_done": 1, "files_total": 2}},
]


class Errors(StandIn):
    def test_the_kind_chooses_the_class(self) -> None:
        cases: list[tuple[str, str, tuple[type[Exception], ...]]] = [
            ("not_found", "a/b", (zcdp.KeyNotFound, KeyError)),
            ("not_found", "a/b@3", (zcdp.KeyNotFound, KeyError)),
            ("denied", "a/b", (zcdp.AccessDenied, PermissionError)),
            ("no_space", "a/b", (zcdp.QuotaExceeded,)),
            ("source_changed", "a/b", (zcdp.SourceChanged,)),
            ("timeout", "http://host", (zcdp.TimedOut, TimeoutError)),
            ("kind_of_a_later_zcdp", "", (zcdp.DataStoreError,)),
        ]
        for kind, about, classes in cases:
            self.fails(kind, "because", about, code=9)
            with self.assertRaises(zcdp.DataStoreError) as caught:
                zcdp.get("/a/b")
            error = caught.exception
            self.assertEqual(type(error), classes[0])
            for cls in (*classes, zcdp.DataStoreError, zcdp.RsyncError):
                self.assertIsInstance(error, cls)
            self.assertEqual((error.kind, error.what, error.object, error.exit_code), (kind, "because", about, 9))
            self.assertEqual(str(error), f"{about}: because" if about else "because")
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), again.kind, str(again)), (type(error), kind, str(error)))

    def test_what_is_not_found_but_no_key_is_no_keyerror(self) -> None:
        self.fails("not_found", object="http://nowhere")
        with self.assertRaises(zcdp.DataStoreError) as caught:
            zcdp.get("a/b")
        self.assertNotIsInstance(caught.exception, KeyError)
        self.fails("not_found", object="source")
        with self.assertRaises(zcdp.DataStoreError) as caught:
            zcdp.put("source", self.source)
        self.assertNotIsInstance(caught.exception, KeyError)
        self.fails("not_found", object=str(self.source))
        with self.assertRaises(zcdp.SourceNotFound):
            zcdp.put("source", self.source)

    def test_the_text_decides_nothing(self) -> None:
        self.fails("failed", "no such key: permission denied, quota exceeded", "a/b")
        with self.assertRaises(zcdp.DataStoreError) as caught:
            zcdp.stat("a/b")
        self.assertIs(type(caught.exception), zcdp.DataStoreError)

    def test_an_end_without_words(self) -> None:
        self.says("", stderr=("zcdp: --x: unknown",), code=2)
        with self.assertRaises(zcdp.DataStoreError) as caught:
            zcdp.stat("a")
        self.assertEqual((caught.exception.kind, caught.exception.exit_code), ("usage", 2))
        self.assertIn("--x: unknown", str(caught.exception))
        self.says("", signal=9)
        with self.assertRaisesRegex(zcdp.DataStoreError, "signal 9"):
            zcdp.stat("a")
        self.says("no json")
        with self.assertRaisesRegex(zcdp.DataStoreError, "no JSON"):
            zcdp.stat("a")

    def test_half_a_list_is_no_list(self) -> None:
        self.says({"name": "a"}, {"error": {"kind": "unreachable", "what": "gone"}}, code=1)
        with self.assertRaisesRegex(zcdp.DataStoreError, "gone"):
            zcdp.ls()

    def test_bytes_that_are_no_text(self) -> None:
        self.says({"name": "\ud800", "key": "ü\n"})
        self.assertEqual(zcdp.ls()[0]["key"], "ü\n")


class Logs(StandIn):
    LINES = (
        {"time": "t", "level": "info", "message": "connected", "host": "h", "port": 1},
        {"time": "t", "level": "warn", "message": "slow"},
        {"time": "t", "level": "debug", "message": "request"},
        "no json",
    )

    def level(self) -> str:
        """--log-level of the last command."""
        words = self.commands()[-1]
        return str(words[words.index("--log-level") + 1])

    def test_levels_and_fields(self) -> None:
        self.says(stderr=self.LINES)
        with self.assertLogs("zcdp", logging.DEBUG) as logs:
            zcdp.stat("a")
        said = [(record.levelname, record.getMessage()) for record in logs.records]
        want = [("INFO", "connected host=h port=1"), ("WARNING", "slow"), ("DEBUG", "request"), ("DEBUG", "no json")]
        self.assertEqual(said, want)
        self.assertEqual(self.level(), "debug")

    def test_the_loggers_level_is_the_executables(self) -> None:
        logger = logging.getLogger("zcdp")
        self.addCleanup(logger.setLevel, logging.NOTSET)
        for level, word in ((logging.INFO, "info"), (logging.ERROR, "error"), (logging.CRITICAL, "error")):
            logger.setLevel(level)
            zcdp.stat("a")
            self.assertEqual(self.level(), word)

    def test_verbose_needs_no_setup(self) -> None:
        self.says({}, stderr=self.LINES[:2])
        out = io.StringIO()
        with contextlib.redirect_stderr(out), mock.patch.object(logging, "lastResort", None):
            zcdp.ls("a", verbose=True)
        self.assertEqual(self.level(), "info")
        self.assertIn("zcdp: connected host=h port=1\n", out.getvalue())


class Bar:
    """tqdm's interface, as far as it is used."""

    def __init__(self, **options: Any) -> None:
        self.options, self.total, self.n, self.closed, self.words = options, 0, 0, False, ""
        self.seen: list[tuple[int, int]] = []

    def update(self, n: int) -> None:
        self.n += n
        self.seen.append((self.n, self.total))

    def set_description(self, words: str) -> None:
        self.words = words

    def close(self) -> None:
        self.closed = True


class Progress(StandIn):
    def setUp(self) -> None:
        super().setUp()
        self.says({"key": "k"}, stderr=tuple(STEPS))

    def test_it_is_asked_for_only_when_wanted(self) -> None:
        for progress, want in ((None, []), (False, []), (print, ["--progress", "json"])):
            self.says({"key": "k"})
            zcdp.put("k", self.source, progress=progress)
            self.assertEqual(self.asked()[0][1:], [*want, "--", "k", str(self.source)])

    def test_a_function(self) -> None:
        seen: list[zcdp.Progress] = []
        zcdp.put("k", self.source, progress=seen.append)
        self.assertEqual([(one.phase, one.bytes_done, one.files_total) for one in seen][1], ("fetching", 3, 2))
        self.assertEqual((len(seen), seen[0].key, seen[0].command), (3, "k", "put"))

    def test_a_functions_exception_is_the_callers(self) -> None:
        def broken(_: zcdp.Progress) -> None:
            raise LookupError("mine")

        with self.assertRaisesRegex(LookupError, "mine"):
            zcdp.put("k", self.source, progress=broken)

    def test_a_bar_only_goes_forwards_and_ends_full(self) -> None:
        bar = Bar()
        zcdp.get(["k", "l"], progress=bar)
        self.assertEqual(bar.n, 24)
        self.assertEqual(bar.total, 24)
        self.assertEqual(bar.seen, sorted(bar.seen))
        self.assertFalse(bar.closed, "it is the caller's")

    def test_the_end_is_counted_only_where_it_is_all_that_was_said(self) -> None:
        end = {"progress": {"phase": "done", "bytes_done": 6, "bytes_total": 6}}
        for steps, want in (((end,), 6), ((*STEPS, end), 12)):
            self.says({"key": "k"}, stderr=steps)
            bar = Bar()
            zcdp.put("k", self.source, progress=bar)
            self.assertEqual(bar.n, want)

    def test_a_class_of_bars(self) -> None:
        made: list[Bar] = []

        class Kept(Bar):
            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                made.append(self)

        zcdp.put("k", self.source, progress=Kept)
        self.assertEqual(
            [(bar.n, bar.closed, bar.words, bar.options["unit"]) for bar in made], [(12, True, "put k", "B")]
        )
        self.fails("failed")
        with self.assertRaises(zcdp.DataStoreError):
            zcdp.put("k", self.source, progress=Kept)
        self.assertTrue(made[-1].closed)

    def test_true_is_tqdm_or_lines(self) -> None:
        with mock.patch.object(_progress, "_tqdm", return_value=Bar):
            zcdp.put("k", self.source, progress=True)
        out = io.StringIO()
        mock.patch.object(_progress, "_PLAIN_EVERY_S", 0).start()
        self.addCleanup(mock.patch.stopall)
        with mock.patch.object(_progress, "_tqdm", return_value=None), contextlib.redirect_stderr(out):
            zcdp.put("k", self.source, progress=True)
        self.assertEqual(len(out.getvalue().splitlines()), 3)
        self.assertIn("put k: fetching: 25% ", out.getvalue())

    def test_importing_zcdp_imports_no_tqdm(self) -> None:
        program = "import sys, zcdp; print(sorted(name for name in sys.modules if name.startswith(('tqdm', 'torch'))))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "[]")
