"""Addresses as people and machines write them."""

import hashlib

from tests.support import certs
from tests.support.fault_server import FaultServer, answer

from .kit import Web, report, run

FILES = {"set/a.txt": b"a"}
WANT = {"a.txt": hashlib.sha256(b"a").hexdigest()}


@report(
    "vectordotdev/vector#20773, apache/arrow-rs#6641 (HTTP://HOST, host in capitals, a slash or two at the end)",
    "an endpoint is read as RFC 3986 compares it",
)
def spellings_of_an_endpoint(bench):
    server = FaultServer(bench, FILES)
    wrong = {}
    for n, written in enumerate(
        (
            f"HTTP://127.0.0.1:{server.port}",
            f"http://LOCALHOST:{server.port}/",
            f"http://127.0.0.1:{server.port}//",
            f"http://127.0.0.1:0{server.port}",
        )
    ):
        code, err, have = run(bench, "--endpoint", written, "--anonymous", "s3://data/set/", dest=f"d{n}")
        if code != 0 or have != WANT:
            wrong[written] = (code, err)
    web = Web(
        bench,
        lambda request: answer(200, [("ETag", '"t"')], b"a").replace(
            b"\r\n\r\na", b"\r\n\r\n" + (b"" if request.method == "HEAD" else b"a")
        ),
    )
    code, err, have = run(bench, f"HTTP://localhost:{web.port}/a.txt", dest="web")
    if code != 0 or have != WANT:
        wrong["HTTP:// as a source"] = (code, err)
    bench.check("each is read", not wrong, wrong)


@report(
    "no single report: a host with a dot at its end",
    "the dot ends the name for the resolver; the certificate and the server see the name without it",
)
def a_dot_at_the_end(bench):
    ca = certs.make_ca(bench.path("ca"))
    server = FaultServer(bench, FILES, tls=certs.make_server(bench.path("ca"), "server", ["DNS:localhost"]))
    code, err, have = run(
        bench, "--ca-bundle", ca, "--endpoint", f"https://localhost.:{server.port}", "--anonymous", "s3://data/set/"
    )
    if code != 0 and "certificate" not in err:  # this machine's resolver does not know the name with the dot
        bench.check(
            "it is no question of the certificate", "resolve" in err or "no host of this name" in err, (code, err)
        )
        return
    bench.check("it is read", code == 0 and have == WANT, (code, err))


@report("no single report: a host name with letters of its own", "the line says how such a name is written (xn--…)")
def a_name_with_letters_of_its_own(bench):
    code, err, _ = run(bench, "https://b\u00fccher.example/file.bin")
    bench.check("it says so", code == 2 and "xn--" in err, (code, err))


@report(
    "no single report: proxies as people write them, without a scheme, with a slash, in capitals",
    "proxies are read as curl reads them",
)
def spellings_of_a_proxy(bench):
    FaultServer(bench, FILES)
    wrong = {}
    for n, written in enumerate(
        ("127.0.0.1:{}", "http://127.0.0.1:{}/", "HTTP://127.0.0.1:{}", "http://user:p%40ss@127.0.0.1:{}")
    ):
        seen = []
        proxy = Web(bench, lambda request: (seen.append(request.target), answer(502))[1])
        code, err, _ = run(
            bench,
            "--endpoint",
            "http://store.example",
            "--anonymous",
            "s3://data/set/",
            env={"http_proxy": written.format(proxy.port)},
            dest=f"d{n}",
        )
        if not seen or not seen[0].startswith("http://store.example/data"):
            wrong[written] = (code, err, seen)
    bench.check("each is asked", not wrong, wrong)
