"""How stores list what they have."""

import hashlib
from urllib.parse import quote

from tests.support import dialects
from tests.support.fault_server import FaultServer, answer, listing_xml

from .kit import report, run, s3

FILES = {"set/a.txt": b"a", "set/b.txt": b"bb", "set/c d.txt": b"ccc"}
WANT = {key[4:]: hashlib.sha256(body).hexdigest() for key, body in FILES.items()}
XML = [("Content-Type", "application/xml")]


def lists(bench, server, source=None, want=None):
    code, err, have = run(bench, *(source or s3(server, "set/")))
    bench.check("every object arrives", code == 0 and have == (want or WANT), (code, err, have))


def rewritten(bench, change, objects=None, **options):
    """A store whose listings `change(text)` writes in its own way."""
    server = FaultServer(bench, objects or FILES, **options)
    server.fault = lambda request, found: (
        [("send", answer(200, XML, change(server.list(request).partition(b"\r\n\r\n")[2].decode()).encode()))]
        if request.listing
        else None
    )
    return server


@report(
    "apache/opendal#5974, minio/mc#3067, Corymbia/eucalyptus#116",
    "a service that knows only the first ListObjects is read with markers, page by page",
)
def only_the_first_listing(bench):
    class Old(FaultServer):
        def understand(self, request):
            request.listing = not request.key

        def list(self, request):
            prefix, after = request.query.get("prefix", ""), request.query.get("marker", "")
            delimiter = request.query.get("delimiter", "")
            keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
            page = keys[: self.page]
            body = "".join(
                f'<Contents><Key>{quote(key)}</Key><ETag>"{self.objects[key].tag}"</ETag><Size>{len(self.objects[key].content)}</Size></Contents>'
                for key in page
            )
            cut = len(keys) > self.page
            marker = (
                f"<NextMarker>{quote(page[-1])}</NextMarker>" if cut and delimiter else ""
            )  # as S3 has it: without a delimiter the last key is the marker
            return answer(
                200,
                XML,
                (
                    f"<ListBucketResult><Name>data</Name><Marker>{quote(after)}</Marker><EncodingType>url</EncodingType>"
                    f"<IsTruncated>{'true' if cut else 'false'}</IsTruncated>{marker}{body}</ListBucketResult>"
                ).encode(),
            )

    many = {f"set/{i:03} +x.txt": b"%d" % i for i in range(25)}
    lists(
        bench, Old(bench, many, page=4), want={key[4:]: hashlib.sha256(body).hexdigest() for key, body in many.items()}
    )


@report(
    "getmoto/moto#2482, curtis0x/fake-s3#191 (IsTruncated in words of the server's own: True, 1)",
    "a page that says there is more in other words is not the last; exit 0 with the first page alone is wrong",
)
def more_in_other_words(bench):
    wrong = {}
    for word in ("True", "TRUE", "1", " true "):
        server = rewritten(bench, lambda text: text.replace(">true<", f">{word}<"), page=1)
        code, err, have = run(bench, *s3(server, "set/"), dest="d" + word.strip())
        if code != 0 or have != WANT:
            wrong[word] = (code, err, sorted(have))
    bench.check("every page is read", not wrong, wrong)


@report(
    "project-angos/angos#293, aws/aws-sdk-php#1428 (no IsTruncated, but a token)", "a token says that there is more"
)
def a_token_alone(bench):
    server = rewritten(
        bench,
        lambda text: text.replace("<IsTruncated>true</IsTruncated>", "").replace(
            "<IsTruncated>false</IsTruncated>", ""
        ),
        page=1,
    )
    lists(bench, server)


@report(
    "leo-project/leofs#94 (white space around numbers), jserver/mock-s3#9 (between elements)",
    "white space in a listing's fields means nothing; in a key it is the key's",
)
def blanks_in_a_listing(bench):
    lists(
        bench,
        rewritten(
            bench,
            lambda text: (
                text.replace("<Size>", "<Size>\n  ")
                .replace("</Size>", " \n</Size>")
                .replace("<ETag>", "\n<ETag> ")
                .replace("><", ">\n <")
            ),
        ),
    )


