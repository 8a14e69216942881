#!/usr/bin/env python3
# ctest: 120
"""Servers that ask who we are (mutual TLS): nginx, which refuses by an HTTP 400 of its own, and OpenSSL, which refuses by an alert,
with TLS 1.3 after the handshake. The right certificate, every wrong one, files that are none, and the way through a proxy.
In a network namespace of its own, for loopback itself is never asked through a proxy."""

import functools
import hashlib
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading

from tests.support import certs, servers, stores
from tests.support.harness import TestRun, bytes_of, skip, sums

HOST = "10.66.0.1"
FILES = {"a.bin": bytes_of(1, 100_000), "b.bin": bytes_of(2, (9 << 20) + 1), "sub/c.txt": b"c"}
VERSIONS = {"TLSv1.3": ssl.TLSVersion.TLSv1_3, "TLSv1.2": ssl.TLSVersion.TLSv1_2}


class Strict:
    """Python's own server behind OpenSSL's own refusal: an alert and the end of the connection."""

    def __init__(self, bench, folder, tls, ca, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(*tls)
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED

        class Handler(http.server.SimpleHTTPRequestHandler):
            def setup(self):  # in the connection's own thread
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer((HOST, 0), functools.partial(Handler, directory=folder))
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # a client that is refused is what is wanted
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bench.closers.append(server.shutdown)
        self.endpoint = f"https://{HOST}:{server.server_address[1]}"

    def source(self, prefix=""):
        return f"{self.endpoint}/{prefix}"


class Certificates:
    """CA is the one that servers and zcdp trust; the pairs are (certificate, key)."""

    def __init__(self, bench):
        self.ca = certs.make_ca(bench.path("ca"))
        certs.make_ca(bench.path("other"))
        self.server = certs.make_server(bench.path("ca"), "server", [f"IP:{HOST}"])
        self.client = certs.make_server(bench.path("ca"), "client", ["DNS:client"])
        self.second = certs.make_server(bench.path("ca"), "second", ["DNS:second"])
        self.stranger = certs.make_server(bench.path("other"), "stranger", ["DNS:stranger"])
        self.expired = certs.make_server(bench.path("ca"), "expired", ["DNS:expired"], end="20210203040506Z")
        self.future = certs.make_server(bench.path("ca"), "future", ["DNS:future"], start="20390203040506Z")

    def locked_key(self):
        path = self.client[1].with_suffix(".locked")
        subprocess.run(
            ["openssl", "pkey", "-in", self.client[1], "-aes256", "-passout", "pass:secret", "-out", path], check=True
        )
        return path


def flags_of(pair):
    return ["--client-cert", pair[0], "--client-key", pair[1]] if pair else []


def refused(bench, what, code, words, done):
    """One line, `code`, and each of `words` in it."""
    got, _, err = done
    bench.check(
        what,
        got == code and err.count("\n") == 1 and err.startswith("zcdp: ") and all(str(word) in err for word in words),
        (got, err),
    )


def right_ones(bench, sync, made, nginx, strict):
    want = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    for kind, on in (("nginx", nginx), ("OpenSSL", strict)):
        for version, server in on.items():
            dest = bench.path(f"{kind}-{version}")
            code, _, err = sync(server, made.client, dest)
            bench.check(f"{kind}, {version}: the right certificate", code == 0, (code, err))
            bench.equal("byte for byte", sums(dest), want)
    both = bench.path("both.pem")
    both.write_bytes(made.client[0].read_bytes() + made.client[1].read_bytes())
    code, _, err = bench.zcdp(
        "sync",
        "--ca-bundle",
        made.ca,
        "--no-store",
        "--client-cert",
        both,
        nginx["TLSv1.3"].source(),
        bench.path("both"),
    )
    bench.check("certificate and key in one file", code == 0, (code, err))
    code, _, err = bench.zcdp(
        "verify",
        bench.path("both"),
        "--against",
        nginx["TLSv1.3"].source(),
        "--ca-bundle",
        made.ca,
        *flags_of(made.client),
    )
    bench.check("verify takes them, too", code == 0, (code, err))


def refused_by_servers(bench, sync, made, nginx, strict):
    dest = bench.path("none")
    for version, server in {**nginx, "a single file": nginx["TLSv1.3"]}.items():
        where = server.source("" if version in VERSIONS else "a.bin")
        refused(
            bench,
            f"nginx, {version}: no certificate",
            5,
            [where, "wants a client certificate", "HTTP 400", "--client-cert"],
            sync(server, None, dest, where),
        )
        refused(
            bench,
            f"nginx, {version}: one of another CA",
            5,
            [where, "refuses the client certificate", "HTTP 400", "trusts"],
            sync(server, made.stranger, dest, where),
        )
    for version, server in strict.items():
        alert = "alert certificate required" if version == "TLSv1.3" else "alert handshake failure"
        refused(
            bench,
            f"OpenSSL, {version}: no certificate",
            5,
            [server.source(), "wants a client certificate", alert, "--client-cert"],
            sync(server, None, dest),
        )
        refused(
            bench,
            f"OpenSSL, {version}: one of another CA",
            5,
            [server.source(), "refuses the client certificate", "alert unknown ca", "trusts"],
            sync(server, made.stranger, dest),
        )
    bench.check("nothing was written", not dest.exists())


def bad_files(bench, sync, made, nginx):
    server, dest = nginx["TLSv1.3"], bench.path("none")
    certificate, key = made.client
    garbage, empty, broken, missing = (
        bench.path(name) for name in ("garbage.pem", "empty.pem", "broken.pem", "missing.pem")
    )
    garbage.write_bytes(bytes_of(3, 5000))
    empty.write_bytes(b"")
    broken.write_text(certificate.read_text().replace("\nMII", "\nMIJ"))
    locked = made.locked_key()
    cases = [
        (
            "a certificate that has ended",
            5,
            made.expired,
            [made.expired[0], "ended on 2021-02-03 04:05:06 UTC", "renew"],
        ),
        ("one that has not begun", 5, made.future, [made.future[0], "begins on 2039-02-03 04:05:06 UTC", "clock"]),
        (
            "the key of another",
            2,
            (certificate, made.second[1]),
            [made.second[1], f"is not the key of the certificate in {certificate}"],
        ),
        ("a key with a passphrase", 2, (certificate, locked), [locked, "passphrase", "openssl pkey"]),
        ("a certificate that is garbage", 2, (garbage, key), [garbage, "no certificate in PEM", "BEGIN CERTIFICATE"]),
        ("one with a byte wrong", 2, (broken, key), [broken, "broken"]),
        ("a key as the certificate", 2, (key, key), [key, "no certificate in PEM"]),
        ("a key that is garbage", 2, (certificate, garbage), [garbage, "no private key in PEM", "BEGIN PRIVATE KEY"]),
        ("a certificate that is not there", 2, (missing, key), ["--client-cert", missing, "No such file"]),
        ("a key that is not there", 2, (certificate, missing), ["--client-key", missing, "No such file"]),
        ("an empty file", 2, (empty, key), ["--client-cert", empty, "is empty"]),
        ("a folder", 2, (certificate, bench.path("ca")), ["--client-key", bench.path("ca"), "Is a directory"]),
        ("a file without end", 2, ("/dev/zero", key), ["--client-cert", "/dev/zero", "larger than 1 MiB"]),
    ]
    for what, code, pair, words in cases:
        refused(bench, what, code, words, sync(server, pair, dest))
    unreadable = bench.path("unreadable.key")
    shutil.copy(key, unreadable)
    unreadable.chmod(0)
    as_nobody = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"]  # root without its rights
    refused(
        bench,
        "a key that may not be read",
        2,
        ["--client-key", unreadable, "Permission denied"],
        sync(server, (certificate, unreadable), dest, prefix=as_nobody),
    )
    for flag, path, words in (
        ("--client-cert", certificate, [certificate, "no private key", "--client-key"]),
        ("--client-key", key, [key, "without its certificate", "--client-cert"]),
    ):
        refused(
            bench,
            f"{flag} alone",
            2,
            words,
            bench.zcdp("sync", "--no-store", flag, path, "--ca-bundle", made.ca, server.source(), dest),
        )
    # What cannot be used is said before anybody is asked, and at a terminal nobody is asked for the passphrase.
    plain = ("--no-store", *flags_of((certificate, locked)), "http://10.66.0.9:9/", dest)
    with open(os.devnull) as nothing:
        refused(
            bench,
            "no server is needed to say so",
            2,
            [locked, "passphrase"],
            bench.zcdp("sync", *plain, timeout=10, prefix=["setsid"], stdin=nothing),
        )
    bench.check("nothing was written", not dest.exists())


def through_a_proxy(bench, sync, made, nginx, strict):
    port, log = servers.free_port(), bench.path("tinyproxy.log")
    log.touch(mode=0o666)
    bench.path("tinyproxy.conf").write_text(f'Port {port}\nListen {HOST}\nLogFile "{log}"\nLogLevel Connect\n')
    process = servers.start(bench, ["tinyproxy", "-d", "-c", bench.path("tinyproxy.conf")], log="tinyproxy.out")
    servers.wait_for_http(f"http://{HOST}:{port}", process)
    env = {"HTTPS_PROXY": f"http://{HOST}:{port}"}
    for kind, server in (("nginx", nginx["TLSv1.3"]), ("OpenSSL", strict["TLSv1.3"])):
        dest = bench.path(f"proxied-{kind}")
        code, _, err = sync(server, made.client, dest, env=env)
        bench.check(
            f"{kind} through CONNECT",
            code == 0 and f"CONNECT {server.endpoint.removeprefix('https://')}" in log.read_text(),
            (code, err),
        )
        bench.equal(
            "byte for byte", sums(dest), {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
        )
        refused(
            bench,
            f"{kind} through CONNECT, no certificate",
            5,
            [server.source(), "wants a client certificate"],
            sync(server, None, bench.path("none"), env=env),
        )


def inside():
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "addr", "add", HOST + "/32", "dev", "lo"]):
        subprocess.run(command, check=True)
    with TestRun() as bench:
        made = Certificates(bench)

        def sync(server, pair, dest, source=None, **options):
            return bench.zcdp(
                "sync",
                "-q",
                "--no-store",
                "--retries",
                "2",
                "--ca-bundle",
                made.ca,
                *flags_of(pair),
                source or server.source(),
                dest,
                **options,
            )

        nginx = {
            name: stores.Nginx.start(
                bench,
                host=HOST,
                tls=made.server,
                also=f"ssl_verify_client on; ssl_client_certificate {made.ca}; ssl_protocols {name};",
            )
            for name in VERSIONS
        }
        for name, content in FILES.items():
            nginx["TLSv1.3"].put(name, content)
        strict = {
            name: Strict(bench, nginx["TLSv1.3"].folder, made.server, made.ca, version)
            for name, version in VERSIONS.items()
        }
        right_ones(bench, sync, made, nginx, strict)
        refused_by_servers(bench, sync, made, nginx, strict)
        bad_files(bench, sync, made, nginx)
        through_a_proxy(bench, sync, made, nginx, strict)


if len(sys.argv) > 1:
    inside()
else:
    if os.geteuid() != 0:
        skip("a network namespace needs root")
    for program in ("tinyproxy", "/usr/sbin/nginx"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    sys.exit(subprocess.run(["unshare", "--net", sys.executable, __file__, "inside"]).returncode)
