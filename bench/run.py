#!/usr/bin/env python3
"""Runs zcdp and its peers side by side and writes docs/benchmarks.md (and its plot): `bench/run.py [--rounds N] [--only ROW]`.

nginx serves the bytes, with a canned ListObjectsV2 answer beside them, so that the server costs little and is the same for
all. Rounds are interleaved; every figure is the median over the rounds, with its range; the raw rounds are in the
report. CPU is user + system time of the whole client process, as wait4(2) gives it.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from bench import network, origin, report  # noqa: E402
from bench.link import BYTES_PER_S, DELAY_S, Link  # noqa: E402
from tests.support import addresses  # noqa: E402
from tests.support.fault_server import FaultServer  # noqa: E402
from tests.support.stalls import Stalls, many_objects  # noqa: E402

ZCDP = ROOT / "build/release/zcdp"
MIB = 1 << 20
LIMIT_S = 300  # a contender that takes longer is killed, and the bench fails


class Bench:
    def __init__(self, rounds, disk, only, before=None):
        self.rounds, self.only, self.before = rounds, only, before
        self.disk = pathlib.Path(tempfile.mkdtemp(prefix="zcdp-bench-", dir=disk))
        self.tmpfs = pathlib.Path(tempfile.mkdtemp(prefix="zcdp-bench-", dir="/dev/shm"))
        self.results, self.notes, self.loops = {}, {}, []

    def close(self):
        for mount in self.loops:
            subprocess.run(["umount", mount], check=False)
        shutil.rmtree(self.disk, ignore_errors=True)
        shutil.rmtree(self.tmpfs, ignore_errors=True)

    def wanted(self, row):
        return not self.only or any(word in row for word in self.only)

    def measure(self, row, contenders, unit, divide_by, run=None):
        """Interleaved rounds of {name: (prepare, command)}; the first round warms up and is not counted. `run` takes a
        command and returns its figure: timed() unless said."""
        if not self.wanted(row):
            return
        if self.before:
            contenders = with_before(contenders, self.before)
        figures = {name: [] for name in contenders}
        for number in range(self.rounds + 1):
            # There and back: whoever follows another one is followed by it the next time.
            for name in contenders if number % 2 else reversed(contenders):
                prepare, command = contenders[name]
                if prepare:
                    prepare()
                recycle_pages(self.tmpfs)
                figure = (run or timed)(command() if callable(command) else command)
                figure["cost"] = figure["cpu"] / divide_by
                if number > 0:
                    figures[name].append(figure)
                print(
                    f"{row}: round {number} {name}: {figure['cpu']:.2f} CPU-s, {figure['wall']:.2f} s, {figure['rss_mib']:.0f} MiB",
                    file=sys.stderr,
                    flush=True,
                )
        self.results[row] = {"unit": unit, "figures": figures}


def with_before(contenders, before):
    """Each of zcdp's contenders twice, the second time with the executable `before`; nobody else's."""

    def of_before(command):
        def words():
            return [before if word == ZCDP else word for word in (command() if callable(command) else command)]

        return words

    both = {}
    for name, (prepare, command) in contenders.items():
        if name.startswith("zcdp"):
            both[name] = (prepare, command)
            both[name + " (before)"] = (prepare, of_before(command))
    return both


def compare(results):
    """A line per row and contender: median CPU cost and wall time now, as ratios to before."""
    for row, result in results.items():
        for name, figures in result.get("figures", {}).items():  # a row of its own kind has none
            then = result["figures"].get(name + " (before)")
            if then:
                ratios = {
                    kind: statistics.median(f[kind] for f in figures) / (statistics.median(f[kind] for f in then) or 1)
                    for kind in ("cpu", "wall", "rss_mib")
                }
                spread = max(f["cpu"] for f in then) / (min(f["cpu"] for f in then) or 1)
                print(
                    f"{row} | {name} | CPU × {ratios['cpu']:.3f} | time × {ratios['wall']:.3f} | memory × {ratios['rss_mib']:.3f} | CPU before varies × {spread:.2f}"
                )


def timed(command):
    """Runs a command to its end: CPU seconds, wall seconds, peak resident MiB. It must succeed."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ZCDP_"))}
    env.update(
        AWS_ACCESS_KEY_ID="bench",
        AWS_SECRET_ACCESS_KEY="bench",
        AWS_DEFAULT_REGION="us-east-1",
        AZURE_STORAGE_KEY="YmVuY2g=",
        HOME="/nonexistent",
    )
    started = time.monotonic()
    with tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(map(str, command)), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err
        )
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        _, status, usage = os.wait4(process.pid, 0)
        watchdog.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        if process.returncode != 0:
            err.seek(0)
            raise SystemExit(
                f"{' '.join(map(str, command))}\nended with {process.returncode}: {err.read().decode()[-2000:]}"
            )
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "rss_mib": usage.ru_maxrss / 1024}


