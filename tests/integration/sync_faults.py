#!/usr/bin/env python3
# ctest: 900
"""A server that lies, stalls, cuts off and changes its mind: each sync ends right after retries, or in one line that
names the object and the cause; never a wrong byte, never beyond its time, never with much memory."""

import os
import time

from tests.support import certs, hostile_xml
from tests.support.fault_server import FaultServer, Object, answer, error, listing_xml
from tests.support.harness import TestRun, bytes_of, sums, write_tree

MIB = 1 << 20
BIG = 20 * MIB + 777
OBJECTS = {"small.bin": bytes_of(1, 50_000), "mid.bin": bytes_of(2, 3 * MIB), "dir/big.bin": bytes_of(3, BIG)}
LIMIT_S, LIMIT_KIB = 40, 200 * 1024


class Sync:
    """One `zcdp sync` into a fresh store against a server: exit code, stderr, seconds, peak memory, and the tree."""

    def __init__(self, bench, server, *flags, source="s3://data/", env=None):
        self.store = bench.path(f"store-{time.monotonic_ns()}")
        usage = bench.path("usage")
        began = time.monotonic()
        self.code, self.out, self.err = bench.zcdp(
            "sync",
            "-q",
            "--endpoint",
            server.endpoint,
            "--anonymous",
            "--store",
            self.store,
            *flags,
            source,
            timeout=LIMIT_S,
            env=env,
            prefix=(
                "python3",
                "-c",
                "import os,resource,subprocess,sys; c=subprocess.call(sys.argv[2:]); "
                "open(sys.argv[1],'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)); sys.exit(c)",
                str(usage),
            ),
        )
        self.seconds, self.kib = time.monotonic() - began, int(usage.read_text())

    def right(self, bench, what, objects=OBJECTS):
        want = bench.path("want")
        if not want.exists():
            write_tree(want, OBJECTS)
        bench.equal(f"{what}: ends well", (self.code, self.err), (0, ""))
        tree = sums(self.out.strip())
        bench.check(
            f"{what}: every byte is right",
            len(tree) == len(objects) and all(tree.get(k) == sums(want).get(k) for k in objects),
        )
        bench.check(
            f"{what}: in time and memory", self.seconds < LIMIT_S and self.kib < LIMIT_KIB, (self.seconds, self.kib)
        )

    def refused(self, bench, what, code, *words):
        lines = self.err.strip().splitlines()
        bench.equal(f"{what}: exit code", (self.code, self.out), (code, ""))
        bench.check(
            f"{what}: one line that says {' and '.join(words)}",
            len(lines) == 1 and all(word in lines[0] for word in words),
            self.err,
        )
        bench.check(
            f"{what}: in time and memory", self.seconds < LIMIT_S and self.kib < LIMIT_KIB, (self.seconds, self.kib)
        )
        bench.check(
            f"{what}: nothing is ready",
            not os.listdir(self.store / "snapshots") if (self.store / "snapshots").exists() else True,
        )


def first(times, fault, only=lambda request: not request.listing):
    """The fault for the first `times` matching requests, honest service after."""
    left = [times]

    def act(request, found):
        if left[0] > 0 and only(request) and found is not None:
            actions = fault(request, found)
            if actions is not None:
                left[0] -= 1
            return actions
        return None

    return act


