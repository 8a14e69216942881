#!/usr/bin/env python3
# ctest: 120
"""A directory bucket (S3 Express One Zone) of ours: sessions are created, used for many requests, and replaced when they end in the
middle of a sync; a listing in no order gives the same snapshot as one in order; no secret is printed."""

from tests.support.express import ExpressServer
from tests.support.fault_server import FaultServer
from tests.support.harness import TestRun, bytes_of, sums, write_tree

REGION, BUCKET = "us-west-2", "data--usw2-az1--x-s3"
OBJECTS = {f"set/{i % 7}/{i:03}.bin": bytes_of(i, 20_000 + i) for i in range(80)} | {
    "set/a": b"a",
    "set/a-x": b"a-x",
    "set/a/b": b"",
    "set/big": bytes_of(99, 20 << 20),
}
ENV = {
    "AWS_ACCESS_KEY_ID": "KEY",
    "AWS_SECRET_ACCESS_KEY": "long/secret",
    "AWS_SESSION_TOKEN": "token-of-role",
    "AWS_REGION": REGION,
}
SECRETS = ("long/secret", "token-of-role", "session/secret", "session-token")

with TestRun() as bench:
    del OBJECTS["set/a"]  # a file and a folder of one name are no tree
    want = bench.path("want")
    write_tree(want, {key[4:]: content for key, content in OBJECTS.items()})
    server = ExpressServer(
        bench,
        {**OBJECTS, "other/x": b"x"},
        ENV["AWS_ACCESS_KEY_ID"],
        ENV["AWS_SECRET_ACCESS_KEY"],
        ENV["AWS_SESSION_TOKEN"],
        REGION,
        page=30,
    )

    def sync(name, *flags, source=f"s3://{BUCKET}/set/"):
        code, out, err = bench.zcdp(
            "sync",
            "-v",
            "--endpoint",
            server.endpoint,
            "--connections",
            "4",
            "--store",
            bench.path(name),
            *flags,
            source,
            env=ENV,
            timeout=60,
        )
        bench.check(f"{name}: every byte is right", code == 0 and sums(out.strip()) == sums(want), (err, server.said))
        bench.check(f"{name}: no secret and no token is printed", not any(word in out + err for word in SECRETS), err)
        return out.strip()

    server.reset()
    path = sync("one session")
    bench.equal(
        "one session: it is created once, and every request is signed with it",
        (server.sessions, server.expired, server.refused),
        (1, 0, 0),
    )
    bench.equal("one session: three pages of a listing in no order", server.server.count(lambda r: r.listing), 3)
    plain = FaultServer(bench, OBJECTS)
    done = bench.sync("--endpoint", plain.endpoint, "--store", bench.path("plain"), "s3://data/set/", env=ENV)
    bench.equal(
        "a bucket that lists in order gives the same snapshot", done["path"].rsplit("/", 1)[1], path.rsplit("/", 1)[1]
    )

    server.reset(ends_after={15, 40}, busy=2)
    sync("ended twice")
    bench.check(
        "ended twice: refused as expired, and created anew each time, after two 503s",
        server.expired >= 2 and server.sessions == 3 and server.refused == 0,
        (server.sessions, server.expired, server.said),
    )

    server.reset(lasts_s=61)
    sync(
        "replaced", "--bandwidth", "1500000"
    )  # 14 s: sessions that last little longer than a minute are replaced every ten seconds
    bench.check(
        "replaced before it ends: none was refused",
        server.sessions >= 2 and server.expired == 0 and server.refused == 0,
        (server.sessions, server.expired),
    )

    server.reset()
    code, out, err = bench.zcdp(
        "sync",
        "-q",
        "--endpoint",
        server.endpoint,
        "--store",
        bench.path("refused"),
        f"s3://{BUCKET}/set/",
        env={**ENV, "AWS_SECRET_ACCESS_KEY": "wrong"},
    )
    bench.check(
        "a wrong secret: exit code 5 and one line", code == 5 and err.count("\n") == 1 and BUCKET in err, (code, err)
    )
    for what, source, word, env in [
        ("without a region", f"s3://{BUCKET}/", "region", {**ENV, "AWS_REGION": ""}),
        ("with a version", f"s3://{BUCKET}/k?versionId=A", "versions", ENV),
        ("without a zone", "s3://data--x-s3/", "zone", ENV),
        ("by its path", f"s3://{BUCKET}/", "--path-style", ENV),
    ]:
        code, out, err = bench.zcdp(
            "sync", *(["--path-style"] if "path" in word else []), "--store", bench.path("refused"), source, env=env
        )
        bench.check(
            f"a directory bucket {what} is refused in one line",
            code == 2 and word in err and err.count("\n") == 1,
            (code, err),
        )
