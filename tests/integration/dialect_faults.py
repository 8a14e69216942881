#!/usr/bin/env python3
# ctest: 300
"""Google's and Azure's servers in their own words when they refuse, are busy, cut off, lie or change: right after retries, or one
line that names the object and the cause, with the exit code of that cause; nothing is ready that was not whole."""

import hashlib
import os
import pathlib
import time

from tests.support.dialects import Azure, Gcs
from tests.support.fault_server import Object, answer
from tests.support.harness import TestRun, bytes_of, sums, write_tree

OBJECTS = {
    "small.bin": bytes_of(1, 50_000),
    "mid.bin": bytes_of(2, 1 << 20),
    "dir/big.bin": bytes_of(3, (8 << 20) + 777),
}
WANT = {key: hashlib.sha256(content).hexdigest() for key, content in OBJECTS.items()}
LIMIT_S = 40


class Case:
    def __init__(self, bench, server):
        self.bench, self.server = bench, server
        write_tree(bench.path("source"), OBJECTS)
        self.snapshot = bench.sync("--store", bench.path("local"), bench.path("source"))["snapshot"]

    def sync(self, *flags):
        store = self.bench.path(f"store-{time.monotonic_ns()}")
        code, out, err = self.bench.zcdp(
            "sync",
            "-q",
            "--anonymous",
            "--endpoint",
            self.server.endpoint,
            "--store",
            store,
            *flags,
            self.server.source,
            timeout=LIMIT_S,
        )
        self.server.fault = None
        return store, code, out, err

    def right(self, what, *flags):
        _, code, out, err = self.sync(*flags)
        self.bench.check(
            f"{self.server.scheme}: {what}: every byte is right",
            (code, err) == (0, "") and sums(out.strip()) == WANT,
            (code, err),
        )
        self.bench.equal(f"{self.server.scheme}: and its digest", pathlib.Path(out.strip()).parent.name, self.snapshot)

    def refused(self, what, wanted, *words, flags=()):
        store, code, _, err = self.sync(*flags)
        ready = (store / "snapshots").exists() and os.listdir(store / "snapshots")
        self.bench.check(
            f"{self.server.scheme}: {what}: exit code {wanted}, one line with {' and '.join(words)}",
            code == wanted and err.count("\n") == 1 and all(word in err for word in words) and not ready,
            (code, err, ready),
        )


def objects_only(fault, times=None, key=None):
    """The fault for the first `times` GETs of objects (None: all)."""
    left = [times]

    def act(request, found):
        if found is None or request.method != "GET" or (key and request.key != key) or left[0] == 0:
            return None
        actions = fault(request, found)
        if actions and left[0]:
            left[0] -= 1
        return actions

    return act


def says(bytes_of_answer):
    return lambda request, found: [("send", bytes_of_answer)]


def common(case, busy, denied, away):
    """`busy`, `denied`, `away`: how the store says slow down, no, and not now."""
    server = case.server
    case.right("no fault")
    whole = server.honest
    cut = lambda request, found: [("send", whole(request, found)[:-100]), ("close",)]
    reset = lambda request, found: [("send", whole(request, found)[:-100]), ("reset",)]
    flipped = lambda request, found: [("send", whole(request, found)[:-1] + bytes([whole(request, found)[-1] ^ 1]))]
    for what, fault in (
        ("bodies that are cut off", cut),
        ("resets within a body", reset),
        ("busy", says(busy)),
        ("away", says(away)),
    ):
        server.fault = objects_only(fault, 3)
        case.right(what)
    server.fault = objects_only(flipped, 1, "small.bin")
    case.right("a flipped byte under a true checksum")
    server.fault = objects_only(flipped, None, "small.bin")
    case.refused("a byte that is always flipped", 1, "small.bin", "CRC32C" if server.scheme == "gs" else "CRC")
    server.fault = lambda request, found: [("send", busy)]
    case.refused("nothing but busy", 1, "fewer requests", flags=("--retries", "2"))
    server.fault = objects_only(says(denied), None, "mid.bin")
    case.refused("an object that may not be read", 5, "mid.bin", "access is denied")
    server.fault = lambda request, found: [("send", denied)] if request.listing else None
    case.refused("a listing that is denied", 5, server.source, "access is denied")
    server.fault = lambda request, found: [("send", server.refusal(404, "ContainerNotFound"))]
    case.refused("a bucket that is not there", 4, server.source)
    server.fault = lambda request, found: (
        [("send", answer(307, [("Location", "http://169.254.169.254/latest/")]))] if found else None
    )
    case.refused("a redirect into the metadata service", 1, "not followed", flags=("--retries", "1"))
    for what, body in (
        ("no text at all", b""),
        ("HTML", b"<html><body>welcome</body></html>"),
        ("half a listing", None),
        ("nested without end", b"[" * 200_000),
    ):

        def lie(request, found, body=body):
            if not request.listing:
                return None
            said = body if body is not None else whole(request, found).partition(b"\r\n\r\n")[2][:-20]
            return [("send", answer(200, [], said))]

        server.fault = lie
        case.refused(f"a listing that is {what}", 3, server.source, flags=("--retries", "1"))


