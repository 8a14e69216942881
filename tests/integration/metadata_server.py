#!/usr/bin/env python3
# ctest: 300
"""zcdp metadata-server as docs/formats.md has it, over raw HTTP: every request of the table, tokens, bad input of every
kind, kills, quotas, two writers, readers in the middle of what goes."""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request

from tests.crash.checker import check_store, decompress
from tests.support import certs, servers
from tests.support.data_store import (
    CHUNK,
    END,
    Content,
    DataStore,
    Link,
    Refused,
    compress,
    manifest,
    target,
    varint,
    wait_until,
)
from tests.support.harness import TestRun, bytes_of, clean_env

MIB = 1 << 20
TREE = {
    "a.txt": b"hello\n",
    "bin/run": Content(b"#!/bin/sh\n", executable=True),
    "bin/same": b"#!/bin/sh\n",
    "empty": b"",
    "folder/below": None,
    "link": Link("bin/run"),
    "long.bin": bytes_of(1, 2 * CHUNK + 4097),
    "medium.bin": bytes_of(2, 3 * MIB),
    "n" * 200 + "/" + "m" * 255: b"long names",
    "sp ace+and%2F&=#?.txt": b"odd",
    "\u2603": b"snow",
}


def bytes_in(what):
    return what if isinstance(what, bytes) else what.data


def files_of(tree):
    return {path: bytes_in(what) for path, what in tree.items() if isinstance(what, (bytes, Content))}


def same(bench, store, what, key, tree, version=None):
    wrong = [path for path, data in files_of(tree).items() if store.get(key, path, version) != data]
    bench.check(f"{what}: every file is right", not wrong, wrong)


def refused(bench, what, answer, status, kind):
    try:
        error = answer.error
    except (ValueError, KeyError):
        error = {}
    good = answer.status == status and error.get("kind") == kind and error.get("what") and "\n" not in error["what"]
    bench.check(f"{what}: {status}, {kind}, in one line", good, answer)
    return error


def put_refused(bench, what, store, wanted, *args, **options):
    """`wanted`: the status and the error's kind."""
    try:
        store.put(*args, **options)
    except Refused as problem:
        return refused(bench, what, problem.answer, *wanted)
    bench.check(f"{what}: {wanted[0]}", False, "it was taken")


def every_row(bench, store):
    bench.equal("health needs no token", store.ask("GET", "/v1/health", headers={"Authorization": ""}).status, 200)
    done = store.put("team/model/v1", TREE)
    bench.equal("a put is version 1, and all of it travels", (done["version"], done["sent"] > 0), (1, True))
    same(bench, store, "a tree", "team/model/v1", TREE)
    again = store.put("team/model/v1", TREE)
    bench.equal(
        "the same again is unchanged, and nothing travels",
        (again["version"], again.get("unchanged"), again["sent"]),
        (1, True, 0),
    )
    forced = store.put("team/model/v1", TREE, force=True)
    bench.equal("unless it is forced", (forced["version"], forced.get("unchanged")), (2, None))
    unannounced = store.put("other", TREE, announce=False)
    bench.equal("a snapshot that nobody announced travels neither", unannounced["sent"], 0)
    store.put("team/model/notes.txt", {"notes.txt": b"text"}, kind="file")
    item = store.ask("GET", target("keys", "team/model/v1")).json
    bench.equal(
        "a key",
        [item[name] for name in ("key", "name", "kind", "version", "versions", "files", "snapshot")],
        ["team/model/v1", "v1", "tree", 2, 2, len(files_of(TREE)), done["snapshot"]],
    )
    bench.equal("its size", item["size_bytes"], sum(map(len, files_of(TREE).values())))
    bench.check("its time", abs(item["modified_unix_s"] - time.time()) < 100, item)
    file = store.ask("GET", target("keys", "team/model/notes.txt")).json
    bench.equal("a file's kind", (file["kind"], file["size_bytes"]), ("file", 4))
    folder = store.ask("GET", target("keys", "team")).json
    bench.check("a folder has no version", folder["is_directory"] and "version" not in folder, folder)
    versions = store.ask("GET", target("history", "team/model/v1")).json["items"]
    bench.equal("history is newest first", [one["version"] for one in versions], [2, 1])
    answer = store.ask("GET", target("manifests", "team/model/v1"))
    plain, snapshot = manifest(TREE)
    bench.equal(
        "a manifest's headers",
        [answer.headers.get(name) for name in ("Zcdp-Version", "Zcdp-Snapshot", "Zcdp-Kind")],
        ["2", snapshot, "tree"],
    )
    bench.equal("and its bytes", decompress(answer.body), plain)
    listing(bench, store)
    ranges(bench, store)
    bench.equal("give up", store.ask("DELETE", target("uploads", "k", upload=begin(store, "k"))).status, 200)