def timed_server(command, client):
    """The same of a server, from its start to its end: runs `client`(its address) when it says that it serves."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        address = re.search(r"https?://[^ \n]*", process.stdout.readline().decode()).group()
        started = time.monotonic()
        client(address)
        wall = time.monotonic() - started
    finally:
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "rss_mib": usage.ru_maxrss / 1024}


def recycle_pages(folder, size_mib=1600):
    """Touches as much memory as a run may need and frees it, so that no contender pays for pages the host must first bring."""
    path = pathlib.Path(folder) / "recycle"
    block = bytes(MIB)
    with open(path, "wb", buffering=0) as file:
        for _ in range(size_mib):
            file.write(block)
    path.unlink()


def fresh(path):
    def prepare():
        shutil.rmtree(path, ignore_errors=True)
        os.sync()

    return prepare


def fresh_below(folder):
    def prepare():
        for entry in folder.iterdir():
            shutil.rmtree(entry)
        os.sync()

    return prepare


class Place:
    """A folder for each run: what an earlier one left is only moved aside, for ext4 makes the next thousand files dear
    right after a thousand were deleted (it passes over inodes that were freed in the last five seconds)."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0

    def prepare(self):
        self.number += 1
        os.sync()

    def path(self, name):
        return self.folder / f"{self.number}-{name}"

    def clear(self):
        for entry in self.folder.glob("[0-9]*-*"):
            shutil.rmtree(entry)


def zcdp_sync(bucket, tls=False):
    return [
        ZCDP,
        "sync",
        "-q",
        *(["--ca-bundle", bucket.ca] if tls else []),
        "--endpoint",
        bucket.tls_endpoint if tls else bucket.endpoint,
        f"s3://{bucket.name}/",
    ]


def rclone_copy(tools, bucket, target, *flags, tls=False):
    return [
        tools["rclone"],
        "--config",
        tools["rclone.conf"],
        "copy",
        f"s:{bucket.name}",
        target,
        "--fast-list",
        "--ignore-checksum",
        *(["--ca-cert", bucket.ca] if tls else []),
        "--s3-endpoint",
        bucket.tls_endpoint if tls else bucket.endpoint,
        *flags,
    ]


RCLONE_LARGE = ("--transfers", "32", "--buffer-size", "0")
RCLONE_SMALL = ("--transfers", "32", "--checkers", "32", "--buffer-size", "0")


def crt_copy(tools, bucket, target, tls=False):
    return [
        tools["crt"],
        ROOT / "bench/crt_download.py",
        bucket.tls_endpoint if tls else bucket.endpoint,
        bucket.ca if tls else "-",
        bucket.name,
        target,
        *bucket.keys,
    ]


def aws_copy(tools, bucket, target):
    return [
        tools["aws"],
        "s3",
        "cp",
        "--recursive",
        "--quiet",
        "--endpoint-url",
        bucket.endpoint,
        f"s3://{bucket.name}/",
        target,
    ]


