#!/usr/bin/env python3
# ctest: 120
"""Names of objects that no file may have are refused one by one, for S3, Google and Azure alike: exit code 3, one line without their
control bytes, nothing asked for, nothing written. Odd names that a file may have arrive byte for byte, each asked for by its own
name: backslashes, trailing dots, what looks encoded, both Unicode forms of one word."""

import hashlib
import urllib.parse

from tests.support.dialects import Azure, Gcs
from tests.support.fault_server import FaultServer, Object
from tests.support.harness import TestRun, sums

BAD = {
    "a carriage return": "cr\rx",
    "a line feed": "lf\nx",
    "a header": "x\r\nX-Injected: yes",
    "a tab": "tab\tx",
    "NUL": "nul\0x",
    "DEL": "del\x7fx",
    "an escape": "\x1b[31mred",
    "a parent": "../up",
    "a parent within": "a1/../b1",
    "a parent at the end": "a2/..",
    "a dot": ".",
    "a dot within": "a3/./b3",
    "no name at all between": "a4//b4",
    "a root": "/etc/passwd",
    "256 bytes": "n" * 256,
}
GOOD = [
    "back\\slash",
    "..\\..\\up",
    "C:\\con",
    "dot.",
    "dots...",
    "...",
    "folder./x.",
    "folder../x",
    " space ",
    "trailing ",
    "caf\u00e9",
    "cafe\u0301",
    "\u212bngstr\u00f6m",
    "\u00c5ngstr\u00f6m",
    "fi",
    "\ufb01",
    "\u202egnp.exe",
    "\U0001f600",
    "\u0085next",
    "%2e%2e%2fup",
    "%2E",
    "a%0d%0ab",
    "%",
    "%00",
    "+",
    "a+b c",
    "q?x=1#f",
    "a;b=c&d",
    "quote'\"`",
    "<b>&amp;",
    "]]>",
    "~root",
    "$(id)",
    "-rf",
    "*",
    "a:b",
    "n" * 255,
]


def make_store(bench, kind, names):
    """A server of the kind that remembers what was asked for that is not there."""

    class Store(kind):
        unknown = []

        def honest(self, request, found):
            assert "x-injected" not in request.headers
            if not request.listing and request.key not in self.objects:
                self.unknown.append(request.key)
            return super().honest(request, found)

    return Store(bench, {name: Object(name.encode(), tag=hashlib.md5(name.encode()).hexdigest()) for name in names})


def run(bench, kind, names, folder, *flags):
    store = make_store(bench, kind, names)
    code, out, err = bench.zcdp(
        "sync",
        "-q",
        "--anonymous",
        "--no-store",
        "--endpoint",
        store.endpoint,
        *flags,
        store.source,
        bench.path(folder),
        timeout=60,
    )
    bench.equal(f"{kind.scheme}: nothing was asked for by another name", store.unknown, [])
    return store, code, err


with TestRun() as bench:
    want = {name: hashlib.sha256(name.encode()).hexdigest() for name in GOOD}
    for kind in (FaultServer, Gcs, Azure):
        scheme = kind.scheme
        for what, name in BAD.items():
            folder = f"{scheme}-refused"
            store, code, err = run(bench, kind, ["fine", name], folder)
            bench.check(
                f"{scheme}: a name with {what} is refused in one line",
                code == 3 and err.count("\n") == 1 and err.rstrip("\n").isprintable(),
                (code, err),
            )
            bench.check(
                f"{scheme}: and nothing is there",
                not bench.path(folder).exists() or not sums(bench.path(folder)),
                list(bench.path(folder).glob("*")),
            )
            bench.equal(
                f"{scheme}: nor was asked for",
                store.count(lambda request: name in urllib.parse.unquote(request.target)) if len(name) > 2 else 0,
                0,
            )
        store, code, err = run(bench, kind, [*GOOD, *BAD.values()], f"{scheme}-all", "--bad-keys", "skip")
        bench.check(f"{scheme}: the rest is taken with --bad-keys skip", code == 0, (code, err))
        bench.equal(f"{scheme}: by its names, byte for byte", sums(bench.path(f"{scheme}-all")), want)
