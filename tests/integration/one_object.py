#!/usr/bin/env python3
# ctest: 180
"""A SOURCE without a '/' at its end that is an object: the same snapshot as that file of its folder, fetched once; a folder of
that name goes before it; where neither is, or the key is no path, one line."""

import hashlib

from tests.support.dialects import Azure, Gcs
from tests.support.express import ExpressServer
from tests.support.fault_server import FaultServer, Object, error
from tests.support.harness import TestRun, bytes_of, sums, write_tree
from tests.support.oss_server import REGION, Oss

MODEL, WORDS = bytes_of(1, (8 << 20) + 777), b"some words"
OBJECTS = {
    "set/model.bin": MODEL,
    "set/other": b"o",
    "pair/both": b"an object",
    "pair/both/inner": b"in its folder",
    "words": WORDS,
    "set/empty": b"",
    "odd/..": b"up",
    "odd/line\nbreak": b"l",
}


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Case:
    def __init__(self, bench, server, env=None):
        self.bench, self.server, self.env = bench, server, env or {}
        self.kind = server.scheme
        self.flags = ["--endpoint", server.endpoint, *([] if env else ["--anonymous"])]

    def source(self, key):
        return (self.server.source() if self.kind == "oss" else self.server.source) + key

    def sync(self, store, *words):
        """Into that store; "": into none."""
        where = ["--store", self.bench.path(f"{self.kind}-{store}")] if store else ["--no-store"]
        return self.bench.sync(*where, *self.flags, *words, env=self.env)

    def right(self, what, done, files):
        self.bench.equal(
            f"{self.kind}: {what}", sums(done["path"]), {path: digest(content) for path, content in files.items()}
        )

    def refused(self, what, key, wanted, said, *without):
        code, out, err = self.bench.zcdp(
            "sync",
            "-q",
            "--store",
            self.bench.path(f"{self.kind}-refused"),
            *self.flags,
            "--retries",
            "1",
            self.source(key),
            env=self.env,
        )
        self.bench.check(
            f"{self.kind}: {what}: exit code {wanted}, one line",
            (code, out) == (wanted, "")
            and err.count("\n") == 1
            and said in err
            and not any(word in err for word in without),
            (code, out, err),
        )

    def asked_about(self, key):
        """Requests of that object that fetch nothing of it."""
        return self.server.count(
            lambda request: (
                request.key == key
                and not request.listing
                and (request.method == "HEAD" or (self.kind == "gs" and "alt" not in request.query))
            )
        )


def fetched(case, local):
    bench, source = case.bench, case.source("set/model.bin")
    done = case.sync("s", source)
    case.right("an object is one file, called as the last part of its key", done, {"model.bin": MODEL})
    bench.equal(
        f"{case.kind}: fetched once",
        (done["objects"], done["objects_fetched"], done["bytes_fetched"]),
        (1, 1, len(MODEL)),
    )
    bench.equal(f"{case.kind}: its snapshot is that of a local tree with that file", done["snapshot"], local)
    again = case.sync("s", source)
    bench.equal(
        f"{case.kind}: a second time nothing is",
        (again["snapshot"], again["bytes_fetched"], again["requests"]),
        (local, 0, 2),
    )
    picked = case.sync("s", "--include", "/model.bin", case.source("set/"))
    bench.equal(
        f"{case.kind}: nor when it is picked from its folder", (picked["snapshot"], picked["bytes_fetched"]), (local, 0)
    )
    case.sync("t", "--include", "/model.bin", case.source("set/"))
    bench.equal(f"{case.kind}: nor when it was picked before", case.sync("t", source)["bytes_fetched"], 0)
    case.right("an object of the bucket's root", case.sync("s", case.source("words")), {"words": WORDS})
    case.right("an empty object", case.sync("s", case.source("set/empty")), {"empty": b""})
    case.right("filters are of its name", case.sync("s", "--exclude", "*.bin", source), {})
    for what, store in (("with a store", "d"), ("without one", "")):
        dest = bench.path(f"{case.kind} {what}")
        case.right(f"DIR/model.bin, {what}", case.sync(store, source, dest), {"model.bin": MODEL})
        bench.equal(
            f"{case.kind}: and a second time nothing, {what}", case.sync(store, source, dest)["bytes_fetched"], 0
        )


def compared(case):
    bench, folder = case.bench, case.bench.path(f"{case.kind}-compared")
    write_tree(folder, {"model.bin": MODEL})
    verify = lambda: bench.zcdp("verify", *case.flags, folder, "--against", case.source("set/model.bin"), env=case.env)
    code, out, err = verify()
    bench.check(f"{case.kind}: verify against it: equal", (code, out) == (0, "") and "1 files" in err, (code, out, err))
    write_tree(folder, {"model.bin": MODEL[:-1] + b"x", "more": b""})
    code, out, _ = verify()
    bench.equal(
        f"{case.kind}: and where it is not",
        (code, sorted(line.split(":")[0] for line in out.splitlines())),
        (1, ["content model.bin", "extra more"]),
    )


