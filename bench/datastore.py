#!/usr/bin/env python3
"""zcdp put and get beside rsync to and from its daemon, as Kubetorch runs it, in the same rounds:
`bench/datastore.py [--rounds N] [--only WORD] [--disk FOLDER] [--output PAGE]`.

Everything over loopback, without TLS: the sources are in memory, the store and what is got on FOLDER's file system. zcdp
verifies and makes durable, rsync neither. CPU is that of client and server together; figures are medians over the
rounds, with their range. Prints a table; writes it only where --output says.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from bench import network, origin  # noqa: E402
from bench.peer_to_peer import wait_until_listening  # noqa: E402
from bench.run import MIB, ZCDP, Place, recycle_pages, timed  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """CPU seconds of a process, its threads and its children, once those have ended and been waited for."""
    while pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().strip():
        time.sleep(0.002)
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()
    return sum(map(int, fields[11:15])) / TICKS


class Zcdp:
    """A data store's server and its clients. Each round has a store and a digest cache of its own."""

    name = "zcdp"

    def __init__(self, place):
        self.port, self.cache = origin.free_port(), place.path("cache")
        command = [ZCDP, "metadata-server", "--root", place.path("store"), "--listen", f"127.0.0.1:{self.port}"]
        self.server = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        wait_until_listening(self.port)

    def run(self, *words):
        env = [f"XDG_CACHE_HOME={self.cache}", f"ZCDP_SERVER=http://127.0.0.1:{self.port}"]
        return ["env", *env, ZCDP, *words, "-q"]

    def put(self, source):
        return self.run("put", "bench", source)

    def get(self, dest):
        return self.run("get", "bench", dest)

    def close(self):
        self.server.terminate()
        self.server.wait()


class Rsync:
    """rsync --mkpath -av into a daemon's module and out of it."""

    name = "rsync"

    def __init__(self, place):
        self.port, folder = origin.free_port(), place.path("rsync")
        config, store = folder / "rsyncd.conf", folder / "store"
        store.mkdir(parents=True)
        config.write_text(
            f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\nread only = no\nmax connections = 500\n"
            f"[data]\npath = {store}\n"
        )
        self.server = subprocess.Popen(
            ["rsync", "--daemon", "--no-detach", f"--config={config}", "--address=127.0.0.1", f"--port={self.port}"]
        )
        wait_until_listening(self.port)

    def put(self, source):
        return ["rsync", "--mkpath", "-av", f"{source}/", f"rsync://127.0.0.1:{self.port}/data/bench/"]

    def get(self, dest):
        return ["rsync", "--mkpath", "-av", f"rsync://127.0.0.1:{self.port}/data/bench/", f"{dest}/"]

    def close(self):
        self.server.terminate()
        self.server.wait()


def measured(contender, command):
    os.sync()
    before = cpu_of(contender.server.pid)
    figure = timed(command)
    figure["server_cpu"] = cpu_of(contender.server.pid) - before
    figure["both_cpu"] = figure["cpu"] + figure["server_cpu"]
    return figure


def whole_tree(contender, source, place):
    """{step: figure}: all of it, then again with nothing changed."""
    dest = place.path("dest")
    steps = {}
    for suffix in ("", " again, nothing changed"):
        steps["put" + suffix] = measured(contender, contender.put(source))
        steps["get" + suffix] = measured(contender, contender.get(dest))
    check_equal(source, dest)
    return steps


def one_edited(contender, source, place):
    """{step: figure}: a tree that is at the store and in a pod already, of which one file is edited."""
    dest, edited = place.path("dest"), place.path("edited")
    shutil.copytree(source, edited)
    timed(contender.put(edited))
    timed(contender.get(dest))
    time.sleep(2.1)  # what is younger is hashed again
    timed(contender.put(edited))
    changed = edited / "package_3" / "module_33.py"
    changed.write_text(changed.read_text() + "# edited\n")
    steps = {"put": measured(contender, contender.put(edited)), "get": measured(contender, contender.get(dest))}
    check_equal(edited, dest)
    steps["put and get"] = {kind: steps["put"][kind] + steps["get"][kind] for kind in steps["put"]}
    return steps


def check_equal(one, other):
    subprocess.run(["diff", "-r", "--exclude", ".zcdp", one, other], check=True, stdout=subprocess.DEVNULL)


