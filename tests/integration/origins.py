#!/usr/bin/env python3
# ctest: 300
"""Every kind of origin on a real server: the conformance suite; one dataset copied to all gives one snapshot, byte for byte;
wrong credentials are refused; a second sync from another kind fetches nothing that its rules allow to reuse."""

import os
import shlex
import subprocess
import sys

from tests.support import stores
from tests.support.harness import TestRun, bytes_of, clean_env, sums, write_tree

CONFORMANCE = os.path.join(os.path.dirname(os.environ.get("ZCDP_BIN", "build/test/zcdp")), "origin_conformance")
FILES = {
    "README.md": b"# a dataset\n",
    "model/weights.bin": bytes_of(1, 40 << 20),
    "model/config.json": b"{}",
    "empty": b"",
    "sp ace+and%2F&=#?.txt": b"odd",
    "d\u00e9j\u00e0/\u2603.txt": b"snow",
    "caf\u00e9": b"one form",
    "cafe\u0301": b"the other",
    "dot.": b"d",
    "folder../x": b"f",
    "%2e%2e%2fup": b"u",
    "a%0d%0ab": b"c",
    "~a b+c;d=e&f'g,h@i:j!k$l(m)*.txt": b"marks",
    "q?x=1#f": b"q",
    "a/b": b"1",
    "a-x": b"2",
    "a0": b"3",
    **{f"small/{i:04}": bytes_of(i, 100 + i) for i in range(300)},
}


def conforms(bench, store):
    folder = bench.path(f"conformance-{store.kind}")
    follow = f"{sys.executable} -m tests.support.stores {shlex.quote(stores.written_down(store))} suite/"
    done = subprocess.run(
        [CONFORMANCE, stores.source_of(store, "suite/"), folder, follow, store.endpoint],
        capture_output=True,
        text=True,
        env={**clean_env(), **store.env, "PYTHONPATH": os.environ.get("PYTHONPATH", ".")},
        timeout=120,
    )
    bench.check(f"{store.kind}: the conformance suite finds nothing", done.returncode == 0, done.stdout + done.stderr)


def filled(bench, store):
    for key, content in FILES.items():
        store.put("set/" + key, content)
    return store


def one_snapshot(bench, everyone):
    source = bench.path("source")
    write_tree(source, FILES)
    want = sums(source)
    local = bench.sync("--store", bench.path("store-local"), source)["snapshot"]
    for store in everyone:
        done = bench.sync(
            "--store", bench.path(f"store-{store.kind}"), *store.flags, stores.source_of(store, "set/"), env=store.env
        )
        bench.equal(f"{store.kind}: every byte is the same", sums(done["path"]), want)
        bench.equal(f"{store.kind}: and so is the snapshot's id", done["snapshot"], local)


def reuse(bench, everyone):
    """From one store after the other into the same zcdp store."""
    held = 0
    for store in everyone:
        done = bench.sync(
            "--store", bench.path("store-shared"), *store.flags, stores.source_of(store, "set/"), env=store.env
        )
        again = bench.sync(
            "--store", bench.path("store-shared"), *store.flags, stores.source_of(store, "set/"), env=store.env
        )
        bench.equal(f"{store.kind}: a second sync fetches nothing", again["bytes_fetched"], 0)
        bench.equal(
            f"{store.kind}: nor has the first one taken what another store's credentials gave",
            done["bytes_fetched"],
            sum(map(len, FILES.values())),
        )
        bytes_held = sum(p.stat().st_size for p in bench.path("store-shared").glob("cas/**/*") if p.is_file())
        bench.check(f"{store.kind}: but equal bytes are held once", held in (0, bytes_held), (held, bytes_held))
        held = bytes_held


def refused(bench, everyone):
    for store in everyone:
        if store.wrong_env is None:
            continue
        code, _, err = bench.zcdp(
            "sync",
            "--store",
            bench.path("store-refused"),
            *store.flags,
            stores.source_of(store, "set/"),
            env=store.wrong_env,
        )
        bench.check(
            f"{store.kind}: wrong credentials end with exit code 5 and one line",
            code == 5 and err.count("\n") == 1 and "denied" in err,
            (code, err),
        )
        elsewhere = (
            store.source("nothere/")
            if store.kind == "http"
            else stores.source_of(store, "set/").replace("data", "nothere")
        )
        code, _, err = bench.zcdp(
            "sync", "--store", bench.path("store-refused"), *store.flags, elsewhere, env=store.env
        )
        bench.check(f"{store.kind}: a bucket or folder that is not there ends with exit code 4", code == 4, (code, err))


with TestRun() as bench:
    chosen = sys.argv[1:] or list(stores.KINDS)
    everyone = [stores.KINDS[name].start(bench) for name in chosen]
    for store in everyone:
        conforms(bench, store)
    for store in everyone:
        filled(bench, store)
    for store in everyone:
        if store.kind == "gcs":
            store.behind_a_door(bench)
        if store.kind == "http":
            store.ask_for_credentials(stores.Nginx.start(bench, asks=True))
    one_snapshot(bench, everyone)
    reuse(bench, everyone)
    refused(bench, everyone)