def begin(store, key, **options):
    answer = store.begin(key, **options)
    if answer.status != 201:
        raise Refused(answer)
    return answer.json["upload"]


def listing(bench, store):
    for key in ("l/a", "l/a-b", "l/a/x", "l/a/y/z", "l/b/c", "l/\u00e4"):
        store.put(key, {"f": b"f"})
    names = lambda items: [one["name"] + ("/" if one.get("is_directory") else "") for one in items]
    level = ["a", "a-b", "a/", "b/", "\u00e4"]
    below = ["a", "a-b", "a/x", "a/y/z", "b/c", "\u00e4"]
    for limit in (None, 1, 2, 4):
        bench.equal(f"one level, pages of {limit}", names(store.items("l", limit=limit)), level)
        bench.equal(f"all below, pages of {limit}", names(store.items("l", True, limit=limit)), below)
    bench.equal("below a key that is a folder, too", names(store.items("l/a")), ["x", "y/"])
    bench.equal("below nothing", store.items("nothing/here"), [])
    bench.check("the top", {"l/", "team/", "other"} <= set(names(store.items())))


def ranges(bench, store):
    where, data = target("files", "team/model/v1", path="long.bin"), TREE["long.bin"]

    def part(value):
        answer = store.ask("GET", where, headers={"Range": value})
        return answer.status, answer.headers.get("Content-Range"), answer.body

    size = len(data)
    bench.equal("a range", part("bytes=10-99"), (206, f"bytes 10-99/{size}", data[10:100]))
    bench.equal("the end", part("bytes=-5"), (206, f"bytes {size - 5}-{size - 1}/{size}", data[-5:]))
    bench.equal("from a chunk on", part(f"bytes={2 * CHUNK}-")[2], data[2 * CHUNK :])
    bench.equal("beyond the end", part(f"bytes={size}-")[0], 416)
    head = store.ask("HEAD", where)
    bench.equal("HEAD", (head.status, head.headers["Content-Length"], head.body), (200, str(size), b""))
    paths = ["a.txt", "nothere", "empty", "medium.bin", "sp ace+and%2F&=#?.txt", "\u2603", "folder/below", "link"]
    wanted = {path: files_of(TREE).get(path) for path in paths}
    bench.equal("many at once, in their order", store.many("team/model/v1", paths), wanted)
    bench.equal("none at once", store.ask("POST", target("files", "other"), "").body, b"")
    for what, query in (
        ("a path that climbs", "../../index.db"),
        ("one that climbs inside", "bin/../../../keys.db"),
        ("an absolute one", "/etc/passwd"),
        ("one with a NUL", "a\0b"),
        ("none", ""),
        ("a folder with its slash", "bin/"),
    ):
        refused(bench, what, store.file("team/model/v1", query), 422, "refused")
    for what, query in (
        ("a folder", "bin"),
        ("a symlink", "link"),
        ("below a file", "a.txt/x"),
        ("through a link", "link/x"),
    ):
        refused(bench, f"{what} is no file", store.file("team/model/v1", query), 404, "not_found")
    body = "\n".join(["../../index.db"])
    refused(bench, "many, climbing", store.ask("POST", target("files", "other"), body), 422, "refused")
    body = "a\n" * 4097
    refused(bench, "more than 4,096 at once", store.ask("POST", target("files", "other"), body), 422, "refused")