def large(bench, tools, bucket, label):
    """Large objects to ext4: into the store, into store and DEST, and the peers into a directory."""
    row = f"{label}, HTTP to ext4"
    if not bench.wanted(row):
        return
    folder = bench.disk / "run"
    store, dest, peer = folder / "store", folder / "dest", folder / "peer"
    zcdp = zcdp_sync(bucket)
    curl = [tools["curl"], "-sS", "--create-dirs"]
    for key in bucket.keys:
        curl += ["-o", peer / key, f"{bucket.endpoint}/{bucket.name}/{key}"]
    contenders = {
        "zcdp, store": [*zcdp, "--store", store],
        "zcdp, store and DEST": [*zcdp, "--store", store, dest],
        "zcdp, store and linked DEST": [*zcdp, "--store", store, "--as", "link", dest],
        "zcdp, --no-store": [*zcdp, "--no-store", dest],
        "rclone": rclone_copy(tools, bucket, peer),
        "rclone, 32 at once": rclone_copy(tools, bucket, peer, *RCLONE_LARGE),
        "rclone, then sha256sum and sync": [
            "sh",
            "-c",
            '"$@" && sha256sum "$0"/* && sync "$0"/* "$0"',
            peer,
            *rclone_copy(tools, bucket, peer, *RCLONE_LARGE),
        ],
        "curl": curl,
        "dd, as many direct writes (the disk alone)": [
            "sh",
            "-c",
            'mkdir "$0" && exec dd if=/dev/zero of="$0/zeros" bs=4M "count=$1" oflag=direct conv=fsync',
            peer,
            bucket.bytes >> 22,
        ],
    }
    if tools.get("aws") and bucket.bytes < 2 << 30:
        contenders["aws cli"] = aws_copy(tools, bucket, peer)
        contenders["AWS CRT"] = crt_copy(tools, bucket, peer)
    folder.mkdir()
    bench.measure(
        row,
        {name: (fresh_below(folder), command) for name, command in contenders.items()},
        "CPU-s/GiB",
        bucket.bytes / (1 << 30),
    )
    shutil.rmtree(folder, ignore_errors=True)


def small(bench, tools, bucket, where, label):
    row = f"{len(bucket.keys):,} × 16 KiB, HTTP to {label}"
    if not bench.wanted(row):
        return
    place = Place(where)
    zcdp = zcdp_sync(bucket)
    contenders = {
        "zcdp, store": lambda: [*zcdp, "--store", place.path("store")],
        "zcdp, store and DEST": lambda: [*zcdp, "--store", place.path("store"), place.path("dest")],
        "zcdp, store and linked DEST": lambda: [
            *zcdp,
            "--store",
            place.path("store"),
            "--as",
            "link",
            place.path("dest"),
        ],
        "zcdp, --no-store": lambda: [*zcdp, "--no-store", place.path("dest")],
        "rclone": lambda: rclone_copy(tools, bucket, place.path("peer")),
        "rclone, 32 at once": lambda: rclone_copy(tools, bucket, place.path("peer"), *RCLONE_SMALL),
    }
    bench.measure(
        row,
        {name: (place.prepare, command) for name, command in contenders.items()},
        "CPU µs/file",
        len(bucket.keys) / 1e6,
    )
    place.clear()


def large_tls(bench, tools, bucket):
    row = "4 × 256 MiB, TLS 1.3 to ext4"
    if not bench.wanted(row):
        return
    folder = bench.disk / "tls"
    store, peer = folder / "store", folder / "peer"
    contenders = {
        "zcdp, store": [*zcdp_sync(bucket, tls=True), "--store", store],
        "rclone": rclone_copy(tools, bucket, peer, tls=True),
        "rclone, 32 at once": rclone_copy(tools, bucket, peer, *RCLONE_LARGE, tls=True),
        "AWS CRT": crt_copy(tools, bucket, peer, tls=True),
    }
    folder.mkdir()
    bench.measure(
        row,
        {name: (fresh_below(folder), command) for name, command in contenders.items()},
        "CPU-s/GiB",
        bucket.bytes / (1 << 30),
    )
    shutil.rmtree(folder, ignore_errors=True)