@report(
    "crawler-commons/crawler-commons#144, dwightwatson/sitemap#33, duplicati/duplicati#1242",
    "an empty line before the declaration, comments and instructions do not matter",
)
def ornaments_of_xml(bench):
    lists(
        bench,
        rewritten(
            bench,
            lambda text: (
                "\r\n"
                + text.replace("?>", '?>\n<?xml-stylesheet href="/list.xsl"?><!-- made by a gateway -->\n', 1).replace(
                    "<Contents>", "<!-- an object --><Contents>"
                )
            ),
        ),
    )


@report("no single report: XML 1.0 2.7 (keys and tags in CDATA)", "CDATA is text")
def cdata(bench):
    lists(
        bench,
        rewritten(
            bench,
            lambda text: (
                text.replace("<Key>", "<Key><![CDATA[")
                .replace("</Key>", "]]></Key>")
                .replace('<ETag>"', '<ETag><![CDATA["')
                .replace('"</ETag>', '"]]></ETag>')
            ),
        ),
    )


def marker_cases(bench):
    """(what, server, arguments, the key that cannot be a file)"""
    objects = {"set/a.txt": b"a", "set/sub/": b"bytes of a key that ends in a slash", "set/sub/b.txt": b"b"}
    own = {"set/": b"bytes of the folder's own key", "set/a.txt": b"a"}
    for server, place in (
        (FaultServer, "s3://data/set/"),
        (dialects.Gcs, "gs://data/set/"),
        (dialects.Azure, "az://account/data/set/"),
    ):
        yield place + " below", server(bench, objects), place, "sub/"
        yield place + " itself", server(bench, own), place, "set/"


@report(
    "rclone/rclone#2973 (blobs 'test/' and '/' with content), juicedata/juicesync#29",
    "a key that ends in '/' and has bytes is refused by name; --bad-keys skip names it; exit 0 without a word is wrong",
)
def bytes_in_a_folder_marker(bench):
    wrong = {}
    for n, (what, server, place, key) in enumerate(marker_cases(bench)):
        code, err, _ = run(bench, "--endpoint", server.endpoint, "--anonymous", place, dest=f"d{n}")
        if code != 3 or key not in err:
            wrong[what] = (code, err)
        code, err, have = run(
            bench, "--bad-keys", "skip", "--endpoint", server.endpoint, "--anonymous", place, dest=f"s{n}"
        )
        if code != 0 or "a.txt" not in have or "left out 1 keys" not in err:
            wrong[what + " skip"] = (code, err, have)
    bench.check("refused by name, or named", not wrong, wrong)


@report("rclone/rclone#2973, the same looked at by verify --against", "what a folder cannot hold is a difference")
def verify_with_a_full_marker(bench):
    (bench.path("have/sub")).mkdir(parents=True)
    bench.path("have/a.txt").write_bytes(b"a")
    bench.path("have/sub/b.txt").write_bytes(b"b")
    wrong = {}
    for what, server, place, key in marker_cases(bench):
        if not what.endswith("below"):
            continue
        code, out, err = bench.zcdp(
            "verify", bench.path("have"), "--against", place, "--endpoint", server.endpoint, "--anonymous"
        )
        if code == 0 or "sub/" not in out + err:
            wrong[what] = (code, out, err)
    bench.check("it is no equal copy", not wrong, wrong)