def tokens(bench):
    store = DataStore(bench, "tokens", token="first")
    store.put("k", {"f": b"f"})
    for what, header, status in (
        ("no token", "", 401),
        ("another scheme", "Basic first", 401),
        ("a wrong token", "Bearer firsts", 403),
        ("a part of it", "Bearer firs", 403),
        ("an empty one", "Bearer ", 401),
    ):
        for method, where in (
            ("GET", target("keys", None)),
            ("GET", target("files", "k", path="f")),
            ("POST", target("uploads", "k")),
            ("DELETE", target("keys", "k")),
        ):
            answer = store.ask(method, where, headers={"Authorization": header})
            refused(bench, f"{what}: {method} {where}", answer, status, "denied")
    bench.equal(
        "the scheme's case",
        store.ask("GET", target("keys", "k"), headers={"Authorization": "bEARER first"}).status,
        200,
    )
    store.token_file.write_text("second\nfirst\n")
    other = {"Authorization": "Bearer second"}
    wait_until("a new token counts", lambda: store.ask("GET", target("keys", "k"), headers=other).status == 200)
    bench.equal("and so does the old one beside it", store.ask("GET", target("keys", "k")).status, 200)
    store.token_file.write_text("")
    time.sleep(11)
    bench.equal("a file without any leaves what was", store.ask("GET", target("keys", "k")).status, 200)
    store.kill()
    for what, flags, word in (
        ("others reach it, and no token", ["--listen", "0.0.0.0:0"], "token"),
        ("an empty token file", ["--token-file", store.token_file], "token"),
        ("a token file that is not there", ["--token-file", bench.path("nothere")], "nothere"),
        ("no address", ["--listen", "nowhere"], "nowhere"),
        ("a certificate without its key", ["--tls-cert", "c"], "--tls-key"),
        ("no quota", ["--quota", "much"], "--quota"),
    ):
        code, _, err = bench.zcdp("metadata-server", "--root", bench.path("r"), *flags, timeout=20)
        bench.check(f"{what}: refused in one line", code != 0 and err.count("\n") == 1 and word in err, (code, err))
    alone = DataStore(bench, "alone", token=None)
    bench.check("without a token it says so", "to everybody on this machine" in alone.line, alone.line)
    bench.equal("and serves", alone.put("k", {"f": b"f"})["version"], 1)
    alone.kill()


def no_keys(bench, store):
    for key in ("a//b", "/a", "a/", "../a", "a/./b", "a\0b", "a\x01", "x" * 256, "a/" * 2001 + "b", "k@3", ""):
        for verb, method in (
            ("keys", "GET"),
            ("files", "GET"),
            ("manifests", "GET"),
            ("history", "GET"),
            ("keys", "DELETE"),
        ):
            answer = store.ask(method, target(verb, key))
            bench.check(
                f"{method} {verb} {key[:20]!r} is no key",
                answer.status == 422 or (not key and answer.status in (200, 422)),
                answer,
            )
        refused(bench, f"put {key[:20]!r}", store.begin(key), 422, "refused")
    answer = store.ask("GET", "/v1/keys/%ff")
    refused(bench, "what is no UTF-8", answer, 422, "refused")
    for method, where in (
        ("GET", "/"),
        ("PUT", "/v1/keys/k"),
        ("GET", "/v1/nothing/k"),
        ("POST", "/v1/keys/k"),
        ("GET", "/v1/keys/%zz"),
    ):
        refused(bench, f"{method} {where}", store.ask(method, where), 404, "not_found")
    long = "d/" * 1900 + "end"
    bench.equal("a key of 3,803 bytes", store.put(long, {"f": b"f"})["version"], 1)
    bench.equal("is found", store.get(long, "f"), b"f")
    store.ask("DELETE", target("keys", "d", recursive=1))
    for query in (
        {"limit": 0},
        {"limit": -1},
        {"limit": "x"},
        {"recursive": "maybe"},
        {"prefix": "a//b"},
        {"prefix": "a/"},
    ):
        refused(bench, f"a listing with {query}", store.ask("GET", target("keys", None, **query)), 422, "refused")
    for version in ("x", "-1", str(1 << 64)):
        refused(bench, f"version {version}", store.ask("GET", target("keys", "other", version=version)), 422, "refused")
    for verb in ("keys", "files", "manifests", "history"):
        refused(bench, f"{verb} of no key", store.ask("GET", target(verb, "no/key", path="f")), 404, "not_found")
    refused(bench, "a version that never was", store.file("other", "a.txt", version=99), 404, "not_found")
    refused(bench, "rm of no key", store.ask("DELETE", target("keys", "no/key")), 404, "not_found")
    refused(bench, "rm -r of no key", store.ask("DELETE", target("keys", "no/key", recursive=1)), 404, "not_found")
    refused(bench, "rm of a folder", store.ask("DELETE", target("keys", "team")), 409, "refused")


