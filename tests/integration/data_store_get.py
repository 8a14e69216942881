#!/usr/bin/env python3
# ctest: 600
"""Getting keys of a real data store: where things go, what is fetched again and what is not, streams, versions; DESTs that
are in the way; a client that is killed, a server that is, a version that goes; wrong tokens; memory."""

import io
import json
import os
import shlex
import stat
import subprocess
import sys
import tarfile

from tests.support import data_stores
from tests.support.counting_proxy import CountingProxy
from tests.support.data_stores import DataStore, bytes_below, wait_until
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree

CONFORMANCE = os.path.join(os.path.dirname(os.environ.get("ZCDP_BIN", "build/test/zcdp")), "origin_conformance")
MIB = 1 << 20
FILES = {
    "README.md": b"# a model\n",
    "empty": b"",
    "weights/long.bin": bytes_of(1, 20 * MIB + 17),
    "weights/one-chunk.bin": bytes_of(2, 3 * MIB),
    "sp ace+and%2F&=#?.txt": b"odd",
    "d\u00e9j\u00e0/\u2603.txt": b"snow",
    "n" * 120 + "/" + "m" * 200: b"long names",
    **{f"small/{i:04}": bytes_of(i, 10 + 37 * i) for i in range(700)},
}
BLOCK = bytes_of(3, 8 * MIB)
RESIDENT_MIB = 96


def make_tree(bench):
    tree = bench.path("tree")
    write_tree(tree, FILES)
    (tree / "weights" / "run").write_bytes(b"#!/bin/sh\n")
    (tree / "weights" / "run").chmod(0o755)
    (tree / "folder" / "below").mkdir(parents=True)
    (tree / "link").symlink_to("weights/run")
    return tree


def same_tree(bench, what, have, want):
    bench.check(f"{what}: every byte and link is right", sums(have) == sums(want))
    bench.check(f"{what}: so is the executable bit", os.access(have / "weights" / "run", os.X_OK))
    bench.check(f"{what}: and of no other", not os.access(have / "README.md", os.X_OK))
    bench.check(f"{what}: and the empty folder", (have / "folder" / "below").is_dir())


def slashes(bench, store, tree):
    """Every row of the table in docs/datastore.md."""
    here = bench.path("here")
    here.mkdir()
    done = store.get("a/tree", cwd=here)
    bench.equal("get KEY: ./LAST-SEGMENT", done["path"], str(here / "tree"))
    same_tree(bench, "get KEY", here / "tree", tree)
    done = store.get("/a/tree", "d", cwd=here)
    bench.equal("get KEY DEST: DEST is the directory; a leading slash means nothing", done["path"], str(here / "d"))
    same_tree(bench, "get KEY DEST", here / "d", tree)
    done = store.get("a/tree", "d/", cwd=here)
    bench.equal("get KEY DEST/: inside it", done["path"], str(here / "d" / "tree"))
    (here / "mine").mkdir()
    (here / "mine" / "own").write_text("mine")
    store.get("a/tree", "mine", cwd=here)
    bench.equal("an existing directory keeps what is not zcdp's", (here / "mine" / "own").read_text(), "mine")
    (here / "mine" / "own").unlink()
    same_tree(bench, "an existing directory", here / "mine", tree)

    content = FILES["weights/one-chunk.bin"]
    done = store.get("a/file", cwd=here)
    bench.equal("get of a file: ./LAST-SEGMENT", ((here / "file").read_bytes(), done["kind"]), (content, "file"))
    (here / "folder").mkdir()
    store.get("a/file", "folder", cwd=here)
    bench.equal("a file onto a directory: inside it", (here / "folder" / "file").read_bytes(), content)
    store.get("a/file", "other/", cwd=here)
    bench.equal("a file to DEST/: inside it", (here / "other" / "file").read_bytes(), content)
    store.get("a/file", "deep/er/name", cwd=here)
    bench.equal("a file to a DEST that is not there", (here / "deep" / "er" / "name").read_bytes(), content)
    (here / "old").write_bytes(b"old")
    store.get("a/file", "old", cwd=here)
    bench.equal("a file onto a file", (here / "old").read_bytes(), content)
    bench.equal("a file leaves nothing beside it", sorted(p.name for p in (here / "folder").iterdir()), ["file"])
    mode = stat.S_IMODE((here / "old").stat().st_mode)
    store.get("a/program", "old", cwd=here)
    bench.check("an executable file", os.access(here / "old", os.X_OK) and not mode & 0o111)

    done = store.get("a/", "all", cwd=here)
    same_tree(bench, "get PREFIX/: a directory below", here / "all" / "tree", tree)
    bench.equal("get PREFIX/: a file below", (here / "all" / "file").read_bytes(), content)
    bench.equal("get PREFIX/: and one further below", (here / "all" / "c" / "e").read_bytes(), b"e")
    bench.equal(
        "get PREFIX/: says each key",
        sorted((k["key"], k["kind"], k["version"]) for k in done["keys"]),
        [("a/c/e", "file", 1), ("a/file", "file", 1), ("a/program", "file", 1), ("a/tree", "tree", 1)],
    )
    again = store.get("a/", "all/", cwd=here)
    bench.equal(
        "get PREFIX/ again: nothing is fetched", (again["files_fetched"], again["path"]), (0, str(here / "all"))
    )
    store.fails("a prefix with nothing below", 4, "get", "a/file/", "x", cwd=here)
    store.fails("a key that is not there", 4, "get", "nobody", "x", cwd=here)
    store.fails("a version that is not there", 4, "get", "a/file@7", "x", cwd=here)
    store.fails("a key that is none", 3, "get", "a/../b", "x", cwd=here)