def folders(case):
    case.server.reset()
    case.right(
        "a folder goes before an object of its name",
        case.sync("s", case.source("pair/both")),
        {"inner": b"in its folder"},
    )
    case.bench.equal(f"{case.kind}: and that is not asked about", case.asked_about("pair/both"), 0)
    case.refused(
        "with a '/' at its end it is a folder alone", "set/model.bin/", 4, "there is no object below this prefix"
    )
    case.refused(
        "what there is not",
        "set/nothing",
        4,
        f"zcdp: {case.source('set/nothing/')}: there is no object below this prefix",
        "--include",
    )
    case.bench.equal(f"{case.kind}: that was asked about", case.asked_about("set/nothing"), 1)
    case.refused("a key that is a part of another", "set/mod", 4, "there is no object below this prefix")
    case.refused("a key whose last part is '..'", "odd/..", 3, "odd/: is no path: key .. (has a '.' or '..' component)")
    case.refused("a key with a control byte", "odd/line\nbreak", 3, "has a control byte")


def faults(case, denied, busy):
    server, honest, key = case.server, case.server.honest, "set/model.bin"
    of_it = lambda request: request.key == key and not request.listing
    server.fault = lambda request, found: [("send", denied)] if of_it(request) else None
    case.refused(
        "an object that may not be looked at is as one that is not there",
        key,
        4,
        "there is no object below this prefix",
    )
    left = [3]

    def few(request, found):
        left[0] -= of_it(request)
        return [("send", busy)] if of_it(request) and left[0] >= 0 else None

    server.fault = few
    case.right("busy when it is asked about", case.sync("busy", case.source(key)), {"model.bin": MODEL})
    server.fault = lambda request, found: [("send", busy)] if of_it(request) else None
    case.refused("busy for ever: that is the error", key, 1, case.source(key) + ": ", "below this prefix")

    def damaged(request, found):
        data = honest(request, found)
        return (
            [("send", data[:-1] + bytes([data[-1] ^ 1]))]
            if request.key == "words" and request.method == "GET" and data.endswith(WORDS)
            else None
        )

    server.fault = damaged
    case.refused(
        "a byte that is always flipped: the line names the object",
        "words",
        1,
        f"zcdp: {case.source('words')}: ",
        "words/",
    )
    server.fault = None


def changed(case):
    """Between the listing and the reading it is another object, or a folder."""
    server, kept = case.server, dict(case.server.objects)
    for what, now, files in (
        ("another object", {"set/empty": Object(b"fresh"), "words": Object(b"other words")}, {"words": b"other words"}),
        ("a folder", {"words/in": Object(b"in"), "words/side": Object(b"side")}, {"in": b"in", "side": b"side"}),
    ):

        def swap(request, found, now=now):
            if found is kept["words"] and request.method == "GET" and (case.kind != "gs" or "alt" in request.query):
                server.objects = {key: value for key, value in kept.items() if key != "words"} | now
                return [("send", server.honest(request, server.objects.get("words")))]
            return None

        server.fault = swap
        case.right(f"it becomes {what} meanwhile", case.sync(f"becomes {what}", case.source("words")), files)
        server.fault, server.objects = None, dict(kept)


def hierarchical(case):
    """A folder without blobs answers a HEAD as an empty blob does."""
    for name in ("x-ms-resource-type: directory", "x-ms-meta-hdi_isfolder: true"):
        case.server.fault = lambda request, found: (
            [("send", case.server.honest(request, found).replace(b"\r\n\r\n", f"\r\n{name}\r\n\r\n".encode(), 1))]
            if found
            else None
        )
        case.refused(f"{name} is no object", "set/empty", 4, "there is no object below this prefix")
    case.server.fault = None


def directory_bucket(bench):
    """It lists in no order."""
    env = {
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-west-2",
    }
    server = ExpressServer(
        bench,
        OBJECTS,
        env["AWS_ACCESS_KEY_ID"],
        env["AWS_SECRET_ACCESS_KEY"],
        env["AWS_SESSION_TOKEN"],
        env["AWS_REGION"],
    )
    done = bench.sync(
        "--endpoint",
        server.endpoint,
        "--store",
        bench.path("express"),
        "s3://data--usw2-az1--x-s3/set/model.bin",
        env=env,
    )
    bench.equal(
        "a directory bucket: one object", (sums(done["path"]), server.refused), ({"model.bin": digest(MODEL)}, 0)
    )


with TestRun() as bench:
    write_tree(bench.path("tree"), {"model.bin": MODEL})
    local = bench.sync("--store", bench.path("local"), bench.path("tree"))["snapshot"]
    s3, google, azure = (Case(bench, kind(bench, OBJECTS, page=2)) for kind in (FaultServer, Gcs, Azure))
    oss = Case(bench, Oss(bench, OBJECTS, page=2), {**Oss.env, "OSS_REGION": REGION})
    for case, denied, busy in (
        (s3, error(403, "AccessDenied"), error(503, "SlowDown")),
        (google, Gcs.refusal(403, "forbidden"), Gcs.refusal(503, "backendError")),
        (azure, Azure.refusal(403, "AuthorizationPermissionMismatch"), Azure.refusal(503, "ServerBusy")),
        (oss, error(403, "AccessDenied"), error(503, "SlowDown")),
    ):
        fetched(case, local)
        compared(case)
        folders(case)
        faults(case, denied, busy)
        changed(case)
    hierarchical(azure)
    directory_bucket(bench)
