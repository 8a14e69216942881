#!/usr/bin/env python3
"""Many nodes get one dataset at once, each behind a link of its own: `bench/swarm.py [--nodes N] [--mib SIZE] [--mbit RATE]
[--only ROW]`. Needs root: each node is a network namespace, joined by a bridge, and tbf shapes its link both ways.

Prints how long the last node took in S/B (what one link takes for the
dataset), and how much the source sent in S. Beside it, in the same run: rsync as a tree of fan-out 50 (with up to 50 nodes all
get it from the source), and curl, of which each node gets all from the origin.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from bench import network  # noqa: E402
from bench.run import MIB, ZCDP  # noqa: E402

MEMBER = ZCDP.with_name("swarm_member")
LIMIT_S = 600
SOURCE = 1  # the number of the node that has the dataset; getters follow


def run(*command):
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


class Node:
    """A network namespace with the address 10.77.0.NUMBER; its link has `mbit` each way."""

    def __init__(self, number, mbit):
        self.address, self.link = f"10.77.0.{number}", f"node{number}"
        self.keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        while os.readlink(f"/proc/{self.keeper.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.keeper.pid)
        run("ip", "link", "set", self.link, "master", "bridge", "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{self.address}/16", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        shape = ["root", "tbf", "rate", f"{mbit}mbit", "burst", "256k", "latency", "50ms"]
        run("tc", "qdisc", "replace", "dev", self.link, *shape)
        self.run("tc", "qdisc", "replace", "dev", "eth0", *shape)

    def inside(self, *command):
        return ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net", *map(str, command)]

    def run(self, *command):
        run(*self.inside(*command))

    def start(self, *command, **options):
        return subprocess.Popen(self.inside(*command), stdin=subprocess.PIPE, **options)

    def sent_bytes(self):
        said = subprocess.run(["ip", "-s", "-j", "link", "show", "dev", self.link], check=True, capture_output=True)
        return json.loads(said.stdout)[0]["stats64"]["rx"]["bytes"]

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


@contextlib.contextmanager
def nodes_of(count, mbit):
    run("ip", "link", "add", "bridge", "type", "bridge")
    run("ip", "address", "add", "10.77.255.1/16", "dev", "bridge")
    run("ip", "link", "set", "bridge", "up")
    nodes = []
    try:
        for number in range(count):
            nodes.append(Node(SOURCE + number, mbit))
        yield nodes
    finally:
        for node in nodes:
            node.close()
        run("ip", "link", "del", "bridge")


@contextlib.contextmanager
def serving(process, says=""):
    """Until the block ends; waits for the line that says it serves."""
    try:
        while says:
            line = process.stdout.readline().decode()
            if not line:
                raise SystemExit(f"a server ended: {process.args}")
            if says in line:
                break
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def introducer(folder):
    command = [MEMBER, "introduce", "10.77.255.1:7000", folder / "ca.pem"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with serving(process, "introduces"):
        yield "http://10.77.255.1:7000"


@contextlib.contextmanager
def origin(node, dataset):
    """zcdp serve: its metric says what it sent of objects."""
    process = node.start(
        ZCDP, "serve", dataset, "--bucket", "data", "-q", "--listen", f"{node.address}:9000",
        "--metrics", f"{node.address}:9001", stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with serving(process):
        wait_for(f"http://{node.address}:9001/healthz")
        yield f"http://{node.address}:9000"


def wait_for(url):
    for _ in range(200):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(url, timeout=2).read().decode()
        time.sleep(0.05)
    raise SystemExit(f"{url} does not answer")


def object_bytes(node):
    return int(re.search(r"^zcdp_serve_bytes_total (\d+)", wait_for(f"http://{node.address}:9001/metrics"), re.M)[1])


def all_of(processes, ended):
    """Seconds until the last of them has said a line, or has ended."""
    begun = time.monotonic()
    for process in processes:
        if ended:
            if process.wait(LIMIT_S) != 0:
                raise SystemExit(f"{process.args} failed")
        elif not (line := process.stdout.readline()):
            raise SystemExit(f"{process.args} failed")
        else:
            process.said = line.decode().split()
    return time.monotonic() - begun


@contextlib.contextmanager
def getters(nodes, folder, source, url, endpoint=()):
    """They give what they have until the block ends."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(serving(node.start(
                MEMBER, "get", folder / node.link, source, f"{node.address}:7443", url, folder / "ca.pem", len(nodes),
                *endpoint, stdout=subprocess.PIPE,
            )))
            for node in nodes
        ]  # fmt: skip


