#!/usr/bin/env python3
# ctest: 120
"""A directory as SOURCE: links that are followed or not, one file, file:// addresses, and what is left out by name, which is not
touched: no error about it, whatever it is."""

import hashlib
import os
import shutil
import socket
import subprocess

from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree


def hub_cache(bench, name):
    """A snapshot of Hugging Face's cache: nothing but links to blobs two folders up."""
    root = bench.path(name)
    want = {}
    for path, content in {"config.json": b"{}", "weights/model.bin": bytes_of(1, 9 << 20)}.items():
        digest = hashlib.sha256(content).hexdigest()
        want[path] = digest
        write_tree(root, {f"blobs/{digest}": content})
        link = root / "snapshots/abc" / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(root / "blobs" / digest, link.parent))
    return root / "snapshots/abc", want


def links(bench):
    source, want = hub_cache(bench, "hub")
    code, _, err = bench.zcdp("sync", "--no-store", source, bench.path("plain"))
    bench.check(
        "links that lead out are refused, and the flag is named",
        code == 3 and "--follow-symlinks" in err and not bench.path("plain").exists(),
        (code, err),
    )
    store, dest = bench.path("link-store"), bench.path("followed")
    first = bench.sync("--follow-symlinks", "--store", store, source, dest)
    bench.equal("followed, their contents arrive", (sums(dest), first["objects_fetched"]), (want, 2))
    bench.check("as files, not as links", not any(os.path.islink(dest / path) for path in want))
    again = bench.sync("--follow-symlinks", "--store", store, source, dest)
    bench.equal("a second run reads nothing", again["objects_fetched"], 0)
    blob = source / "config.json"
    os.remove(os.path.realpath(blob))
    code, _, err = bench.zcdp("sync", "--follow-symlinks", "--no-store", source, bench.path("broken"))
    bench.check(
        "a link that leads nowhere is named", code == 3 and "config.json" in err and "leads nowhere" in err, (code, err)
    )
    write_tree(bench.path("blobs"), {"new": b"{1}"})
    os.remove(blob)
    blob.symlink_to(bench.path("blobs") / "new")
    third = bench.sync("--follow-symlinks", "--store", store, source, dest)
    bench.equal(
        "what a link leads to now is read again",
        (third["objects_fetched"], sums(dest)["config.json"]),
        (1, hashlib.sha256(b"{1}").hexdigest()),
    )

    loop = bench.path("loop")
    write_tree(loop, {"a/file": b"x"})
    (loop / "a/up").symlink_to("..")
    code, _, err = bench.zcdp("sync", "--follow-symlinks", "--no-store", loop, bench.path("looped"))
    bench.check(
        "a folder that leads back into itself is named",
        code == 3 and "a/up" in err and "leads back" in err,
        (code, err),
    )
    got = bench.sync("--follow-symlinks", "--exclude", "/a/up/", "--no-store", loop, bench.path("looped"))
    bench.equal("left out, the rest arrives", (got["objects"], set(sums(bench.path("looped")))), (1, {"a/file"}))
    (loop / "self").symlink_to("self")
    code, _, err = bench.zcdp(
        "sync", "--follow-symlinks", "--no-store", "--exclude", "/a/up/", loop, bench.path("selfish")
    )
    bench.check("a link to itself is named", code == 3 and "self" in err and "leads to itself" in err, (code, err))

    shared = bench.path("shared")
    write_tree(shared, {"one/file": b"one"})
    (shared / "two").symlink_to("one")
    bench.sync("--follow-symlinks", "--no-store", shared, bench.path("twice"))
    bench.equal("a folder that two names have is there twice", set(sums(bench.path("twice"))), {"one/file", "two/file"})


