#!/usr/bin/env python3
# ctest: 200
"""Servers that send the whole object whatever is asked for: a long file is read in one pass over one connection, also when it
goes on after a kill, when the server had said otherwise, and where S3 is spoken."""

import hashlib
import signal
import subprocess
import time

from tests.support.fault_server import FaultServer, answer
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums

SIZE = 45 * (1 << 20) + 123
BIG = bytes_of(1, SIZE)
OBJECTS = {"big.bin": BIG, "small.bin": bytes_of(2, 5000)}
WANT = {key: hashlib.sha256(content).hexdigest() for key, content in OBJECTS.items()}
SUMS = "".join(f"{digest}  {key}\n" for key, digest in WANT.items()).encode()


def without_ranges(server, head=(), slow=0):
    def act(request, found):
        if request.key == "SHA256SUMS":
            return [("send", answer(200, [("ETag", '"list"')], SUMS))]
        if found is None or request.listing:
            return None
        request.range = None
        if request.method == "HEAD":
            return [
                (
                    "send",
                    server.honest(request, found).replace(
                        b"\r\n\r\n", b"".join(b"\r\n" + line for line in head) + b"\r\n\r\n", 1
                    ),
                )
            ]
        whole = server.honest(request, found)
        if not slow or found.content is not BIG:
            return [("send", whole)]
        pieces = [whole[at : at + (1 << 20)] for at in range(0, len(whole), 1 << 20)]
        return [step for piece in pieces for step in (("send", piece), ("stall", slow))]

    return act


def gets(server):
    return server.count(lambda r: r.method == "GET" and r.key == "big.bin")


def check_once(bench, what, server, dest, most=1):
    bench.equal(f"{what}: every byte is right", sums(dest), WANT)
    bench.check(
        f"{what}: {most} GET{'s' if most > 1 else ''} of the long file at most, {most} x its bytes",
        gets(server) <= most and server.bytes_sent < most * SIZE * 1.02 + 100_000,
        (gets(server), server.bytes_sent / SIZE),
    )


def main():
    with TestRun() as bench:
        server = FaultServer(bench, OBJECTS)
        server.fault = without_ranges(server)
        for name, flags in (("no-store", ["--no-store"]), ("store", ["--store", bench.path("store-web")])):
            server.reset()
            bench.sync(*flags, server.endpoint + "/data/SHA256SUMS", bench.path(name))
            check_once(bench, f"a web server, {name}", server, bench.path(name))

        server.reset()
        server.fault = without_ranges(server, head=[b"Accept-Ranges: none"])
        bench.sync("--endpoint", server.endpoint, "--anonymous", "--no-store", "s3://data/", bench.path("s3-none"))
        check_once(bench, "S3 that says it has none", server, bench.path("s3-none"))

        # The bytes of the connections that are given up are those that lay in sockets.
        for name, source, flags in (
            ("a web server", server.endpoint + "/data/SHA256SUMS", []),
            ("S3", "s3://data/", ["--endpoint", server.endpoint, "--anonymous"]),
        ):
            server.reset()
            server.fault = without_ranges(server, head=[b"Accept-Ranges: bytes"])
            dest = bench.path("lies-" + name.replace(" ", "-"))
            bench.sync("--no-store", *flags, source, dest)
            bench.equal(f"{name} that says it has ranges and has none: every byte is right", sums(dest), WANT)
            whole = server.count(
                lambda r: (
                    r.method == "GET" and r.key == "big.bin" and r.headers.get("range", "") == f"bytes=0-{SIZE - 1}"
                )
            )
            bench.equal(f"{name}: one pass in the end", whole, 1)

        server.reset()
        server.fault = without_ranges(server, slow=0.05)
        args = [ZCDP, "sync", "-q", "--store", str(bench.path("store-kill")), server.endpoint + "/data/SHA256SUMS"]
        first = subprocess.Popen(args, env=clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench.closers.append(first.kill)
        partial, until = bench.path("store-kill") / "partial", time.monotonic() + 30
        while time.monotonic() < until and not any(path.stat().st_size > 100 for path in partial.glob("*.map")):
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
        bench.check(
            "killed when some chunks were there", any(path.stat().st_size > 40 for path in partial.glob("*.map"))
        )
        server.reset()
        server.fault = without_ranges(server)
        bench.sync("--store", bench.path("store-kill"), server.endpoint + "/data/SHA256SUMS", bench.path("resumed"))
        check_once(bench, "after a kill", server, bench.path("resumed"))

        # A connection that breaks: what came is passed over, not written twice.
        server.reset()
        cut = [0]
        whole = without_ranges(server)

        def breaks(request, found):
            actions = whole(request, found)
            if found and request.method == "GET" and found.content is BIG and cut[0] == 0:
                cut[0] += 1
                return [("send", actions[0][1][: SIZE // 2]), ("reset",)]
            return actions

        server.fault = breaks
        bench.sync("--no-store", server.endpoint + "/data/SHA256SUMS", bench.path("broken"))
        check_once(bench, "a connection that breaks half-way", server, bench.path("broken"), most=2)


if __name__ == "__main__":
    main()