def nested(bench, store):
    """Keys below a key that is a directory itself."""
    write_tree(bench.path("outer"), {"b/x": b"outer's", "y": b"1"})
    write_tree(bench.path("inner"), {"z": b"inner's"})
    store.put("nest/a", bench.path("outer"))
    store.put("nest/a/b", bench.path("inner"))
    done = store.get("nest/", bench.path("nested"))
    bench.equal("a key below a directory's key: both", done["files"], 3)
    got = bench.path("nested")
    bench.equal("of the outer one", (got / "a" / "b" / "x").read_bytes(), b"outer's")
    bench.equal("of the inner one", (got / "a" / "b" / "z").read_bytes(), b"inner's")


def streams(bench, store, tree):
    def piped(*args):
        done = subprocess.run(
            [ZCDP, "get", *args, "-"], env={**clean_env(), **store.env}, capture_output=True, timeout=120
        )
        bench.check(f"get {' '.join(args)} -: succeeds", done.returncode == 0, done.stderr)
        return done.stdout

    bench.equal("a file onto standard output", piped("a/file"), FILES["weights/one-chunk.bin"])
    out = bench.path("untarred")
    out.mkdir()
    tar = piped("a/tree")
    subprocess.run(["tar", "xf", "-", "-C", out], input=tar, check=True)
    same_tree(bench, "a directory as a tar stream", out, tree)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        bench.equal("every time in it is 0", {m.mtime for m in archive.getmembers()}, {0})
    bench.equal("the same stream each time", piped("a/tree"), tar)
    with tarfile.open(fileobj=io.BytesIO(piped("a/tree", "--include", "small/*", "--exclude", "*7"))) as archive:
        names = archive.getnames()
    bench.check("only what is included", names and all(n.startswith("small/") and n[-1] != "7" for n in names), names)
    with tarfile.open(fileobj=io.BytesIO(piped("a/"))) as archive:
        bench.check("all below a prefix as one stream", {"file", "c/e", "tree/README.md"} <= set(archive.getnames()))
    full = subprocess.run(
        [ZCDP, "get", "a/file", "-"],
        env={**clean_env(), **store.env},
        stdout=open("/dev/full", "wb"),
        stderr=subprocess.PIPE,
    )
    bench.check(
        "standard output that is full is an error", full.returncode != 0 and full.stderr.count(b"\n") == 1, full
    )


