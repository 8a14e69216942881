#!/usr/bin/env python3
# ctest: 300
"""A body that does not end where the listing says, in every framing and from every kind of origin: an error that names the object,
never the beginning of something else. What only comes in another framing is right."""

import gzip
import hashlib

from tests.support.dialects import Azure, Gcs
from tests.support.fault_server import FaultServer, answer, error
from tests.support.harness import TestRun, bytes_of, sums

OBJECTS = {
    "set/small.bin": bytes_of(1, 50_000),
    "set/mid.bin": bytes_of(2, (2 << 20) + 5),
    "set/long.bin": bytes_of(3, (17 << 20) + 777),
}
WANT = {key[4:]: hashlib.sha256(content).hexdigest() for key, content in OBJECTS.items()}


def reframed(message, framing, edit):
    """An honest answer whose body is `edit`ed and framed anew: by its length, in chunks, or by the connection's end."""
    head, _, body = message.partition(b"\r\n\r\n")
    lines, body = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")], edit(body)
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        body = (
            b"".join(
                b"%x\r\n%s\r\n" % (len(body[at : at + 100_000]), body[at : at + 100_000])
                for at in range(0, len(body), 100_000)
            )
            + b"0\r\n\r\n"
        )
    else:
        lines.append(b"Connection: close")
    return [("send", b"\r\n".join([*lines, b"", b""]) + body), *([("close",)] if framing == "until the end" else [])]


class Case:
    def __init__(self, bench, name, server, source, flags=()):
        self.bench, self.name, self.server, self.source, self.flags, self.number = bench, name, server, source, flags, 0

    def sync(self, fault, *flags):
        self.server.fault = fault
        self.number += 1
        dest = self.bench.path(f"{self.name}-{self.number}")
        code, _, err = self.bench.zcdp(
            "sync", "-q", *self.flags, "--retries", "1", *flags, "--no-store", self.source, dest, timeout=60
        )
        return code, err, sums(dest) if dest.exists() else {}

    def get(self, key, framing, edit, but_ranges=False):
        """The fault for GETs of one object."""

        def act(request, found):
            wanted = (
                found is not None
                and request.method == "GET"
                and request.key == key
                and request.query.get("fields") is None
            )
            return reframed(self.server.honest(request, found), framing, edit) if wanted else None

        return act


def framings(case):
    for key in case.server.objects:
        name = key.rpartition("/")[2]
        for framing in ("length", "chunked", "until the end"):
            got = case.sync(case.get(key, framing, lambda body: body))
            case.bench.equal(f"{case.name}: {name}, framed by {framing}: every byte", got, (0, "", WANT))
            code, err, have = case.sync(case.get(key, framing, lambda body: body + b"x"))
            case.bench.check(
                f"{case.name}: {name}, framed by {framing}, one byte more: an error that names it, and not this file",
                code in (1, 3) and name in err and err.count("\n") == 1 and name not in have,
                (code, err, name in have),
            )
            code, err, have = case.sync(case.get(key, framing, lambda body: body[:-1]))
            case.bench.check(
                f"{case.name}: {name}, framed by {framing}, one byte less: an error that names it, and not this file",
                code in (1, 3) and name in err and name not in have,
                (code, err, name in have),
            )


def packed_on_the_way(case):
    """A proxy that packs what passes: HEAD says the size of the bytes themselves."""

    def act(request, found):
        if found is None or request.method != "GET":
            return None
        if "gzip" not in request.headers.get("accept-encoding", "gzip"):
            return None  # an honest one packs only for who takes it
        packed = gzip.compress(found.content, 1)
        return [("send", answer(200, [("ETag", f'W/"{found.tag}"'), ("Content-Encoding", "gzip")], packed))]

    case.bench.equal(f"{case.name}: a proxy that packs for who takes it is told not to", case.sync(act), (0, "", WANT))

    def always(request, found):
        if found is None or request.method != "GET":
            return None
        packed = gzip.compress(found.content, 1)
        return [("send", answer(200, [("ETag", f'"{found.tag}"'), ("Content-Encoding", "gzip")], packed))]

    code, err, have = case.sync(always)
    case.bench.check(
        f"{case.name}: one that packs in any case: exit code 3, which says so",
        code == 3 and "Content-Encoding: gzip" in err and not have,
        (code, err, have),
    )