def changed(case, refusal):
    """Between the listing and the reading the object is another."""
    server, kept = case.server, case.server.objects["mid.bin"]
    fresh = Object(bytes_of(9, 1 << 20))

    def swap(request, found):
        if found is kept:
            server.objects["mid.bin"] = fresh
            return [("send", server.honest(request, fresh))]
        return None

    server.fault = swap
    _, code, out, err = case.sync()
    case.bench.equal(
        f"{server.scheme}: an object that is replaced: a fresh listing makes it right",
        (code, err, sums(out.strip()) if code == 0 else None),
        (0, "", WANT | {"mid.bin": hashlib.sha256(fresh.content).hexdigest()}),
    )
    server.objects["mid.bin"] = kept
    server.fault = objects_only(says(refusal), None, "mid.bin")
    case.refused("an object that is never the one that was listed", 7, "mid.bin")
    tags = [("ETag", '"another"'), ("x-goog-generation", "7")]  # of a server that passes over the precondition
    server.fault = objects_only(lambda request, found: [("send", server.body(request, found, tags))], None, "mid.bin")
    case.refused("another tag than the one that was listed", 7, "mid.bin")
    case.right("and it heals")


def ranges(case):
    """Azure's checksums of ranges."""
    server, big, honest = case.server, "dir/big.bin", case.server.honest

    def flipped(request, found):
        """A byte in the middle of the body."""
        data = bytearray(honest(request, found))
        data[-(len(data) // 2)] ^= 1
        return bytes(data)

    def of_range(fault, times, first=None):
        """The fault for the first `times` GETs of the big blob, or of its range that begins at `first`."""
        return objects_only(
            lambda request, found: (
                fault(request, found) if request.range and first in (None, request.range[0]) else None
            ),
            times,
            big,
        )

    gets = lambda key=big: server.count(lambda request: request.key == key and request.method == "GET")
    server.reset()
    case.right("a blob of two chunks is read in the ranges whose checksums the service states")
    case.bench.equal("az: which are three", gets(), 3)
    for what, first, more in (
        ("the first range", 0, 1),
        ("a range amid a chunk", 4 << 20, 2),
        ("the last range", 8 << 20, 1),
    ):
        server.reset()
        server.fault = of_range(lambda request, found: [("send", flipped(request, found))], 1, first)
        case.right(f"a byte of {what} is flipped under a true checksum")
        case.bench.equal("az: its chunk is read again as far as it was read", gets(), 3 + more)
    server.fault = of_range(lambda request, found: [("send", flipped(request, found))], None, 4 << 20)
    case.refused("a byte of one range is always flipped", 1, big, "bytes 4194304-8388607", "CRC")
    server.fault = objects_only(lambda request, found: [("send", flipped(request, found))], 1, "mid.bin")
    case.right("a byte of a blob of one range is flipped")
    for what, end in (("cut off", ("close",)), ("silent", ("stall", 30))):
        server.reset()
        server.fault = of_range(lambda request, found: [("send", flipped(request, found)[:-100_000]), end], 1, 0)
        case.right(
            f"a byte is flipped, and then its body is {what}: the rest is another request, the checksum covers both"
        )
        case.bench.check("az: the rest, and then the chunk again", gets() >= 5, gets())
    server.reset()
    server.fault = of_range(says(Azure.refusal(500, "OperationTimedOut")), None, 4 << 20)
    case.refused("a range that is never sent", 1, big, flags=("--retries", "2"))
    case.bench.equal(
        "az: it is asked for as often as --retries says",
        server.count(lambda request: request.range and request.range[0] == 4 << 20),
        3,
    )
    for what, stated in (("short", "AAAA"), ("no base64", "%%%%")):
        lying = lambda request, found: [
            (
                "send",
                honest(request, found).replace(
                    b"x-ms-content-crc64: ", b"x-ms-content-crc64: " + stated.encode() + b"\r\nX-Was: "
                ),
            )
        ]
        server.fault = objects_only(lying, 2)
        case.right(f"a checksum that is {what} comes twice")
        server.fault = objects_only(lying, None, big)
        case.refused(f"a checksum that is always {what}", 1, big, "is no CRC64", flags=("--retries", "1"))
    server.range_crc64 = False
    case.right("a service that states no checksums of ranges")
    server.fault = objects_only(lambda request, found: [("send", flipped(request, found))], None, "small.bin")
    case.refused("a byte that is always flipped, where only the whole blob's MD5 is stated", 1, "small.bin", "MD5")
    server.refuses_crc64 = True
    server.reset()
    case.right("a service that refuses to state them", "--retries", "0", "--connections", "1")
    case.bench.equal(
        "az: it is asked for one once",
        server.count(lambda request: "x-ms-range-get-content-crc64" in request.headers),
        1,
    )
    server.range_crc64, server.refuses_crc64 = True, False

    def refused_meanwhile(request, found):
        if (
            found
            and request.method == "GET"
            and request.key == "small.bin"
            and "x-ms-range-get-content-crc64" in request.headers
        ):
            return [("send", server.refusal(500, "FeatureNotSupported"))]
        if request.key == big and request.range and request.range[0] == 0:
            return [("send", honest(request, found)[:-100_000]), ("stall", 1), ("close",)]
        return None

    server.reset()
    server.fault = refused_meanwhile
    case.right("a body is cut off after another read was told that ranges are not summed")
    case.bench.equal(
        "az: what came of it is not read again",
        server.count(lambda request: request.key == big and request.range and request.range[0] == 0),
        1,
    )

    def range_ignored(request, found):
        request.range = None
        del request.headers["x-ms-range-get-content-crc64"]
        return [("send", honest(request, found))]

    server.fault = objects_only(range_ignored, None, "small.bin")
    case.right("a whole blob comes as one, though it was asked for as a range")


with TestRun() as bench:
    google = Case(bench, Gcs(bench, OBJECTS, page=2))
    common(
        google,
        busy=Gcs.refusal(429, "rateLimitExceeded"),
        denied=Gcs.refusal(403, "forbidden"),
        away=Gcs.refusal(503, "backendError"),
    )
    google.server.fault = objects_only(says(Gcs.refusal(403, "userRateLimitExceeded")), 2)
    google.right("403 that means slow down")
    changed(google, Gcs.refusal(412, "conditionNotMet"))

    azure = Case(bench, Azure(bench, OBJECTS, page=2))
    common(
        azure,
        busy=Azure.refusal(503, "ServerBusy"),
        denied=Azure.refusal(403, "AuthorizationPermissionMismatch"),
        away=Azure.refusal(500, "OperationTimedOut"),
    )
    azure.server.fault = objects_only(says(Azure.refusal(409, "BlobArchived")), None, "mid.bin")
    azure.refused("a blob in the archive tier", 3, "mid.bin", "archive")
    changed(azure, Azure.refusal(412, "ConditionNotMet"))
    ranges(azure)
