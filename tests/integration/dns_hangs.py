#!/usr/bin/env python3
# ctest: 60
"""A name server that never answers: the sync ends by itself in time, in one line that names the host. In a network and mount
namespace of its own, where the only name server is a socket that nobody reads."""

import os
import socket
import subprocess
import sys
import time

from tests.support.harness import TestRun, skip


def inside():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with TestRun() as bench:
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 53))
        resolv = bench.path("resolv.conf")
        resolv.write_text("nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf")], check=True)
        began = time.monotonic()
        code, out, err = bench.zcdp(
            "sync",
            "-q",
            "--anonymous",
            "--endpoint",
            "http://data.example.test:9000",
            "--timeout",
            "3s",
            "--retries",
            "1",
            "--store",
            bench.path("store"),
            "s3://data/",
            timeout=50,
        )
        seconds = time.monotonic() - began
        bench.check("it ends with exit code 1 and nothing on stdout", (code, out) == (1, ""), (code, out, err))
        bench.check(
            "in one line that names the host", len(err.strip().splitlines()) == 1 and "data.example.test" in err, err
        )
        bench.check("within its time", seconds < 15, seconds)
        bench.check("having asked the name server", silent.recv(512))


if len(sys.argv) > 1:
    inside()
else:
    if os.geteuid() != 0:
        skip("network and mount namespaces need root")
    sys.exit(subprocess.run(["unshare", "--net", "--mount", sys.executable, __file__, "inside"]).returncode)
