#!/usr/bin/env python3
# ctest: 600
"""zcdp put against the real server: what is put and what is refused, the rule for slashes, what is sent and what is not,
conditions, quotas, trees that change meanwhile, and memory."""

import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time

from tests.support.servers import free_port
from tests.support.data_store import DataStore
from tests.support.data_store_client import Client, metric, tree
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, write_tree

MIB = 1 << 20
MEMORY_MIB = 96


def deep_path(length):
    """A relative path of so many bytes, whose components are as long as any can be."""
    parts, left = [], length
    while left > 0:
        part = "d" * min(255, left)
        parts.append(part)
        left -= len(part) + 1
    return "/".join(parts)


def make_deep(folder, path, content):
    """Step by step: whole, the path is longer than the kernel takes."""
    parts = path.split("/")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts[:-1]:
        os.mkdir(part, dir_fd=at)
        below = os.open(part, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    file = os.open(parts[-1], os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
    os.write(file, content)
    os.close(file)
    os.close(at)


def shapes(bench, client):
    source = bench.path("shapes")
    write_tree(
        source,
        {
            "empty": b"",
            "a.txt": b"a",
            "A.TXT": b"A",
            "run": b"#!/bin/sh\n",
            "same1": b"same",
            "same2": b"same",
            "chunk": bytes_of(1, 8 * MIB),
            "chunk+1": bytes_of(2, 8 * MIB + 1),
            "long/er": bytes_of(3, 24 * MIB + 7),
            "middle": bytes_of(4, MIB),
            "name" * 63 + "nam": b"255 bytes",
            "\u65e5\u672c\u8a9e/\u00e9": b"utf-8",
            "a b/c\\d": b"blanks",
            "-": b"dash",
            "deep/.zcdp/x": b"not the top",
        },
    )
    os.chmod(source / "run", 0o755)
    (source / "nothing").mkdir()
    (source / "inside").symlink_to("long/er")
    (source / "long" / "up").symlink_to("../a.txt")
    (source / "dangling").symlink_to("not/there")
    make_deep(source, deep_path(4000), b"deep")
    with open(source / "sparse", "wb") as file:
        file.truncate(40 * MIB)
        file.seek(20 * MIB)
        file.write(b"in the middle")
    want = tree(source)
    write_tree(source, {".zcdp/state": b"zcdp's own"})
    done = client.put("shapes", source)
    bench.equal("the report counts files", done["files"], sum(1 for what in want.values() if isinstance(what, tuple)))
    bench.equal("and is version 1 of a tree", (done["version"], done["kind"], done["unchanged"]), (1, "tree", False))
    have = client.tree_of("shapes")
    bench.check("what is got is what was put, byte for byte, with links, folders and executables", have == want)
    again = client.put("shapes", source)
    bench.equal(
        "a second put sends nothing and makes no version",
        (again["bytes_sent"], again["chunks_sent"], again["version"], again["unchanged"], again["snapshot"]),
        (0, 0, 1, True, done["snapshot"]),
    )
    forced = client.put("shapes", source, "--force")
    bench.equal("--force makes one, and sends nothing either", (forced["version"], forced["bytes_sent"]), (2, 0))
    copied = client.put("copy/of", source)
    bench.equal("another key with the same content costs no bytes", (copied["bytes_sent"], copied["version"]), (0, 1))
    empty = bench.path("empty")
    empty.mkdir()
    client.put("nothing", empty)
    bench.equal("an empty directory is a key, too", client.tree_of("nothing"), {})
    shutil.rmtree(source)


def refusals(bench, client):
    source = bench.path("refusals")
    write_tree(source, {"good": b"good", "control\x01": b"x", "line\nfeed": b"x"})
    os.mkdir(os.fsencode(source) + b"/\xff")
    with open(os.fsencode(source) + b"/\xff/x", "wb"):
        pass
    (source / "out").symlink_to("../outside")
    (source / "root").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(source)
    listener.bind("sock")
    os.chdir(here)
    names = ["control*", "line*", "\udcff/", "out", "root", "pipe", "sock"]
    if os.getuid() == 0:
        try:
            os.mknod(source / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            names.append("device")
        except PermissionError:
            print("no device can be made here")
    code, said, err = client.run("put", "refused", source)
    bench.equal("what cannot be put is refused", (code, said["error"]["kind"]), (3, "refused"))
    bench.check(f"by name, and with the number of the others: {err.strip()}", f"({len(names) - 1} more like it)" in err)
    bench.equal("in one line", err.count("\n"), 1)
    bench.equal("and no key is made", client.stat("refused"), None)
    out = [flag for name in names for flag in ("--exclude", name)]
    client.put("refused", source, *out)
    bench.equal("what is left out is no matter", client.tree_of("refused"), {"good": (b"good", False)})
    with open(source / ".zcdpignore", "wb") as file:
        file.write(b"# all of it\n" + b"\n".join(os.fsencode(name) for name in names) + b"\n")
    client.put("refused", source)
    bench.equal("nor what .zcdpignore names", sorted(client.tree_of("refused")), [".zcdpignore", "good"])
    listener.close()
    for key in ("a//b", "a/../b", "..", "a\x01", "x" * 256, "k@3", "é" * 2001):
        code, _, err = client.run("put", key, source)
        bench.check(f"no key: {key[:20]!r}", code in (2, 3) and err.count("\n") == 1, (code, err))
    code, _, err = client.run("put", "k", bench.path("missing"))
    bench.check("a source that is not there is exit code 4", code == 4 and "missing" in err, (code, err))
    code, _, err = client.run("put", "k", "/dev/null")
    bench.equal("a device is no source", code, 3)
    code, _, err = client.run("put", "k")
    bench.equal("without a source it is usage", code, 2)


def denied(bench, client):
    """As somebody without rights, for whom a locked file is locked."""
    source, zcdp = bench.path("denied"), bench.path("zcdp")
    os.chmod(bench.folder, 0o777)
    shutil.copy(ZCDP, zcdp)
    os.chmod(zcdp, 0o755)
    write_tree(source, {"a": b"a", "locked": b"x", "folder/b": b"b"})
    os.chmod(source / "locked", 0)
    os.chmod(source / "folder", 0 if os.getuid() else 0o700)
    os.chmod(client.store.token_file, 0o644)
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}

    def put(*flags):
        done = subprocess.run(
            [zcdp, "put", "denied", source, *flags],
            env={**clean_env(), **client.env(XDG_CACHE_HOME="", HOME="/nonexistent")},
            capture_output=True,
            text=True,
            timeout=60,
            **who,
        )
        return done.returncode, done.stderr

    for what, flags in (("locked", ["--exclude", "folder/"]), ("folder", ["--exclude", "locked"])):
        code, err = put(*flags)
        bench.check(f"what may not be read is exit code 5 and named: {what}", code == 5 and what in err, (code, err))
    code, err = put("--exclude", "folder/", "--exclude", "locked")
    bench.check("left out it is no matter, and there need be no place for a cache", code == 0, (code, err))
    os.chmod(source / "folder", 0o700)


def slashes(bench, client):
    source = bench.path("slashes")
    write_tree(source, {"f": b"file", "d/x": b"x", "e/x": b"other"})
    for written, what, key, want in (
        ("s/1", source / "f", "s/1", {"": (b"file", False)}),
        ("s/2", source / "d", "s/2", {"x": (b"x", False)}),
        ("s/3", f"{source}/d/", "s/3", {"x": (b"x", False)}),
        ("s/4/", source / "f", "s/4/f", {"": (b"file", False)}),
        ("s/5/", f"{source}/d/", "s/5/d", {"x": (b"x", False)}),
        ("/s/6", source / "f", "s/6", {"": (b"file", False)}),
    ):
        done = client.put(written, what)
        bench.equal(f"put {written} {what}: the key", done["key"], key)
        bench.equal(f"put {written} {what}: what it is", client.tree_of(key), want)
        bench.equal(f"put {written} {what}: its kind", done["kind"], "file" if "" in want else "tree")
    done = client.put("s/7", "-", stdin=b"from standard input")
    bench.equal("standard input is a file", (done["kind"], done["bytes"]), ("file", 19))
    bench.equal("with its bytes", client.tree_of("s/7"), {"": (b"from standard input", False)})
    long = bytes_of(9, 20 * MIB + 3)
    client.put("s/8", "-", stdin=long)
    bench.equal("also when it is long", client.tree_of("s/8"), {"": (long, False)})
    client.put("s/9", "-", stdin=b"")
    bench.equal("or empty", client.tree_of("s/9"), {"": (b"", False)})
    done = client.put("s/10", "--src", source / "f", "-c", "-f")
    bench.equal("--src is SRC; -c and -f are known", done["key"], "s/10")
    done = client.put("s/11", "-s", source / "f", "-s", source / "d")
    bench.equal("several go inside", [one["key"] for one in done["keys"]], ["s/11/f", "s/11/d"])
    for what, args in (
        ("standard input has no name to go inside by", ("s/", "-")),
        ("two sources of one name", ("s/12", "-s", source / "d" / "x", "-s", source / "e" / "x")),
        ("a source twice", ("s/12", source / "f", "--src", source / "d")),
        ("a version to put", ("s/12@3", source / "f")),
        ("no number", ("s/12", source / "f", "--if-version", "x")),
    ):
        code, _, err = client.run("put", *args)
        bench.check(f"usage: {what}", code == 2 and err.count("\n") == 1, (code, err))


def what_travels(bench, client):
    source = bench.path_in_memory("travels", 100 * MIB)
    write_tree(source, {"long": bytes_of(20, 100 * MIB), **{f"s/{i}": bytes_of(100 + i, 1000) for i in range(200)}})
    plan = client.put("travels", source, "--dry-run")
    bench.equal("a dry run makes no version", (client.stat("travels"), plan["dry_run"]), (None, True))
    first = client.put("travels", source)
    bench.equal(
        "it says what is sent then",
        (plan["bytes_sent"], plan["chunks_sent"]),
        (first["bytes_sent"], first["chunks_sent"]),
    )
    bench.equal("which is all", (first["bytes_sent"], first["chunks_sent"]), (100 * MIB + 200_000, 13 + 200))
    with open(source / "long", "r+b") as file:
        file.seek(50 * MIB)
        file.write(b"changed in place")
    changed = client.put("travels", source)
    bench.equal("of a long file a changed chunk travels", (changed["bytes_sent"], changed["version"]), (8 * MIB, 2))
    (source / "long").rename(source / "renamed")
    (source / "s" / "7").write_bytes(b"new")
    renamed = client.put("travels", source)
    bench.equal("a renamed file costs nothing, a changed one itself", renamed["bytes_sent"], 3)
    bench.check("and all of it is right", client.tree_of("travels") == tree(source))
    os.chmod(source / "s" / "8", 0o755)
    client.put("travels", source)
    bench.check("an executable bit is a change", client.tree_of("travels")["s/8"][1])
    past = client.stat("travels")["version"]
    time.sleep(2.1)  # what is younger than two seconds is hashed again
    client.put("travels", source)
    os.chmod(source / "s" / "9", 0)
    os.chmod(source / "s" / "9", 0o644)
    same = client.put("travels", source)
    bench.equal(
        "a file that was only touched is hashed, and not sent", (same["bytes_sent"], same["version"]), (0, past)
    )
    shutil.rmtree(source)


def conditions(bench, client):
    source = bench.path("conditions")
    write_tree(source, {"a": b"1"})
    client.put("c", source, "--if-version", "0")
    code, said, err = client.run("put", "c", source, "--if-version", "0")
    bench.equal("--if-version 0: there must be none", (code, said["error"]["kind"]), (7, "source_changed"))
    (source / "a").write_bytes(b"2")
    bench.equal("--if-version 1", client.put("c", source, "--if-version", "1")["version"], 2)
    (source / "a").write_bytes(b"3")
    code, _, err = client.run("put", "c", source, "--if-version", "1")
    bench.check(f"another was quicker: {err.strip()}", code == 7 and "1" in err and err.count("\n") == 1)
    bench.equal("and what it put is there", client.tree_of("c"), {"a": (b"2", False)})
    trees = [bench.path(f"writer{i}") for i in range(4)]
    for i, one in enumerate(trees):
        write_tree(one, {f"only{i}": bytes_of(i, 100_000), "long": bytes_of(50 + i, 9 * MIB)})
    for conditional in (False, True):
        before = client.stat("c")["version"]
        flags = ["--if-version", before] if conditional else []
        running = [client.start("put", "c", one, *flags) for one in trees]
        codes = [process.wait() for process in running]
        for process in running:
            process.stdout.close(), process.stderr.close()
        after = client.stat("c")["version"]
        have = client.tree_of("c")
        bench.check("of several writers the key has the tree of one, whole", have in [tree(one) for one in trees])
        if conditional:
            bench.equal("with --if-version one of them wins", sorted(codes), [0, 7, 7, 7])
            bench.equal("and makes one version", after, before + 1)
        else:
            bench.equal("without it each makes a version", (codes, after), ([0] * 4, before + 4))
            client.put("c", source, "--if-version", after)
    client.put("ttl", source, "--ttl", "1h")
    item = client.store.must(client.store.ask("GET", "/v1/keys/ttl")).json
    bench.check("--ttl is kept", 3000 < item["expires_unix_s"] - time.time() < 3700, item)


def quotas(bench):
    port = free_port()
    store = DataStore(bench, "small", "--quota", "4MiB", "--metrics", f"127.0.0.1:{port}", token="secret")
    client = Client(bench, store, "small-client")
    source = bench.path("quota")
    write_tree(source, {"a": bytes_of(1, 5 * MIB)})
    code, said, err = client.run("put", "q", source)
    bench.equal("over the quota is exit code 6", (code, said["error"]["kind"]), (6, "no_space"))
    bench.check(
        f"in one line with the numbers: {err.strip()}", err.count("\n") == 1 and re.search(r"4194304|4(\.00)? MiB", err)
    )
    received = metric(f"http://127.0.0.1:{port}", "zcdp_datastore_received_bytes_total")
    bench.equal("before a byte has travelled", received, 0)
    write_tree(source, {"a": bytes_of(1, MIB)})
    bench.equal("less fits", client.put("q", source)["bytes_sent"], MIB)
    store.kill()
    code, said, err = client.run("put", "q", source)
    bench.check(f"a server that is not there is one line: {err.strip()}", code == 1 and err.count("\n") == 1)
    store.start()
    store.token_file.write_text("another\n")
    code, said, err = client.run("put", "q", source, env={"ZCDP_TOKEN_FILE": ""})
    bench.equal("without a token it is denied", (code, said["error"]["kind"]), (5, "denied"))


def changing(bench, client):
    source = bench.path_in_memory("changing", 60 * MIB)
    write_tree(source, {"calm": b"calm", "log": b"x" * MIB, "long": bytes_of(30, 60 * MIB)})
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with open(source / "log", "ab") as file:
                file.write(b"more")

    writer = threading.Thread(target=write)
    writer.start()
    code, said, err = client.run("put", "changing", source)
    stop.set()
    writer.join()
    bench.equal("a file that changes all the time is exit code 7", (code, said["error"]["kind"]), (7, "source_changed"))
    bench.check(f"and named: {err.strip()}", "/log" in err and err.count("\n") == 1)
    bench.equal("and there is no such version", client.stat("changing"), None)
    whole = named = 0
    for number in range(12):
        old = (source / "long").read_bytes()
        process = client.start("put", "changing", source, "--force")
        time.sleep(0.03 * number)
        with open(source / "long", "r+b") as file:
            file.seek(number * 5 * MIB)
            file.write(b"changed %d" % number)
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            have = client.tree_of("changing")["long"][0]
            whole += have in (old, (source / "long").read_bytes())
        else:
            named += process.returncode == 7 and "/long" in err
    bench.equal(
        f"a file that changes once: {whole} times it was put as it was or is, {named} times named", whole + named, 12
    )
    bench.check("mostly it is put", whole > named)
    shutil.rmtree(source)


def memory(bench, client):
    source = bench.path_in_memory("many", 900 * MIB)
    source.mkdir()
    for folder in range(60):
        (source / f"{folder}").mkdir()
        for i in range(1000):
            with open(source / f"{folder}" / f"{i}", "wb") as file:
                file.write(b"%d %d" % (folder, i))
    with open(source / "sparse", "wb") as file:
        file.truncate(600 * MIB)
        for at in range(0, 600 * MIB, 8 * MIB):
            file.seek(at)
            file.write(b"%d" % at)
    for what in ("the first time", "the second time"):
        code, mib = client.peak_mib("put", "many", source)
        bench.equal(f"60,000 files and 600 MiB are put {what}", code, 0)
        bench.check(f"in {mib} MiB of memory", mib <= MEMORY_MIB)


with TestRun() as bench:
    client = Client(bench, DataStore(bench, token="secret"))
    shapes(bench, client)
    refusals(bench, client)
    denied(bench, client)
    slashes(bench, client)
    what_travels(bench, client)
    conditions(bench, client)
    quotas(bench)
    changing(bench, client)
    memory(bench, client)