def cold(nodes, folder, dataset):
    with introducer(folder) as url, origin(nodes[0], dataset) as endpoint:
        before = object_bytes(nodes[0])
        with getters(nodes[1:], folder, "s3://data/", url, [endpoint]) as processes:
            return all_of(processes, ended=False), object_bytes(nodes[0]) - before


def one_holder(nodes, folder, dataset):
    held = folder / "held"
    done = subprocess.run(
        [ZCDP, "sync", "--json", dataset, "--store", held], check=True, capture_output=True, text=True
    ).stdout
    snapshot = json.loads(done.splitlines()[-1])["snapshot"]
    with introducer(folder) as url:
        giver = nodes[0].start(
            MEMBER, "give", held, snapshot, f"{nodes[0].address}:7443", url, folder / "ca.pem", stdout=subprocess.PIPE
        )
        with serving(giver, "gives"):
            time.sleep(1)
            before = nodes[0].sent_bytes()
            with getters(nodes[1:], folder, dataset, url) as processes:
                seconds = all_of(processes, ended=False)
                from_origin = sum(int(process.said[0]) for process in processes)
                if from_origin:
                    print(f"  {from_origin} bytes were read from the folder, not from the holder")
                return seconds, nodes[0].sent_bytes() - before + from_origin


def rsync_tree(nodes, folder, dataset):
    """As Kubetorch's tree does it: up to 50 nodes get all from the source; deeper ones would wait for these."""
    config = folder / "rsyncd.conf"
    config.write_text(f"use chroot = no\nuid = root\ngid = root\n[data]\npath = {dataset}\nread only = yes\n")
    daemon = nodes[0].start("rsync", "--daemon", "--no-detach", f"--config={config}", f"--address={nodes[0].address}")
    with serving(daemon):
        time.sleep(0.5)
        before = nodes[0].sent_bytes()
        seconds = all_of(
            [node.start("rsync", "-a", f"rsync://{nodes[0].address}/data/", folder / node.link) for node in nodes[1:]],
            ended=True,
        )
        return seconds, nodes[0].sent_bytes() - before


def curl(nodes, folder, dataset):
    names = sorted(str(path.relative_to(dataset)) for path in dataset.rglob("*") if path.is_file())
    with origin(nodes[0], dataset) as endpoint:
        before = object_bytes(nodes[0])
        urls = [word for name in names for word in ("-o", "/dev/null", f"{endpoint}/data/{name}")]
        seconds = all_of(
            [node.start("curl", "-sf", "--no-progress-meter", "-Z", *urls) for node in nodes[1:]], ended=True
        )
        return seconds, object_bytes(nodes[0]) - before


ROWS = {
    "zcdp, cold": (cold, 1.25, 1.05),
    "zcdp, one holder": (one_holder, 1.25, 1.1),
    "rsync, a tree of fan-out 50": (rsync_tree, None, None),
    "curl, all from the origin": (curl, None, None),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=8, help="that get the dataset")
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--mbit", type=int, default=200)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--disk", default="/var/tmp", help="a folder that takes all nodes' copies")
    arguments = parser.parse_args()
    network.enter()
    size_bytes = arguments.mib * MIB
    unit_s = size_bytes * 8 / (arguments.mbit * 1e6)
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(
        f"{arguments.nodes} nodes, {arguments.mib} MiB, {arguments.mbit} Mbit/s a link and the source's: S/B is {unit_s:.1f} s;"
        f" {cpu[1] if cpu else 'unknown processor'}, {os.cpu_count()} cores"
    )
    folder = pathlib.Path(tempfile.mkdtemp(prefix="zcdp-swarm-", dir=arguments.disk))
    try:
        dataset = folder / "dataset"
        dataset.mkdir()
        for number in range(4):
            (dataset / f"model-{number}").write_bytes(os.urandom(size_bytes // 4))
        for name, (measure, most_time, most_bytes) in ROWS.items():
            if arguments.only not in name:
                continue
            with nodes_of(arguments.nodes + 1, arguments.mbit) as nodes:
                place = folder / "run"
                place.mkdir()
                seconds, sent = measure(nodes, place, dataset)
                shutil.rmtree(place)
            wanted = f" (wanted {most_time} and {most_bytes})" if most_time else ""
            print(
                f"  {name}: {seconds:.1f} s, {seconds / unit_s:.2f} S/B; the source sent {sent / size_bytes:.3f} S{wanted}",
                flush=True,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