def google_unpacks(bench):
    """Google's door for S3 clients: an object kept packed is sent unpacked, in chunks and without ranges, to who does not take gzip."""
    text = b"".join(b"%06d a line that packs well\n" % i for i in range(400_000))
    stored = {
        "set/small.csv": gzip.compress(text[:50_000], mtime=0),
        "set/long.csv": gzip.compress(bytes_of(5, 9 << 20), 1, mtime=0),
    }
    with_tags = FaultServer(bench, stored)

    def act(request, found):
        if found is None or "gzip" in request.headers.get("accept-encoding", ""):
            return None
        headers = (
            f'HTTP/1.1 200 OK\r\nETag: "{found.tag}"\r\nx-goog-stored-content-encoding: gzip\r\nx-goog-stored-content-length: {len(found.content)}\r\n'
            "x-guploader-response-body-transformations: gunzipped\r\n"
        )
        if request.method == "HEAD":
            return [("send", (headers + "\r\n").encode())]
        return reframed((headers + "\r\n").encode() + gzip.decompress(found.content), "chunked", lambda body: body)

    case = Case(bench, "packed", with_tags, "s3://data/set/", ("--endpoint", with_tags.endpoint, "--anonymous"))
    want = {key[4:]: hashlib.sha256(content).hexdigest() for key, content in stored.items()}
    bench.equal("Google's S3 door: packed objects come as they are stored", case.sync(act), (0, "", want))


def contradictions(bench, case):
    """HEAD and GET that disagree are no change of the source."""
    name = "mid.bin"

    def longer(request, found):
        return (
            reframed(case.server.honest(request, found), "length", lambda body: body + b"more")
            if found and request.method == "GET" and request.key.endswith(name)
            else None
        )

    code, err, have = case.sync(longer)
    bench.check(
        "a GET of another length than HEAD says: exit code 3, not 7",
        code == 3 and name in err and name not in have,
        (code, err),
    )
    replaced = [0]

    def once(request, found):
        if found and request.method == "GET" and request.key.endswith(name):
            replaced[0] += 1
            if replaced[0] == 1:
                return [("send", error(412, "PreconditionFailed"))]
        return None

    bench.equal("one server of many that does not know the tag: asked again", case.sync(once), (0, "", WANT))

    def never(request, found):
        return (
            [("send", error(412, "PreconditionFailed"))]
            if found and request.method == "GET" and request.key.endswith(name)
            else None
        )

    code, err, _ = case.sync(never)
    bench.check(
        "If-Match that never holds although HEAD states that tag: exit code 7, which says so",
        code == 7 and "contradicts" in err and name in err,
        (code, err),
    )


def no_head(bench, case):
    """Doors that know no HEAD, or do not say in it how long the object is."""
    for status in (403, 405, 501) if case.name == "s3" else (405, 501):
        got = case.sync(
            lambda request, found, status=status: (
                [("send", answer(status))] if found and request.method == "HEAD" else None
            )
        )
        bench.equal(f"{case.name}: HTTP {status} to a HEAD: a GET says what the object is", got, (0, "", WANT))

    def without_length(request, found):
        return (
            [("send", case.server.honest(request, found).replace(b"Content-Length", b"X-Length"))]
            if found and request.method == "HEAD"
            else None
        )

    bench.equal(f"{case.name}: a HEAD without a length", case.sync(without_length), (0, "", WANT))


def main():
    with TestRun() as bench:
        for name, make, source in (
            ("s3", FaultServer, "s3://data/set/"),
            ("gs", Gcs, "gs://data/set/"),
            ("az", Azure, "az://account/data/set/"),
        ):
            server = make(bench, OBJECTS)
            case = Case(bench, name, server, source, ("--endpoint", server.endpoint, "--anonymous"))
            framings(case)
            if name != "gs":  # which is asked by GET
                no_head(bench, case)
            if name == "s3":
                packed_on_the_way(case)
                contradictions(bench, case)
        google_unpacks(bench)
        server = FaultServer(bench, OBJECTS)
        listed = "".join(f'<a href="{key[4:]}">{key[4:]}</a>\n' for key in OBJECTS).encode()
        honest = server.honest
        server.honest = lambda request, found: (
            answer(200, [("Content-Type", "text/html")], b"<html><title>Index of /</title>" + listed)
            if request.key == "set/"
            else honest(request, found)
        )
        case = Case(bench, "web", server, server.endpoint + "/data/set/")
        framings(case)
        packed_on_the_way(case)


if __name__ == "__main__":
    main()