def unchanged(bench, store, tree):
    dest = bench.path("kept")
    first = store.get("a/tree", dest)
    bench.equal(
        "the first get fetches all", (first["files_fetched"], first["bytes"]), (len(FILES) + 1, first["bytes_fetched"])
    )
    before = {
        p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in dest.rglob("*") if p.is_file() and ".zcdp" not in p.parts
    }
    proxy = CountingProxy(bench, store.url)
    again = store.get("a/tree", dest, "--server", proxy.endpoint)
    bench.equal("the second fetches nothing", (again["files_fetched"], again["bytes_fetched"]), (0, 0))
    bench.check("but its manifest", proxy.bytes < 200_000, proxy.bytes)
    after = {
        p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in dest.rglob("*") if p.is_file() and ".zcdp" not in p.parts
    }
    bench.check("and touches no file", before == after)
    (dest / "README.md").write_bytes(b"changed here")
    (dest / "small" / "0003").unlink()
    repaired = store.get("a/tree", dest)
    bench.equal("what was changed or removed here is fetched again", repaired["files_fetched"], 2)
    same_tree(bench, "and is right", dest, tree)

    (dest / "mine").write_text("mine")
    newer = bench.path("newer")
    write_tree(newer, {"README.md": b"# another\n", "small/0001": FILES["small/0001"]})
    store.put("a/moving", tree)
    moving = bench.path("moving")
    store.get("a/moving", moving)
    store.put("a/moving", newer)
    (moving / "mine").write_text("mine")
    dry = store.get("a/moving", moving, "--dry-run", "--delete")
    bench.equal("a dry run counts", (dry["files_fetched"], dry["removed"], dry["dry_run"]), (1, len(FILES) + 1, True))
    done = store.get("a/moving", moving)
    bench.equal(
        "a new version fetches what differs", (done["version"], done["files_fetched"], done["removed"]), (2, 1, 0)
    )
    bench.check("without --delete the old files stay", (moving / "empty").exists())
    done = store.get("a/moving", moving, "--delete")
    bench.equal("--delete takes what zcdp put there", done["removed"], len(FILES) + 1)
    left = {k for k in sums(moving)}
    bench.equal("and nothing else", left, {"README.md", "small/0001", "mine"})
    old = store.get("a/moving@1", bench.path("old-version"))
    bench.equal("an old version is there", (old["version"], old["files"]), (1, len(FILES) + 1))
    some = store.get("a/tree", bench.path("some"), "--include", "weights/*", "--exclude", "*.bin")
    bench.equal("--include and --exclude", (some["files"], sorted(sums(bench.path("some")))), (1, ["weights/run"]))
    nothing = store.put("a/nothing", make_empty(bench))
    bench.equal("an empty directory is a version", nothing["files"], 0)
    store.get("a/nothing", bench.path("nothing"))
    bench.equal("and is got as one", sorted(os.listdir(bench.path("nothing"))), [".zcdp"])

    one = bench.path("one")
    store.get("a/file", one)
    seen = (one.stat().st_ino, one.stat().st_mtime_ns)
    again = store.get("a/file", one)
    bench.equal("a file that is there is not fetched", again["files_fetched"], 0)
    bench.equal("nor touched", (one.stat().st_ino, one.stat().st_mtime_ns), seen)
    one.write_bytes(b"x" * one.stat().st_size)
    bench.equal("unless its content is another", store.get("a/file", one)["files_fetched"], 1)
    one.chmod(0o755)
    bench.equal("or its executable bit", store.get("a/file", one)["files_fetched"], 1)
    bench.check(
        "which then is right", not os.access(one, os.X_OK) and one.read_bytes() == FILES["weights/one-chunk.bin"]
    )


def make_empty(bench):
    folder = bench.path("empty-folder")
    folder.mkdir()
    return folder


