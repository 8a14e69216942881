#!/usr/bin/env python3
# ctest: 1500 busy
"""The main job against servers that nobody here wrote: MinIO and versitygw, byte for byte, counted at the server."""

import os
import shutil

from tests.support import servers
from tests.support.counting_proxy import CountingProxy
from tests.support.harness import TestRun, bytes_of, sums, write_tree

SMALL, BIG = 20_000, 2 << 30
QUICK = os.environ.get("ZCDP_TEST_QUICK")  # a developer's short run; CI never sets it
if QUICK:
    SMALL, BIG = 2_000, 64 << 20

SPECIAL = {
    f"odd/{name}": f"content of {name}".encode()
    for name in [
        "with space",
        "plus+sign",
        "per%cent",
        "a&b=c",
        "quote'\"",
        "ünï-çødé",
        "日本語",
        "😀",
        "semi;colon",
        "#hash",
        "?mark",
        "tilde~",
        "[bracket]",
        "star*",
        "back\\slash",
        "comma,",
        "x" * 200,
    ]
}


def make_dataset(folder):
    for i in range(SMALL):
        path = folder / f"small/{i % 100:02}" / f"{i}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_of(i, 200 + i % 4000))
    write_tree(folder, SPECIAL)
    write_tree(
        folder,
        {
            "empty": b"",
            "mid/one-chunk.bin": bytes_of(1, 8 << 20),
            "mid/over.bin": bytes_of(2, (8 << 20) + 1),
            "mid/three.bin": bytes_of(3, 3 << 20),
            "a": b"a",
            "a-x": b"a-x",
        },
    )
    block = bytes_of(99, 64 << 20)
    with open(folder / "big.bin", "wb") as file:
        for i in range(BIG // len(block)):
            file.write(i.to_bytes(8, "big") + block[8:])


def against(bench, name, endpoint, data):
    proxy = CountingProxy(bench, endpoint)
    rclone = servers.Rclone(bench, endpoint)
    rclone.run("mkdir", "s:data")
    # Parts of 8 MiB with checksums: what S3 keeps of multipart uploads.
    rclone.run("copy", data, "s:data/v1", "--transfers", "16", "--s3-chunk-size", "64M", "--s3-upload-concurrency", "4")
    want = sums(data)
    store = bench.path(f"store-{name}")
    flags = ["--endpoint", proxy.endpoint, "--store", store]
    first = bench.sync(*flags, "s3://data/v1/", env=servers.CREDENTIALS, timeout=600)
    bench.equal(f"{name}: every object is there", first["objects"], len(want))
    bench.check(f"{name}: sha256 agrees on every byte of {len(want)} files", sums(first["path"]) == want)
    bench.check(
        f"{name}: no more bytes crossed the wire than the objects have, but for headers",
        proxy.bytes < first["bytes"] * 1.01 + 2500 * len(want),
        proxy.bytes,
    )

    proxy.reset()
    second = bench.sync(*flags, "s3://data/v1/", env=servers.CREDENTIALS)
    bench.equal(f"{name}: the second sync asks for no object", (proxy.object_gets(), proxy.count("HEAD")), (0, 0))
    bench.equal(f"{name}: and gives the same snapshot", second["snapshot"], first["snapshot"])

    # v2/ shares nine tenths, copied by the server: the same ETags under other keys.
    rclone.run("copy", "s:data/v1/small", "s:data/v2/small", "--transfers", "32")
    changed = bench.path(f"changed-{name}")
    for i in range(0, SMALL, 10):
        path = changed / f"{i % 100:02}" / f"{i}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_of(10**6 + i, 300))
    rclone.run("copy", changed, "s:data/v2/small", "--transfers", "16")
    proxy.reset()
    third = bench.sync(*flags, "s3://data/v2/", env=servers.CREDENTIALS, timeout=300)
    bench.equal(f"{name}: of v2/ only what differs is fetched", proxy.objects_asked_for(), SMALL // 10)
    bench.check(
        f"{name}: and not more than one in twenty twice",
        proxy.object_gets() <= 1.05 * SMALL // 10 + 32,
        proxy.object_gets(),
    )
    want_v2 = sums(data / "small") | sums(changed)
    bench.check(f"{name}: and v2/ is right byte for byte", sums(third["path"] + "/small") == want_v2)

    code, out, err = bench.zcdp(
        "sync", *flags, "s3://data/v1/", env={**servers.CREDENTIALS, "AWS_SECRET_ACCESS_KEY": "wrong"}
    )
    bench.equal(f"{name}: a wrong secret is exit code 5", code, 5)
    bench.check(
        f"{name}: said in one line that names the bucket and no secret",
        err.count("\n") == 1 and "s3://data" in err and servers.SECRET not in err and "wrong" not in err,
        err,
    )
    bench.equal(f"{name}: nothing on stdout", out, "")
    code, _, err = bench.zcdp("sync", *flags, "s3://no-such-bucket/x/", env=servers.CREDENTIALS)
    bench.equal(f"{name}: a bucket that is not there is exit code 4", code, 4)
    shutil.rmtree(store)


with TestRun() as bench:
    data = bench.path_in_memory("data", 2 * BIG)
    make_dataset(data)
    for name, start in (("minio", servers.minio), ("versitygw", servers.versitygw)):
        folder = data.parent / name
        against(bench, name, start(bench, folder=folder), data)
        shutil.rmtree(folder, ignore_errors=True)
