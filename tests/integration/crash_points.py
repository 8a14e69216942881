#!/usr/bin/env python3
# ctest: 1500 busy
"""Kills zcdp before and after each change of the file system and each commit of a reference run (sync, sync of a changed
source, evict, gc), and at random instants besides. After each kill a checker that knows only docs/formats.md finds every
snapshot whole, what was ready before is still there, and the run completes."""

import os
import random
import shutil
import signal
import subprocess
import time

from tests.crash.checker import check_store
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree

EVERY = int(os.environ.get("ZCDP_CRASH_EVERY", "1"))  # 1: each point
KILLS = int(os.environ.get("ZCDP_CRASH_KILLS", "200"))  # 10,000 in the long run

V1 = {
    "a.txt": b"a",
    "dir/b.bin": bytes_of(1, 20_000),
    "dir/same": b"a",
    "mid.bin": bytes_of(2, 3 << 20),
    "big.bin": bytes_of(3, (8 << 20) + 4097),
}
V2 = {**V1, "a.txt": b"changed", "new/c": b"c"}


def steps(store, v1, v2):
    sync = [ZCDP, "sync", "-q", "--store", store]
    return [
        [*sync, v1],
        [*sync, v2],
        [ZCDP, "store", "evict", "--store", store, str(v1)],
        [ZCDP, "store", "gc", "--grace", "0s", "--store", store],
    ]


def run(command, env=None):
    return subprocess.run(list(map(str, command)), env={**clean_env(), **(env or {})}, capture_output=True, text=True)


def trees(store, ids):
    return {i: sums(store / "snapshots" / i / "tree") for i in ids}


def check_after(bench, store, ready_before, command, v2, what):
    whole, problems = check_store(store)
    if problems:
        bench.check(f"{what}: every snapshot is whole", False, problems[:3])
    lost = ready_before - set(whole)
    if lost and "evict" not in command:
        bench.check(f"{what}: nothing that was ready is lost", False, lost)
    done = run(command)
    if done.returncode != 0 and not ("evict" in command and "is no snapshot" in done.stderr):
        bench.check(f"{what}: the same command completes", False, done.stderr)
    whole, problems = check_store(store)
    if problems:
        bench.check(f"{what}: and then every snapshot is whole", False, problems[:3])


def crash_at_points(bench, base, v1, v2):
    """Each step of the reference run is killed at its points, on a copy of the store as the step before left it."""
    killed = 0
    for number, command in enumerate(steps(bench.path("store"), v1, v2)):
        store, before = bench.path("store"), bench.path(f"before-{number}")
        if store.exists():
            shutil.copytree(store, before, symlinks=True, copy_function=os.link)
        ready = set(os.listdir(store / "snapshots")) if (store / "snapshots").exists() else set()
        count_file = bench.path("count")
        done = run(command, {"ZCDP_CRASH_COUNT": str(count_file)})
        bench.equal(f"step {number} of the reference run", (done.returncode, done.stderr), (0, ""))
        points = int(count_file.read_text())
        bench.check(f"step {number} has crash points: {points}", points > 5)
        after = bench.path(f"after-{number}")
        shutil.move(store, after)
        for point in range(random.randint(1, EVERY), points + 1, EVERY):
            shutil.rmtree(store, ignore_errors=True)
            if before.exists():
                subprocess.run(["cp", "-a", before, store], check=True)
            done = run(command, {"ZCDP_CRASH_AT": str(point)})
            if done.returncode == 0:
                continue  # threads came by in another order, and fewer points were passed
            if done.returncode != -signal.SIGKILL:
                bench.check(f"step {number}, point {point}: is killed", False, (done.returncode, done.stderr))
            killed += 1
            check_after(bench, store, ready, command, v2, f"step {number}, point {point}")
        shutil.rmtree(store, ignore_errors=True)
        shutil.move(after, store)
    bench.check(f"{killed} kills at crash points: never a snapshot lost or wrong", killed > 400 // EVERY // 2, killed)


def crash_at_random(bench, v1, v2):
    """Kills at random instants until KILLS of them hit: of a first sync, of a sync of a changed source, of an eviction."""
    store, bases = bench.path("random-store"), [bench.path(f"base-{i}") for i in range(3)]
    commands = steps(store, v1, v2)[:3]
    spans = []
    for base, command in zip(bases, commands):
        if store.exists():
            subprocess.run(["cp", "-a", store, base], check=True)
        began = time.monotonic()
        run(command)
        spans.append(time.monotonic() - began)
    killed = attempts = 0
    while killed < KILLS and attempts < 10 * KILLS:
        attempts += 1
        kind = random.choice((0, 0, 1, 1, 2))
        shutil.rmtree(store, ignore_errors=True)
        if bases[kind].exists():
            subprocess.run(["cp", "-a", bases[kind], store], check=True)
        ready = set(os.listdir(store / "snapshots")) if store.exists() else set()
        process = subprocess.Popen(
            list(map(str, commands[kind])), env=clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(random.random() * spans[kind])
        process.kill()
        if process.wait() != -signal.SIGKILL:
            continue
        killed += 1
        check_after(bench, store, ready, commands[kind], v2, f"random kill {killed}")
    bench.check(f"{killed} kills at random instants: never a snapshot lost or wrong", killed >= KILLS, killed)


with TestRun() as bench:
    seed = int(os.environ.get("ZCDP_SEED", time.time_ns() % 10**6))
    print(f"seed {seed}")
    random.seed(seed)
    v1, v2 = bench.path("v1"), bench.path("v2")
    write_tree(v1, V1)
    write_tree(v2, V2)
    crash_at_points(bench, bench.folder, v1, v2)
    crash_at_random(bench, v1, v2)