def in_the_way(bench, store, tree):
    """DESTs that are something else."""
    file = bench.path("a-file")
    file.write_text("mine")
    store.fails("a directory's key onto a file", 2, "get", "a/tree", file)
    bench.equal("the file is untouched", file.read_text(), "mine")
    store.fails("a file's key below a file", 2, "get", "a/file", file / "below")
    (bench.path("there") / "file").mkdir(parents=True)
    store.fails("a file's key where a directory is", 2, "get", "a/file", bench.path("there"))
    target = bench.path("target")
    target.mkdir()
    link = bench.path("link-to-folder")
    link.symlink_to(target)
    store.get("a/file", link)
    bench.equal("a link to a directory is one", (target / "file").read_bytes(), FILES["weights/one-chunk.bin"])
    precious = bench.path("precious")
    precious.write_text("not to be written through")
    name = bench.path("link-to-file")
    name.symlink_to(precious)
    store.get("a/file", name)
    bench.equal(
        "a link to a file is replaced", (name.is_symlink(), name.read_bytes()), (False, FILES["weights/one-chunk.bin"])
    )
    bench.equal("what it led to is untouched", precious.read_text(), "not to be written through")
    long = "n" * 255
    store.get("a/file", bench.path(long))
    bench.equal("a name of 255 bytes", bench.path(long).read_bytes(), FILES["weights/one-chunk.bin"])
    if os.geteuid() == 0:
        locked = bench.path("locked")
        locked.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", locked], check=False)
        if os.path.ismount(locked):
            bench.closers.append(lambda: subprocess.run(["umount", locked], check=False))
            for key in ("a/tree", "a/file"):
                code, _, err = bench.zcdp("get", key, locked / "x", env=store.env)
                bench.check(f"a read-only DEST of {key}: one line", code != 0 and err.count("\n") == 1, (code, err))
    small = bench.path("small-disk")
    small.mkdir()
    if os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", small]).returncode == 0:
        bench.closers.append(lambda: subprocess.run(["umount", small], check=False))
        store.fails("a disk that is full", 6, "get", "a/tree", small / "x")


def killed(bench, store, tree):
    """kill -9 of the client at several instants, each run into the DEST of the one before."""
    for key, came in (("a/tree", bytes_around), ("a/long", chunks_around)):
        dest = bench.path(f"killed-{key[2:]}")
        kills, step = 0, 2 if came is chunks_around else 1 << 19
        for _ in range(4):
            before = came(dest)
            process = subprocess.Popen(
                [ZCDP, "get", "-q", "--progress", "none", key, str(dest)],
                env={**clean_env(), **store.env},
                stdout=subprocess.DEVNULL,
            )
            try:
                wait_until("it comes", lambda: process.poll() is not None or came(dest) >= before + step)
                kills += process.poll() is None
            finally:
                process.kill()
                process.wait()
            bench.check(f"{key}: killed, and DEST is not there, or whole", not dest.exists() or process.returncode == 0)
            if process.returncode == 0:
                break
        bench.check(f"{key}: some were killed", kills > 1, kills)
        chunks = chunks_around(dest)
        done = store.get(key, dest)
        if came is chunks_around:
            missing = done["bytes"] - chunks * 8 * MIB
            bench.check(f"{key}: {chunks} chunks were there", 0 < chunks < 48)
            bench.check(f"{key}: and were not fetched again", done["bytes_fetched"] <= missing, done)
            bench.equal(f"{key}: and is right", dest.read_bytes(), bench.path("long").read_bytes())
        else:
            same_tree(bench, f"{key} after kills", dest, tree)
        left = [p.name for p in dest.parent.iterdir() if p.name.startswith((".zcdp-get", f".{dest.name}", "..zcdp"))]
        bench.equal(f"{key}: nothing is left beside it", left, [])


def bytes_around(dest):
    return sum(bytes_below(p) for p in dest.parent.glob(".*") if p.is_dir()) + bytes_below(dest)


