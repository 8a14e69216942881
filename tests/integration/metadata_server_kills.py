#!/usr/bin/env python3
# ctest: 900 busy
"""Kills a data store's server before and after changes of its file system and commits of its indexes, while uploads, a
removal and evictions are under way, and at random instants besides. After each kill every snapshot is whole, every key
that was acknowledged points at what it was acknowledged with, no other is seen, and the same upload completes."""

import http.client
import os
import random
import shutil
import signal
import subprocess
import threading
import time

from tests.crash.checker import check_store
from tests.support.data_store import CHUNK, DataStore, Refused, manifest, target
from tests.support.harness import Failed, TestRun, bytes_of

KILLS = int(os.environ.get("ZCDP_CRASH_KILLS", "120"))  # at points; a fifth as many at random instants
# What is removed goes at once: in a test build graces can be switched off.
NO_GRACE = {"ZCDP_BREAK": "reader-grace"}

LONG = bytes_of(1, CHUNK + 70_000)
OTHER = bytes_of(2, 1000) + LONG[1000:]
V1 = {"a": b"a", "d/b": bytes_of(3, 20_000), "d/same": b"a", "medium": bytes_of(4, 2 << 20), "long": LONG, "none": b""}
V2 = {**V1, "a": b"changed", "new/c": b"c", "long": OTHER}
FILE = {"file": bytes_of(5, 3000)}


def steps(store):
    """What a client does, and what it sees when that was acknowledged: {key: tree}."""
    yield lambda: store.put("t/k", V1), {"t/k": V1}
    yield lambda: store.put("t/k", V2), {"t/k": V2}
    yield lambda: store.put("t/file", FILE, kind="file"), {"t/k": V2, "t/file": FILE}
    yield lambda: store.must(store.ask("DELETE", target("keys", "t", recursive=1))), {}
    yield lambda: wait_for_eviction(store), {}


def wait_for_eviction(store):
    until = time.monotonic() + 30
    while any((store.root / "snapshots").iterdir()):
        if time.monotonic() > until:
            raise Failed("what no key needs is still there")
        store.ask("GET", "/v1/health")
        time.sleep(0.02)


def sees(store):
    """{key: snapshot}."""
    return {one["key"]: one["snapshot"] for one in store.items(recursive=True)}


def snapshots(keys):
    return {key: manifest(tree)[1] for key, tree in keys.items()}


class Bench:
    def __init__(self, bench):
        self.bench, self.store = bench, DataStore(bench, env=NO_GRACE)
        self.kills = 0

    def after_kill(self, what, before, after, step):
        """The server was killed during `step`: one of the two states is there, all of it, and the step completes."""
        bench, store = self.bench, self.store
        whole, problems = check_store(store.root)
        if problems:
            bench.check(f"{what}: every snapshot is whole", False, problems[:3])
        store.start()
        seen = sees(store)
        states = [snapshots(before), snapshots(after)]
        # A removal is made in batches: of the keys before it some are gone.
        between = not after and seen.items() <= states[0].items()
        if seen not in states and not between:
            bench.check(f"{what}: keys are as before or as after", False, (seen, states))
        for key, snapshot in seen.items():
            tree = before.get(key) if snapshot == states[0].get(key) else after[key]
            wrong = [path for path, data in tree.items() if store.get(key, path) != data]
            if wrong:
                bench.check(f"{what}: {key} has every byte", False, wrong)
        try:
            step()
        except Refused as problem:
            if problem.answer.status != 404:  # of keys that were removed already
                bench.check(f"{what}: the step completes", False, problem)
        if sees(store) != states[1]:
            bench.check(f"{what}: and is seen", False, sees(store))
        self.kills += 1

    def reset(self, base):
        self.store.kill()
        shutil.rmtree(self.store.root, ignore_errors=True)
        if base.exists():
            subprocess.run(["cp", "-a", base, self.store.root], check=True)

    def run_step(self, number):
        return list(steps(self.store))[number]

    def reference(self):
        """How many points each step passes, how long it takes, and the store before it."""
        bench, store, spans, counts, bases = self.bench, self.store, [], [], []
        for number in range(5):
            base = bench.path(f"base-{number}")
            store.kill()
            subprocess.run(["cp", "-a", store.root, base], check=True)
            count = bench.path("count")
            store.start({"ZCDP_CRASH_COUNT": str(count)})
            began = time.monotonic()
            self.run_step(number)[0]()
            spans.append(time.monotonic() - began)
            bench.equal(f"step {number} of the reference run ends well", store.stop(), 0)
            counts.append(int(count.read_text()))
            bases.append(base)
            bench.check(f"step {number} has crash points: {counts[-1]}", counts[-1] > 5)
            store.start()
        return spans, counts, bases

    def kill_at(self, number, base, env, delay=None):
        """Whether the server was killed in this step."""
        states = [{}, *(after for _, after in steps(self.store))]
        self.reset(base)
        try:
            self.store.start(env)
        except Failed:
            pass  # while it opened the store
        step = self.run_step(number)[0]
        if delay is not None and self.store.process.poll() is None:
            threading.Timer(delay, self.store.process.kill).start()
        if self.store.process.poll() is None:
            try:
                step()
            except (OSError, http.client.HTTPException, Failed, Refused, IndexError):
                pass
        if self.store.process.poll() is None and delay is None:
            return False
        self.store.process.wait(timeout=30)
        if self.store.process.returncode != -signal.SIGKILL:
            return False
        what = f"step {number}, {env or 'after ' + format(delay, '.3f') + ' s'}"
        self.after_kill(what, states[number], states[number + 1], step)
        return True


with TestRun() as run:
    seed = int(os.environ.get("ZCDP_SEED", time.time_ns() % 10**6))
    print(f"seed {seed}")
    random.seed(seed)
    bench = Bench(run)
    spans, counts, bases = bench.reference()
    points = [(number, point) for number, count in enumerate(counts) for point in range(1, count + 1)]
    for number, point in random.sample(points, min(KILLS, len(points))):
        bench.kill_at(number, bases[number], {"ZCDP_CRASH_AT": str(point)})
    at_points = bench.kills
    run.check(f"{at_points} kills at crash points: no key lost, none wrong", at_points > min(KILLS, len(points)) // 2)
    for _ in range(KILLS):
        if bench.kills - at_points >= KILLS // 5:
            break
        number = random.randrange(4)
        bench.kill_at(number, bases[number], {}, random.random() * spans[number])
    run.check(f"{bench.kills - at_points} kills at random instants: the same", bench.kills > at_points)
    bench.store.kill()
