#!/usr/bin/env python3
# ctest: 60
"""Syncs through a real proxy (tinyproxy): CONNECT for https, absolute form for http, credentials, exceptions, and proxies that
fail. In a network namespace of its own, for loopback itself is never asked through a proxy."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time

from tests.support import certs
from tests.support.fault_server import FaultServer
from tests.support.harness import TestRun, bytes_of, skip

ORIGIN, PROXY = "10.66.0.1", "10.66.0.2:3128"
ORIGIN6, PROXY6 = "fd00:66::1", "[fd00:66::2]:3128"
CONFIG = """Port 3128
Listen 10.66.0.2
Listen fd00:66::2
LogFile "{log}"
LogLevel Connect
BasicAuth me pa55w0rd
MaxClients 100
"""


def start_proxy(bench):
    log = bench.path("proxy.log")
    log.touch(mode=0o666)
    bench.path("proxy.conf").write_text(CONFIG.format(log=log))
    process = subprocess.Popen(["tinyproxy", "-d", "-c", str(bench.path("proxy.conf"))], stdout=subprocess.DEVNULL)
    bench.closers.append(lambda: (process.kill(), process.wait()))
    for _ in range(100):
        try:
            socket.create_connection(PROXY.split(":"), 1).close()
            return log
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("tinyproxy does not listen")


def closing_proxy(bench):
    """Takes a connection, reads the request, and closes."""
    listener = socket.create_server(("10.66.0.2", 0))
    bench.closers.append(listener.close)

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(4096)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://10.66.0.2:{listener.getsockname()[1]}"


def inside():
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "addr", "add", ORIGIN + "/32", "dev", "lo"],
        ["ip", "addr", "add", "10.66.0.2/32", "dev", "lo"],
        ["ip", "addr", "add", ORIGIN6 + "/128", "dev", "lo", "nodad"],
        ["ip", "addr", "add", "fd00:66::2/128", "dev", "lo", "nodad"],
    ):
        subprocess.run(command, check=True)
    with TestRun() as bench:
        log = start_proxy(bench)
        ca = certs.make_ca(bench.path("ca"))
        objects = {"a.bin": bytes_of(1, 100_000), "b.bin": bytes_of(2, (9 << 20) + 1)}
        plain = FaultServer(bench, objects, host=ORIGIN)
        secure = FaultServer(
            bench, objects, host=ORIGIN, tls=certs.make_server(bench.path("ca"), "server", [f"IP:{ORIGIN}"])
        )
        plain6 = FaultServer(bench, objects, host=ORIGIN6)
        secure6 = FaultServer(
            bench, objects, host=ORIGIN6, tls=certs.make_server(bench.path("ca"), "server6", [f"IP:{ORIGIN6}"])
        )
        stores = iter(range(100))

        def sync(server, **env):
            return bench.zcdp(
                "sync",
                "-q",
                "--anonymous",
                "--retries",
                "0",
                "--endpoint",
                server.endpoint,
                "--ca-bundle",
                ca,
                "--store",
                bench.path(f"store{next(stores)}"),
                "s3://data/",
                env=env,
            )

        good = f"http://me:pa55w0rd@{PROXY}"
        code, out, err = sync(secure, HTTPS_PROXY=good)
        bench.check(
            "https goes by CONNECT, with the proxy's credentials",
            code == 0 and f"CONNECT {ORIGIN}:{secure.port}" in log.read_text(),
            (err, log.read_text()[-500:]),
        )
        code, out, err = sync(plain, http_proxy=good)
        bench.check(
            "http goes in absolute form",
            code == 0 and f"GET http://{ORIGIN}:{plain.port}/data" in log.read_text(),
            (err, log.read_text()[-500:]),
        )
        bench.check(
            "and every object was asked for through it",
            log.read_text().count(f"GET http://{ORIGIN}:{plain.port}/data/") >= 2,
        )
        good6 = f"http://me:pa55w0rd@{PROXY6}"
        code, out, err = sync(secure6, HTTPS_PROXY=good6)
        bench.check(
            "IPv6 on both sides: https by CONNECT",
            code == 0 and f"CONNECT [{ORIGIN6}]:{secure6.port}" in log.read_text(),
            (err, log.read_text()[-500:]),
        )
        code, out, err = sync(plain6, HTTP_PROXY=good6)
        bench.check(
            "and http in absolute form",
            code == 0 and f"GET http://[{ORIGIN6}]:{plain6.port}/data" in log.read_text(),
            (err, log.read_text()[-500:]),
        )
        code, out, err = sync(secure6, HTTPS_PROXY="http://[fd00:66::2]:9", NO_PROXY="example.org,fd00:66::/32")
        bench.check("NO_PROXY's IPv6 ranges go directly", code == 0, err)
        code, out, err = sync(secure6, HTTPS_PROXY="http://[fd00:66::2]:9")
        bench.check(
            "an IPv6 proxy that is not there is named", code == 1 and "proxy http://[fd00:66::2]:9" in err, (code, err)
        )
        for user in ("me:secret-typo@", ""):
            for server, name in ((secure, "HTTPS_PROXY"), (plain, "HTTP_PROXY")):
                code, out, err = sync(server, **{name: f"http://{user}{PROXY}"})
                named = "HTTP 401" in err or ("HTTP 407" in err and "proxy" in err)
                bench.check(
                    f"{'wrong' if user else 'no'} credentials in {name}: exit 5, named, the password not",
                    code == 5 and named and "secret-typo" not in err,
                    (code, err),
                )
        code, out, err = sync(secure, HTTPS_PROXY="http://10.66.0.2:9", NO_PROXY="example.org,10.66.0.0/16")
        bench.check("NO_PROXY's ranges go directly", code == 0, err)
        code, out, err = sync(secure, HTTPS_PROXY="http://10.66.0.2:9")
        bench.check("a proxy that is not there is named", code == 1 and "proxy http://10.66.0.2:9" in err, (code, err))
        closing = closing_proxy(bench)
        code, out, err = sync(secure, HTTPS_PROXY=closing)
        bench.check("one that closes CONNECT, too", code == 1 and closing in err and "CONNECT" in err, (code, err))
        code, out, err = sync(secure, HTTPS_PROXY="socks5://me:hidden@10.66.0.2:9")
        bench.check(
            "a kind that is not spoken is refused, without its password",
            code == 2 and "socks5" in err and "hidden" not in err,
            (code, err),
        )
        for name in ("ALL_PROXY", "all_proxy"):
            code, out, err = sync(secure, **{name: f"http://me:pa55w0rd@{PROXY}"})
            bench.check(
                f"{name} is for what has no proxy of its own",
                code == 0 and log.read_text().count(f"CONNECT {ORIGIN}:{secure.port}") > 0,
                (err, log.read_text()[-500:]),
            )
        code, out, err = sync(secure, ALL_PROXY="http://10.66.0.2:9", HTTPS_PROXY=f"http://me:pa55w0rd@{PROXY}")
        bench.check("one of its own goes before it", code == 0, err)
        code, out, err = sync(plain, ALL_PROXY="socks5h://me:hidden@10.66.0.2:1080")
        bench.check(
            "a socks proxy for all is refused where it would be used",
            code == 2 and "ALL_PROXY" in err and "socks5h" in err and "hidden" not in err and err.count("\n") == 1,
            (code, err),
        )
        code, out, err = sync(plain, ALL_PROXY="socks5h://me:hidden@10.66.0.2:1080", NO_PROXY="10.66.0.0/16")
        bench.check("and not where it would not", code == 0, err)


if len(sys.argv) > 1:
    inside()
else:
    if os.geteuid() != 0:
        skip("a network namespace needs root")
    if not shutil.which("tinyproxy"):
        skip("tinyproxy is not installed")
    sys.exit(subprocess.run(["unshare", "--net", sys.executable, __file__, "inside"]).returncode)
