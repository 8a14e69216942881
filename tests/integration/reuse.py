#!/usr/bin/env python3
# ctest: 180
"""A new version repeats a large file under another prefix: what an S3 origin says of it, after one HEAD, spares the fetch
when that tells contents apart, and never otherwise; who may not read it gets nothing."""

import base64
import hashlib
import zlib

from tests.support.crc import crc64nvme
from tests.support.fault_server import FaultServer, Object, error
from tests.support.harness import TestRun, bytes_of, sums

SIZE = 9 << 20


def tag_of_parts(content, part):
    parts = [hashlib.md5(content[at : at + part]).digest() for at in range(0, len(content), part)]
    return f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"


def sha256_of_parts(content, part):
    parts = [hashlib.sha256(content[at : at + part]).digest() for at in range(0, len(content), part)]
    return f"{base64.b64encode(hashlib.sha256(b''.join(parts)).digest()).decode()}-{len(parts)}"


def sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def crc64(content):
    return base64.b64encode(crc64nvme(content).to_bytes(8, "big")).decode()


class Server(FaultServer):
    """`stated`: key -> (name, value) of the checksum that is sent to who asks for checksums."""

    def __init__(self, bench, objects=()):
        self.stated = {}
        super().__init__(bench, dict(objects))

    def put(self, key, content, tag=None, stated=None):
        self.objects[key] = Object(content, tag, checksum=False)
        self.stated[key] = stated

    def honest(self, request, found):
        data = super().honest(request, found)
        stated = self.stated.get(request.key)
        if not stated or not request.headers.get("x-amz-checksum-mode"):
            return data
        return data.replace(b"\r\n", f"\r\nx-amz-checksum-{stated[0]}: {stated[1]}\r\n".encode(), 1)


with TestRun() as bench:
    server = Server(bench)
    content, other = bytes_of(1, SIZE), bytes_of(2, SIZE)

    def sync(store, prefix, env=None):
        """The report, and how many HEADs and GETs the objects below the prefix cost."""
        server.reset()
        access = [] if env else ["--anonymous"]
        done = bench.sync(
            "--endpoint", server.endpoint, *access, "--store", bench.path(store), f"s3://data/{prefix}", env=env
        )
        want = {
            key[len(prefix) :]: hashlib.sha256(found.content).hexdigest()
            for key, found in server.objects.items()
            if key.startswith(prefix)
        }
        bench.check(f"{store}/{prefix}: every byte is what the origin has", sums(done["path"]) == want)
        heads = server.count(
            lambda request: request.method == "HEAD" and "partNumber" not in request.query
        )  # which asks for the size of parts that are fetched
        return done, heads, server.count(lambda request: request.method == "GET" and not request.listing)

    def versions(name, spared, first, second, env=None, then=None):
        """Two versions of one file, each (content, tag, stated): whether the second was not fetched."""
        server.objects.clear()
        server.put("v1/model", *first)
        server.put("v2/model", *second)
        _, heads, _ = sync(name, "v1/", env)
        bench.equal(f"{name}: the first costs one HEAD", heads, 1)
        done, heads, gets = sync(name, "v2/", then or env)
        bench.equal(
            f"{name}: {'reused' if spared else 'fetched'}",
            (done["objects_reused"], done["objects_fetched"]),
            (1, 0) if spared else (0, 1),
        )
        bench.check(
            f"{name}: for one HEAD{' and nothing else' if spared else ''}",
            heads == 1 and (gets == 0) == spared,
            (heads, gets),
        )

    five, eight = 5 << 20, 8 << 20
    parts = tag_of_parts(content, five)
    versions("parts", True, (content, parts), (content, parts))
    versions("other_parts", False, (content, parts), (content, tag_of_parts(content, eight)))
    # An object store that states sums: the parts may be others, and the upload may have been one piece.
    for name, stated in (("crc64nvme", crc64), ("sha256", sha256)):
        versions(
            name,
            True,
            (content, parts, (name, stated(content))),
            (content, hashlib.md5(content).hexdigest(), (name, stated(content))),
        )
    versions(
        "sha256_parts",
        True,
        (content, "a" * 20, ("sha256", sha256_of_parts(content, eight))),
        (content, "b" * 20, ("sha256", sha256_of_parts(content, eight))),
    )
    versions(
        "different",
        False,
        (content, "a" * 20, ("crc64nvme", crc64(content))),
        (other, "b" * 20, ("crc64nvme", crc64(other))),
    )
    # Tags that servers make up of time and size say nothing of another key.
    versions("of_time", False, (content, "65a1b2c3-900000"), (other, "65a1b2c3-900000"))
    crc32 = ("crc32", base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode())
    versions("crc32_is_too_short", False, (content, "a" * 20, crc32), (content, "b" * 20, crc32))
    # A tag of the right form that is not what it looks like: another thing that is stated shows it.
    versions("made_up", False, (content, "0" * 32 + "-2"), (other, "0" * 32 + "-2", ("sha256", sha256(other))))

    # Other credentials: one HEAD has to be allowed, and a CRC, which anybody can forge, does not do.
    mine = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "s"}
    theirs = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "s"}
    versions("others_parts", True, (content, parts), (content, parts), mine, theirs)
    versions(
        "others_sha256",
        True,
        (content, "a" * 20, ("sha256", sha256(content))),
        (content, "b" * 20, ("sha256", sha256(content))),
        mine,
        theirs,
    )
    versions(
        "others_crc",
        False,
        (content, "a" * 20, ("crc64nvme", crc64(content))),
        (content, "b" * 20, ("crc64nvme", crc64(content))),
        mine,
        theirs,
    )
    server.objects.clear()
    server.put("v1/model", content, parts)
    server.put("v2/model", content, parts)
    sync("denied", "v1/", mine)
    server.fault = lambda request, found: (
        [("send", error(403, "AccessDenied"))]
        if found and "theirs" in request.headers.get("authorization", "")
        else None
    )
    code, out, err = bench.zcdp(
        "sync", "-q", "--endpoint", server.endpoint, "--store", bench.path("denied"), "s3://data/v2/", env=theirs
    )
    bench.check("who may list but not read gets nothing of what is here", code == 5 and out == "", (code, err))
    server.fault = None

    # Nothing is asked twice, and nothing is asked of small files.
    server.objects.clear()
    for i in range(40):
        server.put(f"v1/{i}", bytes_of(i, 2000), None)
        server.put(f"v2/{i}", bytes_of(i + (i % 2) * 100, 2000), None)
    _, heads, gets = sync("small", "v1/")
    bench.equal("a fresh sync of small files asks for each once, and for no HEAD", (heads, gets), (0, 40))
    done, heads, gets = sync("small", "v2/")
    bench.equal(
        "of a second version only the same ones are asked about", (heads, gets, done["objects_reused"]), (20, 20, 20)
    )