def one_file(bench):
    folder = bench.path("files")
    write_tree(folder, {"model.bin": bytes_of(2, 70_000), "other": b"no", "with space%41.bin": b"odd"})
    want = {"model.bin": hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest()}
    one = bench.sync("--store", bench.path("one-store"), folder / "model.bin", bench.path("one"))
    bench.equal("a file as SOURCE is that file in DEST", sums(bench.path("one")), want)
    filtered = bench.sync("--store", bench.path("one-store"), "--include", "/model.bin", folder)
    bench.equal("and the same snapshot as the folder's that holds it alone", one["snapshot"], filtered["snapshot"])
    bench.sync("--no-store", f"file://{folder}/model.bin", bench.path("by-url"))
    bench.equal("as a file:// address too", sums(bench.path("by-url")), want)
    bench.sync("--no-store", f"file://localhost{folder}/with%20space%2541.bin", bench.path("decoded"))
    bench.equal(
        "which is percent-decoded, once, and may name this machine",
        list(sums(bench.path("decoded"))),
        ["with space%41.bin"],
    )
    code, _, err = bench.zcdp("sync", "--no-store", "file://elsewhere/data", bench.path("elsewhere"))
    bench.check("another machine's is refused", code == 2 and "elsewhere" in err, (code, err))
    code, _, err = bench.zcdp("sync", "--no-store", folder / "missing", bench.path("missing"))
    bench.check("what is not there is exit code 4", code == 4 and "missing" in err, (code, err))


def left_out(bench):
    """As somebody without rights, for whom a locked folder is locked."""
    data, zcdp = bench.path("data"), bench.path("zcdp")
    os.chmod(bench.folder, 0o777)
    shutil.copy(ZCDP, zcdp)
    os.chmod(zcdp, 0o755)
    write_tree(
        data, {"a.txt": b"a", "lost+found/x": b"x", "deep/locked/y": b"y", "deep/b.txt": b"b", "bad\nname/c": b"c"}
    )
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(data / "run.sock"))
    os.mkfifo(data / "deep/pipe")
    for locked in ("lost+found", "deep/locked"):
        os.chmod(data / locked, 0o000 if os.getuid() else 0o700)
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}

    def sync(dest, *flags):
        done = subprocess.run(
            [zcdp, "sync", "-q", "--no-store", *flags, data, bench.path(dest)],
            env={**clean_env(), "HOME": str(bench.folder)},
            capture_output=True,
            text=True,
            timeout=60,
            **who,
        )
        return done.returncode, done.stderr, set(sums(bench.path(dest))) if bench.path(dest).exists() else set()

    sockets, folders, names = (
        ["--exclude", "*.sock", "--exclude", "pipe"],
        ["--exclude", "/lost+found/", "--exclude", "locked/"],
        ["--exclude", "bad*/"],
    )
    bench.equal(
        "sockets, pipes, locked folders and bad names that are left out are no matter",
        sync("all-out", *sockets, *folders, *names),
        (0, "", {"a.txt", "deep/b.txt"}),
    )
    bench.equal("nor is what is not included", sync("included", "--include", "/a.txt"), (0, "", {"a.txt"}))
    for what, flags, word in (
        ("a socket", ["--exclude", "pipe", *folders, *names], "run.sock"),
        ("a locked folder", sockets + names, "l"),
        ("a bad name", sockets + folders, "bad\\x0aname"),
    ):
        code, err, have = sync("wanted", *flags)
        bench.check(
            f"{what} that is wanted is an error that names it",
            code in (3, 5) and word in err and not have,
            (code, err, have),
        )
    for locked in ("lost+found", "deep/locked"):
        os.chmod(data / locked, 0o700)
    listener.close()


def left_out_by_serve(bench):
    """A bucket that leaves entries out says how many."""
    folder = bench.path("bucket")
    write_tree(folder, {"a": b"a"})
    (folder / "out").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe")
    log = open(bench.path("serve.log"), "w")
    server = subprocess.Popen(
        [ZCDP, "serve", folder, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=log,
        env=clean_env(),
        text=True,
    )
    bench.closers.append(lambda: (server.terminate(), server.wait(), server.stdout.close(), log.close()))
    endpoint = next(word for word in server.stdout.readline().split() if word.startswith("http"))
    bench.sync("--endpoint", endpoint, "--anonymous", "--no-store", "s3://data/", bench.path("served"))
    bench.equal("what can be served arrives", list(sums(bench.path("served"))), ["a"])
    said = bench.path("serve.log").read_text()
    bench.check("and the rest is counted in a warning", "left out" in said or "leaves out" in said, said)


with TestRun() as bench:
    links(bench)
    one_file(bench)
    left_out(bench)
    left_out_by_serve(bench)
