#!/usr/bin/env python3
# ctest: 120
"""zcdp verify DIR|FILE --against SOURCE: by checksums where the source states them, by bytes where it does not."""

import hashlib
import json
import os
import signal
import subprocess
import time

from tests.support import servers, stores
from tests.support.fault_server import FaultServer
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree

FILES = {"a": b"1", "b/c": bytes_of(1, 300_000), "b-x": b"", "big": bytes_of(2, 20 << 20), "z/\u00fc": b"3"}


def verify(bench, folder, source, *flags, env=None):
    code, out, err = bench.zcdp("verify", "--json", *flags, folder, "--against", source, env=env)
    return code, (json.loads(out) if out else None), err


def differences(bench, folder, source, *flags, env=None):
    """Every kind of difference is found, each named, and nothing else."""
    name = f"{source}"
    code, done, err = verify(bench, folder, source, *flags, env=env)
    bench.check(f"{name}: equal", code == 0 and done["files"] == len(FILES) and done["found"] == [], (code, done, err))
    before = sums(folder)
    with open(folder / "big", "r+b") as file:
        file.seek(19 << 20)
        file.write(b"!")
    (folder / "a").write_bytes(b"22")
    os.remove(folder / "b-x")
    (folder / "new").write_bytes(b"n")
    os.remove(folder / "z/\u00fc")
    (folder / "z/\u00fc").symlink_to("../a")
    code, done, err = verify(bench, folder, source, *flags, env=env)
    kinds = sorted(line.split(":")[0] for line in done["found"])
    bench.check(
        f"{name}: each difference by its kind",
        code == 1 and kinds == ["content big", "extra new", "missing b-x", "size a", "type z/\u00fc"],
        (code, done, err),
    )
    code, done, err = verify(
        bench, folder, source, "--one-way", "--include", "b/**", "--include", "new", *flags, env=env
    )
    bench.check(f"{name}: --one-way and --include", code == 0 and done["files"] == 1, (code, done, err))
    bench.check(f"{name}: nothing was written", sums(folder)["b/c"] == before["b/c"])
    os.remove(folder / "z/\u00fc")
    os.remove(folder / "new")
    write_tree(folder, FILES)
    return verify(bench, folder, source, *flags, env=env)[1]


def ends_at_once(bench, folder):
    """Ctrl-C while the source says nothing: when it lists, and when it is asked about an object."""
    for silent in ("list-type", "set/big"):
        server = FaultServer(bench, {f"set/{key}": content for key, content in FILES.items()})
        server.fault = lambda request, found: [("stall", 60)] if silent in request.target else None
        command = [ZCDP, "verify", folder, "--against", "s3://data/set/", "--endpoint", server.endpoint]
        process = subprocess.Popen(
            command, env={**clean_env(), **servers.CREDENTIALS}, stderr=subprocess.PIPE, text=True
        )
        end = time.monotonic() + 30
        while not server.count(lambda request: silent in request.target) and time.monotonic() < end:
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=30)[1]
        bench.check(
            f"Ctrl-C while the source is silent at {silent}: exit 130 within 2 s",
            process.returncode == 130 and time.monotonic() - began < 2 and err.count("\n") == 1,
            (process.returncode, time.monotonic() - began, err),
        )


def one_file(bench, store):
    """A file with the one that the source has, of whatever name: each difference, and what is no one file."""
    source, file = stores.source_of(store, "set/"), bench.path("mine.bin")
    file.write_bytes(FILES["b/c"])
    link = bench.path(f"link-{store.kind}")
    link.symlink_to(file)
    flags = [*store.flags, "--include", "/b/c"]
    for what in (file, link):
        code, done, err = verify(bench, what, source, *flags, env=store.env)
        bench.check(
            f"{store.kind}: {what.name} equals the source's file",
            code == 0 and (done["files"], done["bytes"], done["found"]) == (1, len(FILES["b/c"]), []),
            (code, done, err),
        )
    file.write_bytes(FILES["b/c"][:-1] + b"!")
    code, done, err = verify(bench, file, source, *flags, env=store.env)
    bench.check(
        f"{store.kind}: a file with other bytes",
        code == 1 and [line.split(":")[0] for line in done["found"]] == ["content b/c"],
        (code, done, err),
    )
    file.write_bytes(FILES["b/c"] + b"!")
    code, done, err = verify(bench, file, source, *flags, env=store.env)
    bench.check(
        f"{store.kind}: a longer file",
        code == 1 and done["found"] == ["size b/c: has 300001 bytes, not 300000"],
        (code, done, err),
    )
    for count, some in ((len(FILES), []), (2, ["--include", "/b/c", "--include", "/a"]), (0, ["--include", "/typo"])):
        code, out, err = bench.zcdp("verify", *store.flags, *some, file, "--against", source, env=store.env)
        bench.check(
            f"{store.kind}: {count} files are not one, exit 2",
            code == 2
            and err.startswith(f"zcdp: {source}: has {count} files")
            and "--include" in err
            and (out, err.count("\n")) == ("", 1),
            (code, out, err),
        )
    code, _, err = bench.zcdp(
        "verify", *store.flags, file, "--against", stores.source_of(store, "typo/"), env=store.env
    )
    bench.check(f"{store.kind}: nothing at the source, exit 4", code == 4 and err.count("\n") == 1, (code, err))


