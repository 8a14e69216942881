#!/usr/bin/env python3
# ctest: 60
"""What connections cost `zcdp serve`: a thousand that are idle and fifty that read nothing, no thread and little memory."""

import resource
import socket
import time

from tests.support import servers
from tests.support.harness import ZCDP, TestRun, bytes_of, write_tree

BIG = bytes_of(1, 32 << 20)


def status(process):
    lines = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status") if ":" in line)
    return int(lines["Threads"]), int(lines["VmRSS"].split()[0])


def ask(port, key, patience_s=20):
    connection = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
    connection.sendall(f"GET /data/{key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return connection


def body(connection):
    got = bytearray()
    while piece := connection.recv(1 << 20):
        got += piece
    return bytes(got[got.index(b"\r\n\r\n") + 4 :])


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
with TestRun() as bench:
    write_tree(bench.path("data"), {"big": BIG, "small": b"x"})
    port = servers.free_port()
    process = servers.start(bench, [ZCDP, "serve", bench.path("data"), "--listen", f"127.0.0.1:{port}"], None, "log")
    servers.wait_for_http(f"http://127.0.0.1:{port}/data/small", process)
    threads, kib = status(process)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(1000)]
    slow = [ask(port, "big") for _ in range(50)]
    began = time.monotonic()
    bench.equal("another is answered meanwhile", body(ask(port, "small")), b"x")
    bench.check("at once", time.monotonic() - began < 5)
    threads_then, kib_then = status(process)
    bench.equal("1,000 idle connections and 50 that read nothing cost no thread", threads_then, threads)
    bench.check(f"and {kib_then - kib} KiB of memory", kib_then - kib < 40 << 10)
    bench.check("a slow one gets all of it", body(slow[0]) == BIG)
    idle[0].sendall(b"GET /data/small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    bench.equal("an idle one is answered", body(idle[0]), b"x")
