#!/usr/bin/env python3
# ctest: 400
"""A name with four addresses, one of them bad: it answers 1 s late, or gives 1 MiB/s, or takes requests and never answers, or
refuses connections. Small objects and a large one come nearly as quickly as from four good ones, and right. A pause on every
request and 3 MiB/s a connection stand for a network."""

import sys
import time

from tests.support import addresses, servers
from tests.support.addresses import Addresses
from tests.support.harness import TestRun, bytes_of, skip, sums

if not addresses.can_name():
    skip("a hosts file of its own needs root and mount namespaces")


def timed(bench, many, name, how, flags):
    prefix = many.bad(how)
    began = time.monotonic()
    done = bench.sync(
        "--store",
        bench.path(f"{name}-{how}"),
        "--endpoint",
        many.endpoint,
        *flags,
        "s3://data/",
        env=servers.CREDENTIALS,
        timeout=110,
        prefix=prefix,
    )
    return time.monotonic() - began, done


def shown(bench, name, many, limit, flags=()):
    good, first = timed(bench, many, name, "good", flags)
    want = sums(first["path"])
    asked = [server.count() for server in many.servers]
    bench.check(f"{name}: all good addresses are used", min(asked) > sum(asked) / 20, asked)
    for how in sys.argv[1:] or ("late", "narrow", "silent", "refuses"):
        took, done = timed(bench, many, name, how, flags)
        asked = [server.count() for server in many.servers]
        print(
            f"     {name}: {good:.1f} s with four good addresses, {took:.1f} s with one that is {how}; requests {asked}"
        )
        bench.check(f"{name}, {how}: at most {limit} x the time of four good ones", took <= limit * good, (took, good))
        bench.equal(f"{name}, {how}: the bytes are the same", sums(done["path"]), want)


with TestRun() as bench:
    shown(
        bench,
        "small",
        Addresses(bench, {f"{i:05}": bytes_of(i, 4_000) for i in range(9_000)}),
        1.5,
        ("--connections", "64"),
    )  # fixed: how many bring more is no matter here
    shown(bench, "large", Addresses(bench, {"one": b"".join(bytes_of(i, 16 << 20) for i in range(40))}), 1.5)
