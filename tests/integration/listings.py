#!/usr/bin/env python3
# ctest: 900
"""What object stores and gateways write in their listings: pages of nothing, orders of their own, no tags, half of the protocol. Either
every byte is right, or one line says what is wrong; nothing is lost, and nothing taken twice."""

import hashlib
import itertools
import json

from tests.support.dialects import Azure, Gcs
from tests.support.fault_server import FaultServer, Object, answer, error, listing_xml
from tests.support.harness import TestRun, bytes_of, sums, write_tree
from tests.support.oss_server import REGION, Oss

OBJECTS = {"set/a.txt": b"a", "set/b/c.bin": bytes_of(1, 3000), "set/b/d": b"", "set/e/f/g": b"g", "set/z.txt": b"z"}


def digest(content):
    return hashlib.sha256(content).hexdigest()


def tree_of(objects, prefix="set/"):
    return {
        key[len(prefix) :]: digest(content)
        for key, content in objects.items()
        if key.startswith(prefix) and not key.endswith("/")
    }


def page_xml(keys, token=None, prefixes=(), entry=lambda key: "", more=""):
    found = "".join(f"<Contents><Key>{key}</Key>{entry(key)}</Contents>" for key in keys)
    body = f"<ListBucketResult>{more}<IsTruncated>{'true' if token else 'false'}</IsTruncated>" + (
        f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    )
    return answer(
        200,
        [("Content-Type", "application/xml")],
        (
            body
            + found
            + "".join(f"<CommonPrefixes><Prefix>{p}</Prefix></CommonPrefixes>" for p in prefixes)
            + "</ListBucketResult>"
        ).encode(),
    )


class Case:
    def __init__(self, bench, server, env=None, flags=()):
        self.bench, self.server, self.env = bench, server, env or {}
        self.flags = ["--endpoint", server.endpoint, "--retries", "2", *([] if env else ["--anonymous"]), *flags]
        self.source = (server.source() if callable(server.source) else server.source) + "set/"
        self.numbers = itertools.count()

    def sync(self, *flags, source=None, store=None):
        store = self.bench.path(store or f"{self.server.port}-{next(self.numbers)}")
        return self.bench.zcdp(
            "sync", "--json", *self.flags, "--store", store, *flags, source or self.source, env=self.env, timeout=100
        )

    def right(self, what, *flags, want=None, **more):
        code, out, err = self.sync(*flags, **more)
        done = json.loads(out) if code == 0 else {}
        have = sums(done["path"]) if done else None
        want = tree_of(OBJECTS) if want is None else want
        self.bench.check(
            f"{self.server.scheme}: {what}",
            have == want,
            err
            or {k: (v, want.get(k)) for k, v in (have.items() if have else ()) if want.get(k) != v}
            or sorted(set(want) - set(have or ())),
        )
        return done

    def refused(self, what, wanted, *words, flags=(), without=(), **more):
        code, out, err = self.sync("-q", *flags, **more)
        self.bench.check(
            f"{self.server.scheme}: {what}: exit code {wanted}, one line with {' and '.join(words)}",
            code == wanted
            and err.count("\n") == 1
            and all(word in err for word in words)
            and not any(word in err for word in without),
            (code, err),
        )


