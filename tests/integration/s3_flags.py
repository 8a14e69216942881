#!/usr/bin/env python3
# ctest: 60
"""What a request carries when flags ask for it: who pays, SSE-C's key, the local address."""

import base64
import hashlib

from tests.support import servers
from tests.support.fault_server import FaultServer
from tests.support.harness import TestRun, bytes_of, sums

FILES = {"a": b"1", "big": bytes_of(1, 20 << 20)}
WANT = {key: hashlib.sha256(content).hexdigest() for key, content in FILES.items()}


def sync(bench, name, server, *flags):
    server.reset()
    done = bench.sync(
        "--store", bench.path(name), "--endpoint", server.endpoint, *flags, "s3://data/", env=servers.CREDENTIALS
    )
    bench.equal(f"{name}: the bytes", sums(done["path"]), WANT)
    return server.requests


with TestRun() as bench:
    server = FaultServer(bench, FILES)
    requests = sync(bench, "request-payer", server, "--request-payer")
    bench.check(
        "every request says who pays",
        all(
            r.headers.get("x-amz-request-payer") == "requester" and "x-amz-request-payer" in r.headers["authorization"]
            for r in requests
        ),
        requests,
    )

    key = bench.path("key")
    key.write_bytes(bytes(range(32)))
    requests = [r for r in sync(bench, "sse-c", server, "--sse-c-key", key) if not r.listing]
    prefix = "x-amz-server-side-encryption-customer-"
    wanted = {
        prefix + "algorithm": "AES256",
        prefix + "key": base64.b64encode(key.read_bytes()).decode(),
        prefix + "key-md5": base64.b64encode(hashlib.md5(key.read_bytes()).digest()).decode(),
    }
    bench.check(
        "every request of an object has SSE-C's key",
        requests and all(r.headers.get(n) == v for r in requests for n, v in wanted.items()),
        requests[:1],
    )
    key.write_bytes(b"short")
    code, _, err = bench.zcdp(
        "sync", "--store", bench.path("short"), "--sse-c-key", key, "s3://data/", env=servers.CREDENTIALS
    )
    bench.check("a key of another length is refused", code == 2 and "32" in err, (code, err))

    key.write_bytes(bytes(32))
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("clear"),
        "--sse-c-key",
        key,
        "--endpoint",
        "http://192.0.2.1",
        "--retries",
        "0",
        "--timeout",
        "1s",
        "s3://data/",
        env=servers.CREDENTIALS,
    )
    bench.check(
        "the key is not sent in the clear to another machine",
        code == 2 and "in the clear" in err and "http://192.0.2.1" in err,
        (code, err),
    )
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("named"),
        "--sse-c-key",
        key,
        "--endpoint",
        "http://127.zcdp.test",
        "--retries",
        "0",
        "--timeout",
        "1s",
        "s3://data/",
        env=servers.CREDENTIALS,
    )
    bench.check("a name that begins like loopback is another machine", code == 2 and "in the clear" in err, (code, err))
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("dual"),
        "--dualstack",
        "--endpoint",
        server.endpoint,
        "s3://data/",
        env=servers.CREDENTIALS,
    )
    bench.check(
        "--dualstack, which another endpoint has no use for, is refused",
        code == 2 and "--dualstack" in err,
        (code, err),
    )

    server.peers.clear()
    sync(bench, "source-address", server, "--source-address", "127.0.0.7")
    bench.equal("connections come from the address asked for", server.peers, {"127.0.0.7"})
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("v6"),
        "--endpoint",
        server.endpoint,
        "--retries",
        "0",
        "--source-address",
        "::1",
        "s3://data/",
        env=servers.CREDENTIALS,
    )
    bench.check(
        "an address of another family reaches nobody, and the error says why",
        code == 1 and "family" in err,
        (code, err),
    )
    code, _, err = bench.zcdp(
        "sync", "--store", bench.path("v6"), "--source-address", "here", "s3://data/", env=servers.CREDENTIALS
    )
    bench.check("what is no address is refused", code == 2 and "IP address" in err, (code, err))

    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("version"),
        "--endpoint",
        server.endpoint,
        "s3://data/big?versionId=A",
        env=servers.CREDENTIALS,
    )
    bench.check("a server that passes over versionId is refused", code == 3 and "keeps none" in err, (code, err))
