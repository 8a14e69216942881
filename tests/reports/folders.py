"""Folders as sources and as destinations."""

import hashlib
import os
import subprocess
import threading
import time

from tests.support.fault_server import FaultServer
from tests.support.harness import ZCDP, clean_env, sums, write_tree

from .kit import report, run, s3


def digest(content):
    return hashlib.sha256(content).hexdigest()


@report(
    "dotnet/runtime#55358, NetBSD/src#24, nitros9project/toolshed#50 (files that say 0 bytes and have some: /proc, FUSE)",
    "what reads longer than its size says is an error that names it, not an empty file",
)
def files_that_say_nothing(bench):
    code, err, have = run(bench, "--include", "/osrelease", "--include", "/hostname", "/proc/sys/kernel")
    bench.check(
        "no empty file for one that has text",
        code != 0 and "no bytes" in err and "/proc/sys/kernel/" in err,
        (code, err, have),
    )


@report(
    "franklioxygen/MyTube#455, oxdef/lib2opds#25 (names of 255 bytes; the temporary name is longer)",
    "names of 255 bytes, of one byte and of many arrive in DEST and in the store",
)
def the_longest_names(bench):
    names = ["n" * 255, "\u00e9" * 127 + "x", "a/" * 200 + "b" * 255, "x"]
    files = {f"set/{name}": name[:3].encode() for name in names}
    server = FaultServer(bench, files)
    want = {name: digest(name[:3].encode()) for name in names}
    code, err, have = run(bench, *s3(server, "set/"))
    bench.check("in DEST", code == 0 and have == want, (code, err))
    done = bench.sync("--store", bench.path("st"), "--retries", "0", *s3(server, "set/"), bench.path("two"))
    bench.check("in the store, and from it", sums(done["path"]) == want and sums(bench.path("two")) == want)
    server.objects["set/" + "n" * 256] = server.objects["set/x"]
    code, err, _ = run(bench, *s3(server, "set/"), dest="three")
    bench.check("a byte more is refused by name", code == 3 and "255 bytes" in err, (code, err))


@report(
    "no single report: paths longer than PATH_MAX",
    "a tree deeper than PATH_MAX is refused by name or arrives; never half",
)
def deeper_than_a_path(bench):
    root = bench.path("deep")
    root.mkdir()
    at = os.open(root, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=at)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    file = os.open("leaf", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=at)
    os.write(file, b"leaf")
    os.close(file)
    os.close(at)
    code, err, _ = run(bench, root)
    bench.check("refused by name", code == 3 and "ddd" in err and err.count("\n") == 0, (code, err[:300]))
    subprocess.run(["rm", "-rf", root])


@report(
    "no single report: a log that grows while it is copied",
    "a file that grows is an error that names it (exit 7), or is right as of one moment",
)
def a_file_that_grows(bench):
    write_tree(bench.path("src"), {"steady": b"s", "grows.log": bytes(40 << 20)})
    stop = threading.Event()

    def grow():
        with open(bench.path("src") / "grows.log", "ab") as file:
            while not stop.is_set():
                file.write(b"line\n")
                file.flush()
                time.sleep(0.001)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        code, err, have = run(bench, bench.path("src"))
    finally:
        stop.set()
        thread.join()
    bench.check("exit 7 with its name", code == 7 and "grows.log" in err, (code, err))


@report(
    "no single report: one inode under two names; files with holes", "hard links and sparse files arrive as their bytes"
)
def links_and_holes(bench):
    write_tree(bench.path("src"), {"a": b"one inode"})
    os.link(bench.path("src") / "a", bench.path("src") / "b")
    with open(bench.path("src") / "holes", "wb") as file:
        file.seek(30 << 20)
        file.write(b"end")
    code, err, have = run(bench, bench.path("src"))
    bench.check("they do", code == 0 and have == sums(bench.path("src")), (code, err))


@report(
    "no single report: setgid folders, as Kubernetes' fsGroup makes them",
    "what is written below a setgid folder has its group",
)
def below_a_setgid_folder(bench):
    if os.getuid() != 0:
        bench.check("needs root to give folders away", True)
        return
    dest = bench.path("dest")
    dest.mkdir()
    os.chown(dest, 0, 4242)
    os.chmod(dest, 0o2775)
    write_tree(bench.path("src"), {"a/b": b"1", "c": b"2"})
    for flags in (["--no-store"], ["--store", bench.path("st")]):
        code, _, err = bench.zcdp("sync", *flags, bench.path("src"), dest)
        bench.check("it is synced", code == 0, err)
        groups = {
            str(path.relative_to(dest)): path.lstat().st_gid
            for path in dest.rglob("*")
            if not str(path.relative_to(dest)).startswith(".zcdp")
        }
        bench.check(f"the group is the folder's ({flags[0]})", set(groups.values()) == {4242}, groups)
        subprocess.run(["rm", "-rf", dest / "a", dest / "c", dest / ".zcdp"])


@report(
    "no single report: a destination that may not be written",
    "a destination that is read-only is one line that names it, exit 5",
)
def a_read_only_destination(bench):
    write_tree(bench.path("src"), {"a": b"1"})
    bench.folder.chmod(0o755)
    dest = bench.path("dest")
    dest.mkdir()
    dest.chmod(0o555)
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    for target in (dest, dest / "below"):
        done = subprocess.run(
            [ZCDP, "sync", "--no-store", bench.path("src"), target],
            env=clean_env(),
            capture_output=True,
            text=True,
            timeout=60,
            **user,
        )
        bench.check(
            f"{target.name}: one line",
            done.returncode == 5 and str(dest) in done.stderr and done.stderr.count("\n") == 1,
            (done.returncode, done.stderr),
        )
