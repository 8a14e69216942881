#!/usr/bin/env python3
# ctest: 60
"""oss:// against a server that checks OSS's V4 signatures and states CRC64."""

import hashlib

from tests.support.harness import TestRun, bytes_of, sums
from tests.support.oss_server import REGION, Oss

with TestRun() as bench:
    files = {
        "set/a": b"1",
        "set/b c+d%": b"2",
        "set/\u00fc/x": bytes_of(1, 300_000),
        "set/big": bytes_of(2, 9 << 20),
        "set/empty": b"",
    }
    server = Oss(bench, files)
    env = {**server.env, "OSS_REGION": REGION}
    flags = ["--endpoint", server.endpoint, "oss://data/set/"]
    done = bench.sync("--store", bench.path("s"), *flags, env=env)
    bench.equal(
        "every byte is there",
        sums(done["path"]),
        {k.removeprefix("set/"): hashlib.sha256(v).hexdigest() for k, v in files.items()},
    )
    bench.equal(
        "a second time nothing is fetched", bench.sync("--store", bench.path("s"), *flags, env=env)["bytes_fetched"], 0
    )
    code, _, err = bench.zcdp("sync", "--store", bench.path("t"), *flags, env={**env, **server.wrong_env})
    bench.check(
        "a wrong secret: exit 5, one line that names what to check",
        code == 5 and "OSS_ACCESS_KEY_ID" in err and err.count("\n") == 1,
        (code, err),
    )
    code, _, err = bench.zcdp(
        "sync", "--store", bench.path("t"), *flags, env={k: v for k, v in env.items() if k != "OSS_REGION"}
    )
    bench.check("without a region: usage", code == 2 and "region" in err, (code, err))
    for damaged in ("set/a", "set/big"):
        server.damaged = damaged
        code, _, err = bench.zcdp("sync", "--store", bench.path(damaged.replace("/", "-")), *flags, env=env)
        bench.check(
            f"{damaged}: a CRC64 that is not that of the bytes is refused",
            code == 1 and "CRC64" in err and damaged in err,
            (code, err),
        )
