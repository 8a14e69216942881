#!/usr/bin/env python3
"""What a node costs as a giver and as a getter of pieces, beside a sync of the same bytes from nginx and rsync in the
same rounds:
`bench/peer_to_peer.py [--rounds N] [--mib SIZE] [--files COUNT] [--disk FOLDER]`.

One long file to FOLDER's file system, then COUNT × 16 KiB to it and to memory; over loopback, plain and over TLS; everything is
verified and durable. Prints the medians, and the CPU of getter and giver as ratios to that of the sync and of nginx.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from bench import network, origin  # noqa: E402
from bench.run import MIB, ZCDP, Place, recycle_pages, timed, zcdp_sync  # noqa: E402

PEER = ZCDP.with_name("swarm_member")


@contextlib.contextmanager
def introducer(ca):
    """The address of one, which nobody's CPU is counted with."""
    address = f"127.0.0.1:{origin.free_port()}"
    process = subprocess.Popen([PEER, "introduce", address, ca], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        yield f"http://{address}"
    finally:
        process.stdin.close()
        process.wait()


@contextlib.contextmanager
def giver(store, snapshot, url, ca, tls, spent):
    """Gives the snapshot meanwhile; its CPU seconds and peak MiB are added to `spent`."""
    address = f"127.0.0.1:{origin.free_port()}"
    command = [PEER, *tls, "give", store, snapshot, address, url, ca]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        yield
    finally:
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        spent.append((usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    if process.returncode != 0:
        raise SystemExit(f"the giver ended with {process.returncode}")


def folder_of(bucket):
    return bucket.folder / "root" / bucket.name


def held_snapshot(store):
    """The store, and the name of the snapshot that it holds."""
    done = subprocess.run([ZCDP, "store", "ls", "--json", "--store", store], check=True, capture_output=True, text=True)
    return store, json.loads(done.stdout)[0]["snapshot"]


def wait_until_listening(port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise SystemExit(f"nobody listens at port {port}")


def cpu_of_workers(server):
    """CPU seconds that nginx's workers have used so far."""
    pid = server.process.pid
    ticks = 0
    for worker in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        ticks += sum(map(int, pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")")[1].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def from_nginx(bucket, place, _, tls):
    """The figures of a sync, and of nginx."""
    before = cpu_of_workers(bucket)
    figure = timed([*zcdp_sync(bucket, tls), "--store", place.path("store")])
    return figure, {"cpu": cpu_of_workers(bucket) - before, "wall": figure["wall"], "rss_mib": 0}


def from_member(bucket, place, held, tls):
    """The figures of who gets it, and of who gives it."""
    ca, mode, given = held.with_name("ca.pem"), ["tls"] * tls, []
    with introducer(ca) as url, giver(*held_snapshot(held), url, ca, mode, given):
        here = f"127.0.0.1:{origin.free_port()}"
        figure = timed([PEER, *mode, "get", place.path("getter"), folder_of(bucket), here, url, ca, 1])
    return figure, {"cpu": given[0][0], "wall": figure["wall"], "rss_mib": given[0][1]}


def from_rsync(bucket, place, _, tls):
    """The figures of rsync and of its daemon; neither hashes with SHA-256, and there is no TLS."""
    port, config, target = origin.free_port(), place.path("rsyncd"), place.path("rsync")
    config.mkdir()
    config = config / "conf"
    config.write_text(f"use chroot = no\nuid = root\ngid = root\n[data]\npath = {folder_of(bucket)}\n")
    daemon = subprocess.Popen(
        ["rsync", "--daemon", "--no-detach", f"--config={config}", "--address=127.0.0.1", f"--port={port}"]
    )
    wait_until_listening(port)
    figure = timed(["rsync", "-a", "--fsync", f"rsync://127.0.0.1:{port}/data/", target])
    daemon.terminate()
    _, status, usage = os.wait4(daemon.pid, 0)
    daemon.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    return figure, {"cpu": cpu, "wall": figure["wall"], "rss_mib": usage.ru_maxrss / 1024}


# who gets and who gives; how; over TLS
CONTENDERS = [
    ("sync from nginx", "nginx", from_nginx, False),
    ("getter", "giver", from_member, False),
    ("rsync", "rsync's daemon", from_rsync, False),
    ("sync from nginx, TLS", "nginx, TLS", from_nginx, True),
    ("getter, TLS", "giver, TLS", from_member, True),
]
# one; to which it is compared
RATIOS = [
    ("getter", "sync from nginx"),
    ("getter", "rsync"),
    ("giver", "nginx"),
    ("getter, TLS", "sync from nginx, TLS"),
    ("giver, TLS", "nginx, TLS"),
]


def measure(bucket, where, tmpfs, rounds):
    """{contender: [figures]}; the first round warms up and is not counted."""
    place, held = Place(where), tmpfs / "held"
    subprocess.run([ZCDP, "sync", "-q", folder_of(bucket), "--store", held], check=True)
    figures = {name: [] for both in CONTENDERS for name in both[:2]}
    for number in range(rounds + 1):
        for getter, sender, run, tls in CONTENDERS if number % 2 else reversed(CONTENDERS):
            place.prepare()
            recycle_pages(tmpfs)
            of_getter, of_sender = run(bucket, place, held, tls)
            if number > 0:
                figures[getter].append(of_getter)
                figures[sender].append(of_sender)
            place.clear()
    shutil.rmtree(held)
    return figures


def tell(title, figures, unit, divide_by):
    print(title)
    cost = {name: statistics.median(one["cpu"] for one in all_of) / divide_by for name, all_of in figures.items()}
    for name, all_of in figures.items():
        wall = statistics.median(one["wall"] for one in all_of)
        spread = ", ".join(f"{one['cpu'] / divide_by:.3g}" for one in all_of)
        peak = max(one["rss_mib"] for one in all_of)
        print(f"  {name}: {cost[name]:.3g} {unit} ({spread}), {wall:.2f} s, {peak:.0f} MiB at most")
    for one, other in RATIOS:
        print(f"  {one} / {other}: {cost[one] / cost[other]:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=4096, help="of the long file; 0: none")
    parser.add_argument("--files", type=int, default=10_000, help="of 16 KiB; 0: none")
    parser.add_argument("--disk", default="/var/tmp", help="a folder on the file system that takes the long file")
    arguments = parser.parse_args()
    network.enter()
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"{cpu[1] if cpu else 'unknown processor'}, {os.cpu_count()} cores, {arguments.rounds} rounds")
    with (
        tempfile.TemporaryDirectory(dir=arguments.disk) as disk,
        tempfile.TemporaryDirectory(dir="/dev/shm") as shm,
    ):
        disk, shm = pathlib.Path(disk), pathlib.Path(shm)
        files = {f"{i // 1000}/{i}": 16 << 10 for i in range(arguments.files)}
        for title, objects, where, unit, divide_by in (
            (
                f"one file of {arguments.mib} MiB, to a disk",
                {"file": arguments.mib * MIB},
                disk,
                "CPU-s/GiB",
                arguments.mib / 1024,
            ),
            (f"{arguments.files:,} × 16 KiB, to a disk", files, disk, "CPU µs/file", arguments.files / 1e6),
            (f"{arguments.files:,} × 16 KiB, to memory", files, shm, "CPU µs/file", arguments.files / 1e6),
        ):
            if not divide_by:
                continue
            with origin.Bucket("bucket", objects, shm / "nginx") as bucket:
                (where / "run").mkdir()
                tell(title, measure(bucket, where / "run", shm, arguments.rounds), unit, divide_by)
                (where / "run").rmdir()


if __name__ == "__main__":
    main()
