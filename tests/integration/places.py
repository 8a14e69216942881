#!/usr/bin/env python3
# ctest: 300
"""Where a sync may write: two runs into one DEST, places that lie in each other, a folder around DEST that is swapped for a
symlink, a DEST that is no folder, and what is said while large files are placed."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time

from tests.support.harness import ZCDP, TestRun, Failed, bytes_of, clean_env, sums, write_tree

SLOW = ["--bandwidth", "4MiB/s"]


def start(*args):
    return subprocess.Popen(
        [ZCDP, "sync", "-q", *map(str, args)],
        env=clean_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise Failed(f"{what} did not come")
        time.sleep(0.01)


def beside(dest):
    return dest.parent / f".{dest.name}.zcdp-partial"


def held(folder):
    """Somebody holds the lock that is there, and has written down who."""
    try:
        with open(folder / ".zcdp/lock") as lock:
            if not lock.read():
                return False
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def two_runs(bench, source, want):
    for there in (False, True):
        what = "a DEST that is there" if there else "a new DEST"
        dest = bench.path(f"two {there}")
        if there:
            dest.mkdir()
        first = start("--no-store", *SLOW, source, dest)
        until("the lock", lambda: held(dest if there else beside(dest)))
        began = time.monotonic()
        code, out, err = bench.zcdp("sync", "--no-store", "--lock-timeout", "1s", source, dest)
        bench.check(
            f"{what}: a second run waits as long as it is told, and says for whom",
            code == 1
            and err.splitlines()[-1].startswith(f"zcdp: {dest}: ")
            and f"pid {first.pid} " in err.splitlines()[-1]
            and "--lock-timeout" in err
            and 0.9 < time.monotonic() - began < 10,
            (code, err),
        )
        bench.check(
            f"{what}: a run that only looks does not wait",
            bench.sync("--no-store", "--dry-run", "--lock-timeout", "0s", source, dest)["dry_run"],
        )
        waiter = subprocess.Popen(
            [ZCDP, "sync", "--lock-timeout", "60s", "--no-store", source, dest],
            env=clean_env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.3)
        waiting = waiter.poll() is None
        waiter.send_signal(signal.SIGTERM)
        bench.check(f"{what}: who waits can be stopped", waiting and waiter.wait(10) == 130, waiter.returncode)
        second = bench.sync("--no-store", "--lock-timeout", "60s", source, dest)
        bench.equal(
            f"{what}: with time enough it finds all done",
            (second["bytes_fetched"], second["objects_reused"]),
            (0, len(want)),
        )
        bench.equal(f"{what}: and so is the first", (first.wait(60), first.communicate()[1]), (0, ""))
        bench.equal(
            f"{what}: every byte is right, and nothing is left over",
            (sums(dest), os.listdir(dest / ".zcdp"), beside(dest).exists()),
            (want, ["state"], False),
        )


def at_once(bench, source, want):
    """Without any order between them."""
    other, dest = bench.path("other source"), bench.path("at once")
    write_tree(other, {"big.bin": bytes_of(9, 3 << 20), "more/x": b"x"})
    for number in range(4):
        for name, flags in (
            ("stores of their own", [["--store", bench.path("s1")], ["--store", bench.path("s2")]]),
            ("one store", [["--store", bench.path("s1")]] * 2),
            ("no store", [["--no-store"]] * 2),
            ("one with and one without", [["--store", bench.path("s1")], ["--no-store"]]),
        ):
            shutil.rmtree(dest, ignore_errors=True)
            if number % 2:
                dest.mkdir()
            runs = [start("--lock-timeout", "60s", *each, source, dest) for each in flags]
            done = [(run.wait(90), *run.communicate()) for run in runs]
            bench.equal(
                f"two at once, {name}, {'DEST is there' if number % 2 else 'DEST is new'}: both are done",
                done,
                [(0, f"{dest}\n", "")] * 2,
            )
            bench.equal(
                "every byte is right, and nothing is left over",
                (sums(dest), os.listdir(dest / ".zcdp"), beside(dest).exists()),
                (want, ["state"], False),
            )
    shutil.rmtree(dest)
    runs = [start("--lock-timeout", "60s", "--no-store", each, dest) for each in (source, other)]
    bench.equal("two sources at once: both are done", [run.wait(90) for run in runs], [0, 0])
    have, second = sums(dest), sums(other)
    bench.check(
        "two sources at once: the files of both, each whole",
        have.keys() == want.keys() | second.keys()
        and all(have[path] in (want.get(path), second.get(path)) for path in have),
        have,
    )
    bench.sync("--no-store", "--delete", source, dest)
    bench.equal("and the state knows whose they are", sums(dest), want)


def killed_holder(bench, source, want):
    for there in (False, True):
        dest = bench.path(f"killed {there}")
        if there:
            dest.mkdir()
        first = start("--no-store", *SLOW, source, dest)
        until("the lock", lambda: held(dest if there else beside(dest)))
        first.kill()
        first.wait()
        bench.sync("--no-store", "--lock-timeout", "0s", source, dest)
        bench.equal(
            f"a killed holder's lock is free ({'DEST is there' if there else 'new'})",
            (sums(dest), os.listdir(dest / ".zcdp")),
            (want, ["state"]),
        )


def overlap(bench, source):
    """Each is refused by both names, before anything is made."""
    apart = bench.path("apart")
    shutil.copytree(source, apart / "in/source")
    (apart / "to-source").symlink_to("in/source")
    (apart / "to-dir").symlink_to("in/source/dir")
    inside, link = apart / "in/source", apart / "to-source"
    cases = [
        ("DEST in the source", inside, inside / "dir", None),
        ("a DEST that is not there yet, in the source", inside, inside / "new/er/dest", None),
        ("the source itself", inside, inside, None),
        ("the source in DEST", inside, apart / "in", None),
        ("DEST in the source by a symlink", inside, apart / "to-source/new", None),
        ("the source by a symlink", link, inside / "new", None),
        ("a symlink for DEST", inside, apart / "to-dir", None),
        ("DEST by ..", inside, apart / "to-dir/../new", None),
        ("file:// and dots", f"file://{apart}/in/./source/", f"{apart}/in/x/../source/new", None),
        ("the store in the source", inside, "", inside / "store"),
        ("the source in the store", inside, "", apart / "in"),
        ("the store in the source by a symlink", inside, "", link / "store"),
        ("DEST in the store", inside, apart / "store/dest", apart / "store"),
        ("the store in DEST", inside, apart / "dest", apart / "dest/store"),
        ("DEST is the store", inside, apart / "dest", apart / "dest"),
        ("one file into the folder that it is in", inside / "a.txt", inside, None),
        ("a symlink to one file, into its own folder", apart / "to-source/a.txt", apart / "to-source", None),
    ]
    mount = bench.path("mount")
    mount.mkdir()
    bound = (
        os.geteuid() == 0
        and subprocess.run(["mount", "--bind", inside, mount], stderr=subprocess.DEVNULL).returncode == 0
    )
    if bound:
        bench.closers.append(lambda: subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL))
        cases += [
            ("DEST in the source by a mount", inside, mount / "new", None),
            ("the source by a mount", mount, inside / "dir", None),
            ("the source's inner folder by a mount", mount / "dir", inside, None),
            ("the store in the source by a mount", inside, "", mount / "store"),
        ]
    else:
        print("not tried: no bind mount can be made here")
    everything = lambda: sorted(str(p) for p in apart.rglob("*"))
    before = everything()
    for what, from_, dest, store in cases:
        for dry in ([], ["--dry-run"]):
            where = ["--store", store] if store else ["--no-store"]
            code, out, err = bench.zcdp("sync", "-q", *dry, *where, from_, *([dest] if dest else []))
            bench.check(
                f"{what}{' (dry run)' if dry else ''}: exit 2 in one line",
                code == 2
                and out == ""
                and err.count("\n") == 1
                and re.search(r"lies in the|is around the|is also the|is the folder that the source is in", err),
                (code, err),
            )
    bench.equal("and nothing is made anywhere", everything(), before)
    for what, from_, dest, store in (
        ("a name that only begins like the source's", inside, apart / "in/source-too/new", None),
        ("a file's own folder is not all of it", inside / "a.txt", inside / "dir/one", None),
        ("a DEST beside the store", inside, apart / "beside", apart / "store"),
    ):
        bench.equal(
            f"{what} is apart",
            bench.zcdp("sync", "-q", *(["--store", store] if store else ["--no-store"]), from_, dest)[::2],
            (0, ""),
        )
    ready = bench.sync("--store", apart / "store", inside)["path"]
    bench.equal(
        "a tree that is ready in the store is a source as any other",
        sums(bench.sync("--store", apart / "store", ready, apart / "again")["path"]),
        sums(ready),
    )


def swapped_parent(bench, source):
    """Somebody who may write around DEST has a folder of it lead elsewhere, while root syncs. The run is held at DEST's lock."""
    for what, flags in (("with a store", ["--store", bench.path("swap store")]), ("--no-store", ["--no-store"])):
        for there in (False, True):
            for deep in (False, True):
                around, away, outside = bench.path("around"), bench.path("away"), bench.path("outside")
                for folder in (around, away, outside):
                    shutil.rmtree(folder, ignore_errors=True) if not folder.is_symlink() else folder.unlink()
                dest = around / "deep/dest" if deep else around / "dest"
                own = (dest if there else beside(dest)) / ".zcdp"
                own.mkdir(parents=True)
                (outside / own.parent.relative_to(around)).mkdir(parents=True)
                before = sorted(p for p in outside.rglob("*"))
                with open(own / "lock", "w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    run = start("--lock-timeout", "60s", *flags, source, dest)
                    until(
                        "a run that waits",
                        lambda: any(
                            os.path.realpath(f"/proc/{run.pid}/fd/{fd}") == str(own / "lock")
                            for fd in os.listdir(f"/proc/{run.pid}/fd")
                        ),
                    )
                    around.rename(away)
                    around.symlink_to(outside)
                code, err = run.wait(60), run.communicate()[1]
                name = f"{what}, DEST {'is there' if there else 'is new'}{', two folders up' if deep else ''}"
                bench.check(
                    f"a folder around DEST is swapped, {name}: an error that says so",
                    code == 1 and "moved or replaced" in err and str(dest) in err,
                    (code, err),
                )
                bench.equal(
                    f"a folder around DEST is swapped, {name}: nothing is written where the symlink leads",
                    sorted(p for p in outside.rglob("*")),
                    before,
                )
                around.unlink()
    around.mkdir()
    (bench.path("named")).symlink_to(around)
    bench.sync("--no-store", source, bench.path("named") / "dest")
    bench.equal("a symlink that was there before is the user's own", sums(around / "dest"), sums(source))


def no_folder(bench, source):
    dest = bench.path("dangling")
    dest.symlink_to("no such folder")
    loop = bench.path("loop")
    loop.symlink_to("loop")
    file = bench.path("a file")
    file.write_text("mine")
    for flags in (["--store", bench.path("store")], ["--no-store"]):
        for what, path, says in (
            ("a symlink that leads nowhere", dest, "no such folder"),
            ("a symlink to itself", loop, "leads nowhere"),
            ("a file", file, "no folder"),
            ("below a file", file / "x", ""),
        ):
            code, _, err = bench.zcdp("sync", "-q", *flags, source, path)
            bench.check(
                f"{what} for DEST ({flags[0]}): the error is about DEST",
                code in (1, 2)
                and (code == 2 or path.parent == file)
                and err.startswith(f"zcdp: {bench.folder}/{path.relative_to(bench.folder)}".removesuffix("/x"))
                and says in err
                and err.count("\n") == 1,
                (code, err),
            )
    bench.equal(
        "they are as they were",
        (os.readlink(dest), os.readlink(loop), file.read_text(), bench.path("no such folder").exists()),
        ("no such folder", "loop", "mine", False),
    )


def placing(bench):
    """One large file, copied: lines come while it is, each with bytes, rate and time left."""
    source = bench.path("large")
    write_tree(source, {"big": bytes_of(7, 8 << 20) * 24, "small": b"s"})
    dest, store = bench.path("placed"), bench.path("large-store")
    bench.sync("--store", store, source)
    run = subprocess.Popen(
        [
            "script",
            "-qec",
            f"stty cols 150; exec {os.path.abspath(ZCDP)} sync --progress bar --as copy --store {store} {source} {dest}",
            "/dev/null",
        ],
        env={**clean_env(), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    text = run.communicate(timeout=120)[0].decode()
    lines = re.findall(
        r"placing: (\d+)% ([\d.]+ [KMG]?i?B) of 192 MiB  [\d.]+ [KMG]?i?B/s(  ETA .*?)?  ([012]) of 2 entries", text
    )
    partly = [line for line in lines if 0 < int(line[0]) < 100]
    bench.check(
        "while a large file is placed its bytes go up, with a rate",
        len({line[1] for line in partly}) >= 1,
        text[-2000:],
    )
    bench.check("and with the time left", any(line[2] for line in partly), lines)
    bench.equal("every byte is right", sums(dest), sums(source))


with TestRun() as bench:
    source = bench.path("source")
    write_tree(source, {"a.txt": b"a", "dir/b": bytes_of(1, 30_000), "big.bin": bytes_of(2, 12 << 20)})
    want = sums(source)
    two_runs(bench, source, want)
    at_once(bench, source, want)
    killed_holder(bench, source, want)
    overlap(bench, source)
    swapped_parent(bench, source)
    no_folder(bench, source)
    placing(bench)