@report(
    "rclone/rclone#2806, Azure/azure-storage-fuse#191 (hdi_isfolder)",
    "a marker with hdi_isfolder is a folder when it is empty; with bytes it is no folder, and is not dropped",
)
def folder_by_metadata(bench):
    class Hadoop(dialects.Azure):
        def honest(self, request, found):
            done = super().honest(request, found)
            if request.listing:
                head, _, body = done.partition(b"\r\n\r\n")
                for key in ("set/sub", "set/full"):
                    at = body.find(f'<Name Encoded="true">{key}</Name>'.encode())
                    end = body.find(b"</Properties>", at) + len(b"</Properties>") if at >= 0 else 0
                    body = (
                        body[:end] + b"<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>" + body[end:]
                        if end
                        else body
                    )
                return answer(200, XML, body)
            return done

    plain = {"set/sub": b"", "set/sub/a.txt": b"a", "set/b.txt": b"b"}
    server = Hadoop(bench, plain)
    place = ["--endpoint", server.endpoint, "--anonymous", "az://account/data/set/"]
    lists(
        bench,
        server,
        place,
        {name: hashlib.sha256(plain["set/" + name]).hexdigest() for name in ("sub/a.txt", "b.txt")},
    )
    server = Hadoop(bench, {**plain, "set/full": b"bytes"})
    code, err, have = run(bench, "--endpoint", server.endpoint, "--anonymous", "az://account/data/set/", dest="full")
    bench.check(
        "bytes are not dropped", (code == 0 and "full" in have) or (code == 3 and "full" in err), (code, err, have)
    )


@report(
    "juicedata/juicesync#28 (keys that end in $), psf/requests#6711 (a double slash)",
    "markers of EMR are files like others; '//' is refused by name",
)
def markers_of_emr(bench):
    objects = {"set/x_$folder$": b"", "set/x/part-0": b"p"}
    server = FaultServer(bench, objects)
    lists(bench, server, want={key[4:]: hashlib.sha256(body).hexdigest() for key, body in objects.items()})
    server = FaultServer(bench, {"set/a.txt": b"a", "set//b.txt": b"b"})
    code, err, _ = run(bench, *s3(server, "set/"), dest="double")
    bench.check("refused by name", code == 3 and "//" in err, (code, err))


@report(
    "no single report: Unicode normal forms, plus signs and percents in keys",
    "NFC and NFD are two files; '+', '%' and ' ' are themselves",
)
def keys_that_look_alike(bench):
    objects = {
        "set/caf\u00e9": b"nfc",
        "set/cafe\u0301": b"nfd",
        "set/a+b": b"plus",
        "set/a b": b"blank",
        "set/a%20b": b"percent",
        "set/A": b"A",
        "set/a": b"a",
        "set/\U0001f600": b"x",
        "set/&<>'\"": b"xml",
    }
    lists(
        bench,
        FaultServer(bench, objects, page=2),
        want={key[4:]: hashlib.sha256(body).hexdigest() for key, body in objects.items()},
    )


@report("minio/minio#7672 (truncated, then an empty last page)", "an empty last page is the end")
def an_empty_last_page(bench):
    server = FaultServer(bench, FILES)

    def fault(request, found):
        if not request.listing or request.query.get("delimiter"):
            return None
        if request.query.get("continuation-token"):
            return [("send", answer(200, XML, listing_xml([], None)))]
        entries = [(key, len(server.objects[key].content), server.objects[key].tag) for key in sorted(FILES)]
        return [("send", answer(200, XML, listing_xml(entries, "more?")))]

    server.fault = fault
    lists(bench, server)


@report(
    "no single report: sizes of 0 bytes and at the edges of a chunk",
    "sizes at the edges of chunks arrive: 0, 1, 8 MiB - 1, 8 MiB, 8 MiB + 1",
)
def sizes_at_the_edges(bench):
    objects = {f"set/{size}": bytes(size) for size in (0, 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1)}
    for name, place, server in (
        ("s3", "s3://data/set/", FaultServer(bench, objects)),
        ("az", "az://account/data/set/", dialects.Azure(bench, objects)),
        ("gs", "gs://data/set/", dialects.Gcs(bench, objects)),
    ):
        code, err, have = run(bench, "--endpoint", server.endpoint, "--anonymous", place, dest=name)
        bench.check(
            f"{name} has them",
            code == 0 and have == {key[4:]: hashlib.sha256(body).hexdigest() for key, body in objects.items()},
            (code, err),
        )
