#!/usr/bin/env python3
"""What a node costs as a giver and as a getter of pieces, beside a sync of the same bytes from nginx in the same rounds:
`bench/peer_to_peer.py [--rounds N] [--mib SIZE] [--files COUNT] [--disk FOLDER]`.

One long file to FOLDER's file system, then COUNT × 16 KiB to memory; plain HTTP over loopback; everything is verified and
durable. Prints the medians, and the CPU of getter and giver as ratios to that of the sync and of nginx.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

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
def giver(store, snapshot, url, ca, spent):
    """Gives the snapshot meanwhile; its CPU seconds and peak MiB are added to `spent`."""
    address = f"127.0.0.1:{origin.free_port()}"
    command = [PEER, "give", store, snapshot, address, url, ca]
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


def cpu_of_workers(server):
    """CPU seconds that nginx's workers have used so far."""
    pid = server.process.pid
    ticks = 0
    for worker in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        ticks += sum(map(int, pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")")[1].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(bucket, where, tmpfs, rounds):
    """{contender: [figures]}; the first round warms up and is not counted."""
    place, source, held = Place(where), bucket.folder / "root" / bucket.name, tmpfs / "held"
    done = subprocess.run(
        [ZCDP, "sync", "--json", source, "--store", held], check=True, capture_output=True, text=True
    ).stdout
    snapshot = json.loads(done.splitlines()[-1])["snapshot"]
    figures = {"sync from nginx": [], "getter": [], "nginx": [], "giver": []}
    for number in range(rounds + 1):
        for name in ("sync from nginx", "getter") if number % 2 else ("getter", "sync from nginx"):
            place.prepare()
            recycle_pages(tmpfs)
            given = []
            if name == "getter":
                ca = tmpfs / "ca.pem"
                with introducer(ca) as url, giver(held, snapshot, url, ca, given):
                    here = f"127.0.0.1:{origin.free_port()}"
                    figure = timed([PEER, "get", place.path(name), source, here, url, ca, 1])
            else:
                before = cpu_of_workers(bucket)
                figure = timed([*zcdp_sync(bucket), "--store", place.path("store")])
                given.append((cpu_of_workers(bucket) - before, 0))
            if number > 0:
                figures[name].append(figure)
                sender = "giver" if name == "getter" else "nginx"
                figures[sender] += [{"cpu": cpu, "wall": figure["wall"], "rss_mib": rss_mib} for cpu, rss_mib in given]
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
    for one, other in (("getter", "sync from nginx"), ("giver", "nginx")):
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
        for title, objects, where, unit, divide_by in (
            (
                f"one file of {arguments.mib} MiB",
                {"file": arguments.mib * MIB},
                disk,
                "CPU-s/GiB",
                arguments.mib / 1024,
            ),
            (
                f"{arguments.files:,} × 16 KiB",
                {f"{i // 1000}/{i}": 16 << 10 for i in range(arguments.files)},
                shm,
                "CPU µs/file",
                arguments.files / 1e6,
            ),
        ):
            if not divide_by:
                continue
            with origin.Bucket("bucket", objects, shm / "nginx") as bucket:
                (where / "run").mkdir()
                tell(title, measure(bucket, where / "run", shm, arguments.rounds), unit, divide_by)
                (where / "run").rmdir()


if __name__ == "__main__":
    main()
