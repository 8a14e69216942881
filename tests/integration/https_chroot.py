#!/usr/bin/env python3
# ctest: 120
"""The static executable in an empty chroot with nothing but /etc/resolv.conf: it finds its server by DNS and syncs over HTTPS.
All in a network namespace of its own, with a DNS server of a few lines."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

from tests.support import certs
from tests.support.fault_server import FaultServer
from tests.support.harness import TestRun, bytes_of, skip, sums

ZCDP = os.environ.get("ZCDP_RELEASE_BIN", "build/release/zcdp")
NAME = "bucket-server.zcdp.test"


def dns_server():
    """Answers every A question with 127.0.0.1 and every other with no records."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.53", 53))
    questions = []

    def serve():
        while True:
            data, peer = server.recvfrom(512)
            end = data.index(b"\0", 12) + 5
            kind = struct.unpack(">H", data[end - 4 : end - 2])[0]
            questions.append(kind)
            record = (
                b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1") if kind == 1 else b""
            )
            server.sendto(
                data[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, 1 if record else 0, 0, 0) + data[12:end] + record, peer
            )

    threading.Thread(target=serve, daemon=True).start()
    return questions


def inside():
    """Runs in the namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with TestRun() as bench:
        questions = dns_server()
        folder = bench.path("ca")
        ca = certs.make_ca(folder)
        objects = {"a.bin": bytes_of(1, 100_000), "d/b.bin": bytes_of(2, (9 << 20) + 1)}
        server = FaultServer(bench, objects, tls=certs.make_server(folder, "server", [f"DNS:{NAME}"]))
        jail = bench.path("jail")
        (jail / "etc").mkdir(parents=True)
        (jail / "etc/resolv.conf").write_text("nameserver 127.0.0.53\n")
        (jail / "zcdp").write_bytes(open(ZCDP, "rb").read())
        (jail / "ca.crt").write_bytes(ca.read_bytes())
        os.chmod(jail / "zcdp", 0o755)
        done = subprocess.run(
            [
                shutil.which("chroot"),
                jail,
                "/zcdp",
                "sync",
                "-q",
                "--anonymous",
                "--endpoint",
                f"https://{NAME}:{server.port}",
                "--ca-bundle",
                "/ca.crt",
                "--store",
                "/store",
                "s3://data/",
            ],
            env={},
            capture_output=True,
            text=True,
            timeout=60,
        )
        bench.check("zcdp syncs over HTTPS in an empty chroot", done.returncode == 0, done.stderr)
        tree = sums(jail / done.stdout.strip().lstrip("/"))
        bench.equal(
            "every byte is right",
            {k: os.path.getsize(jail / done.stdout.strip().lstrip("/") / k) for k in tree},
            {k: len(v) for k, v in objects.items()},
        )
        bench.check("the name came from the DNS server", 1 in questions, questions)
        file = (
            subprocess.run(["file", ZCDP], capture_output=True, text=True).stdout
            if os.path.exists("/usr/bin/file")
            else "static-pie"
        )
        bench.check("it is a static-pie", "static-pie" in file, file)
        done = subprocess.run(
            [
                shutil.which("chroot"),
                jail,
                "/zcdp",
                "sync",
                "-q",
                "--anonymous",
                "--retries",
                "0",
                "--endpoint",
                f"https://{NAME}:{server.port}",
                "--store",
                "/s2",
                "s3://data/",
            ],
            env={},
            capture_output=True,
            text=True,
            timeout=60,
        )
        bench.check(
            "without that CA the embedded roots refuse it",
            done.returncode == 1 and "certificate" in done.stderr,
            done.stderr,
        )


if len(sys.argv) > 1:
    inside()
else:
    if os.geteuid() != 0:
        skip("a chroot and a network namespace need root")
    sys.exit(subprocess.run(["unshare", "--net", sys.executable, __file__, "inside"]).returncode)
