#!/usr/bin/env python3
# ctest: 300
"""kill -9 in the middle of a 2 GiB object, then again: the second run fetches at most the missing chunks plus one per
connection, counted at the server. And Ctrl-C: within two seconds, kept, resumed."""

import signal
import subprocess
import time

from tests.support import servers
from tests.support.counting_proxy import CountingProxy
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums

SIZE, CHUNK, CONNECTIONS = 2 << 30, 8 << 20, 8


def start(command):
    return subprocess.Popen(
        list(map(str, command)), env=clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def chunks_on_disk(store):
    """Records of 48 bytes in the maps, after two lines: docs/formats.md "Partial files"."""
    folder = store / "partial"
    maps = [p for p in folder.iterdir() if p.name.endswith(".map")] if folder.exists() else []
    return sum(len(p.read_bytes().split(b"\n", 2)[-1]) // 48 for p in maps)


with TestRun() as bench:
    data = bench.path("data")
    data.mkdir()
    block = bytes_of(5, 32 << 20)
    with open(data / "big.bin", "wb") as file:
        for i in range(SIZE // len(block)):
            file.write(i.to_bytes(8, "big") + block[8:])
    want = sums(data)
    proxy = CountingProxy(bench, servers.zcdp_serve(bench, data))
    store = bench.path("store")
    command = [
        ZCDP,
        "sync",
        "-q",
        "--endpoint",
        proxy.endpoint,
        "--anonymous",
        "--connections",
        CONNECTIONS,
        "--store",
        store,
        "s3://data/",
    ]
    for name, number, code in (("kill -9", signal.SIGKILL, -9), ("Ctrl-C", signal.SIGINT, 130)):
        before = chunks_on_disk(store)
        process = start(command)
        while chunks_on_disk(store) < before + 60 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(number)
        stopped = time.monotonic()
        err = process.communicate()[1]
        bench.check(f"{name}: exit code {code}", process.returncode == code, (process.returncode, err))
        bench.check(f"{name}: ends within two seconds", time.monotonic() - stopped < 2)
        if number == signal.SIGINT:
            bench.check("Ctrl-C: says how to go on, in one line", err.count("\n") == 1 and "again" in err, err)
    there = chunks_on_disk(store)
    bench.check("both left chunks behind", 120 <= there < SIZE // CHUNK, there)
    proxy.reset()
    process = start(command)
    process.communicate()
    bench.equal("the third run ends well", process.returncode, 0)
    missing = SIZE - there * CHUNK
    bench.check(
        f"it fetched at most the missing chunks and one per connection ({there} of {SIZE // CHUNK} were there)",
        proxy.bytes <= missing + CONNECTIONS * CHUNK + (1 << 20),
        (proxy.bytes, missing),
    )
    snapshot = next((store / "snapshots").iterdir())
    bench.check("and every byte is right", sums(snapshot / "tree") == want)
    bench.equal("nothing unfinished is left", chunks_on_disk(store), 0)
