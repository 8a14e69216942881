#!/usr/bin/env python3
# ctest: 120
"""Proxies that go wrong, at CONNECT and in plain HTTP: one line that names the proxy, within the deadline; what may pass is asked
again, and then the sync ends well. In a network namespace of its own, for loopback itself is never asked through a proxy."""

import os
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

from tests.support import certs
from tests.support.fault_server import FaultServer
from tests.support.harness import TestRun, bytes_of, skip

ORIGIN, PROXY = "10.66.0.1", "10.66.0.2"


class Proxy:
    """Forwards, but for the first `times` requests, of which each goes to `act(connection)`."""

    def __init__(self, bench, act, times=1 << 30):
        self.act, self.times, self.lock, self.asked = act, times, threading.Lock(), 0
        self.listener = socket.create_server((PROXY, 0))
        self.endpoint = f"http://{PROXY}:{self.listener.getsockname()[1]}"
        bench.closers.append(self.listener.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = client.recv(65536)
                    if not data:
                        return
                    head += data
                with self.lock:
                    self.asked += 1
                    wrong = self.asked <= self.times
                if wrong:
                    return self.act(client)
                method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
                where = urllib.parse.urlsplit("//" + target if method == "CONNECT" else target)
                with socket.create_connection((where.hostname, where.port), 10) as server:
                    if method == "CONNECT":
                        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    else:
                        server.sendall(head)
                    self._pump(client, server)
            except OSError:
                pass

    @staticmethod
    def _pump(client, server):
        while True:
            for one in select.select([client, server], [], [])[0]:
                data = one.recv(1 << 18)
                if not data:
                    return
                (server if one is client else client).sendall(data)


def says(data, then=0.0):
    def act(client):
        client.sendall(data)
        time.sleep(then)

    return act


def drips(client):
    for byte in b"HTTP/1.1 200 Connection established" + b" " * 100:
        client.sendall(bytes([byte]))
        time.sleep(0.1)


def answer(status, more=b""):
    return b"HTTP/1.1 %d Something\r\nContent-Length: 0\r\n%s\r\n" % (status, more)


HTML = b"<html>sign in here</html>"
# name: (act, exit code, a word of the error for CONNECT, and for plain HTTP; None: not for it)
FAULTS = {
    "closes": (says(b""), 1, "closed the connection", "closed the connection"),
    "closes within its answer": (says(b"HTTP/1.1 200 Connec"), 1, "cut off", "cut off"),
    "hangs": (says(b"", 20), 1, "in time", "in time"),
    "hangs within its answer": (says(b"HTTP/1.1 200 Connec", 20), 1, "in time", "in time"),
    "drips": (drips, 1, "in time", "in time"),
    "speaks no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n"), 1, "not HTTP", "not HTTP"),
    "floods by its header": (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000), 1, "not HTTP", "not HTTP"),
    "wants credentials": (says(answer(407, b"Proxy-Authenticate: Basic\r\n")), 5, "HTTP 407", "HTTP 407"),
    "cannot reach the origin": (says(answer(502)), 1, "HTTP 502", "HTTP 502"),
    "is overloaded": (says(answer(503)), 1, "HTTP 503", "HTTP 503"),
    "redirects": (says(answer(302, b"Location: http://10.66.0.1:1/\r\n")), 1, "HTTP 302", None),
    "closes once the tunnel is open": (says(answer(200)[:-2] + b"\r\n"), 1, "", None),
    "hangs once the tunnel is open": (says(answer(200), 20), 1, "in time", None),
    "answers itself instead of opening a tunnel": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(HTML) + HTML),
        1,
        "",
        None,
    ),
}


def inside():
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "addr", "add", ORIGIN + "/32", "dev", "lo"],
        ["ip", "addr", "add", PROXY + "/32", "dev", "lo"],
    ):
        subprocess.run(command, check=True)
    with TestRun() as bench:
        ca = certs.make_ca(bench.path("ca"))
        objects = {"a.bin": bytes_of(1, 100_000), "b.bin": bytes_of(2, 200_000)}
        plain = FaultServer(bench, objects, host=ORIGIN)
        secure = FaultServer(
            bench, objects, host=ORIGIN, tls=certs.make_server(bench.path("ca"), "server", [f"IP:{ORIGIN}"])
        )
        stores = iter(range(1000))

        def sync(server, proxy, retries):
            began = time.monotonic()
            code, out, err = bench.zcdp(
                "sync",
                "-q",
                "--anonymous",
                "--retries",
                retries,
                "--timeout",
                "1s",
                "--endpoint",
                server.endpoint,
                "--ca-bundle",
                ca,
                "--store",
                bench.path(f"store{next(stores)}"),
                "s3://data/",
                env={"HTTP_PROXY": proxy.endpoint, "HTTPS_PROXY": proxy.endpoint},
                timeout=30,
            )
            return code, err, time.monotonic() - began

        for fault, (act, exit_code, *words) in FAULTS.items():
            for server, word, form in ((secure, words[0], "CONNECT"), (plain, words[1], "plain HTTP")):
                if word is None:
                    continue
                proxy = Proxy(bench, act)
                code, err, took = sync(server, proxy, 0)
                bench.check(
                    f"{form}: a proxy that {fault}: exit code {exit_code}, one line that names it ({took:.1f} s)",
                    code == exit_code and err.count("\n") == 1 and proxy.endpoint in err and word in err and took < 10,
                    (code, took, err),
                )
                if exit_code == 1:
                    once = Proxy(bench, act, times=1)
                    code, err, took = sync(server, once, 3)
                    bench.check(
                        f"{form}: one that {fault} once is asked again", code == 0 and once.asked > 1, (code, err)
                    )


if len(sys.argv) > 1:
    inside()
else:
    if os.geteuid() != 0:
        skip("a network namespace needs root")
    sys.exit(subprocess.run(["unshare", "--net", sys.executable, __file__, "inside"]).returncode)