def pages_of_nothing(bench):
    """Before each page with something in it, and at the end, one without."""

    class S3(FaultServer):
        def list(self, request):
            if "delimiter" in request.query:
                return super().list(request)
            token = request.query.get("continuation-token", "")
            keys = [
                key
                for key in sorted(self.objects)
                if key.startswith(request.query["prefix"]) and key > request.query.get("start-after", "")
            ]
            at = int(token[1:] or 0) if token else 0
            entries = (
                []
                if not token.startswith("k")
                else [(key, len(self.objects[key].content), self.objects[key].tag) for key in keys[at : at + self.page]]
            )
            after = f"k{at}" if not token.startswith("k") else f"e{at + self.page}" if at < len(keys) else None
            body = listing_xml(entries, after).replace(b"<IsTruncated>", b"<KeyCount>0</KeyCount><IsTruncated>")
            return answer(200, [("Content-Type", "application/xml")], body)

    def in_two(self, request, token):
        """The same in the words of the others: even pages are empty."""
        at = int(request.query.get(token, "0"))
        request.query[token] = str(at // 2 * self.page)
        keys, rest = type(self).__mro__[1].page_of(self, request, token)
        return ([], str(at + 1)) if at % 2 == 0 else (keys, str(at + 1) if rest else "")

    class SparseGcs(Gcs):
        page_of = in_two

        def honest(self, request, found):
            return (
                answer(200, [("Content-Type", "application/json")], b'{"prefixes":["set/b/"],"nextPageToken":"1"}')
                if request.listing and request.query.get("delimiter")
                else super().honest(request, found)
            )

    class SparseAzure(Azure):
        page_of = in_two

    class SparseOss(Oss, S3):
        pass

    for kind, env in (
        (S3, None),
        (SparseGcs, None),
        (SparseAzure, None),
        (SparseOss, {**Oss.env, "OSS_REGION": REGION}),
    ):
        case = Case(bench, kind(bench, OBJECTS, page=2), env)
        case.right("an empty first page, empty ones between, and one at the end")
        case.right("the same, where the source may be an object", source=case.source[:-1])

    endless = {
        "s3": lambda n: listing_xml([], f"t{n}"),
        "gs": lambda n: b'{"nextPageToken":"%d"}' % n,
        "az": lambda n: b"<EnumerationResults><Blobs/><NextMarker>%d</NextMarker></EnumerationResults>" % n,
    }
    for case in (Case(bench, kind(bench, OBJECTS)) for kind in (FaultServer, Gcs, Azure)):
        numbers = itertools.count()
        case.server.fault = lambda request, found, numbers=numbers, case=case: (
            [("send", answer(200, [], endless[case.server.scheme](next(numbers))))] if request.listing else None
        )
        case.refused("pages of nothing for ever", 3, "does not end")
    case = Case(bench, FaultServer(bench, OBJECTS))
    case.server.fault = lambda request, found: (
        [("send", answer(200, [], listing_xml([], "always")))] if request.listing else None
    )
    case.refused("the same token for ever", 3, "repeats a continuation token")


class Ordered(FaultServer):
    """Lists by `order`, `page` keys a page; `after`: how start-after is understood: by that order, by bytes, or not at all."""

    order, after, flat = staticmethod(str.encode), "order", False

    def list(self, request):
        query, cmp = request.query, self.order
        prefix, delimiter, start = (
            query.get("prefix", ""),
            "" if self.flat else query.get("delimiter", ""),
            query.get("start-after", ""),
        )
        items = {}
        for key in self.objects:
            if key.startswith(prefix):
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                items[key if cut < 0 else key[: cut + 1]] = cut >= 0
        names = sorted(items, key=cmp)
        token = query.get("continuation-token")
        if token:
            names = names[int(token) :]
        began = int(token or 0)
        if start and self.after == "order":
            left = [name for name in names if cmp(name) > cmp(start)]
        elif start and self.after == "bytes":
            left = [name for name in names if name.encode() > start.encode()]
        else:
            left = names
        page = left[: 1000 if delimiter else self.page]
        more = str(began + names.index(page[-1]) + 1) if len(left) > len(page) else None
        entries = [(name, len(self.objects[name].content), self.objects[name].tag) for name in page if not items[name]]
        return answer(
            200,
            [("Content-Type", "application/xml")],
            listing_xml(entries, more, [name for name in page if items[name]]),
        )


ORDERS = {
    "by their bytes": str.encode,
    "folder by folder": lambda key: key.split("/"),
    "without case": lambda key: (key.lower(), key),
    "backwards": lambda key: [-ord(c) for c in key] + [1],
    "by nothing": lambda key: hashlib.md5(key.encode()).digest(),
}
MIXED = {
    f"set/{key}": key.encode()
    for key in [
        "lib/a.h",
        "lib/b.h",
        "lib.conda",
        "lib-2/d.h",
        "lib-2/e/f",
        "aa/1",
        "aa/2",
        "aa/3",
        "A/1",
        "B/1",
        "b/1",
        "C/1",
        "C.x",
        "c/1",
        "D-x",
        "d/1",
        "Lib/0",
        "X/1",
        "x/2",
        "X/3",
        "zz/1",
        "zz.txt",
        "zz"[:1] + "-",
    ]
    + [f"run/{i}" for i in range(12)]
    + [f"Run/{i}/x" for i in range(4)]
}


def orders(bench):
    server = Ordered(bench, MIXED)
    case, want = Case(bench, server), tree_of(MIXED)
    write_tree(bench.path("mixed"), {key[4:]: content for key, content in MIXED.items()})
    snapshot = bench.sync("--store", bench.path("local"), bench.path("mixed"))["snapshot"]
    for (name, order), after, page, flat in itertools.product(
        ORDERS.items(), ("order", "bytes", "ignored"), (2, 5, 1000), (False, True)
    ):
        if flat and after == "bytes" or page == 1000 and after != "order":
            continue
        server.order, server.after, server.page, server.flat = order, after, page, flat
        server.reset()
        done = case.right(
            f"keys that come {name}, start-after {after}, {page} a page{', no delimiter' if flat else ''}", want=want
        )
        bench.equal("and its snapshot is that of the local tree", done["snapshot"], snapshot)
        if name == "by their bytes" and after == "order" and not flat and page < 1000:
            first = server.count(
                lambda r: r.listing and not {"delimiter", "start-after", "continuation-token"} & r.query.keys()
            )
            parts = server.count(lambda r: "start-after" in r.query)
            bench.check("in order it is listed in parts, and once", first == 1 and parts == 7, (first, parts))
    server.order, server.after, server.page, server.flat = ORDERS["folder by folder"], "order", 5, False
    code, out, err = bench.zcdp("verify", *case.flags, bench.path("mixed"), "--against", case.source)
    bench.check("verify against it: equal", (code, out) == (0, ""), (code, out, err))

    # Ordered for hundreds of pages, and then not.
    many = {f"set/{i // 50:03}/{i:05}": b"%d" % i for i in range(3000)}
    late = Case(bench, Ordered(bench, many, page=5))
    late.server.order = lambda key: (
        (key >= "set/058", key == "set/059/02999", key) if key != "set/001/00050" else (True, True, "")
    )
    late.right("out of order at page 590", want=tree_of(many))

    lost = Case(bench, FaultServer(bench, OBJECTS, page=2))
    dropped = lambda request, found: (
        [("send", lost.server.honest(request, found).replace(b"set/b/c.bin", b"set/b/C.bin"))]
        if request.listing and "start-after" in request.query
        else None
    )
    lost.server.fault = dropped
    lost.right("a part that begins with another key than the one before it ended at: listed again page by page")
    lost.server.fault = lambda request, found: (
        [("send", error(400, "InvalidArgument"))]
        if request.listing and ({"start-after", "delimiter"} & request.query.keys())
        else None
    )
    lost.right("start-after and delimiter are refused: page by page")


def keys_twice(bench):
    case = Case(bench, FaultServer(bench, {"set/a": b"1", "set/b": b"22", "set/c": b"333"}))
    objects = case.server.objects
    entry = lambda key, tag=None: (f"set/{key}", len(objects[f"set/{key}"].content), tag or objects[f"set/{key}"].tag)
    want = tree_of({key: found.content for key, found in objects.items()})
    pages = {"": ([entry("a"), entry("b")], "1"), "1": ([entry("b"), entry("c")], None)}
    case.server.fault = lambda request, found: (
        [("send", answer(200, [], listing_xml(*pages[request.query.get("continuation-token", "")])))]
        if request.listing and not request.query.keys() & {"start-after", "delimiter"}
        else ([("send", error(501, "NotImplemented"))] if request.listing else None)
    )
    case.right("pages that overlap: a key that comes twice is one", want=want)
    pages["1"] = ([entry("b", "another"), entry("c")], None)
    case.refused("a key that comes twice with two tags", 3, "key b", "appears twice")


def archive(bench):
    objects = {**OBJECTS, "set/old.tar": bytes_of(5, 5000)}
    say = lambda request, found: (
        [
            (
                "send",
                error(403, "InvalidObjectState", message="The operation is not valid for the object's storage class"),
            )
        ]
        if request.key == "set/old.tar" and request.method == "GET"
        else ([("send", answer(403))] if request.key == "set/old.tar" else None)
    )
    for kind, env in ((FaultServer, None), (Oss, {**Oss.env, "OSS_REGION": REGION})):
        case = Case(bench, kind(bench, objects), env)
        case.server.fault = say
        case.refused(
            "an archived object", 3, "set/old.tar", "is archived", "restore it first", without=("credentials",)
        )
        case.refused("alone", 3, "set/old.tar", "is archived", source=case.source + "old.tar")
        case.right("left out, the rest arrives", "--exclude", "old.tar")
        case.server.fault = None
        case.right("restored, it is read like any other", want=tree_of(objects))


def refusals_in_a_success(bench):
    def first(times, body, kind="application/xml"):
        left = [times]

        def act(request, found):
            left[0] -= request.listing
            return [("send", answer(200, [("Content-Type", kind)], body))] if request.listing and left[0] >= 0 else None

        return act

    xml = lambda code: (
        f"\n<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>".encode()
    )
    google = lambda code, reason: json.dumps(
        {"error": {"code": code, "message": "as the test wants it", "errors": [{"reason": reason}]}}
    ).encode()
    for kind, env, busy, away, denied in (
        (FaultServer, None, xml("SlowDown"), xml("InternalError"), xml("AccessDenied")),
        (Oss, {**Oss.env, "OSS_REGION": REGION}, xml("SlowDown"), xml("InternalError"), xml("AccessDenied")),
        (Azure, None, xml("ServerBusy"), xml("OperationTimedOut"), xml("AuthorizationFailure")),
        (Gcs, None, google(429, "rateLimitExceeded"), google(503, "backendError"), google(403, "forbidden")),
    ):
        case = Case(bench, kind(bench, OBJECTS, page=2), env)
        for what, body in (("busy", busy), ("away", away)):
            case.server.fault = first(2, body)
            case.right(f"{what}, twice, as HTTP 200")
            case.server.fault = first(10_000, body)
            case.refused(f"{what} for ever as HTTP 200", 1, "HTTP 200", "as the test wants it")
        case.server.fault = first(10_000, denied)
        case.refused("denied as HTTP 200", 5, "access is denied", "HTTP 200")
    case = Case(bench, FaultServer(bench, OBJECTS))
    case.server.fault = first(1, xml("SlowDown").replace(b"<Error>", b" " * 70_000 + b"<Error>"))
    case.right("after 70,000 spaces that keep the connection awake")
    case.server.fault = first(1, b"<html><Error/></html>")
    case.refused("a page of HTML", 3, "no ListBucketResult")


def extras(bench):
    """What is asked for as an extra is left out where it is refused."""
    for status, code in ((501, "NotImplemented"), (400, "InvalidArgument")):
        case = Case(bench, FaultServer(bench, {**OBJECTS, "set/long": bytes_of(9, 9 << 20)}))
        want = tree_of({key: found.content for key, found in case.server.objects.items()})
        refuse = lambda request, found, status=status, code=code: (
            [("send", error(status, code, message="Header 'x-amz-checksum-mode' with value 'ENABLED' not implemented"))]
            if "x-amz-checksum-mode" in request.headers
            else None
        )
        case.server.fault = refuse
        case.right(f"x-amz-checksum-mode is refused with {status}", "--connections", "1", want=want)
        bench.check(
            "and is not sent for ever",
            case.server.count(lambda r: "x-amz-checksum-mode" in r.headers) <= 3,
            case.server.count(lambda r: "x-amz-checksum-mode" in r.headers),
        )
        case.server.fault = lambda request, found, status=status, code=code: (
            [("send", error(status, code))] if "encoding-type" in request.query else None
        )
        case.right(f"encoding-type is refused with {status}", want=want)
    case = Case(bench, FaultServer(bench, OBJECTS), flags=["--request-payer"])
    case.server.fault = lambda request, found: (
        [("send", error(501, "NotImplemented"))] if "x-amz-request-payer" in request.headers else None
    )
    case.refused("who pays is no extra", 1, "NotImplemented")


class Old(FaultServer):
    """Knows ListObjects alone: passes over list-type, or refuses it."""

    refuses = None

    def list(self, request):
        query = request.query
        if self.refuses and "list-type" in query:
            return error(*self.refuses)
        keys = [
            key
            for key in sorted(self.objects)
            if key.startswith(query.get("prefix", "")) and key > query.get("marker", "")
        ]
        page = keys[: self.page]
        more = len(keys) > len(page)
        entry = lambda key: (
            f"<LastModified>2024-01-02T03:04:05.000Z</LastModified><ETag>&quot;{self.objects[key].tag}&quot;</ETag><Size>{len(self.objects[key].content)}</Size>"
        )
        return (
            page_xml(page, entry=entry, more=f"<Marker>{query.get('marker', '')}</Marker>")
            .replace(b"<IsTruncated>false", b"<IsTruncated>true" if more else b"<IsTruncated>false")
            .replace(b"\r\nContent-Type", b"\r\nX: y\r\nContent-Type")
        )

    def understand(self, request):
        request.listing = not request.key


def old_listings(bench):
    def fixed(data):
        head, _, body = data.partition(b"\r\n\r\n")
        return answer(200, [], body)

    server = Old(bench, OBJECTS, page=2)
    listed, server.list = (
        server.list,
        lambda request: (
            fixed(listed(request)) if not (server.refuses and "list-type" in request.query) else listed(request)
        ),
    )
    case = Case(bench, server)
    case.right("a service that answers ListObjects whatever it is asked")
    for server.refuses in ((501, "NotImplemented"), (400, "InvalidArgument")):
        case.right(f"a service that refuses ListObjectsV2 with {server.refuses[0]}")


class Gateway(FaultServer):
    """Its listing as `entry` writes an object; its objects without ETags unless `tags`."""

    tags = False
    modified = "Tue, 02 Jan 2024 03:04:05 GMT"
    listed = "2024-01-02T03:04:05.250Z"
    encoding, write = "", staticmethod(lambda key: key)

    def list(self, request):
        keys = [key for key in sorted(self.objects, key=str.encode) if key.startswith(request.query.get("prefix", ""))]
        return page_xml(
            [self.write(key) for key in keys],
            entry=lambda key: (
                f"<LastModified>{self.listed}</LastModified><ETag></ETag><Size>{len(self.objects[self.names[key]].content)}</Size>"
            ),
            more=f"<EncodingType>{self.encoding}</EncodingType>",
        )

    @property
    def names(self):
        return {self.write(key): key for key in self.objects}

    def honest(self, request, found):
        since = request.headers.get("if-unmodified-since")
        if found and since and since < self.modified:  # the same day of the week and month in this test
            return error(412, "PreconditionFailed")
        data = super().honest(request, found)
        if found and not self.tags:
            data = data.replace(b"\r\nETag: ", b"\r\nX-Was: ", 1)
        return data.replace(b"\r\n", f"\r\nLast-Modified: {self.modified}\r\n".encode(), 1) if found else data


def no_tags(bench):
    objects = {**OBJECTS, "set/long": bytes_of(9, 9 << 20), "set/b/": b""}
    for tags in (False, True):
        case = Case(bench, Gateway(bench, objects))
        case.server.tags = tags
        want, store = tree_of(objects), f"untagged-{tags}"
        case.right("a listing without tags", want=want, store=store)
        bench.check(
            "every range says since when it must not be modified",
            case.server.count(lambda r: r.method == "GET" and r.key and "if-unmodified-since" not in r.headers) == 0
            and case.server.count(lambda r: "if-match" in r.headers) == 0,
        )
        case.server.reset()
        done = case.right("a second time", want=want, store=store)
        bench.equal(
            "nothing is fetched",
            (done["bytes_fetched"], case.server.count(lambda r: r.key and r.method == "GET")),
            (0, 0),
        )
        folder = bench.path(f"against-{tags}")
        write_tree(folder, {key[4:]: content for key, content in objects.items() if not key.endswith("/")})
        code, out, err = bench.zcdp("verify", *case.flags, folder, "--against", case.source)
        bench.check("verify against it: equal", (code, out) == (0, ""), (code, out, err))
        code, out, err = bench.zcdp("sync", "--json", *case.flags, "--store", bench.path(store), case.source + "a.txt")
        bench.check("one object alone", code == 0 and sums(json.loads(out)["path"]) == {"a.txt": digest(b"a")}, err)
        # A time is no name of a content: an object of the same size and time under another key is another.
        case.server.objects["set/b/x"] = Object(bytes_of(77, 3000))
        case.right(
            "an object of the size and time of another is fetched",
            want={**want, "b/x": digest(bytes_of(77, 3000))},
            store=store,
        )
        case.server.modified = "Tue, 02 Jan 2024 03:04:09 GMT"
        case.refused("objects that are newer than they were listed", 7, "changed")


def spellings(bench):
    """How gateways write keys."""
    keys = ["a b+c=d,e", "plus+plus", "p%41q", "ü/ö", "x&amp;y".replace("&amp;", "&")]
    objects = {f"set/{key}": key.encode() for key in keys}
    from urllib.parse import quote, quote_plus
    from xml.sax.saxutils import escape

    for what, encoding, write in (
        ("not encoded", "", escape),
        ("not encoded, though it says so", "url", escape),
        ("as AWS does", "url", lambda key: quote_plus(key, safe="/")),
        ("every byte but letters", "url", quote),
        ("with '+' as itself", "url", lambda key: escape(quote(key, safe="/+=,&"))),
        ("encoded slashes", "URL", lambda key: quote(key, safe="")),
    ):
        case = Case(bench, Gateway(bench, objects))
        case.server.encoding, case.server.write, case.server.tags = encoding, write, True
        case.right(f"keys that are written {what}", want=tree_of(objects))


def placeholders(bench):
    objects = {
        "set/7": b"",
        "set/7-x": b"x",
        "set/7/501/810.jpg": b"picture",
        "set/7/501": b"",
        "set/8": b"full",
        "set/8/y": b"lost",
        "set/9/": b"",
        "set/9": b"",
    }
    case = Case(bench, FaultServer(bench, objects, page=3))
    case.refused("a file and a folder of one name", 3, "lies below another key")
    done = case.right(
        "skipped: the placeholder goes, a file with content stays",
        "--bad-keys",
        "skip",
        want={"7-x": digest(b"x"), "7/501/810.jpg": digest(b"picture"), "8": digest(b"full")},
    )
    bench.equal("and each is counted", done["skipped"], 4)
    done = bench.sync(*case.flags, "--bad-keys", "skip", "--no-store", case.source, bench.path("placed"))
    bench.equal("nor is it in a directory", sorted(sums(done["path"])), ["7-x", "7/501/810.jpg", "8"])


def globs(bench):
    for kind, env in ((FaultServer, None), (Gcs, None)):
        case = Case(bench, kind(bench, OBJECTS), env)
        for glob, words in (
            ("*.txt", "--include '*.txt'"),
            ("b/[a-d]*", "--include '[a-d]*'"),
            ("?/c.bin", "--include '?/c.bin'"),
        ):
            case.refused(f"a glob, {glob}", 4, "there is no object below this prefix", words, source=case.source + glob)
        case.refused("no glob", 4, "look for a typing error", source=case.source + "nothing", without=("--include",))
    case = Case(bench, FaultServer(bench, {"set/[1]": b"x"}))
    case.right("a key that looks like one", source=case.source + "[1]", want={"[1]": digest(b"x")})


def narrowed(bench):
    """Filters that name one folder: it alone is listed."""
    objects = {
        f"set/{folder}/{i}": bytes_of(i, 100 + i) for folder in ("sub/x", "sub/y", "other/x", "sub-x") for i in range(9)
    } | {"set/top": b"t"}
    of = lambda *folders: {path: value for path, value in tree_of(objects).items() if path.startswith(folders)}
    for kind, env in ((FaultServer, None), (Gcs, None), (Azure, None), (Oss, {**Oss.env, "OSS_REGION": REGION})):
        case = Case(bench, kind(bench, objects, page=4), env)
        case.right("one folder is included", "--include", "sub/x/**", want=of("sub/x/"))
        if kind in (FaultServer, Oss):
            bench.equal(
                "it alone is listed, but for a page of each folder above",
                {r.query["prefix"] for r in case.server.requests if r.listing and "delimiter" not in r.query},
                {"set/sub/x/"},
            )
        case.right("two are", "--include", "sub/x/**", "--include", "sub/y/3", want=of("sub/x/", "sub/y/3"))
        case.right(
            "a name at any depth is",
            "--include",
            "3",
            want={f"{folder}/3": digest(bytes_of(3, 103)) for folder in ("sub/x", "sub/y", "other/x", "sub-x")},
        )
        case.right("nothing is that there is", "--include", "nowhere/x/**", want={})
        case.right("a file of the top is", "--include", "/top", want={"top": digest(b"t")})
        case.right(
            "all but one folder is",
            "--exclude",
            "sub/x/",
            want={path: value for path, value in tree_of(objects).items() if not path.startswith("sub/x/")},
        )


with TestRun() as bench:
    for scene in (
        pages_of_nothing,
        orders,
        keys_twice,
        archive,
        refusals_in_a_success,
        extras,
        old_listings,
        no_tags,
        spellings,
        placeholders,
        globs,
        narrowed,
    ):
        scene(bench)
