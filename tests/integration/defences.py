#!/usr/bin/env python3
# ctest: 480
"""Each defence of docs/defences.md both ways: with it the attack is stopped; with it switched off (ZCDP_BREAK=NAME, test
builds only) the same attack succeeds. A defence whose absence nobody notices is none."""

import os
import pathlib
import re
import shutil
import subprocess
import time

from tests.support.data_store import DataStore, target
from tests.support.dialects import Azure
from tests.support.fault_server import FaultServer, Object, answer, listing_xml
from tests.support.harness import ROOT, ZCDP, TestRun, bytes_of, clean_env, write_tree


def sync(bench, server, env, *flags):
    store = bench.path("store")
    shutil.rmtree(store, ignore_errors=True)
    return bench.zcdp(
        "sync",
        "-q",
        "--endpoint",
        server.endpoint,
        "--anonymous",
        "--store",
        store,
        *flags,
        server.source,
        env=env,
        timeout=60,
    )


def content_arrives(result, name, content):
    code, out, _ = result
    return code == 0 and (pathlib.Path(out.strip()) / name).read_bytes() == content


SMALL, BIG = bytes_of(1, 10_000), bytes_of(2, (16 << 20) + 5)


def flipped_once(bench, env, server, content):
    def flip(request, found):
        if found is None or request.method != "GET" or server.count(lambda r: r.key == "a" and r.method == "GET") > 1:
            return None
        data = bytearray(server.honest(request, found))
        data[-1] ^= 1
        return [("send", bytes(data))]

    server.fault = flip
    return content_arrives(sync(bench, server, env), "a", content)


def checksum(bench, env):
    return flipped_once(bench, env, FaultServer(bench, {"a": SMALL}), SMALL)


def range_checksum(bench, env):
    return flipped_once(bench, env, Azure(bench, {"a": BIG[: 9 << 20]}), BIG[: 9 << 20])


def etag(bench, env):
    server = FaultServer(bench, {"a": Object(SMALL, checksum=False)})
    server.fault = lambda request, found: (
        [("send", answer(200, [("ETag", '"new"')], bytes(len(SMALL))))] if found is not None else None
    )
    return sync(bench, server, env)[0] == 7


def range_(bench, env):
    server = FaultServer(bench, {"a": Object(BIG, checksum=False)})

    def shifted(request, found):
        if not request.range or request.range[0] == 0:
            return None
        length = request.range[1] - request.range[0] + 1
        return [
            (
                "send",
                answer(
                    206,
                    [("ETag", f'"{found.tag}"'), ("Content-Range", f"bytes 0-{length - 1}/{len(BIG)}")],
                    BIG[:length],
                ),
            )
        ]

    server.fault = shifted
    result = sync(bench, server, env, "--retries", "0")
    return result[0] == 1 and "range" in result[2]


def length(bench, env):
    server = FaultServer(bench, {"a": Object(SMALL, checksum=False)})
    server.fault = lambda request, found: (
        [("send", answer(200, [("ETag", f'"{found.tag}"')], bytes(len(SMALL) * 2))), ("close",)]
        if found is not None
        else None
    )
    return sync(bench, server, env)[0] == 7


def body_end(bench, env):
    server = FaultServer(bench, {"a": Object(SMALL, checksum=False)})

    def longer(request, found):
        if found is None or request.method != "GET":
            return None
        head = f'HTTP/1.1 200 OK\r\nETag: "{found.tag}"\r\nTransfer-Encoding: chunked\r\n\r\n'.encode()
        return [("send", head + b"%x\r\n%s\r\n5\r\nmore!\r\n0\r\n\r\n" % (len(SMALL), SMALL))]

    server.fault = longer
    code, _, err = sync(bench, server, env)
    return code == 3 and "other bytes" in err


def list_order(bench, env):
    server = FaultServer(bench, {"a": SMALL, "b": SMALL})
    page = listing_xml([(key, len(SMALL), server.objects[key].tag) for key in ("b", "a")])
    server.fault = lambda request, found: [("send", answer(200, [], page))] if request.listing else None
    return content_arrives(sync(bench, server, env), "b", SMALL)


def list_parts(bench, env):
    """The parts of the listing, which are asked for from after a key on, have not all of their keys."""
    server = FaultServer(bench, {"a": SMALL, "b/c": SMALL, "d/e": SMALL, "f/g": SMALL}, page=1)
    part = listing_xml([("f/g", len(SMALL), server.objects["f/g"].tag)])
    server.fault = lambda request, found: (
        [("send", answer(200, [], part))] if request.listing and "start-after" in request.query else None
    )
    code, out, _ = sync(bench, server, env)
    return code == 0 and all((pathlib.Path(out.strip()) / key).exists() for key in server.objects)


def dot_parts(bench, env):
    server = FaultServer(bench, {"../outside": SMALL})
    return sync(bench, server, env)[0] == 3