def chunks_around(dest):
    """Records of 48 bytes in the maps, after two lines: docs/formats.md "Partial files"."""
    maps = [p for folder in dest.parent.glob(".*") for p in folder.glob(".zcdp/store/partial/*.map")]
    return sum(len(p.read_bytes().split(b"\n", 2)[-1]) // 48 for p in maps)


def server_killed(bench, store, tree):
    """The server goes in the middle of a get, and comes back."""
    for key in ("a/long", "a/tree"):
        dest = bench.path(f"bridged-{key[2:]}")
        process = subprocess.Popen(
            [ZCDP, "get", "--json", key, str(dest)],
            env={**clean_env(), **store.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        wait_until("something came", lambda: process.poll() is not None or bytes_around(dest) > 64 << 10)
        store.kill()
        bench.check(f"{key}: the server went in the middle", process.poll() is None)
        store.start()
        out, err = process.communicate(timeout=120)
        bench.check(f"{key}: a get outlives its server", process.returncode == 0, err)
        if key == "a/tree":
            same_tree(bench, "a get whose server was killed", dest, tree)
        else:
            bench.equal("a file whose server was killed", dest.read_bytes(), bench.path("long").read_bytes())


def refused(bench, store):
    wrong = bench.path("wrong.token")
    wrong.write_text("another\n")
    store.fails("a wrong token", 5, "get", "a/file", bench.path("never"), env={"ZCDP_TOKEN_FILE": str(wrong)})
    store.fails("no token", 5, "ls", env={"ZCDP_TOKEN_FILE": ""})
    empty = bench.path("empty.token")
    empty.write_text("")
    store.fails("an empty token file", 2, "ls", env={"ZCDP_TOKEN_FILE": str(empty)})
    line = store.fails("no server", 2, "ls", env={"ZCDP_SERVER": ""})
    bench.check("says what to set", "ZCDP_SERVER" in line, line)
    store.fails("a namespace beside a server", 2, "ls", "-n", "team-a")
    code, out, _ = bench.zcdp("get", "nobody", "--json", env=store.env)
    error = json.loads(out)["error"]
    bench.equal(
        "with --json the error is an object, too", (code, error["kind"], error["object"]), (4, "not_found", "nobody")
    )
    nobody = f"http://127.0.0.1:{data_stores.servers.free_port()}"
    code, _, err = bench.zcdp("ls", "--server", nobody, env=store.env, timeout=30)
    bench.check("a server that is not there is said soon", code == 1 and err.count("\n") == 1, err)


def commands(bench, store):
    listed = store.run("ls", "a/")
    bench.equal(
        "ls: names, and folders", {(i["name"], i["is_directory"]) for i in listed if i["name"] == "c"}, {("c", True)}
    )
    bench.check(
        "ls: sizes and times",
        all(i["size_bytes"] >= 0 and i["modified"].endswith("Z") for i in listed if not i["is_directory"]),
    )
    every = store.run("ls", "-r")
    bench.check(
        "ls -r: whole keys", "a/c/e" in {i["key"] for i in every} and all(not i["is_directory"] for i in every), every
    )
    code, out, _ = bench.zcdp("ls", "-l", "a", env=store.env)
    bench.check("ls -l: a line each, with its heading", code == 0 and len(out.splitlines()) == len(listed) + 1, out)
    bench.equal("ls of a key alone is that key", store.run("ls", "a/file")["key"], "a/file")
    store.fails("ls of nothing", 4, "ls", "nobody")
    bench.equal("stat", store.run("stat", "a/moving")["version"], 2)
    bench.equal("stat of a version", store.run("stat", "a/moving@1")["version"], 1)
    bench.equal("history: newest first", [i["version"] for i in store.run("history", "a/moving")], [2, 1])
    store.put("gone/x", bench.path("outer"))
    store.put("gone/y/z", bench.path("outer"))
    store.put("gone-not", bench.path("outer"))
    store.fails("rm of a folder without -r", 3, "rm", "gone")
    bench.equal("rm --prefix", store.run("rm", "--prefix", "gone/y")["removed"], 1)
    store.put("gone/y/z", bench.path("outer"))
    bench.equal("rm -r", store.run("rm", "-r", "gone")["removed"], 2)
    bench.equal("rm of several", store.run("rm", "gone-not")["removed"], 1)
    store.fails("rm of nothing", 4, "rm", "gone-not")
    store.fails("rm of everything", 2, "rm", "-r", "/")
    store.fails("rm of a version", 2, "rm", "a/moving@1")


def version_goes(bench, store, tree):
    """The key is removed and put anew while it is read."""
    dest = bench.path("changing")
    other = bench.path("other-long")
    other.write_bytes(BLOCK * 3)
    store.put("a/going", bench.path("long"))
    proxy = CountingProxy(bench, store.url)
    process = subprocess.Popen(
        [ZCDP, "get", "--json", "a/going", str(dest), "--server", proxy.endpoint],
        env={**clean_env(), **store.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until("something came", lambda: process.poll() is not None or proxy.bytes > 4 * MIB)
    store.run("rm", "a/going")
    store.put("a/going", other)
    out, err = process.communicate(timeout=120)
    bench.check("a version that goes: the new one, or one line", process.returncode == 0 or err.count(b"\n") == 1, err)
    if process.returncode == 0:
        bench.check(
            "whole, whichever it is", dest.read_bytes() in (other.read_bytes(), bench.path("long").read_bytes())
        )


def memory(bench, store):
    measure = (
        "import resource,subprocess,sys; c=subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr); sys.exit(c)"
    )
    wide = bench.path("wide")
    write_tree(wide, {f"{i // 100:03}/{i:05}": bytes_of(i, 2000) for i in range(20_000)})
    store.put("big/wide", wide)
    for what, *args in (
        ("a long file", "a/long", bench.path("m1")),
        ("20,000 files", "big/wide", bench.path("m2")),
        ("20,000 files as a stream", "big/wide", "-"),
        ("a long file as a stream", "a/long", "-"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", measure, ZCDP, "get", "-q", *map(str, args)],
            env={**clean_env(), **store.env},
            capture_output=True,
            text=True,
        )
        mib = int(done.stderr.strip().splitlines()[-1])
        bench.check(f"{what}: {mib} MiB", done.returncode == 0 and mib <= RESIDENT_MIB, done.stderr)


def conforms(bench):
    """Against a data store of the program's own, where a version that is not pointed at any more is gone at once."""
    folder = bench.path("suite")
    follow = bench.path("follow")
    follow.write_text(
        f'#!/bin/sh\n[ -e "{folder}/long" ] || exit 0\nexec {shlex.quote(ZCDP)} put -q suite "{folder}" >/dev/null\n'
    )
    follow.chmod(0o755)
    done = subprocess.run(
        [CONFORMANCE, "suite", folder, follow],
        capture_output=True,
        text=True,
        env={**clean_env(), "ZCDP_CONFORMANCE_ROOT": str(bench.path("suite-store"))},
        timeout=120,
    )
    bench.check("the conformance suite of origins finds nothing", done.returncode == 0, done.stdout + done.stderr)


with TestRun() as bench:
    store = DataStore(bench)
    tree = make_tree(bench)
    store.put("a/tree", tree)
    store.put("a/file", tree / "weights" / "one-chunk.bin")
    store.put("a/program", tree / "weights" / "run")
    bench.path("e").write_bytes(b"e")
    store.put("a/c/e", bench.path("e"))
    slashes(bench, store, tree)
    nested(bench, store)
    streams(bench, store, tree)
    unchanged(bench, store, tree)
    in_the_way(bench, store, tree)
    refused(bench, store)
    commands(bench, store)
    with open(bench.path("long"), "wb") as file:
        for i in range(48):
            file.write(i.to_bytes(8, "big") + BLOCK[8:])
    store.put("a/long", bench.path("long"))
    killed(bench, store, tree)
    server_killed(bench, store, tree)
    version_goes(bench, store, tree)
    memory(bench, store)
    conforms(bench)
