#!/usr/bin/env python3
# ctest: 200
"""The slowest few requests do not decide when a sync ends: 1 % that stall for 100 s, before the answer or within it, are given
up and sent again; an origin that is slow as a whole is not asked twice. The times are printed, not judged."""

import time

from tests.support import servers
from tests.support.fault_server import FaultServer
from tests.support.harness import TestRun, sums
from tests.support.stalls import Stalls, many_objects

STALL_S = 100


def timed(bench, server, name, one_in=0, pause_s=0.0):
    server.reset()
    server.fault = stalls = Stalls(server, one_in, STALL_S, pause_s)
    began = time.monotonic()
    done = bench.sync(
        "--store", bench.path(name), "--endpoint", server.endpoint, "s3://data/", env=servers.CREDENTIALS, timeout=150
    )
    return time.monotonic() - began, done, stalls.count


with TestRun() as bench:
    server = FaultServer(bench, many_objects())
    plain, first, _ = timed(bench, server, "plain", 0, 0.06)
    slow, second, stalled = timed(bench, server, "stalls", 100, 0.06)
    print(
        f"     {plain:.1f} s without stalls, {slow:.1f} s with {stalled} of {len(server.requests)} requests stalled for {STALL_S} s"
    )
    bench.check("some requests did stall", stalled >= 10, stalled)
    bench.check("nobody waited for one of them", slow < STALL_S, (plain, slow))
    bench.equal("and the bytes are the same", sums(second["path"]), sums(first["path"]))
    extra = len(server.requests) - 4004
    bench.check("hedges are few: one request in twenty at most", extra <= 0.05 * 4004 + 32, extra)
    # All of it slow: nothing is gained by asking again, so nearly nothing is asked again.
    server.objects = {key: value for key, value in list(server.objects.items())[:300]}
    took, _, _ = timed(bench, server, "slow", 0, 1.0)
    extra = server.count(lambda request: request.method == "GET" and request.key) - 300
    bench.check("an origin that answers late is not asked twice", extra <= 20, extra)
