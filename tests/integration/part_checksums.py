#!/usr/bin/env python3
# ctest: 300
"""Checksums that an origin states of the parts of an upload, or of the whole of a long object: what is damaged is an error that names
the object, what is whole arrives, and learning the size of the parts costs one request an object."""

import base64
import hashlib
import struct
import zlib

from tests.support.crc import crc32c
from tests.support.fault_server import FaultServer, Object, answer
from tests.support.harness import TestRun, bytes_of, sums

MIB = 1 << 20
TRUE = bytes_of(1, 20 * MIB + 4321)
DAMAGED = TRUE[: 13 * MIB] + bytes([TRUE[13 * MIB] ^ 4]) + TRUE[13 * MIB + 1 :]
ONE = {
    "crc32": lambda b: struct.pack(">I", zlib.crc32(b)),
    "crc32c": lambda b: struct.pack(">I", crc32c(b)),
    "sha256": lambda b: hashlib.sha256(b).digest(),
    "sha1": lambda b: hashlib.sha1(b).digest(),
}


def cut(sizes):
    """The parts of TRUE; sizes: one for all, or of each."""
    sizes = [sizes] * (-(-len(TRUE) // sizes)) if isinstance(sizes, int) else sizes
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [TRUE[end - size : end] for size, end in zip(sizes, ends)]


class Parts(FaultServer):
    """States `kind` of the true object, as parts of `sizes` or, where there are none, of all of it."""

    knows_parts = True

    def state(self, kind, sizes=None):
        parts = cut(sizes) if sizes else []
        raws = [ONE[kind](part) for part in parts]
        self.stated_kind, self.parts, self.raws = kind, parts, raws
        self.whole = base64.b64encode(ONE[kind](b"".join(raws)) if parts else ONE[kind](TRUE)).decode() + (
            f"-{len(parts)}" if parts else ""
        )
        self.fault = self.tell
        self.reset()

    def tell(self, request, found):
        if found is None or request.method != "HEAD":
            return None
        head = [("ETag", f'"{found.tag}"'), ("x-amz-checksum-type", "COMPOSITE" if self.parts else "FULL_OBJECT")]
        number = request.query.get("partNumber")
        if number and self.knows_parts:
            part, raw = self.parts[int(number) - 1], self.raws[int(number) - 1]
            head += [
                ("x-amz-mp-parts-count", str(len(self.parts))),
                (f"x-amz-checksum-{self.stated_kind}", base64.b64encode(raw).decode()),
            ]
            return [("send", answer(206, head).replace(b"Content-Length: 0", b"Content-Length: %d" % len(part)))]
        head.append((f"x-amz-checksum-{self.stated_kind}", self.whole))
        return [("send", answer(200, head).replace(b"Content-Length: 0", b"Content-Length: %d" % len(found.content)))]

    def asked_for_parts(self):
        return self.count(lambda r: "partNumber" in r.query)


def main():
    with TestRun() as bench:
        server = Parts(bench, {"set/model.bin": Object(TRUE, checksum=False)})
        number = [0]

        def sync(*flags):
            number[0] += 1
            dest = bench.path(f"dest-{number[0]}")
            code, _, err = bench.zcdp(
                "sync",
                "-q",
                "--endpoint",
                server.endpoint,
                "--anonymous",
                "--retries",
                "1",
                "--no-store",
                *flags,
                "s3://data/set/",
                dest,
            )
            return code, err, sums(dest) if dest.exists() else {}

        def both(what, asked, *flags, is_seen=True):
            server.objects["set/model.bin"] = Object(TRUE, checksum=False)
            server.reset()
            bench.equal(
                f"{what}: the whole object arrives",
                sync(*flags),
                (0, "", {"model.bin": hashlib.sha256(TRUE).hexdigest()}),
            )
            bench.equal(f"{what}: {asked} requests for parts", server.asked_for_parts(), asked)
            server.objects["set/model.bin"] = Object(DAMAGED, checksum=False)
            code, err, have = sync(*flags)
            if is_seen:
                bench.check(
                    f"{what}: a damaged one is an error that names it and both sums",
                    code == 1 and "model.bin" in err and "the origin states" in err and not have,
                    (code, err),
                )
            else:
                bench.check(f"{what}: what nobody can compare is not compared", code == 0, (code, err))

        for kind in ("crc32", "crc32c"):
            for sizes in (5 * MIB, 8 * MIB, 16 * MIB, 5 * MIB + 1):
                server.state(kind, sizes)
                both(f"{kind} of parts of {sizes} bytes", 1)
        server.state("crc32", [5 * MIB, 9 * MIB, 6 * MIB + 4321])
        both("crc32 of parts that differ", 1 + 3)
        server.state("crc32", [len(TRUE)])
        both("crc32 of a single part", 0)
        server.state("sha256", 8 * MIB)
        both("sha256 of parts that are chunks", 1)
        server.state("sha256", 5 * MIB)
        both("sha256 of other parts", 0, is_seen=False)
        both("sha256 of other parts, --verify-parts", 1, "--verify-parts")
        server.state("sha1", 5 * MIB)
        both("sha1 of parts, --verify-parts", 1, "--verify-parts")
        server.state("sha256", [6 * MIB, 6 * MIB, 5 * MIB, 3 * MIB + 4321])
        both("sha256 of parts that differ, --verify-parts", 1 + 4, "--verify-parts")
        server.state("sha256")
        both("sha256 of the whole, which is read back", 0)
        server.state("crc32")
        both("crc32 of the whole", 0)
        server.knows_parts = False
        server.state("crc32", 5 * MIB)
        both("a service that does not tell the size of parts", 1, is_seen=False)


if __name__ == "__main__":
    main()