def small_tls(bench, tools, bucket):
    row = f"{len(bucket.keys):,} × 16 KiB, TLS 1.3 to tmpfs"
    if not bench.wanted(row):
        return
    place = Place(bench.tmpfs)
    contenders = {
        "zcdp, store": lambda: [*zcdp_sync(bucket, tls=True), "--store", place.path("store")],
        "rclone": lambda: rclone_copy(tools, bucket, place.path("peer"), tls=True),
        "rclone, 32 at once": lambda: rclone_copy(tools, bucket, place.path("peer"), *RCLONE_SMALL, tls=True),
    }
    bench.measure(
        row,
        {name: (place.prepare, command) for name, command in contenders.items()},
        "CPU µs/file",
        len(bucket.keys) / 1e6,
    )
    place.clear()


def served(bench, bucket, label, unit, divide_by):
    """What `zcdp serve` itself costs: a sync of a bucket's files from it, plain and over TLS."""
    place = Place(bench.tmpfs)
    folder = bench.tmpfs / bucket.name / "root" / bucket.name
    certificate = ["--tls-cert", bucket.ca, "--tls-key", bucket.ca.with_suffix(".key")]
    for transport, flags, trust in (("HTTP", [], []), ("TLS 1.3", certificate, ["--ca-bundle", bucket.ca])):

        def client(address, trust=trust):
            words = [ZCDP, "sync", "-q", *trust, "--anonymous", "--endpoint", address, "s3://data/", "--no-store"]
            timed([*words, place.path("dest")])

        bench.measure(
            f"{label}, served over {transport}",
            {"zcdp serve": (place.prepare, [ZCDP, "serve", folder, "--listen", "127.0.0.1:0", *flags])},
            unit,
            divide_by,
            lambda command, client=client: timed_server(command, client),
        )
    place.clear()


def protocols(bench, bucket, label, where, unit, divide_by):
    """The same bytes by S3's, Google's and Azure's protocol, into the store."""
    row = f"{label}, by protocol, HTTP to {'tmpfs' if where == bench.tmpfs else 'ext4'}"
    if not bench.wanted(row):
        return
    place = Place(where)
    sync = [ZCDP, "sync", "-q", "--endpoint", bucket.endpoint]
    contenders = {
        "zcdp, S3": lambda: [*sync, f"s3://{bucket.name}/", "--store", place.path("store")],
        "zcdp, GCS": lambda: [*sync, "--anonymous", f"gs://{bucket.name}/", "--store", place.path("store")],
        "zcdp, Azure": lambda: [*sync, f"az://{origin.ACCOUNT}/{bucket.name}/", "--store", place.path("store")],
    }

    def prepare():
        if bucket.bytes > MIB << 9:
            place.clear()
        place.prepare()

    bench.measure(row, {name: (prepare, command) for name, command in contenders.items()}, unit, divide_by)
    place.clear()


def latency(bench, tools):
    """One object of 1 GiB over a link of 250 MiB/s with 20 ms: what any client needs is the size over the bandwidth, and a round trip."""
    row = f"1 × 1 GiB, a link of {BYTES_PER_S >> 20} MiB/s and {2000 * DELAY_S:.0f} ms, to tmpfs"
    if not bench.wanted(row):
        return
    place = Place(bench.tmpfs)
    with origin.Bucket("far", {"one.bin": 1 << 30}, bench.tmpfs / "far") as bucket, Link(bucket.port) as link:
        near, bucket.endpoint = bucket.endpoint, f"http://127.0.0.1:{link.port}"

        def prepare():
            place.clear()
            place.prepare()

        ranges = "".join(
            f" curl -sS -o /dev/null -r {i << 27}-{(i + 1 << 27) - 1} {bucket.endpoint}/far/one.bin &" for i in range(8)
        )
        contenders = {
            "zcdp, store": lambda: [*zcdp_sync(bucket), "--store", place.path("store")],
            "rclone": lambda: rclone_copy(tools, bucket, place.path("peer")),
            "curl, one connection": lambda: [tools["curl"], "-sS", "-o", "/dev/null", f"{bucket.endpoint}/far/one.bin"],
            "the link alone: 8 curls with a range each": ["sh", "-c", ranges + " wait"],
        }
        bench.measure(row, {name: (prepare, command) for name, command in contenders.items()}, "CPU-s/GiB", 1)
        bucket.endpoint = near
    place.clear()
    if row in bench.results:
        bench.results[row]["optimum_s"] = (1 << 30) / BYTES_PER_S + 2 * DELAY_S


