#!/usr/bin/env python3
# ctest: 60
"""Addresses of IPv6 written out, [::1]:PORT: signed requests, TLS, web servers and their redirects, identity services, zcdp serve."""

import functools
import hashlib
import http.server
import json
import socket
import threading
import time

from tests.support import certs, servers, sigv4
from tests.support.fault_server import FaultServer, error
from tests.support.harness import TestRun, bytes_of, skip, sums, write_tree

FILES = {"a/b.bin": bytes_of(1, 100_000), "c d+%.bin": bytes_of(2, 9 << 20)}
KEYS = {"KEY": "SECRET"}


class Server6(http.server.ThreadingHTTPServer):
    address_family, daemon_threads = socket.AF_INET6, True


def start(bench, handler):
    server = Server6(("::1", 0), handler)
    server.handle_error = lambda *_: None  # a client that hangs up is no news
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bench.closers += [server.server_close, server.shutdown]
    return f"[::1]:{server.server_port}"


def signed(request, found):
    """The Host header, which is signed, must be the address with its brackets and port."""
    path, _, query = request.target.partition("?")
    wrong = sigv4.check(request.method, path, query, request.headers, KEYS, "us-east-1", time.time())
    return [("send", error(403, wrong[1]))] if wrong or not request.headers["host"].startswith("[::1]:") else None


def s3(bench, want):
    ca = certs.make_ca(bench.path("ca"))
    for tls in (None, certs.make_server(bench.path("ca"), "server", ["IP:::1"])):
        server = FaultServer(bench, FILES, host="::1", tls=tls)
        server.fault = signed
        env = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "SECRET"}
        flags = [
            "--store",
            bench.path(f"s3 {bool(tls)}"),
            "--ca-bundle",
            ca,
            "--endpoint",
            server.endpoint,
            "s3://data/",
        ]
        bench.equal(f"signed requests{' over TLS' if tls else ''}", sums(bench.sync(*flags, env=env)["path"]), want)
        code, _, err = bench.zcdp("sync", "-q", *flags, env={**env, "AWS_SECRET_ACCESS_KEY": "wrong"})
        bench.equal("which are checked", code, 5)
    stranger = FaultServer(
        bench, FILES, host="::1", tls=certs.make_server(bench.path("ca"), "stranger", ["IP:fd00::1", "DNS:localhost"])
    )
    code, _, err = bench.zcdp(
        "sync",
        "-q",
        "--anonymous",
        "--retries",
        "0",
        "--ca-bundle",
        ca,
        "--store",
        bench.path("t"),
        "--endpoint",
        stranger.endpoint,
        "s3://data/",
    )
    bench.check(
        "a certificate for another address is refused, and the endpoint named with its brackets",
        code == 1 and stranger.endpoint in err,
        (code, err),
    )


def web(bench, want):
    folder = bench.path("source")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def send_head(self):
            if self.path != "/moved":
                return super().send_head()
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/a/b.bin")
            self.send_header("Content-Length", "0")
            self.end_headers()

    host = start(bench, functools.partial(Handler, directory=folder))
    bench.equal(
        "a web server's folder", sums(bench.sync("--store", bench.path("web"), f"http://{host}/")["path"]), want
    )
    done = bench.sync(
        "--store", bench.path("moved"), "--sha256", hashlib.sha256(FILES["a/b.bin"]).hexdigest(), f"http://{host}/moved"
    )
    bench.equal("a redirect to an address", sums(done["path"]), {"moved": want["a/b.bin"]})


def identity(bench, want):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            body = json.dumps(
                {"AccessKeyId": "KEY", "SecretAccessKey": "SECRET", "Token": "", "Expiration": "2099-01-01T00:00:00Z"}
            ).encode()
            if not self.headers["Host"].startswith("[::1]:"):
                body = b"another host"
            elif self.path.endswith("/security-credentials/"):
                body = b"role"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self):
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"imds")

    host = start(bench, Handler)
    server = FaultServer(bench, FILES, host="::1")
    server.fault = signed
    for kind, env in (
        ("container credentials", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{host}/container"}),
        (
            "instance metadata",
            {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{host}/"},
        ),
    ):
        bench.equal(
            f"{kind} from an address",
            sums(bench.sync("--store", bench.path(kind), "--endpoint", server.endpoint, "s3://data/", env=env)["path"]),
            want,
        )


def served(bench, want):
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
    process = servers.start(
        bench,
        [servers.ZCDP, "serve", bench.path("source"), "--listen", f"[::1]:{port}", "--bucket", "data"],
        {"ZCDP_SERVE_ACCESS_KEY": servers.ACCESS, "ZCDP_SERVE_SECRET_KEY": servers.SECRET},
        log="serve.log",
    )
    servers.wait_for_http(f"http://[::1]:{port}/", process)
    done = bench.sync(
        "--store", bench.path("served"), "--endpoint", f"http://[::1]:{port}", "s3://data/", env=servers.CREDENTIALS
    )
    bench.equal("zcdp serve on an address of IPv6", sums(done["path"]), want)


try:
    socket.create_server(("::1", 0), family=socket.AF_INET6).close()
except OSError as problem:
    skip(f"this machine has no ::1: {problem}")
with TestRun() as bench:
    write_tree(bench.path("source"), FILES)
    want = sums(bench.path("source"))
    s3(bench, want)
    web(bench, want)
    identity(bench, want)
    served(bench, want)