def one_file_of_a_web_server(bench, web):
    file = bench.path("mine.bin")
    file.write_bytes(FILES["big"])
    source = web.source("big")
    code, done, err = verify(bench, file, source)
    bench.check(
        "https: a file with the file that the URL names", code == 0 and done["by_reading"] == 1, (code, done, err)
    )
    right = hashlib.sha256(FILES["big"]).hexdigest()
    code, done, err = verify(bench, file, source, "--sha256", right)
    bench.check("https: by its digest", code == 0 and done["by_checksum"] == 1, (code, done, err))
    file.write_bytes(FILES["big"][:-1] + b"!")
    code, done, err = verify(bench, file, source, "--sha256", right)
    bench.check("https: a file without that digest", code == 1 and done["differences"] == 1, (code, done, err))
    pipe = bench.path("pipe")
    os.mkfifo(pipe)
    code, _, err = bench.zcdp("verify", pipe, "--against", source)
    bench.check("a pipe is neither: exit 4, one line", code == 4 and err.count("\n") == 1, (code, err))


with TestRun() as bench:
    folder, other = bench.path("folder"), bench.path("other")
    write_tree(folder, FILES)
    write_tree(other, FILES)
    done = differences(bench, folder, other)
    bench.equal("a folder states no checksums: all is read", (done["by_checksum"], done["by_reading"]), (0, len(FILES)))
    code, done, _ = verify(bench, folder, other, "--no-read")
    bench.check(
        "--no-read: then nothing is known",
        code == 1 and all(line.startswith("unknown ") for line in done["found"]),
        done,
    )
    # zcdp serve's bucket has no checksums, MinIO's objects neither; fake-gcs-server states CRC32C, Azurite MD5.
    for store in (stores.Gcs.start(bench), stores.Azure.start(bench), stores.S3.start(bench)):
        for key, content in FILES.items():
            store.put("set/" + key, content)
        done = differences(bench, folder, stores.source_of(store, "set/"), *store.flags, env=store.env)
        nothing = stores.source_of(store, "typo/")
        code, _, err = bench.zcdp("verify", "--one-way", *store.flags, folder, "--against", nothing, env=store.env)
        bench.check(
            f"{store.kind}: nothing at the source is no equality, whatever the flags",
            code == 4 and err.startswith(f"zcdp: {nothing}: ") and err.count("\n") == 1,
            (code, err),
        )
        one_file(bench, store)
        print(f"     {store.kind}: {done['by_checksum']} by checksum, {done['by_reading']} by reading")
        if store.kind != "s3":
            bench.equal(f"{store.kind}: states sums of all", done["by_reading"], 0)
    web = stores.Nginx.start(bench)
    for key, content in FILES.items():
        web.put(key, content)
    web.put(
        "SHA256SUMS",
        "".join(f"{hashlib.sha256(content).hexdigest()}  {key}\n" for key, content in FILES.items()).encode(),
    )
    done = differences(bench, folder, web.source("SHA256SUMS"))
    bench.equal("SHA256SUMS: all by their digests", done["by_reading"], 0)
    one_file_of_a_web_server(bench, web)
    ends_at_once(bench, folder)
    code, _, err = bench.zcdp("verify", bench.path("nothing"), "--against", other)
    bench.check("no directory: exit 4, one line", code == 4 and err.count("\n") == 1, (code, err))
    code, _, err = bench.zcdp(
        "verify",
        folder,
        "--against",
        "s3://data/set/",
        "--endpoint",
        "http://127.0.0.1:1",
        "--retries",
        "0",
        env=servers.CREDENTIALS,
    )
    bench.check("a source that is away: one line", code == 1 and err.count("\n") == 1, (code, err))