def stalls(bench):
    """One request in a hundred stalls; a pause of 60 ms on each stands for a network. A run has to last for some seconds: those of its
    last requests that stall are sent again only after a second or so."""
    row = "12,000 small objects and four large, 1 % of the requests stall for 30 s"
    if not bench.wanted(row):
        return
    place = Place(bench.tmpfs)
    owner = types.SimpleNamespace(closers=[])
    server = FaultServer(owner, many_objects(12_000))

    def contender(one_in):
        def command():
            server.fault = Stalls(server, one_in, stall_s=30, pause_s=0.06)
            return [ZCDP, "sync", "-q", "--endpoint", server.endpoint, "s3://data/", "--store", place.path("store")]

        return place.prepare, command

    try:
        bench.measure(row, {"zcdp, no stalls": contender(0), "zcdp, 1 % stall": contender(100)}, "CPU-s", 1)
    finally:
        for close in owner.closers:
            close()
    place.clear()


def slow_addresses(bench):
    """The name has four addresses, of which one answers 1 s late, gives 1 MiB/s, or never answers; a pause of 60 ms on each request
    and 3 MiB/s a connection stand for a network. How many connections there are is fixed: that is shown elsewhere."""
    row = "12,000 small objects and four large, one of four addresses is slow"
    if not bench.wanted(row):
        return
    if not addresses.can_name():
        bench.notes[row] = "not run: a hosts file of its own needs root"
        return
    place = Place(bench.tmpfs)
    folder = bench.disk / "names"
    folder.mkdir()
    owner = types.SimpleNamespace(closers=[], folder=folder)
    many = addresses.Addresses(owner, many_objects(12_000))

    def contender(how):
        def command():
            return [
                *many.bad(how),
                ZCDP,
                "sync",
                "-q",
                "--connections",
                "64",
                "--endpoint",
                many.endpoint,
                "s3://data/",
                "--store",
                place.path("store"),
            ]

        return place.prepare, command

    try:
        bench.measure(
            row,
            {
                "zcdp, four good addresses": contender("good"),
                "zcdp, one is 1 s late": contender("late"),
                "zcdp, one gives 1 MiB/s": contender("narrow"),
                "zcdp, one never answers": contender("silent"),
            },
            "CPU-s",
            1,
        )
    finally:
        for close in owner.closers:
            close()
    place.clear()


def one_fsync_a_file(folder, count):
    """What a program does that writes each file, syncs it and its folder, and renames it: seconds for `count` files."""
    folder.mkdir(parents=True)
    content = os.urandom(16384)
    directory = os.open(folder, os.O_RDONLY)
    started = time.monotonic()
    for i in range(count):
        file = os.open(folder / f"{i}.tmp", os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(file, content)
        os.fsync(file)
        os.close(file)
        os.rename(folder / f"{i}.tmp", folder / str(i))
        os.fsync(directory)
    seconds = time.monotonic() - started
    os.close(directory)
    shutil.rmtree(folder)
    return seconds


class PrivateExt4:
    """An ext4 of its own on a loop device, made anew for each run."""

    def __init__(self, bench):
        self.image, self.mount, self.loops = bench.disk / "ext4.img", bench.disk / "ext4", bench.loops
        subprocess.run(["truncate", "-s", "3G", self.image], check=True)
        self.mount.mkdir()

    def renew(self):
        """False when this user may not mount."""
        if self.mount in self.loops:
            subprocess.run(["umount", self.mount], check=True)
            self.loops.remove(self.mount)
        subprocess.run(
            ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image], check=True
        )
        if subprocess.run(["mount", "-o", "loop", self.image, self.mount]).returncode != 0:
            return False
        self.loops.append(self.mount)
        (self.mount / "lost+found").rmdir()
        os.sync()
        return True