def bodies(bench, server):
    """What can be wrong with a body or its header; it heals after a few times."""
    whole = lambda request, found: server.honest(request, found)

    def cut(request, found):
        data = whole(request, found)
        return [("send", data[: len(data) // 2]), ("close",)] if request.method == "GET" else None

    def reset(request, found):
        data = whole(request, found)
        return [("send", data[: max(1, len(data) * 2 // 3)]), ("reset",)] if request.method == "GET" else None

    def longer(request, found):
        return [("send", whole(request, found) + b"MORE"), ("close",)] if request.method == "GET" else None

    def flipped(request, found):
        if request.method != "GET":
            return None
        data = bytearray(whole(request, found))
        data[-1] ^= 1
        return [("send", bytes(data))]

    def wrong_range(request, found):
        if not request.range:
            return None
        return (
            [
                (
                    "send",
                    answer(
                        206,
                        [
                            ("ETag", f'"{found.tag}"'),
                            ("Content-Range", f"bytes 0-{request.range[1] - request.range[0]}/{len(found.content)}"),
                        ],
                        found.content[: request.range[1] - request.range[0] + 1],
                    ),
                )
            ]
            if request.range[0]
            else None
        )

    def whole_for_range(request, found):
        return [("send", answer(200, [("ETag", f'"{found.tag}"')], found.content))] if request.range else None

    def stall(request, found):
        data = whole(request, found)
        return [("send", data[: len(data) // 2]), ("stall", 30)] if request.method == "GET" else None

    for name, fault, times, flags in [
        ("a body that is cut off", cut, 6, []),
        ("a connection reset within the body", reset, 6, []),
        ("a body longer than it said", longer, 6, []),
        ("one flipped byte under a true checksum", flipped, 2, []),
        ("another range than asked for", wrong_range, 3, []),
        ("200 with all of it for a range", whole_for_range, 3, []),
        ("a body that stalls", stall, 2, ["--timeout", "3s"]),
    ]:
        server.fault = first(times, fault)
        Sync(bench, server, *flags).right(bench, name)
    for at in (0, 1, 10, 100, 300):
        server.fault = first(3, lambda request, found, at=at: [("send", whole(request, found)[:at]), ("reset",)])
        Sync(bench, server).right(bench, f"reset after {at} bytes of the answer")

    server.fault = lambda request, found: (
        flipped(request, found) if found is not None and request.key == "small.bin" else None
    )
    Sync(bench, server).refused(bench, "a byte that is always flipped", 1, "small.bin", "CRC32")
    server.fault = lambda request, found: (
        flipped(request, found) if found is not None and request.key == "dir/big.bin" else None
    )
    Sync(bench, server).refused(bench, "a byte of a long object that is always flipped", 1, "dir/big.bin", "CRC32")
    server.fault = lambda request, found: [("stall", 60)] if request.key == "mid.bin" else None
    Sync(bench, server, "--timeout", "1s", "--retries", "1").refused(
        bench, "an object that never answers", 1, "mid.bin", "time"
    )


def statuses(bench, server):
    number = [0]

    def third_503(request, found):
        number[0] += 1
        return [("send", error(503, "SlowDown"))] if number[0] % 10 < 3 else None

    server.fault = third_503
    Sync(bench, server, "--retries", "20").right(bench, "30 % of 503")
    server.fault = lambda request, found: [("send", error(503, "SlowDown"))]
    Sync(bench, server, "--retries", "2").refused(bench, "nothing but 503", 1, "s3://data/", "fewer requests")
    server.fault = first(2, lambda request, found: [("send", error(500, "InternalError"))])
    Sync(bench, server).right(bench, "500 twice")
    server.fault = lambda request, found: (
        [("send", error(403, "AccessDenied"))] if found is not None and request.key == "mid.bin" else None
    )
    Sync(bench, server).refused(bench, "an object that may not be read", 5, "mid.bin", "denied")
    server.fault = first(1, lambda request, found: [("send", error(503, "SlowDown", [("Retry-After", "2")]))])
    done = Sync(bench, server)
    done.right(bench, "Retry-After")
    bench.check("Retry-After: is kept to", done.seconds >= 2, done.seconds)
    for name, headers in (
        ("a redirect to another host", [("Location", "http://127.0.0.1:1/data/mid.bin")]),
        ("a redirect into the metadata service", [("Location", "http://169.254.169.254/latest/")]),
    ):
        server.fault = lambda request, found: [("send", answer(307, headers))] if found is not None else None
        Sync(bench, server).refused(bench, name, 1, "s3://data/", "not followed")


def changes(bench, server):
    """The source changes between the listing and the reading."""

    def tag_flips(request, found):
        if request.method == "GET" and request.range and request.range[0] > 0:
            return [
                (
                    "send",
                    answer(
                        206,
                        [
                            ("ETag", '"another"'),
                            ("Content-Range", f"bytes {request.range[0]}-{request.range[1]}/{BIG}"),
                        ],
                        b"x" * (request.range[1] - request.range[0] + 1),
                    ),
                )
            ]
        return None

    server.fault = tag_flips
    Sync(bench, server).refused(bench, "an ETag that flips between ranges", 7, "dir/big.bin", "ETag")
    server.fault = lambda request, found: (
        [("send", error(404, "NoSuchKey"))] if found is not None and request.key == "mid.bin" else None
    )
    Sync(bench, server).refused(bench, "an object that is listed but not there", 7, "mid.bin")

    old, listings = server.objects["mid.bin"], [0]
    fresh = Object(bytes_of(9, 1000))

    def replaced(request, found):
        if not request.listing and request.key == "mid.bin" and listings[0] == 0:
            listings[0] = 1
            server.objects["mid.bin"] = fresh
            return [("send", server.honest(request, fresh))]
        return None

    server.fault = replaced
    done = Sync(bench, server)
    bench.equal(
        "an object replaced under the sync: a fresh listing makes it right",
        (done.code, len(sums(done.out.strip()))),
        (0, 3),
    )
    bench.equal(
        "an object replaced under the sync: with its new content",
        (os.path.getsize(done.out.strip() + "/mid.bin")),
        1000,
    )
    server.objects["mid.bin"] = old


def listings(bench, server):
    entries = [(key, len(value.content), value.tag) for key, value in sorted(server.objects.items())]

    def says(body, status=200):
        return lambda request, found: [("send", answer(status, [], body))] if request.listing else None

    for name, make in hostile_xml.PAGES.items():
        made = make()
        if not isinstance(made, bytes):
            server.fault = lambda request, found: (
                [("send", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), ("send", make()), ("close",)]
                if request.listing
                else None
            )
        else:
            server.fault = says(made)
        done = Sync(bench, server, "--retries", "1")
        if name in ("no_etag", "unclosed", "html", "no_is_truncated") and done.code == 0:
            continue  # lenient where nothing can go wrong is allowed; what matters follows
        bench.check(
            f"listing {name}: a clear end in time and memory",
            done.code in (1, 3, 4, 7)
            and len(done.err.splitlines()) == 1
            and "s3://data" in done.err
            and done.seconds < LIMIT_S
            and done.kib < LIMIT_KIB,
            (done.code, done.err, done.seconds, done.kib),
        )
    server.fault = says(listing_xml([entries[1], entries[0]]))
    Sync(bench, server).right(bench, "an unordered page", {key: OBJECTS[key] for key, _, _ in entries[:2]})
    server.fault = says(listing_xml(entries, token="again"))
    Sync(bench, server).refused(bench, "a page and a token that come again", 3, "s3://data/")
    tokens = iter(f"t{i // 2}" for i in range(1000))
    keys = iter(range(10**6))
    server.fault = lambda request, found: (
        [("send", answer(200, [], listing_xml([(f"k{next(keys):09}", 1, "t")], token=next(tokens))))]
        if request.listing
        else None
    )
    Sync(bench, server).refused(bench, "a token that repeats with new keys", 3, "s3://data/", "token")
    server.fault = says(listing_xml([("other/key", 1, "t")]))
    Sync(bench, server, source="s3://data/dir/").refused(bench, "a key outside of the prefix", 3, "outside")
    bad = ["../../etc/passwd", "/abs", "a//b", "x/./y", "c\x01", "n\x00l", "\x7f", "x" * 300]
    server.fault = says(listing_xml(sorted([(key, 1, "t") for key in bad], key=lambda e: e[0].encode())))
    Sync(bench, server).refused(bench, "keys that are no paths", 3, "7 more")
    good = [(key, len(value.content), value.tag) for key, value in server.objects.items()]
    server.fault = says(listing_xml(sorted([*good, *[(key, 1, "t") for key in bad]], key=lambda e: e[0].encode())))
    Sync(bench, server, "--bad-keys", "skip").right(bench, "the same with --bad-keys skip")


def clocks_and_tls(bench):
    import datetime
    import email.utils

    server = FaultServer(bench, OBJECTS)

    def skewed(request, found):
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=20)
        signed = datetime.datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc
        )
        if abs((signed - now).total_seconds()) > 900:
            return [
                ("send", error(403, "RequestTimeTooSkewed", [("Date", email.utils.format_datetime(now, usegmt=True))]))
            ]
        return None

    server.fault = skewed
    store = bench.path("store-skew")
    code, out, err = bench.zcdp(
        "sync",
        "-q",
        "--endpoint",
        server.endpoint,
        "--store",
        store,
        "s3://data/",
        env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"},
    )
    bench.check(
        "a clock 20 minutes off is corrected once from the server's Date",
        code == 0 and len(sums(out.strip())) == 3,
        err,
    )
    bench.equal(
        "and only one request was refused for it",
        server.count(lambda r: True) - server.count(lambda r: "authorization" not in r.headers),
        server.count(),
    )

    folder = bench.path("ca")
    ca = certs.make_ca(folder)
    for name, names, words in (
        ("right", ["IP:127.0.0.1"], None),
        ("wrong-host", ["DNS:elsewhere.example"], "certificate"),
    ):
        secure = FaultServer(bench, OBJECTS, tls=certs.make_server(folder, name, names))
        done = Sync(bench, secure, "--ca-bundle", ca, "--retries", "1")
        if words is None:
            done.right(bench, "TLS with a private CA")
        else:
            done.refused(bench, "TLS with a certificate for another host", 1, words)
    secure = FaultServer(bench, OBJECTS, tls=certs.make_server(folder, "unknown", ["IP:127.0.0.1"]))
    Sync(bench, secure, "--retries", "1").refused(bench, "TLS with an unknown CA", 1, "certificate")
    expired = FaultServer(
        bench, OBJECTS, tls=certs.make_server(folder, "expired", ["IP:127.0.0.1"], end="20210101000000Z")
    )
    Sync(bench, expired, "--ca-bundle", ca, "--retries", "1").refused(
        bench, "TLS with an expired certificate", 1, "certificate"
    )


with TestRun() as bench:
    server = FaultServer(bench, OBJECTS)
    Sync(bench, server).right(bench, "no fault")
    bodies(bench, server)
    statuses(bench, server)
    changes(bench, server)
    listings(bench, server)
    clocks_and_tls(bench)