def beneath(bench, env):
    source, dest, outside = bench.path("source"), bench.path("dest"), bench.path("outside")
    for folder in (source, dest, outside, bench.path("store")):
        shutil.rmtree(folder, ignore_errors=True)
    write_tree(source, {"dir/file": SMALL})
    dest.mkdir()
    outside.mkdir()
    (dest / "dir").symlink_to(outside)
    bench.zcdp("sync", "-q", "--store", bench.path("store"), source, dest, env=env)
    return not os.listdir(outside)


def minimum_rate(bench, env):
    server = FaultServer(bench, {"a": SMALL})

    def trickle(request, found):
        if found is None or server.count(lambda r: r.key == "a") > 1:
            return None
        data = server.honest(request, found)
        return [
            ("send", data[:-400]),
            *[action for i in range(400) for action in (("send", data[i - 400 :][:1]), ("stall", 0.2))],
        ]

    server.fault = trickle
    began = time.monotonic()
    return content_arrives(sync(bench, server, env, "--timeout", "25s"), "a", SMALL) and time.monotonic() - began < 18


def reader_grace(bench, env):
    """Whether a version that another took the place of is there for those who read it, over several of the looks at which
    it would go."""
    store = DataStore(bench, f"versions-{len(env)}", "--keep-versions", "1", env=env)
    for content in (b"before", b"after"):
        store.put("k", {"f": content})
    end = time.monotonic() + 6
    while time.monotonic() < end:
        if store.ask("GET", target("files", "k", version=1, path="f")).status != 200:
            return False
        time.sleep(0.5)
    return True


def unit_tests(layer, cases):
    """Whether these cases of a layer's unit tests pass. One that crashes, as it may without its defence, leaves its folder;
    one that hangs has failed."""

    def passes(bench, env):
        command = [pathlib.Path(ZCDP).parent / f"test_{layer}", f"--test-case={cases}"]
        env = {**clean_env(), **env, "TMPDIR": str(bench.folder)}
        try:
            result = subprocess.run(command, env=env, capture_output=True, timeout=60)
        except subprocess.TimeoutExpired:
            return False
        return result.returncode == 0 and b"test cases: 0 " not in result.stdout

    return passes


TESTS = {
    "checksum": checksum,
    "range-checksum": range_checksum,
    "etag": etag,
    "range": range_,
    "length": length,
    "body-end": body_end,
    "list-order": list_order,
    "list-parts": list_parts,
    "dot-parts": dot_parts,
    "beneath": beneath,
    "minimum-rate": minimum_rate,
    "lease": unit_tests("store", "a pinned or leased*"),
    "fill-digest": unit_tests("store", "a directory that is not zcdp's is filled*"),
    "barrier": unit_tests("store", "power loss at every call*"),
    "piece-digest": unit_tests("sync", "a member that sends other bytes than it has signed*"),
    "piece-length": unit_tests("swarm", "a piece of another length*"),
    "slow-piece": unit_tests("sync", "a member that sends a byte at a time*"),
    "have-map": unit_tests("swarm", "what a neighbour says no more that it has*"),
    "lost-piece": unit_tests("swarm", "what all say is there and no neighbour has*"),
    "manifest-id": unit_tests("sync", "a holder whose manifest is not the snapshot's*"),
    "manifest-piece": unit_tests("sync", "where the snapshot is known*"),
    "claim-signature": unit_tests("swarm", "a claim is good for its piece*"),
    "claim-certificate": unit_tests("swarm", "who is certified by another CA*"),
    "strikes": unit_tests("swarm", "three strikes ban*"),
    "false-claim": unit_tests("swarm", "one false claim is enough"),
    "compare": unit_tests("sync", "what a member has signed is compared*"),
    "snapshot-id": unit_tests("sync", "a snapshot that is not what others have made*"),
    "peers-scope": unit_tests("sync", "what came from members is not what these credentials*"),
    "client-certificate": unit_tests("services", "who has no certificate is answered nothing"),
    "peer-name": unit_tests("services", "nobody is believed to be another node*"),
    "token-node": unit_tests("services", "members of one revision are introduced*"),
    "reader-grace": reader_grace,
}

with TestRun() as bench:
    table = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs/defences.md").read_text(), re.M)
    in_code = set()
    for source in (ROOT / "src").rglob("*.cpp"):
        in_code |= set(re.findall(r'faults::broken\("([a-z-]+)"\)', source.read_text()))
    bench.equal(
        "docs/defences.md names every defence of the code, and each has its test",
        (set(table), set(TESTS)),
        (in_code, in_code),
    )
    for name in table:
        bench.check(f"{name}: stops the attack", TESTS[name](bench, {}))
        bench.check(f"{name}: switched off, the attack succeeds", not TESTS[name](bench, {"ZCDP_BREAK": name}))