def durable(bench, bucket):
    """Durable small files a second on an ext4 of its own (a loop device), against one fsync a file in the same run."""
    row = "durable small files, private ext4"
    if not bench.wanted(row):
        return
    private, place = PrivateExt4(bench), Place(bench.disk)
    rates = {"zcdp, store on the mount": [], "one fsync a file": [], "zcdp, store on a shared root": []}
    sync = [ZCDP, "sync", "-q", "--endpoint", bucket.endpoint, f"s3://{bucket.name}/", "--store"]
    for number in range(bench.rounds + 1):
        if not private.renew():
            bench.notes[row] = "not run: a loop device needs root"
            return
        place.prepare()
        recycle_pages(bench.tmpfs)
        seconds = {"zcdp, store on the mount": timed([*sync, private.mount])["wall"]}
        private.renew()
        seconds["one fsync a file"] = one_fsync_a_file(private.mount / "each", 2000) * len(bucket.keys) / 2000
        recycle_pages(bench.tmpfs)
        seconds["zcdp, store on a shared root"] = timed([*sync, place.path("store")])["wall"]
        print(
            f"{row}: round {number}",
            {name: round(len(bucket.keys) / s) for name, s in seconds.items()},
            file=sys.stderr,
            flush=True,
        )
        if number > 0:
            for name, taken in seconds.items():
                rates[name].append(len(bucket.keys) / taken)
    place.clear()
    bench.results[row] = {"unit": "files/s", "rates": rates}


def listing(bench, tools, keys):
    """List and plan `keys` keys from canned pages."""
    row = f"list and plan {keys:,} keys"
    if not bench.wanted(row):
        return
    with origin.ListOnly(keys, bench.tmpfs / "list") as bucket:
        store = bench.tmpfs / "store"
        bench.measure(
            row,
            {
                "zcdp sync --dry-run": (
                    fresh(store),
                    [
                        ZCDP,
                        "sync",
                        "-q",
                        "--dry-run",
                        "--endpoint",
                        bucket.endpoint,
                        "--store",
                        store,
                        f"s3://{bucket.name}/",
                    ],
                )
            },
            "CPU µs/key",
            keys / 1e6,
        )


