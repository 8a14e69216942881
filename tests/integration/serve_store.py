#!/usr/bin/env python3
# ctest: 120
"""zcdp serve beyond one directory: a store's snapshots as buckets, presigned URLs, TLS, metrics and health."""

import subprocess
import time
import urllib.error
import urllib.request

from tests.support import certs, servers
from tests.support.harness import ROOT, ZCDP, TestRun, bytes_of, sums, write_tree

FILES = {"a": b"1", "d/big": bytes_of(1, 9 << 20), "d/e": b""}
KEYS = {"ZCDP_SERVE_ACCESS_KEY": servers.ACCESS, "ZCDP_SERVE_SECRET_KEY": servers.SECRET}


def serve(bench, *args, env=None):
    port, metrics = servers.free_port(), servers.free_port()
    process = servers.start(
        bench,
        [ZCDP, "serve", "--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}", *args],
        env,
        "serve.log",
    )
    servers.wait_for_http(f"http://127.0.0.1:{metrics}/healthz", process)
    return f"127.0.0.1:{port}", f"http://127.0.0.1:{metrics}"


def get(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def store_as_buckets(bench):
    source, other = bench.path("models/llama-3"), bench.path("other")
    write_tree(source, FILES)
    write_tree(other, {"x": b"y"})
    store = bench.path("store")
    first, second = bench.sync("--store", store, source)["snapshot"], bench.sync("--store", store, other)["snapshot"]
    bench.equal("one is pinned", bench.zcdp("store", "pin", "--store", store, first)[0], 0)
    address, metrics = serve(bench, "--store", store)
    rclone = servers.Rclone(bench, f"http://{address}")
    buckets = {line.split()[-1] for line in rclone.run("lsd", "s:").stdout.splitlines()}
    named = {b for b in buckets if b.endswith("models-llama-3")}
    bench.equal(
        "a bucket for each snapshot, and one for the pinned one's name",
        (len(buckets), len(named), {first[:32], second[:32]} <= buckets),
        (3, 1, True),
    )
    for bucket in (first[:32], *named):
        copy = bench.path("copy-" + bucket[-10:])
        rclone.run("copy", f"s:{bucket}", copy)
        bench.equal(
            f"rclone copies the bucket of {'the id' if bucket == first[:32] else 'the name'}", sums(copy), sums(source)
        )
    again = bench.sync(
        "--endpoint", f"http://{address}", "--anonymous", "--store", bench.path("second"), f"s3://{first[:32]}/"
    )
    bench.equal("a sync from there gives the same snapshot", again["snapshot"], first)
    write_tree(other, {"new": b"n"})
    third = bench.sync("--store", store, other)["snapshot"]
    time.sleep(2.1)
    bench.check("a snapshot that is made meanwhile appears", third[:32] in rclone.run("lsd", "s:").stdout)
    code, body = get(f"http://{address}/nothere/a")
    bench.check("no such bucket", code == 404 and b"NoSuchBucket" in body, body)
    code, body = get(metrics + "/metrics")
    bench.check(
        "metrics count requests and bytes",
        code == 200 and b"zcdp_serve_requests_total" in body and b"zcdp_serve_bytes_total" in body,
        body[:200],
    )
    bench.equal("health", get(metrics + "/healthz")[0], 200)


def presigned(bench):
    source = bench.path("served")
    write_tree(source, FILES)
    address, _ = serve(bench, source, env=KEYS)
    script = f". {ROOT}/scripts/lib/venv.sh && need_venv"
    if subprocess.run(["bash", "-c", script]).returncode != 0:
        print("SKIPPED: the aws cli cannot be installed: presigned URLs")
        return
    aws = [
        servers.CACHE / "venv/bin/aws",
        "--endpoint-url",
        f"http://{address}",
        "--region",
        "us-east-1",
        "s3",
        "presign",
        "--expires-in",
    ]

    def url(key, seconds):
        return subprocess.run(
            [*map(str, aws), str(seconds), f"s3://data/{key}"],
            capture_output=True,
            text=True,
            check=True,
            env={**servers.clean_env(), **servers.CREDENTIALS, "AWS_CONFIG_FILE": str(config)},
        ).stdout.strip()

    config = bench.path("aws-config")
    config.write_text("[default]\ns3 =\n  signature_version = s3v4\n  addressing_style = path\n")
    good = url("d/big", 60)
    bench.equal("a presigned URL is served to who has it", get(good)[1], FILES["d/big"])
    bench.equal("for its own key alone", get(good.replace("d/big", "a"))[0], 403)
    bench.equal("not when its time is stretched", get(good.replace("Expires=60", "Expires=600"))[0], 403)
    bench.equal("nor without a signature", get(good.split("&X-Amz-Signature")[0])[0], 403)
    short = url("a", 1)
    time.sleep(2.2)
    code, body = get(short)
    bench.check("nor after its end", code == 403 and b"expired" in body, body)
    done = bench.sync("--store", bench.path("by-url"), good)
    bench.check("zcdp sync takes it as a file", sums(done["path"])["big"] == sums(source)["d/big"])


def tls(bench):
    source = bench.path("tls")
    write_tree(source, FILES)
    authority = certs.make_ca(bench.folder)
    certificate, key = certs.make_server(bench.folder, "serve", ["IP:127.0.0.1"])
    address, _ = serve(bench, source, "--tls-cert", certificate, "--tls-key", key, env=KEYS)
    done = bench.sync(
        "--endpoint",
        f"https://{address}",
        "--ca-bundle",
        authority,
        "--store",
        bench.path("over-tls"),
        "s3://data/",
        env=servers.CREDENTIALS,
    )
    bench.equal("the same bytes over TLS", sums(done["path"]), sums(source))
    done = bench.sync(
        "--endpoint",
        f"https://{address}",
        "--store",
        bench.path("over-tls"),
        "s3://data/",
        env={**servers.CREDENTIALS, "AWS_CA_BUNDLE": str(authority)},
    )
    bench.equal("AWS_CA_BUNDLE names the roots as --ca-bundle does", sums(done["path"]), sums(source))
    code, _, err = bench.zcdp(
        "sync",
        "--endpoint",
        f"https://{address}",
        "--retries",
        "0",
        "--store",
        bench.path("t"),
        "s3://data/",
        env=servers.CREDENTIALS,
    )
    bench.check("a certificate that nobody vouches for is refused", code == 1 and "certificate" in err, (code, err))
    code, _, err = bench.zcdp("serve", source, "--tls-cert", key, "--tls-key", key, "--listen", "127.0.0.1:0")
    bench.check("what is no certificate is refused, in one line", code == 2 and err.count("\n") == 1, (code, err))


def refused(bench):
    source = bench.path("refused")
    write_tree(source, FILES)
    for flags in (
        ["--listen", "127.0.0.1:99999"],
        ["--listen", "127.0.0.1:"],
        ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:port"],
    ):
        code, _, err = bench.zcdp("serve", source, *flags, timeout=10)
        bench.check(
            f"{' '.join(flags)}: no address", code == 2 and err.count("\n") == 1 and flags[-1] in err, (code, err)
        )
    code, _, err = bench.zcdp(
        "serve", "--store", bench.path("store"), "--bucket", "mine", "--listen", "127.0.0.1:0", timeout=10
    )
    bench.check(
        "a store's buckets have their own names: --bucket is refused", code == 2 and "--bucket" in err, (code, err)
    )


with TestRun() as bench:
    store_as_buckets(bench)
    presigned(bench)
    tls(bench)
    refused(bench)
