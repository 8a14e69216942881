#!/usr/bin/env python3
# ctest: 120
"""Names of objects that no file may have are refused one by one, for S3, Google and Azure alike: exit code 3, one line without their
control bytes, nothing asked for, nothing written. Odd names that a file may have arrive byte for byte, each asked for by its own
name: backslashes, trailing dots, what looks encoded, both Unicode forms of one word."""
import hashlib
import json
import urllib.parse

from tests.support.fault_server import FaultServer, Object, answer, error
from tests.support.harness import Bench, sums

BAD = {"a carriage return": "cr\rx", "a line feed": "lf\nx", "a header": "x\r\nX-Injected: yes", "a tab": "tab\tx", "NUL": "nul\0x", "DEL": "del\x7fx",
       "an escape": "\x1b[31mred", "a parent": "../up", "a parent within": "a1/../b1", "a parent at the end": "a2/..", "a dot": ".", "a dot within": "a3/./b3", "no name at all between": "a4//b4",
       "a root": "/etc/passwd", "256 bytes": "n" * 256}
GOOD = ["back\\slash", "..\\..\\up", "C:\\con", "dot.", "dots...", "...", "folder./x.", "folder../x", " space ", "trailing ", "caf\u00e9", "cafe\u0301", "\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m", "fi", "\ufb01",
        "\u202egnp.exe", "\U0001f600", "\u0085next", "%2e%2e%2fup", "%2E", "a%0d%0ab", "%", "%00", "+", "a+b c", "q?x=1#f", "a;b=c&d", "quote'\"`", "<b>&amp;", "]]>", "~root", "$(id)", "-rf", "*", "a:b", "n" * 255]


class Store(FaultServer):
    """Answers in the words of its kind, and remembers what was asked for that is not there."""

    def __init__(self, bench, kind, names):
        self.kind, self.unknown = kind, []
        super().__init__(bench, {name: Object(name.encode(), tag=hashlib.md5(name.encode()).hexdigest()) for name in names})

    def honest(self, request, found):
        assert "x-injected" not in request.headers
        if self.kind == "s3":
            self.note(request.key, request.listing)
            return super().honest(request, found)
        path, _, _ = request.target.partition("?")
        root = "/storage/v1/b/data/o" if self.kind == "gs" else "/account/data"
        if path == root:
            return self.listing_of(request)
        key = urllib.parse.unquote(path.removeprefix(root + "/"), errors="surrogateescape")
        self.note(key, False)
        found = self.objects.get(key)
        if found is None:
            return error(404, "BlobNotFound")
        return answer(200, [("x-goog-generation", self.generation(key)), ("ETag", f'"{found.tag}"')], found.content)

    def note(self, key, listing):
        if not listing and key not in self.objects:
            self.unknown.append(key)

    @staticmethod
    def generation(key):
        return str(int(hashlib.md5(key.encode()).hexdigest()[:12], 16))

    def listing_of(self, request):
        names = sorted(self.objects, key=str.encode)
        if self.kind == "gs":
            items = [{"name": n, "size": str(len(n.encode())), "generation": self.generation(n)} for n in names if n.encode() >= request.query.get("startOffset", "").encode()]
            return answer(200, [("Content-Type", "application/json")], json.dumps({"items": items}).encode())
        blobs = "".join(f'<Blob><Name Encoded="true">{urllib.parse.quote(n)}</Name><Properties><Etag>{self.objects[n].tag}</Etag><Content-Length>{len(n.encode())}</Content-Length>'
                        "</Properties></Blob>" for n in names)
        return answer(200, [("Content-Type", "application/xml")],
                      f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="data"><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'.encode())


def run(bench, kind, names, folder, *flags):
    store = Store(bench, kind, names)
    source = "az://account/data/" if kind == "az" else f"{kind}://data/"
    code, out, err = bench.zcdp("sync", "-q", "--anonymous", "--no-store", "--endpoint", store.endpoint, *flags, source, bench.path(folder), timeout=60)
    bench.equal(f"{kind}: nothing was asked for by another name", store.unknown, [])
    return store, code, err


with Bench() as bench:
    want = {name: hashlib.sha256(name.encode()).hexdigest() for name in GOOD}
    for kind in ("s3", "gs", "az"):
        for what, name in BAD.items():
            folder = f"{kind}-refused"
            store, code, err = run(bench, kind, ["fine", name], folder)
            bench.check(f"{kind}: a name with {what} is refused in one line", code == 3 and err.count("\n") == 1 and err.rstrip("\n").isprintable(), (code, err))
            bench.check(f"{kind}: and nothing is there", not bench.path(folder).exists() or not sums(bench.path(folder)), list(bench.path(folder).glob("*")))
            bench.equal(f"{kind}: nor was asked for", store.count(lambda request: name in urllib.parse.unquote(request.target)) if len(name) > 2 else 0, 0)
        store, code, err = run(bench, kind, [*GOOD, *BAD.values()], f"{kind}-all", "--bad-keys", "skip")
        bench.check(f"{kind}: the rest is taken with --bad-keys skip", code == 0, (code, err))
        bench.equal(f"{kind}: by its names, byte for byte", sums(bench.path(f"{kind}-all")), want)
