#!/usr/bin/env python3
# ctest: 240
"""A small ext4: whoever was killed in files that take most of it goes on with what is there, what nobody goes on with makes
room for others, and when there is none the error and `store du` say who has it."""

import itertools
import json
import os
import signal
import subprocess
import time

from tests.support.fault_server import FaultServer, Object
from tests.support.harness import ZCDP, TestRun, Failed, bytes_of, clean_env, skip, sums

if os.geteuid() != 0:
    skip("mounting a small file system needs root")

MB = 1_000_000


def content(seed, size):
    block = bytes_of(seed, 4 << 20)
    return (block * (size // len(block) + 1))[:size]


with TestRun() as bench:
    mount = bench.path("mount")
    mount.mkdir()
    numbers = itertools.count()

    def fresh_disk():
        """A file of its own each time: a test beside this one that made a mount namespace meanwhile keeps the last one mounted
        there, and the kernel would give its content again for the same file."""
        subprocess.run(["umount", mount], stderr=subprocess.DEVNULL)
        disk = bench.path(f"disk-{next(numbers)}")
        with open(disk, "wb") as file:
            file.truncate(160 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", disk, mount]).returncode == 0
        disk.unlink()
        if not mounted:
            skip("no loop device can be mounted here")

    bench.closers.append(lambda: subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL))
    server = FaultServer(bench, {})

    def have(**datasets):
        """dataset -> sizes of its files"""
        server.objects.clear()
        for number, (name, sizes) in enumerate(datasets.items()):
            for i, size in enumerate(sizes):
                server.objects[f"{name}/{i}"] = Object(content(100 * number + i + 1, size))

    def command(dataset, *args):
        return [
            ZCDP,
            "sync",
            "--json",
            "--endpoint",
            server.endpoint,
            "--anonymous",
            "--progress",
            "none",
            *map(str, args),
            f"s3://data/{dataset}/",
        ]

    def killed(dataset, *args, dest=(), after=20 * MB):
        """A sync that is killed once so much was sent, of which up to a dozen MB may lie in sockets and up to two chunks be cut off."""
        server.reset()
        process = subprocess.Popen(
            [*command(dataset, *args, "--bandwidth", "40MiB/s", "--connections", 2), *map(str, dest)],
            env=clean_env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while server.bytes_sent < after and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        err = process.communicate()[1]
        if process.returncode != -signal.SIGKILL:
            raise Failed(f"{dataset} was to be killed: exit {process.returncode}: {err}")

    def whole(name, dataset, *args, dest=(), at_most=None):
        server.reset()
        done = subprocess.run(
            [*command(dataset, *args), *map(str, dest)], env=clean_env(), capture_output=True, text=True
        )
        bench.check(f"{name}: goes on to its end", done.returncode == 0, done.stderr.strip())
        path = json.loads(done.stdout)["path"]
        want = {key.split("/")[1]: found for key, found in server.objects.items() if key.startswith(dataset + "/")}
        with_content = {key: open(os.path.join(path, key), "rb").read() == found.content for key, found in want.items()}
        bench.check(
            f"{name}: every byte is right", all(with_content.values()) and len(sums(path)) == len(want), with_content
        )
        if at_most is not None:
            bench.check(
                f"{name}: fetches what is missing, not all of it", server.bytes_sent < at_most, server.bytes_sent
            )

    store = mount / "store"
    fresh_disk()
    have(set=[90 * MB])
    killed("set", "--store", store, after=70 * MB)
    whole("one large file", "set", "--store", store, at_most=60 * MB)

    fresh_disk()
    have(set=[40 * MB, 40 * MB, 40 * MB, 3 * MB])
    killed("set", "--store", store, after=80 * MB)
    whole("several files of which each is most of what is left", "set", "--store", store, at_most=90 * MB)

    fresh_disk()
    have(first=[90 * MB], second=[100 * MB, 2 * MB])
    killed("first", "--store", store)
    whole("another dataset in between", "second", "--store", store)
    whole("and the first after it", "first", "--store", store)
    killed("second", "--store", store)
    killed("first", "--store", store)
    whole("twice killed, in turn", "second", "--store", store)

    fresh_disk()
    have(set=[90 * MB])
    killed("set", "--store", store)
    server.objects["set/0"] = Object(content(77, 91 * MB))
    whole("an object that has changed since", "set", "--store", store)

    # Files that came whole before the kill belong to no snapshot yet, and are most of the disk as well.
    fresh_disk()
    have(many=[8 * MB] * 11, other=[100 * MB])
    killed("many", "--store", store, after=75 * MB)
    time.sleep(0.1)
    whole("files that came whole, and nobody asks for any more", "other", "--store", store)

    fresh_disk()
    have(set=[90 * MB])
    killed("set", "--no-store", dest=[mount / "dest"], after=50 * MB)
    whole("a DEST without a store", "set", "--no-store", dest=[mount / "dest"], at_most=80 * MB)

    fresh_disk()
    have(set=[60 * MB])
    killed("set", "--store", store, dest=[mount / "dest"], after=40 * MB)
    whole("a store and a DEST on one disk", "set", "--store", store, dest=[mount / "dest"], at_most=50 * MB)

    fresh_disk()
    have(set=[90 * MB])
    killed("set", "--no-store", dest=[mount / "dest"])
    whole(
        "into a store and a link from it, after one without",
        "set",
        "--store",
        store,
        "--as",
        "link",
        dest=[mount / "dest"],
    )

    # Nothing that may go: who has the room.
    fresh_disk()
    have(kept=[30 * MB], left=[40 * MB], large=[120 * MB])
    whole("a small one", "kept", "--store", store)
    listed = json.loads(bench.zcdp("store", "ls", "--json", "--store", store)[1])
    bench.zcdp("store", "pin", "--store", store, listed[0]["snapshot"])
    (mount / "hog").write_bytes(bytes(20 * MB))
    killed("left", "--store", store)
    code, out, err = bench.zcdp(*command("large", "--store", store)[1:])
    bench.check("no room: exit 6 in one line", code == 6 and err.count("\n") == 1, (code, err))
    for word in ("1 snapshot", "pinned 28.6 MiB", "1 unfinished download", "/data/left/0", "others on the disk"):
        bench.check(f"it names {word}", word in err, err)
    room = json.loads(bench.zcdp("store", "du", "--json", "--store", store)[1])
    bench.check(
        "du names the same, with the object and its age",
        room["pinned_bytes"] == 30 * MB
        and room["other_bytes"] >= 20 * MB
        and room["unfinished"][0]["object"] == f"{server.endpoint}/data/left/0"
        and room["unfinished"][0]["bytes"] >= 39 * MB,
        room,
    )
    kept = bench.zcdp("store", "gc", "--grace", "1h", "--store", store)
    bench.check(
        "gc leaves what is younger than it is told",
        kept[0] == 0 and json.loads(bench.zcdp("store", "du", "--json", "--store", store)[1])["partial_bytes"] > 0,
        kept,
    )
    freed = json.loads(bench.zcdp("store", "gc", "--json", "--store", store)[1])["freed_bytes"]
    bench.check("and frees it otherwise", freed >= 39 * MB, freed)
    (mount / "hog").unlink()
    whole("with room for it", "left", "--store", store)
