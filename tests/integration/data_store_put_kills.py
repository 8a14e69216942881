#!/usr/bin/env python3
# ctest: 900 busy
"""Kills zcdp put, and the server under it, at many instants. After each kill the key has the version before or the one
that was put, whole; the next put goes on and makes it right, and a put whose server is killed and comes back ends well by
itself. ZCDP_PUT_KILLS says how many of each."""

import os
import shutil
import signal
import time

from tests.support.data_store import DataStore
from tests.support.data_store_client import Client, tree
from tests.support.harness import Failed, TestRun, bytes_of, write_tree

KILLS = int(os.environ.get("ZCDP_PUT_KILLS", "18"))
MIB = 1 << 20


def new_tree(bench, number, long_bytes=33 * MIB + 5):
    """As new as it gets: none of its contents is at the server."""
    source = bench.source
    shutil.rmtree(source, ignore_errors=True)
    write_tree(
        source,
        {
            "long": os.urandom(long_bytes),
            "middle": bytes_of(2_000 + number, 3 * MIB),
            **{f"s/{i}": bytes_of(10_000 * number + i, 700) for i in range(300)},
        },
    )
    (source / "link").symlink_to("long")
    return source, tree(source)


def span_of(client, source):
    began = time.monotonic()
    client.put("span", source)
    return time.monotonic() - began


def check_state(client, before, want, what):
    """The key has the tree that it had, or the one that was put."""
    item = client.stat("k")
    if (item is None) != (before is None) and item is None:
        raise Failed(f"{what}: the key is gone")
    if item is None:
        return "none"
    have = client.tree_of("k")
    if have == want:
        return "new"
    if have != before:
        raise Failed(f"{what}: the key has a tree that nobody put")
    return "old"


def kill_clients(bench, client):
    before, seen, resumed = None, {"none": 0, "old": 0, "new": 0}, 0
    source, _ = new_tree(bench, 0)
    span = span_of(client, source)
    for number in range(1, KILLS + 1):
        source, want = new_tree(bench, number)
        process = client.start("put", "k", source)
        time.sleep(span * number / KILLS)
        asked = number % 3 == 0  # by Ctrl-C
        process.send_signal(signal.SIGINT if asked else signal.SIGKILL)
        process.communicate(timeout=60)
        if asked and process.returncode not in (0, 130, -signal.SIGINT):
            raise Failed(f"client stopped at {number}/{KILLS}: exit {process.returncode}")
        seen[check_state(client, before, want, f"client killed at {number}/{KILLS}")] += 1
        done = client.put("k", source)
        resumed += done["bytes_sent"] < done["bytes"]
        if client.tree_of("k") != want:
            raise Failed(f"client killed at {number}/{KILLS}: the next put does not make it right")
        before = want
    bench.check(
        f"{KILLS} kills of the client: each time the old tree or the new one, and the next put goes on ({seen})", True
    )
    bench.check(f"with what was sent before, {resumed} times", resumed > 0)


def kill_servers(bench, store, client):
    before, seen = client.tree_of("k"), {"none": 0, "old": 0, "new": 0}
    source, _ = new_tree(bench, 500)
    span = span_of(client, source)
    for number in range(1, KILLS + 1):
        source, want = new_tree(bench, 500 + number)
        process = client.start("put", "k", source)
        time.sleep(span * number / KILLS)
        store.restart()
        out, err = process.communicate(timeout=180)
        if process.returncode != 0:
            raise Failed(f"server killed at {number}/{KILLS}: the put ended with {process.returncode}: {err}")
        seen[check_state(client, before, want, f"server killed at {number}/{KILLS}")] += 1
        before = want
    bench.equal(f"{KILLS} kills of the server: each put ends well by itself", seen["new"], KILLS)


def kill_both(bench, store, client):
    before, seen = client.tree_of("k"), {"none": 0, "old": 0, "new": 0}
    source, _ = new_tree(bench, 900)
    span = span_of(client, source)
    kills = max(3, KILLS // 3)
    for number in range(1, kills + 1):
        source, want = new_tree(bench, 900 + number)
        process = client.start("put", "k", source, "--if-version", client.stat("k")["version"])
        time.sleep(span * number / kills)
        store.process.kill()
        process.kill()
        process.wait()
        process.stdout.close(), process.stderr.close()
        store.restart()
        seen[check_state(client, before, want, f"both killed at {number}/{kills}")] += 1
        client.put("k", source)
        if client.tree_of("k") != want:
            raise Failed(f"both killed at {number}/{kills}: the next put does not make it right")
        before = want
    bench.check(f"{kills} kills of both: the old tree or the new one, and the next put makes it right ({seen})", True)


def resumes(bench, store, client):
    """A long file's chunks that were answered are not sent again, whoever was killed."""
    source, want = new_tree(bench, 2_000, long_bytes=400 * MIB)
    process = client.start("put", "resumed", source)
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        partial = sum(one.stat().st_blocks * 512 for one in (store.root).rglob("partial/p-*") if one.is_file())
        if partial > 0:
            break
        time.sleep(0.01)
    time.sleep(0.3)
    process.kill()
    process.wait()
    process.stdout.close(), process.stderr.close()
    store.restart()
    done = client.put("resumed", source)
    bench.check(
        f"after a kill of both {done['bytes_sent'] / MIB:.0f} of {done['bytes'] / MIB:.0f} MiB are sent",
        done["bytes_sent"] < done["bytes"],
    )
    bench.check("and the tree is right", client.tree_of("resumed") == want)


with TestRun() as bench:
    bench.source = bench.path_in_memory("source", 500 * MIB)
    store = DataStore(bench, token="secret")
    client = Client(bench, store)
    kill_clients(bench, client)
    kill_servers(bench, store, client)
    kill_both(bench, store, client)
    resumes(bench, store, client)