def second_sync(bench, count):
    """Nothing changed: what a second sync costs beyond the listing's own (a dry run into an empty store lists and plans)."""
    row = f"second sync, {count:,} objects"
    if not bench.wanted(row):
        return
    with origin.Bucket(
        "again", {f"{i // 1000:04}/{i:07}.bin": 64 for i in range(count)}, bench.tmpfs / "again"
    ) as bucket:
        store, empty = bench.tmpfs / "store", bench.tmpfs / "empty"
        fresh(store)()
        sync = [ZCDP, "sync", "-q", "--endpoint", bucket.endpoint, f"s3://{bucket.name}/"]
        timed([*sync, "--store", store])
        bench.measure(
            row,
            {
                "zcdp sync, all here": (None, [*sync, "--store", store]),
                "zcdp sync --dry-run, empty store": (fresh(empty), [*sync, "--dry-run", "--store", empty]),
            },
            "CPU µs/object",
            count / 1e6,
        )
        shutil.rmtree(store, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--disk", default="/var/tmp", help="a folder on the disk to measure")
    parser.add_argument("--only", action="append", help="only rows whose name holds this word")
    parser.add_argument("--small-count", type=int, default=10_000)
    parser.add_argument("--output", default=str(ROOT / "docs/benchmarks.md"))
    parser.add_argument(
        "--before", help="another zcdp executable: runs zcdp's rows with both, prints the ratios, writes nothing"
    )
    args = parser.parse_args()
    network.enter()
    tools = origin.tools()
    bench = Bench(args.rounds, args.disk, args.only, args.before)
    try:
        run(bench, tools, args)
    finally:
        bench.close()
        if args.before:
            compare(bench.results)
        else:
            write(bench, tools, args)  # what was measured is kept, whatever came after it


def run(bench, tools, args):
    """Every row that is wanted."""
    timed([ZCDP, "version"])
    bench.measure("zcdp version", {"zcdp version": (None, [ZCDP, "version"])}, "CPU-s", 1)
    if any(
        bench.wanted(f"4 × 256 MiB, {rest}")
        for rest in (
            "HTTP to ext4",
            "TLS 1.3 to ext4",
            "by protocol, HTTP to ext4",
            "served over HTTP",
            "served over TLS 1.3",
        )
    ):
        with origin.Bucket(
            "large", {f"part-{i}.bin": 256 * MIB for i in range(4)}, bench.tmpfs / "large", tools.get("crt")
        ) as bucket:
            large(bench, tools, bucket, "4 × 256 MiB")
            large_tls(bench, tools, bucket)
            protocols(bench, bucket, "4 × 256 MiB", bench.disk, "CPU-s/GiB", bucket.bytes / (1 << 30))
            served(bench, bucket, "4 × 256 MiB", "CPU-s/GiB", bucket.bytes / (1 << 30))
    if bench.wanted("1 × 4 GiB, HTTP to ext4"):
        with origin.Bucket("huge", {"one.bin": 4096 * MIB}, bench.tmpfs / "huge") as bucket:
            large(bench, tools, bucket, "1 × 4 GiB")
    with origin.Bucket(
        "small",
        {f"{i % 100:02}/{i:06}.bin": 16384 for i in range(args.small_count)},
        bench.tmpfs / "small",
        tools.get("crt"),
    ) as bucket:
        small(bench, tools, bucket, bench.tmpfs, "tmpfs")
        small(bench, tools, bucket, bench.disk, "ext4, durable")
        small_tls(bench, tools, bucket)
        protocols(bench, bucket, f"{args.small_count:,} × 16 KiB", bench.tmpfs, "CPU µs/file", args.small_count / 1e6)
        served(bench, bucket, f"{args.small_count:,} × 16 KiB", "CPU µs/file", args.small_count / 1e6)
        durable(bench, bucket)
    latency(bench, tools)
    listing(bench, tools, 1_000_000)
    second_sync(bench, 100_000)
    stalls(bench)  # last: its server's objects are in this process, whose size every child's peak begins with
    slow_addresses(bench)


def write(bench, tools, args):
    facts = {
        "date": datetime.date.today().isoformat(),
        "rounds": args.rounds,
        "tcp": network.congestion(),
        "binary_bytes": ZCDP.stat().st_size,
        "versions": origin.versions(tools, ZCDP),
        "machine": origin.machine(),
    }
    raw = pathlib.Path(args.output).with_suffix(".json")
    before = json.loads(raw.read_text()) if args.only and raw.exists() else {"results": {}, "notes": {}}
    for result in bench.results.values():
        result["of"] = {key: facts[key] for key in ("date", "rounds", "tcp")} | {
            "commit": facts["versions"]["commit"][:12]
        }
    results = {**before["results"], **bench.results}
    notes = {**before["notes"], **bench.notes}
    raw.write_text(json.dumps({"facts": facts, "results": results, "notes": notes}, indent=1) + "\n")
    report.write(pathlib.Path(args.output), facts, results, notes)


if __name__ == "__main__":
    main()
