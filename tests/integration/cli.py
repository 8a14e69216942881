#!/usr/bin/env python3
# ctest: 120
"""The command line: help everywhere, exit codes, stdout for results only, one-line errors, serve with real clients."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

from tests.support import servers
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree


def help_and_usage(bench):
    for words in (
        [],
        ["sync"],
        ["store"],
        ["serve"],
        ["version"],
        ["completion"],
        *[["store", name] for name in ("ls", "show", "path", "verify", "pin", "unpin", "evict", "gc", "du")],
    ):
        code, out, err = bench.zcdp(*words, "--help")
        bench.check(f"zcdp {' '.join(words)} --help", code == 0 and len(out) > 100 and err == "", (code, err))
    text = bench.zcdp("sync", "--help")[1]
    for word in ("Exit codes: 0 done", "Examples:", "--no-store", "--bad-keys", "changes the store", "IMDSv2"):
        bench.check(f"zcdp sync --help says {word!r}", word in text)
    for words in (
        ["nonsense"],
        ["sync"],
        ["sync", "--memory", "much", "x"],
        ["sync", "--memory", "1MiB", "x"],
        ["sync", "--no-store", "x"],
        ["sync", "--bad-keys", "maybe", "x"],
        ["sync", "ftp://host/x"],
        ["sync", "s3://"],
        ["sync", "--no-such-flag", "x"],
        ["sync", "--endpoint", "not-a-url", "s3://b/"],
        ["completion", "tcsh"],
        ["sync", "--delete", "x"],
    ):
        code, out, err = bench.zcdp(*words)
        bench.check(
            f"zcdp {' '.join(words)}: exit 2, one line",
            code == 2 and out == "" and err.count("\n") == 1 and err.startswith("zcdp: "),
            (code, err),
        )
    top, store = bench.zcdp("--help"), bench.zcdp("store", "--help")
    for words, want in (
        ([], top),
        (["help"], top),
        (["store"], store),
        (["help", "store"], store),
        (["help", "sync"], (0, text, "")),
    ):
        bench.equal(f"zcdp {' '.join(words)}: is the help, on stdout", bench.zcdp(*words), want)
    for typed, meant in (
        ("synk", "did you mean zcdp sync? "),
        ("stauts", "did you mean zcdp status? "),
        ("xylophone", ""),
        ("esc\x1b[31m", ""),
    ):
        bench.equal(
            f"zcdp {typed!r} is no command",
            bench.zcdp(typed, "a", "b"),
            (
                2,
                "",
                f"zcdp: there is no command zcdp {typed.replace(chr(27), chr(92) + 'x1b')}; {meant}see zcdp --help\n",
            ),
        )
    bench.equal(
        "zcdp store lss is none either",
        bench.zcdp("store", "lss"),
        (2, "", "zcdp: there is no command zcdp store lss; did you mean zcdp store ls? see zcdp store --help\n"),
    )
    bench.equal(
        "nor is zcdp help synk",
        bench.zcdp("help", "synk"),
        (2, "", "zcdp: there is no command zcdp synk; did you mean zcdp sync? see zcdp --help\n"),
    )
    for words in ([], ["help", "sync"], ["--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([ZCDP, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=clean_env())
        bench.check(
            f"zcdp {' '.join(words)}: help that cannot be written is exit 1",
            done.returncode == 1 and "stdout" in done.stderr,
            (done.returncode, done.stderr),
        )
    code, out, _ = bench.zcdp("version", "--json")
    bench.check("zcdp version --json is one object", code == 0 and {"version", "commit"} <= set(json.loads(out)))


def man_page(bench):
    maker = pathlib.Path(__file__).parents[2] / "cmake/man_page.py"
    done = subprocess.run([sys.executable, maker, ZCDP, "2026-01-31"], capture_output=True, encoding="utf-8")
    bench.check("the man page is made", done.returncode == 0, done.stderr)
    for words in (
        '.TH ZCDP 1 "2026-01-31" "zcdp ',
        "zcdp \\- the Zero Copy Data Plane",
        ".SS zcdp store gc\n",
        ".B \\-\\-bad\\-keys ",
        "\n.nf\n",
    ):
        bench.check(f"and has {words!r}", words in done.stdout)
    options = re.findall(r"^  ((?:-\w,)?--[\w-]+)", bench.zcdp("sync", "--help")[1], re.M)
    missing = [option for option in options if ".B " + option.replace("-", "\\-") not in done.stdout]
    bench.check("and every option of sync", len(options) > 30 and not missing, missing)


def results(bench):
    source, store = bench.path("source"), bench.path("store")
    write_tree(source, {"a": b"a", "d/b": bytes_of(1, 5000)})
    code, out, err = bench.zcdp("sync", "--store", store, source)
    bench.check(
        "stdout carries the path alone, stderr the summary",
        code == 0 and out.count("\n") == 1 and os.path.isdir(out.strip()) and "2 objects" in err,
    )
    done = bench.sync("--store", store, source)
    wanted = {
        "snapshot",
        "revision",
        "path",
        "objects",
        "bytes",
        "bytes_fetched",
        "bytes_reused",
        "skipped",
        "requests",
        "retries",
        "seconds",
    }
    bench.check("--json has its fields", wanted <= set(done), wanted - set(done))
    bench.equal(
        "the environment names the store",
        bench.zcdp("store", "path", done["snapshot"][:8], env={"ZCDP_STORE": str(store)})[1].strip(),
        done["path"],
    )
    bench.equal("a snapshot is found by its name", bench.zcdp("store", "path", "--store", store, str(source))[0], 0)
    listed = json.loads(bench.zcdp("store", "ls", "--json", "--store", store)[1])
    bench.equal(
        "store ls --json", [(s["snapshot"], s["files"], s["state"]) for s in listed], [(done["snapshot"], 2, "ready")]
    )
    bench.check(
        "store show --files lists digests",
        "sha256:" in bench.zcdp("store", "show", "--files", "--store", store, done["snapshot"][:6])[1],
    )
    bench.equal("store verify", bench.zcdp("store", "verify", "--store", store)[0], 0)
    bench.equal(
        "a pinned snapshot is not evicted",
        (
            bench.zcdp("store", "pin", "--store", store, done["snapshot"])[0],
            bench.zcdp("store", "evict", "--store", store, done["snapshot"])[0],
        ),
        (0, 1),
    )
    bench.equal(
        "unpinned it is",
        (
            bench.zcdp("store", "unpin", "--store", store, done["snapshot"])[0],
            bench.zcdp("store", "evict", "--store", store, done["snapshot"])[0],
            bench.zcdp("store", "ls", "--store", store)[1],
        ),
        (0, 0, ""),
    )
    bench.equal("an unknown snapshot is exit 4", bench.zcdp("store", "show", "--store", store, "abcdef")[0], 4)
    bench.equal("no store is exit 4", bench.zcdp("store", "ls", "--store", bench.path("nowhere"))[0], 4)
    bench.equal(
        "a source that is not there is exit 4", bench.zcdp("sync", "--store", store, bench.path("nowhere"))[0], 4
    )
    code, out, err = bench.zcdp("sync", "--store", store, "--progress", "plain", "--log-format", "json", "-v", source)
    bench.check("progress and logs stay off stdout", code == 0 and out.count("\n") == 1, out)
    dry = bench.sync("--dry-run", "--store", store, source)
    bench.check("a dry run changes nothing", dry["dry_run"] and "tree" in dry["path"], dry)


def limits(bench):
    source = bench.path("odd")
    write_tree(source, {"good": b"1"})
    with open(os.fsencode(source) + b"/bad\xff", "wb") as file:
        file.write(b"x")
    code, _, err = bench.zcdp("sync", "--store", bench.path("s2"), source)
    bench.check(
        "a file name that is no path is exit 3 and named", code == 3 and "bad\\xff" in err and "UTF-8" in err, err
    )
    done = bench.sync("--bad-keys", "skip", "--store", bench.path("s2"), source)
    bench.equal(
        "or left out and counted",
        (done["objects"], done["skipped"], "bad\\xff" in done["skipped_keys"][0]),
        (1, 1, True),
    )
    holder = bench.path("busy")
    bench.sync("--store", holder, bench.path("source"))
    with open(holder / "lock") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        code, _, err = bench.zcdp("sync", "--store", holder, "--lock-timeout", "300ms", bench.path("source"))
        bench.check(
            "another writer is waited for, then named",
            code == 1 and "in use" in err and time.monotonic() - began < 5,
            err,
        )
        bench.equal("readers need no lock", bench.zcdp("store", "ls", "--store", holder)[0], 0)


def serve(bench):
    source = bench.path("served")
    files = {
        "a b+c": b"1",
        "d/ü": bytes_of(3, 70_000),
        "d/e/f": b"",
        "g": bytes_of(4, 3 << 20),
        "z&<x>": b"xml",
        "text": b"".join(b"%d," % i for i in range(1000)),
    }
    write_tree(source, files)
    (source / "escape").symlink_to("/etc/passwd")
    (source / "d/also").symlink_to("ü")
    endpoint = servers.zcdp_serve(
        bench, source, env={"ZCDP_SERVE_ACCESS_KEY": servers.ACCESS, "ZCDP_SERVE_SECRET_KEY": servers.SECRET}
    )
    rclone = servers.Rclone(bench, endpoint)
    copy = bench.path("copy")
    rclone.run("copy", "s:data", copy)
    want = {key: value for key, value in sums(source).items() if key not in ("escape", "d/also")}
    bench.equal("rclone copies what zcdp serves", sums(copy), want)
    bench.check("rclone lists folders", "d/" in rclone.run("lsf", "s:data").stdout)
    part = rclone.run("cat", "--offset", "1000", "--count", "500", "s:data/text").stdout
    bench.equal("rclone reads a range", part, files["text"][1000:1500].decode())
    bench.check("a symlink is not there", "escape" not in rclone.run("lsf", "-R", "s:data").stdout)
    bench.check("writing is refused", rclone.run("copy", source, "s:data/new", check=False).returncode != 0)
    code, _, err = bench.zcdp(
        "sync",
        "--endpoint",
        endpoint,
        "--store",
        bench.path("s3"),
        "s3://data/",
        env={**servers.CREDENTIALS, "AWS_SECRET_ACCESS_KEY": "no"},
    )
    bench.check("a wrong secret is refused", code == 5 and "SignatureDoesNotMatch" in err, err)
    code, _, err = bench.zcdp("sync", "--endpoint", endpoint, "--anonymous", "--store", bench.path("s3"), "s3://data/")
    bench.equal("and so is nobody", code, 5)
    done = bench.sync("--endpoint", endpoint, "--store", bench.path("s3"), "s3://data/", env=servers.CREDENTIALS)
    bench.equal("zcdp syncs from it", sums(done["path"]), want)


with TestRun() as bench:
    help_and_usage(bench)
    man_page(bench)
    results(bench)
    limits(bench)
    serve(bench)