def bad_uploads(bench, store):
    for body in (
        "",
        "{",
        "[]",
        "{}",
        '{"kind":"queue"}',
        '{"kind":"tree","files":-1}',
        '{"kind":"tree","snapshot":"xx"}',
    ):
        refused(
            bench,
            f"an upload that begins with {body!r}",
            store.ask("POST", target("uploads", "bad"), body),
            422,
            "refused",
        )
    bench.equal("one that begins with too much", store.ask("POST", target("uploads", "bad"), "x" * 100_000).status, 413)
    small, long = Content(b"some bytes"), Content(bytes_of(7, CHUNK + 5000))
    upload = begin(store, "bad", files=2, size=len(small.data) + len(long.data))
    step = lambda name, body=b"": store.step("bad", upload, name, body)
    refused(bench, "another key's upload", store.step("good", upload, "missing", END), 404, "not_found")
    refused(bench, "an upload that is none", store.step("bad", "0" * 32, "missing", END), 404, "not_found")
    refused(bench, "a step that is none", step("jump"), 422, "refused")
    for what, body in (
        ("cut off", small.record()[:-1]),
        ("without an end", small.record()),
        ("empty", b""),
        ("of no kind", b"\x07" + small.record()[1:] + END),
        ("that go on after the end", END + b"x"),
        ("of a long one without its chunks", long.start() + END),
        ("of a long one with other chunks", long.start() + long.digests[1] + long.digests[0] + END),
        ("that are no shortest numbers", b"\x01\x8a\x00" + small.digest + END),
    ):
        refused(bench, f"records {what}", step("missing", body), 400, "corrupt")
    refused(bench, "chunks before it was asked what is missing", step("chunks", long.chunk(0) + END), 422, "refused")
    refused(bench, "a whole content before, too", step("chunks", small.chunk(0) + END), 422, "refused")
    asked = store.missing("bad", upload, [small, long])
    bench.equal(
        "all is missing", [(c.digest, n) for c, n in asked], [(small.digest, 0), (long.digest, 0), (long.digest, 1)]
    )
    for what, body, digest in (
        ("other bytes of a whole content", small.chunk(0, b"other byte") + END, small.digest),
        ("other bytes of a chunk", long.chunk(1, b"x" * 5000) + END, long.digest),
    ):
        error = refused(bench, what, step("chunks", body), 400, "corrupt")
        bench.check("it is named", digest.hex() in error["object"], error)
    wrong = Content(long.data)
    wrong.digests = [long.digests[1], long.digests[0]]
    refused(bench, "a chunk in another's place", step("chunks", wrong.chunk(0) + END), 400, "corrupt")
    for what, body in (
        ("cut off", small.chunk(0)[:-1]),
        ("without an end", small.chunk(0)),
        ("after the end", END + b"x"),
    ):
        refused(bench, f"chunks {what}", step("chunks", body), 400, "corrupt")
    commit = lambda tree, **query: store.step("bad", upload, "commit", compress(manifest(tree)[0]), **query)
    refused(bench, "a commit of what was not sent", commit({"s": small.data, "l": long.data}), 409, "source_changed")
    bench.equal("the chunk that is right is taken", step("chunks", long.chunk(0) + END).json, {"chunks": 1})
    bench.equal("twice, too", step("chunks", long.chunk(0) + END).json, {"chunks": 1})
    refused(bench, "a commit with a chunk missing", commit({"l": long.data}), 409, "source_changed")
    store.must(step("chunks", long.chunk(1) + small.chunk(0) + END))
    plain = manifest({"l": long.data, "s": small.data})[0]
    for what, body in (
        ("that is no zstd", b"manifest"),
        ("that is cut off", compress(plain)[:-3]),
        ("with something behind it", compress(plain) + b"x"),
        ("that ends in the middle", compress(plain[:-40])),
        ("with a wrong total", compress(plain[:-1] + b"\x01")),
        ("that climbs", compress(plain.replace(b"\x01l", b"\x04../l", 1))),
        ("out of order", compress(manifest({"l": long.data})[0][:-33] + manifest({"a": b""})[0][16:])),
    ):
        refused(bench, f"a manifest {what}", step("commit", body), 400, "corrupt")
    lie = bytearray(manifest({"s": b"some byte"})[0])
    at = lie.index(b"\x09") + 1
    lie[at : at + 32] = small.digest
    refused(bench, "a manifest that lies about a size", step("commit", compress(bytes(lie))), 409, "source_changed")
    empty = bytearray(manifest({"s": b""})[0])
    at = empty.index(b"\x00", 19) + 1
    empty[at : at + 32] = bytes_of(1, 32)
    refused(
        bench, "one that calls nothing by another digest", step("commit", compress(bytes(empty))), 409, "source_changed"
    )
    refused(bench, "a commit of nothing", step("commit"), 422, "refused")
    bench.equal("no key came of all that", store.ask("GET", target("keys", "bad")).status, 404)
    done = commit({"l": long.data, "s": small.data}).json
    bench.equal("and the right one is taken", (done["key"], done["version"]), ("bad", 1))
    bench.equal("who asks again gets the same", commit({"other": b""}).json, done)
    same(bench, store, "what was sent among bad bytes", "bad", {"l": long.data, "s": small.data})
    kinds(bench, store)
    more_than_announced(bench, store)


