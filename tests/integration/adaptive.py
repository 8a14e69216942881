#!/usr/bin/env python3
# ctest: 120
"""How many small objects are asked for at once follows what the origin gives: more while that brings more, not more where it does
not, half when it says 503, and never more than --connections."""

import threading
import time

from tests.support import servers
from tests.support.fault_server import FaultServer, error
from tests.support.harness import TestRun, bytes_of

COUNT = 6000


class Crowd:
    """Every object request takes `pause_s`; no more than `places` are served at once. Counts how many are here at the same time: the
    most, and the mean over the time since the first came."""

    def __init__(self, server, pause_s, places=1000, limit=None):
        self.server, self.pause_s, self.limit = server, pause_s, limit
        self.places, self.lock, self.here, self.most, self.refused = (
            threading.Semaphore(places),
            threading.Lock(),
            0,
            0,
            0,
        )
        self.began = self.changed = self.request_seconds = 0

    def count(self, change):
        now = time.monotonic()
        self.began = self.began or now
        self.request_seconds += self.here * (now - (self.changed or now))
        self.changed, self.here = now, self.here + change
        self.most = max(self.most, self.here)

    @property
    def mean(self):
        return self.request_seconds / (self.changed - self.began)

    def __call__(self, request, found):
        if found is None or request.method != "GET":
            return None
        with self.lock:
            self.count(+1)
            refuse = self.limit is not None and self.here > self.limit
            self.refused += refuse
        if not refuse:
            with self.places:
                time.sleep(self.pause_s)
        with self.lock:
            self.count(-1)
        return [("send", error(503, "SlowDown"))] if refuse else None


def run(bench, server, name, crowd, *flags):
    server.reset()
    server.fault = crowd
    began = time.monotonic()
    done = bench.sync(
        "--store",
        bench.path(name),
        "--endpoint",
        server.endpoint,
        *flags,
        "s3://data/",
        env=servers.CREDENTIALS,
        timeout=110,
    )
    took = time.monotonic() - began
    bench.equal(f"{name}: all are there", done["objects_fetched"], COUNT)
    # A request that was silent for long is given up and sent again (tail.py): it ended at the client, and still is here.
    crowd.given_up = server.count(lambda request: not request.listing) - COUNT
    print(
        f"     {name}: {took:.1f} s, at most {crowd.most} at once, {crowd.mean:.0f} in the mean, {crowd.refused} refused, {crowd.given_up} given up"
    )
    return took


with TestRun() as bench:
    server = FaultServer(bench, {f"{i:05}": bytes_of(i, 300) for i in range(COUNT)})
    far = Crowd(server, 0.2)
    took = run(bench, server, "far", far)
    bench.check(
        "latency: more are asked for at once, up to 256", 64 <= far.most <= 256 + far.given_up, (far.most, far.given_up)
    )
    bench.check("and that is quicker than 32 at once can be", took < COUNT * 0.2 / 32, took)
    capped = Crowd(server, 0.02)
    run(bench, server, "capped", capped, "--connections", "24")
    bench.check("never more than --connections", capped.most <= 24 + capped.given_up, (capped.most, capped.given_up))
    full = Crowd(server, 0.02, places=32)
    run(bench, server, "full", full)
    # Not the most: on a busy machine a step up may seem to have brought something, until it is found out (climbing_limit_test).
    bench.check("an origin that serves 32 at once is asked for few more", full.mean <= 64, full.mean)
    busy = Crowd(server, 0.05, limit=40)
    run(bench, server, "busy", busy, "--retries", "20")
    bench.check("one that refuses beyond 40 refuses few", busy.refused <= 0.05 * COUNT, busy.refused)
