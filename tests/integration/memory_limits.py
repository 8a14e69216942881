#!/usr/bin/env python3
# ctest: 900 busy
"""Bounded memory: the plan of a million keys, in order and in none, and a long object that is sparse at its origin, under `ulimit -v` and by peak
resident size. ZCDP_TEST_KEYS=10000000 and ZCDP_TEST_GIB=64 are the long run."""

import json
import os
import shutil
import subprocess

from bench import origin
from tests.support import servers
from tests.support.harness import ZCDP, TestRun, clean_env, skip

KEYS = int(os.environ.get("ZCDP_TEST_KEYS", "1000000"))
GIB = int(os.environ.get("ZCDP_TEST_GIB", "4"))
ADDRESS_SPACE_KIB = (
    700_000  # executable, thread stacks (8 MiB each, hardly touched), arenas; the buffers are 32 MiB of it
)
RESIDENT_MIB = 96
SORTING_MIB = 128
MEASURE = (
    "import os,resource,subprocess,sys; c=subprocess.call(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr); sys.exit(c)"
)


def limited(bench, *args):
    """Runs zcdp under the limit: (exit code, stderr without its last line, peak MiB)."""
    command = ["bash", "-c", f'ulimit -v {ADDRESS_SPACE_KIB} && exec "$@"', "bash", ZCDP, *map(str, args)]
    done = subprocess.run(
        ["python3", "-c", MEASURE, *command], env=clean_env(), capture_output=True, text=True, timeout=850
    )
    lines = done.stderr.strip().splitlines()
    return done.returncode, "\n".join(lines[:-1]), int(lines[-1])


if not shutil.which("nginx"):
    skip("nginx is not installed")
with TestRun() as bench:
    revisions = []
    for shuffled, limit_mib in ((False, RESIDENT_MIB), (True, SORTING_MIB)):
        with origin.ListOnly(KEYS, bench.path("list"), shuffled) as bucket:
            code, err, mib = limited(
                bench,
                "sync",
                "--dry-run",
                "-q",
                "--anonymous",
                "--endpoint",
                bucket.endpoint,
                "--store",
                bench.path("store"),
                f"s3://{bucket.name}/",
            )
            bench.check(
                f"the plan of {KEYS:,} keys{', in no order,' if shuffled else ''} under ulimit -v: {mib} MiB",
                code == 0 and mib <= limit_mib,
                (code, err, mib),
            )
            code, out, err = bench.zcdp(
                "sync",
                "--dry-run",
                "--json",
                "--anonymous",
                "--endpoint",
                bucket.endpoint,
                "--store",
                bench.path("store"),
                f"s3://{bucket.name}/",
                timeout=800,
            )
            revisions.append(json.loads(out)["revision"] if code == 0 else err)
    bench.equal("both are one revision", revisions[0], revisions[1])
    data = bench.path("data")
    data.mkdir()
    with open(data / "sparse.bin", "wb") as file:
        file.truncate(GIB << 30)
    endpoint = servers.zcdp_serve(bench, data)
    code, err, mib = limited(
        bench, "sync", "-q", "--anonymous", "--endpoint", endpoint, "--store", bench.path("store"), "s3://data/"
    )
    bench.check(
        f"an object of {GIB} GiB under ulimit -v: {mib} MiB", code == 0 and mib <= RESIDENT_MIB, (code, err, mib)
    )
    shutil.rmtree(bench.path("store"))
    code, err, mib = limited(
        bench,
        "sync",
        "-q",
        "--anonymous",
        "--connections",
        "64",
        "--endpoint",
        endpoint,
        "--no-store",
        "s3://data/",
        bench.path("dest"),
    )
    bench.check(
        f"and with 64 connections into a directory: {mib} MiB",
        code == 0 and mib <= RESIDENT_MIB and os.path.getsize(bench.path("dest") / "sparse.bin") == GIB << 30,
        (code, err, mib),
    )