def kinds(bench, store):
    for what, tree in (
        ("two files", {"f": b"1", "g": b"2"}),
        ("another name", {"g": b"1"}),
        ("a folder", {"f": None}),
        ("a link", {"f": Link("g")}),
        ("nothing", {}),
    ):
        put_refused(bench, f"a file that is {what}", store, (422, "refused"), "a/f", tree, kind="file")
        store.put("kinds", tree)
        put_refused(bench, f"a file that is {what} and is here", store, (422, "refused"), "a/f", tree, kind="file")
    other = manifest({"x": b"1"})[1]
    upload = begin(store, "announced", snapshot=other, files=1, size=1)
    content = Content(b"2")
    store.missing("announced", upload, [content])
    store.must(store.step("announced", upload, "chunks", content.chunk(0) + END))
    answer = store.step("announced", upload, "commit", compress(manifest({"x": b"2"})[0]))
    refused(bench, "another manifest than the one that was announced", answer, 422, "refused")
    answer = store.step("announced", upload, "commit")
    refused(bench, "the announced snapshot, which is not here", answer, 409, "source_changed")


def more_than_announced(bench, store):
    contents = [Content(bytes_of(100 + i, 1000)) for i in range(4)]
    upload = begin(store, "more", files=1, size=1000)
    store.missing("more", upload, contents[:1])
    body = b"".join(content.chunk(0) for content in contents) + END
    refused(bench, "more than was asked for", store.step("more", upload, "chunks", body), 422, "refused")
    long = Content(bytes_of(9, CHUNK + 1))
    answer = store.step("more", upload, "missing", long.record() + END)
    refused(bench, "more than it began with", answer, 422, "refused")


def endless(bench, store):
    """Bodies that never end are cut off, and cost no memory."""
    content = Content(bytes_of(3, MIB))
    upload = begin(store, "endless", files=1, size=MIB)
    store.missing("endless", upload, [content])
    zeros = bytes([2]) + varint(CHUNK * 100) + bytes(32)
    for step, piece in (
        ("missing", Content(b"x" * 9).record() * 1000),
        ("missing", zeros + bytes(MIB)),
        ("chunks", content.chunk(0)),
    ):
        sent, answer = pour(store, target("uploads", "endless", upload=upload, step=step), piece, 2000 * MIB)
        bench.check(f"a body of {step} without end is cut off", sent < 1000 * MIB, (sent, answer))
    sent, answer = pour(store, target("uploads", "endless"), b"{" * MIB, 2000 * MIB)
    bench.check("so is how an upload begins", sent < 1000 * MIB, (sent, answer))
    resident = peak_mib(store)
    bench.check("the server holds little of it", resident < 160, f"{resident} MiB")


def pour(store, where, piece, most):
    """Sends a chunked body until the server has had enough: the bytes that went, and what it said."""
    with socket.create_connection(("127.0.0.1", store.port), timeout=60) as peer:
        head = f"POST {where} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {store.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head.encode())
        frame, sent = f"{len(piece):x}\r\n".encode() + piece + b"\r\n", 0
        try:
            while sent < most:
                peer.sendall(frame)
                sent += len(piece)
        except OSError:
            pass
        try:
            return sent, peer.recv(4096)
        except OSError:
            return sent, b""


