#!/usr/bin/env python3
# ctest: 300
"""A directory of the user's: new, existing, changed, interrupted; copies, links, without a store; never a foreign file
touched, never a byte outside."""

import os
import shutil
import subprocess
import time

from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree

FILES = {
    "a.txt": b"a",
    "dir/b.bin": bytes_of(1, 30_000),
    "dir/deep/c": b"c",
    "same1": b"same",
    "same2": b"same",
    "big.bin": bytes_of(2, 9 << 20),
    "exact.bin": bytes_of(3, 16 << 20),
    "odd.bin": bytes_of(4, (17 << 20) + 5),
}


def variants(bench, source, want):
    for name, flags in (
        ("--as auto", []),
        ("--as copy", ["--as", "copy"]),
        ("--as link", ["--as", "link"]),
        ("--no-store", ["--no-store"]),
    ):
        dest = bench.path("dest" + name.replace(" ", ""))
        store = [] if name == "--no-store" else ["--store", bench.path("store")]
        first = bench.sync(*flags, *store, source, dest)
        bench.equal(f"{name}: the path printed is DEST", first["path"], str(dest))
        bench.check(f"{name}: the tree is there, byte for byte", sums(dest) == want)
        second = bench.sync(*flags, *store, source, dest)
        bench.equal(
            f"{name}: the second time nothing is fetched",
            (second["bytes_fetched"], second["snapshot"]),
            (0, first["snapshot"]),
        )
        inode = os.stat(dest / "a.txt").st_ino
        bench.sync(*flags, *store, source, dest)
        bench.equal(f"{name}: and files that are right are not touched", os.stat(dest / "a.txt").st_ino, inode)
        links = os.stat(dest / "dir/b.bin").st_nlink
        bench.equal(f"{name}: hard links only where asked for", links > 1, name == "--as link")
        if name != "--as link":
            bench.check(f"{name}: files are the user's to write", os.stat(dest / "a.txt").st_mode & 0o200)
            bench.check(
                f"{name}: equal contents are files of their own",
                os.stat(dest / "same1").st_ino != os.stat(dest / "same2").st_ino,
            )
        if name == "--no-store":
            bench.equal("--no-store: nothing is kept elsewhere", sorted(os.listdir(dest / ".zcdp")), ["state"])


def changes(bench, source):
    for flags in (["--store", bench.path("store")], ["--no-store"]):
        name = "--no-store" if flags == ["--no-store"] else "with a store"
        live = bench.path("live")
        dest = bench.path("changing")
        shutil.rmtree(live, ignore_errors=True)
        shutil.rmtree(dest, ignore_errors=True)
        shutil.copytree(source, live)
        bench.sync(*flags, live, dest)
        (dest / "mine.txt").write_text("mine")
        (dest / "dir/mine-too.txt").write_text("mine")
        (dest / "same1").write_text("edited by me")
        for path in ("dir/deep/c", "same1"):
            (live / path).unlink()
        (live / "a.txt").write_text("new content")
        (live / "added").write_text("added")
        plan = bench.sync(*flags, "--dry-run", "--delete", live, dest)
        bench.equal(
            f"{name}: a dry run says what it would do",
            (plan["removed"], plan["objects_fetched"] > 0, (dest / "added").exists()),
            (1, True, False),
        )
        bench.sync(*flags, live, dest)
        bench.check(f"{name}: without --delete what is gone from the source stays", (dest / "dir/deep/c").exists())
        done = bench.sync(*flags, "--delete", live, dest)
        bench.equal(f"{name}: with --delete it goes", ((dest / "dir/deep").exists(), done["removed"]), (False, 1))
        bench.equal(f"{name}: what the user changed stays", (dest / "same1").read_text(), "edited by me")
        bench.equal(
            f"{name}: and what is the user's own",
            ((dest / "mine.txt").read_text(), (dest / "dir/mine-too.txt").read_text()),
            ("mine", "mine"),
        )
        bench.equal(
            f"{name}: what changed in the source is new",
            ((dest / "a.txt").read_text(), (dest / "added").read_text()),
            ("new content", "added"),
        )


def planted(bench, source):
    outside = bench.path("outside")
    for name, plant in (
        ("a symlink for a folder", lambda d: (d / "dir").symlink_to(outside)),
        ("a file for a folder", lambda d: (d / "dir").write_text("x")),
        ("a folder for a file", lambda d: (d / "a.txt").mkdir()),
    ):
        shutil.rmtree(outside, ignore_errors=True)
        outside.mkdir()
        for flags in (["--store", bench.path("store")], ["--no-store"]):
            dest = bench.path("planted")
            shutil.rmtree(dest, ignore_errors=True)
            dest.mkdir()
            plant(dest)
            code, out, err = bench.zcdp("sync", "-q", *flags, source, dest)
            bench.check(
                f"{name} in DEST ({flags[0]}): refused in one line that names it",
                code == 3 and err.count("\n") == 1 and ("dir" in err or "a.txt" in err),
                (code, err),
            )
            bench.equal(f"{name} in DEST ({flags[0]}): nothing is written through it", os.listdir(outside), [])
    dest = bench.path("planted")
    shutil.rmtree(dest)
    dest.mkdir()
    (dest / "a.txt").symlink_to(outside / "victim")
    bench.sync("--store", bench.path("store"), source, dest)
    bench.equal(
        "a symlink for a file is replaced, not followed",
        ((dest / "a.txt").is_symlink(), os.listdir(outside)),
        (False, []),
    )


def interrupted(bench, source, want):
    for flags in (["--store", bench.path("store")], ["--no-store"]):
        dest = bench.path("interrupted")
        shutil.rmtree(dest, ignore_errors=True)
        command = [ZCDP, "sync", "-q", *flags, source, dest]
        began = time.monotonic()
        subprocess.run(list(map(str, command)), env=clean_env(), capture_output=True)
        span = time.monotonic() - began
        for number in range(25):
            shutil.rmtree(dest, ignore_errors=True)
            shutil.rmtree(dest.parent / f".{dest.name}.zcdp-partial", ignore_errors=True)
            process = subprocess.Popen(
                list(map(str, command)), env=clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(span * number / 25)
            process.kill()
            process.wait()
            if dest.exists() and sums(dest) != want:
                bench.check(f"killed at {number}/25 ({flags[0]}): DEST is absent or whole", False)
            bench.sync(*flags, source, dest)
            if sums(dest) != want:
                bench.check(f"killed at {number}/25 ({flags[0]}): the next run makes it right", False)
        bench.check(
            f"25 kills at even instants ({flags[0]}): a new DEST is absent or whole, and the next run makes it right",
            True,
        )


with TestRun() as bench:
    source = bench.path("source")
    write_tree(source, FILES)
    (source / "link").symlink_to("dir/b.bin")
    (source / "empty").mkdir()
    os.chmod(source / "dir/deep/c", 0o755)
    want = sums(source)
    variants(bench, source, want)
    bench.check(
        "empty folders and executables come along",
        (bench.path("dest--asauto") / "empty").is_dir()
        and os.access(bench.path("dest--asauto") / "dir/deep/c", os.X_OK),
    )
    changes(bench, source)
    planted(bench, source)
    interrupted(bench, source, want)