def fill(folder, files):
    """{path: bytes}, each of its own content."""
    block = os.urandom(MIB)
    for number, (path, size) in enumerate(files.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as file:
            file.write(number.to_bytes(8, "little") + block[: max(0, min(size, MIB) - 8)])
            for at in range(1, -(-size // MIB)):
                file.write(number.to_bytes(4, "little") + at.to_bytes(4, "little") + block[8:])
            file.truncate(size)


WORK = [
    ("4 × 256 MiB", {f"{i}.bin": 256 * MIB for i in range(4)}, whole_tree),
    ("10,000 × 16 KiB", {f"{i // 1000}/{i}": 16 << 10 for i in range(10_000)}, whole_tree),
    (
        "1,000 files of code, one edited",
        {f"package_{i // 100}/module_{i // 10 % 10}{i % 10}.py": 2000 + i * 7 % 9000 for i in range(1000)},
        one_edited,
    ),
]


def as_text(folder):
    """Code is text: what is edited has to be read as such."""
    for path in folder.rglob("*.py"):
        path.write_bytes(path.read_bytes().hex().encode()[: path.stat().st_size])


def measure(files, run, disk, shm, rounds):
    """{step: {contender: [figures]}}; the first round warms up and is not counted."""
    source, place, figures = shm / "source", Place(disk), {}
    fill(source, files)
    as_text(source)
    contenders = [Zcdp, Rsync]
    for number in range(rounds + 1):
        for kind in contenders if number % 2 else reversed(contenders):
            place.prepare()
            recycle_pages(shm)
            contender = kind(place)
            try:
                steps = run(contender, source, place)
            finally:
                contender.close()
            for step, figure in steps.items():
                if number > 0:
                    figures.setdefault(step, {}).setdefault(kind.name, []).append(figure)
            place.clear()
            print(f"round {number} {kind.name}", file=sys.stderr, flush=True)
    shutil.rmtree(source)
    return figures


def middle(figures, kind):
    return statistics.median(figure[kind] for figure in figures)


def row(work, step, of):
    """A line of the table: zcdp's figures, and as ratios to rsync's."""
    mine, theirs = of["zcdp"], of["rsync"]

    def with_range(figures, kind):
        values = [figure[kind] for figure in figures]
        return f"{statistics.median(values):.3g} ({min(values):.3g}–{max(values):.3g})"

    ratios = [f"{middle(mine, kind) / (middle(theirs, kind) or 1e-9):.2f}" for kind in ("wall", "both_cpu")]
    return [
        work,
        step,
        with_range(mine, "wall"),
        with_range(theirs, "wall"),
        ratios[0],
        with_range(mine, "both_cpu"),
        with_range(theirs, "both_cpu"),
        ratios[1],
        f"{middle(mine, 'cpu'):.3g} + {middle(mine, 'server_cpu'):.3g}",
        f"{max(figure['rss_mib'] for figure in mine):.0f}",
    ]


HEAD = [
    "work",
    "step",
    "zcdp, s",
    "rsync, s",
    "wall, ratio",
    "zcdp, CPU-s",
    "rsync, CPU-s",
    "CPU, ratio",
    "client + server",
    "MiB of the client",
]


def table(rows):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [HEAD, ["---"] * len(HEAD), *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="a word of the work that is to be measured")
    parser.add_argument("--disk", default="/var/tmp", help="a folder on the file system that takes store and copies")
    parser.add_argument("--output", type=pathlib.Path, help="the page to write")
    arguments = parser.parse_args()
    network.enter()
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    version = subprocess.run(["rsync", "--version"], check=True, capture_output=True, text=True).stdout.split("\n")[0]
    machine = f"{cpu[1] if cpu else 'unknown processor'}, {os.cpu_count()} cores, {arguments.rounds} rounds; {version}"
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.disk) as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as shm:
        for work, files, run in WORK:
            if arguments.only in work:
                figures = measure(files, run, pathlib.Path(disk), pathlib.Path(shm), arguments.rounds)
                rows += [row(work, step, of) for step, of in figures.items()]
    print(machine)
    print(table(rows))
    if arguments.output:
        page = f"# The data store beside rsync\n\n{' '.join(__doc__.split())}\n\n{machine}\n\n{table(rows)}\n"
        arguments.output.write_text(page)


if __name__ == "__main__":
    main()