def peak_mib(store):
    with open(f"/proc/{store.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


def resume(bench, store):
    """What was answered is kept over a kill, where its file is longer than a chunk."""
    long, short = Content(bytes_of(11, 5 * CHUNK + 77)), Content(bytes_of(12, 5000))
    tree = {"long": long.data, "short": short.data}
    size = len(long.data) + len(short.data)
    upload = begin(store, "resumed", files=2, size=size)
    bench.equal("all is missing at first", len(store.missing("resumed", upload, [long, short])), 7)
    store.must(store.step("resumed", upload, "chunks", long.chunk(4) + long.chunk(1) + short.chunk(0) + END))
    half = long.chunk(2)[: 3 * MIB]
    with socket.create_connection(("127.0.0.1", store.port)) as peer:
        where = target("uploads", "resumed", upload=upload, step="chunks")
        head = f"POST {where} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {store.token}\r\nContent-Length: {CHUNK}\r\n\r\n"
        peer.sendall(head.encode() + half)
        time.sleep(0.3)
        store.restart()
    refused(
        bench, "the upload is not known after a kill", store.step("resumed", upload, "missing", END), 404, "not_found"
    )
    upload = begin(store, "resumed", files=2, size=size)
    asked = [(c is long, n) for c, n in store.missing("resumed", upload, [long, short])]
    bench.equal(
        "the chunks that were answered are not asked for again",
        asked,
        [(True, 0), (True, 2), (True, 3), (True, 5), (False, 0)],
    )
    done = store.put("resumed", tree)
    bench.check("what is sent is what was missing", done["sent"] == size - 2 * CHUNK, done)
    same(bench, store, "what was resumed", "resumed", tree)
    store.restart()
    same(bench, store, "after another kill", "resumed", tree)
    changed_in_place(bench, store)


def changed_in_place(bench, store):
    """A file of which a chunk changed: only that travels, whatever the file is called."""
    old = bytearray(bytes_of(21, 6 * CHUNK + 500))
    store.put("in-place", {"f": bytes(old)})
    old[3 * CHUNK + 7] ^= 1
    done = store.put("elsewhere", {"g": bytes(old)})
    bench.equal("one chunk changed: one is sent", done["sent"], CHUNK)
    same(bench, store, "put together from both", "elsewhere", {"g": bytes(old)})
    moved = bytes(old[CHUNK : 5 * CHUNK] + old[:CHUNK])
    done = store.put("moved", {"h": moved})
    bench.equal("chunks in another order: none", done["sent"], 0)
    same(bench, store, "in another order", "moved", {"h": moved})
    store.ask("DELETE", target("keys", "in-place"))


def versions(bench):
    store = DataStore(bench, "versions", "--keep-versions", "3")
    trees = [{"f": b"%d" % i, "g": b"the same"} for i in range(6)]
    for tree in trees:
        store.put("k", tree)
    kept = store.ask("GET", target("history", "k")).json["items"]
    bench.equal("--keep-versions 3", [one["version"] for one in kept], [6, 5, 4])
    bench.equal("an old one that is kept", store.get("k", "f", version=4), b"3")
    bench.equal("who is in the middle of one that is not goes on", store.get("k", "f", version=1), b"0")
    refused(bench, "but it is not shown", store.ask("GET", target("keys", "k", version=1)), 404, "not_found")
    bench.equal("its manifest, too", store.ask("GET", target("manifests", "k", version=1)).status, 200)
    store.ask("DELETE", target("keys", "k"))
    refused(bench, "a removed key", store.file("k", "f"), 404, "not_found")
    bench.equal("who reads it by its version goes on", store.get("k", "f", version=6), b"5")
    bench.equal("many at once as well", store.many("k", ["f", "g"], version=6), {"f": b"5", "g": b"the same"})
    bench.equal("a removed key goes on counting", store.put("k", trees[0])["version"], 7)
    put_refused(bench, "--if-version of before", store, (412, "source_changed"), "k", trees[1], if_version=6)
    put_refused(
        bench, "--if-version 0 of a key that is there", store, (412, "source_changed"), "k", trees[1], if_version=0
    )
    bench.equal("--if-version of now", store.put("k", trees[1], if_version=7)["version"], 8)
    bench.equal("--if-version 0 of a new key", store.put("new", trees[1], if_version=0)["version"], 1)
    store.put("short", trees[0], ttl_s=1)
    item = store.ask("GET", target("keys", "short")).json
    bench.check("a key with a time to live says so", item["expires_unix_s"] - item["modified_unix_s"] == 1, item)
    wait_until("it is gone", lambda: store.ask("GET", target("keys", "short")).status == 404)
    bench.check("and from listings", "short" not in [one["name"] for one in store.items()])
    store.restart()
    bench.equal("all that is kept over a kill", store.get("k", "f"), b"1")
    bench.equal("SIGTERM ends it well", store.stop(), 0)
    keys = store.root / "keys.db"
    keys.rename(bench.path("keys.db"))
    code, _, err = bench.zcdp("metadata-server", "--root", store.root, "--listen", "127.0.0.1:0", timeout=20)
    bench.check(
        "a store whose keys are lost is refused, and nothing of it goes", code == 3 and "keys.db" in err, (code, err)
    )
    keys.write_bytes(b"no database at all, whatever is read of it" * 100)
    code, _, err = bench.zcdp("metadata-server", "--root", store.root, "--listen", "127.0.0.1:0", timeout=20)
    bench.check("damaged ones, too", code == 1 and err.count("\n") == 1 and "keys.db" in err, (code, err))
    os.replace(bench.path("keys.db"), keys)
    store.start()
    bench.equal("with its keys it serves again", store.get("k", "f"), b"1")
    store.kill()


def two_writers(bench, store):
    """One of several that write at once wins; none mixes."""
    won, lost, trees = [], [], {}
    store.put("race", {"who": b"nobody", "same": b"s"})

    def write(number, if_version):
        trees[number] = {"who": b"%d" % number, "also": b"%d" % number * 1000, "same": b"s"}
        try:
            won.append((store.put("race", trees[number], if_version=if_version)["version"], number))
        except Refused as problem:
            lost.append(problem.answer)

    def together(numbers, if_version):
        threads = [threading.Thread(target=write, args=(number, if_version)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together(range(8), 1)
    bench.equal("of eight with the same --if-version one wins", (len(won), len(lost)), (1, 7))
    bench.check(
        "the others are told", all(one.status == 412 and one.error["kind"] == "source_changed" for one in lost), lost
    )
    together(range(8, 16), None)
    bench.equal("without it each makes a version", sorted(v for v, _ in won), list(range(2, 11)))
    for version, number in won:
        same(bench, store, f"version {version} is one writer's", "race", trees[number], version)


def quotas(bench):
    store = DataStore(bench, "quotas", "--quota", "2MiB", "--quota-keys", "3")
    half = bytes_of(1, MIB)
    store.put("a", {"f": half})
    error = put_refused(bench, "a tree over the quota", store, (413, "no_space"), "b", {"f": bytes_of(2, 3 * MIB)})
    bench.check("with both numbers", "2097152" in json.dumps(error) and "3145728" in json.dumps(error), error)
    error = put_refused(
        bench, "one that does not fit any more", store, (413, "no_space"), "b", {"f": bytes_of(3, MIB + 5)}
    )
    bench.check("with both numbers, too", "1048581" in json.dumps(error) and "2097152" in json.dumps(error), error)
    bench.equal("before a byte travels", os.listdir(store.root / "partial"), [])
    done = store.put("b", {"f": half, "g": b"little"})
    bench.equal("what is here counts once", done["sent"], 6)
    store.put("c", {"f": b"3"})
    error = put_refused(bench, "a key over the quota", store, (413, "no_space"), "d", {"f": half})
    bench.check("names the number", "3" in error["what"], error)
    bench.equal("a version of one that is there is none more", store.put("c", {"f": b"4"})["version"], 2)
    store.kill()


def full_disk(bench):
    if os.geteuid() != 0:
        print("SKIPPED: a full disk: mounting needs root")
        return
    mount = bench.path("mount")
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,nr_inodes=3000", "tmpfs", mount]).returncode != 0:
        print("SKIPPED: a full disk: tmpfs cannot be mounted here")
        return
    bench.closers.append(lambda: subprocess.run(["umount", "-l", mount]))
    store = DataStore(bench, "full", root=mount / "store")
    kept = {"f": bytes_of(1, 2 * MIB)}
    store.put("kept", kept)
    error = put_refused(bench, "what does not fit", store, (507, "no_space"), "large", {"f": bytes_of(2, 64 * MIB)})
    bench.check("with numbers", "67108864" in error["what"] or "671" in error["what"], error)
    many = {f"d/{i}": b"%d" % i for i in range(4000)}
    put_refused(bench, "more files than inodes", store, (507, "no_space"), "many", many)
    upload = begin(store, "hog", files=1, size=20 * MIB)
    content = Content(bytes_of(3, 20 * MIB))
    asked = store.missing("hog", upload, [content])
    hog = mount / "hog"
    free = os.statvfs(mount)
    with open(hog, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_bsize - 200_000)
    body = b"".join(content.chunk(number) for _, number in asked) + END
    refused(bench, "the disk fills up meanwhile", store.step("hog", upload, "chunks", body), 507, "no_space")
    same(bench, store, "what was there", "kept", kept)
    hog.unlink()
    bench.equal("with room again it is taken", store.put("hog", {"f": content.data})["version"], 1)
    whole, problems = check_store(store.root)
    bench.check("every snapshot is whole", len(whole) == 2 and not problems, problems)
    store.kill()


def drains(bench):
    store = DataStore(bench, "drains")
    store.put("k", {"f": bytes_of(1, 40 * MIB)})
    with socket.create_connection(("127.0.0.1", store.port)) as peer:
        where = target("files", "k", path="f")
        peer.sendall(f"GET {where} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {store.token}\r\n\r\n".encode())
        peer.recv(1000)
        began = time.monotonic()
        bench.equal("a reader that dawdles does not keep it", store.stop(), 0)
        bench.check("for long", time.monotonic() - began < 10)
    store.start()
    bench.equal("a second one of the same root waits, and gives up", second(bench, store), True)
    store.kill()


def second(bench, store):
    code, _, err = bench.zcdp("metadata-server", "--root", store.root, "--listen", "127.0.0.1:0", timeout=60)
    return code == 1 and "zcdp metadata-server" in err and err.count("\n") == 1


def tls_and_metrics(bench):
    port = servers.free_port()
    authority = certs.make_ca(bench.folder)
    certificate, key = certs.make_server(bench.folder, "store", ["IP:127.0.0.1"])
    metrics = ["--metrics", f"127.0.0.1:{port}"]
    store = DataStore(bench, "tls", *metrics)
    store.put("k", {"f": bytes_of(1, 100_000)})
    store.get("k", "f")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://127.0.0.1:{port}/metrics"
    ) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[:1] != "#")
    bench.check(
        "bytes that came and went are counted",
        lines["zcdp_datastore_received_bytes_total"] == "100000" == lines["zcdp_datastore_sent_bytes_total"],
        lines,
    )
    bench.check(
        "requests and versions",
        int(lines["zcdp_datastore_requests_total"]) >= 5 and lines["zcdp_datastore_versions_total"] == "1",
        lines,
    )
    store.kill()
    secure = DataStore(bench, "tls", "--tls-cert", certificate, "--tls-key", key)
    bench.check("https is said", "https://" in secure.line, secure.line)
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "--cacert",
            authority,
            "-H",
            f"Authorization: Bearer {secure.token}",
            f"https://127.0.0.1:{secure.port}/v1/keys/k",
        ],
        capture_output=True,
        text=True,
        env=clean_env(),
    )
    bench.check("and spoken", '"version":1' in done.stdout, done)
    secure.kill()


with TestRun() as bench:
    store = DataStore(bench)
    every_row(bench, store)
    no_keys(bench, store)
    bad_uploads(bench, store)
    two_writers(bench, store)
    resume(bench, store)
    endless(bench, store)
    whole, problems = check_store(store.root)
    bench.check(f"{len(whole)} snapshots, every one is whole", not problems, problems[:3])
    store.kill()
    tokens(bench)
    versions(bench)
    quotas(bench)
    full_disk(bench)
    drains(bench)
    tls_and_metrics(bench)
