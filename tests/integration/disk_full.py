#!/usr/bin/env python3
# ctest: 120
"""A file system that is full, out of inodes or read-only: exit code 6 (or a clear 1), nothing ready is lost, and with room again
the same command completes."""

import os
import subprocess

from tests.crash.checker import check_store
from tests.support.harness import TestRun, bytes_of, skip, sums, write_tree

if os.geteuid() != 0:
    skip("mounting a small file system needs root")

with TestRun() as bench:
    small, large, many = bench.path("small"), bench.path("large"), bench.path("many")
    write_tree(small, {"a": bytes_of(1, 100_000), "b/c": b"c"})
    write_tree(large, {"big.bin": bytes_of(2, 24 << 20), **{f"f{i}": bytes_of(i, 50_000) for i in range(20)}})
    write_tree(many, {f"d/{i}": b"%d" % i for i in range(3000)})
    mount = bench.path("mount")
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=2000", "tmpfs", mount]).returncode != 0:
        skip("tmpfs cannot be mounted here")
    bench.closers.append(lambda: subprocess.run(["umount", "-l", mount]))
    remount = lambda options: subprocess.run(["mount", "-o", f"remount,{options}", mount], check=True)
    store = mount / "store"
    kept = bench.sync("--store", store, small)
    for name, source, word in (
        ("a dataset that does not fit", large, "needs"),
        ("more files than inodes", many, "inodes"),
    ):
        code, out, err = bench.zcdp("sync", "-q", "--store", store, source)
        bench.check(
            f"{name}: exit 6, one line with the figures",
            code == 6 and out == "" and err.count("\n") == 1 and word in err,
            (code, err),
        )
    whole, problems = check_store(store)
    bench.check(
        "what was ready gave way only by the rules of eviction, and nothing is broken", problems == [], problems
    )
    again = bench.sync("--store", store, small)
    bench.equal("the small one is ready again", again["snapshot"], kept["snapshot"])
    # The reservation is passed, and then somebody else takes the room: ENOSPC in the middle.
    bench.zcdp("store", "pin", "--store", store, kept["snapshot"])
    for left_kib in (100, 1000, 5000):
        hog = mount / "hog"
        free = os.statvfs(mount)
        with open(hog, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_bsize - left_kib * 1024, 1))
        code, _, err = bench.zcdp("sync", "-q", "--no-store", large, mount / "dest")
        bench.check(f"{left_kib} KiB free: exit 6 in one line", code == 6 and err.count("\n") == 1, (code, err))
        bench.check(f"{left_kib} KiB free: no DEST appears", not (mount / "dest").exists())
        hog.unlink()
        subprocess.run(["rm", "-rf", mount / ".dest.zcdp-partial"], check=True)
    remount("ro")
    code, _, err = bench.zcdp("sync", "-q", "--store", store, large)
    bench.check(
        "a read-only file system: one line that says so",
        code == 1 and "Read-only" in err and err.count("\n") == 1,
        (code, err),
    )
    bench.equal("readers still read", bench.zcdp("store", "path", "--store", store, kept["snapshot"])[0], 0)
    remount("rw,size=64m,nr_inodes=20000")
    for source in (large, many):
        done = bench.sync("--store", store, source)
        bench.check("with room again it completes", sums(done["path"]) == sums(source))
    whole, problems = check_store(store)
    bench.check("every snapshot is whole in the end", problems == [] and kept["snapshot"] in whole, problems)
