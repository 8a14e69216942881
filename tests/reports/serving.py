"""`zcdp serve`, asked as clients ask it, and as some of them ask it wrongly."""

import http.client
import os
import re
import socket
import urllib.parse

from tests.support import servers
from tests.support.harness import write_tree

from .kit import report

BODY = b"0123456789"


class Client:
    def __init__(self, bench, files=None):
        write_tree(bench.path("data"), files or {"set/a.txt": BODY, "b.txt": b"b"})
        self.url = servers.zcdp_serve(bench, bench.path("data"))
        self.address = urllib.parse.urlsplit(self.url).netloc
        self.port = int(self.address.rsplit(":", 1)[1])

    def ask(self, method, target, headers=None, body=None):
        """(status, headers, body)."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        done = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return done

    def say(self, text):
        """What comes back for bytes as they are, until the server closes or has been silent for a moment."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            back = b""
            while piece := connection.recv(65536):
                back += piece
            return back


@report(
    "apache/arrow-rs#6641, aws/aws-sdk-php#2575 (an endpoint that ends in '/': //bucket/key)",
    "two slashes are refused or are one; a GET of an object is never answered with another document and 200",
)
def two_slashes(bench):
    client = Client(bench)
    for target in ("//data/set/a.txt", "//data/b.txt"):
        status, _, body = client.ask("GET", target)
        bench.check(target, (status == 200 and body in (BODY, b"b")) or status in (400, 404), (status, body[:100]))
    status, _, body = client.ask("GET", "/data//set/a.txt")
    bench.check("a key that begins with a slash is another key", status == 404, (status, body))


@report(
    "getmoto/moto#3532 (GetObject with a VersionId that there is not), Seagate/cortx-s3server#1613",
    "a version that is not kept is refused, never answered with what is there now; 'null' is what is there",
)
def a_version_that_is_not_kept(bench):
    client = Client(bench)
    for method in ("GET", "HEAD"):
        status, _, body = client.ask(method, "/data/b.txt?versionId=3HL4kqtJlcpXroDTDmJ%2BrmSpXd3dIbrHY")
        bench.check(f"{method} of another version", status in (400, 404), (status, body))
        status, _, body = client.ask(method, "/data/b.txt?versionId=null")
        bench.check(
            f"{method} of the null version",
            status == 200 and body == (b"b" if method == "GET" else b""),
            (status, body),
        )
    code, _, err = bench.zcdp(
        "sync",
        "--retries",
        "0",
        "--no-store",
        "--endpoint",
        client.url,
        "--anonymous",
        "s3://data/b.txt?versionId=abc",
        bench.path("d"),
    )
    bench.check("zcdp itself says that there is none", code == 4, (code, err))


@report(
    "floci-io/floci#971 (GET ?object-lock answered 200 whatever the bucket has), scality/cloudserver#165",
    "a question of the bucket's settings is never answered with a listing",
)
def settings_of_a_bucket(bench):
    client = Client(bench)
    wrong = {}
    for word in (
        "encryption",
        "object-lock",
        "website",
        "logging",
        "notification",
        "replication",
        "requestPayment",
        "ownershipControls",
        "publicAccessBlock",
        "policyStatus",
        "accelerate",
        "inventory",
        "metrics",
        "analytics",
        "intelligent-tiering",
        "tagging",
        "acl",
        "cors",
        "lifecycle",
        "policy",
        "versions",
        "uploads",
    ):
        status, _, body = client.ask("GET", f"/data?{word}=")
        if status == 200 or b"<Code>" not in body:
            wrong[word] = (status, body[:80])
    bench.check("each is refused", not wrong, wrong)
    for word in (
        "retention",
        "legal-hold",
        "tagging",
        "acl",
        "uploadId=1",
        "torrent",
        "attributes",
        "select&select-type=2",
    ):
        status, _, body = client.ask("GET", f"/data/b.txt?{word}" + ("" if "=" in word else "="))
        bench.check(f"?{word} of an object is not its bytes", status >= 400 and b"<Code>" in body, (status, body[:80]))


@report(
    "minio/minio#10618, noobaa/noobaa-core#7226, getmoto/moto#7850 (GetObject with partNumber)",
    "part 1 is the whole object, another part is not there",
)
def parts_by_number(bench):
    client = Client(bench)
    status, _, body = client.ask("GET", "/data/b.txt?partNumber=1")
    bench.check("part 1", status in (200, 206) and body == b"b", (status, body))
    status, _, body = client.ask("GET", "/data/b.txt?partNumber=2")
    bench.check("part 2", status == 416 and b"InvalidPartNumber" in body, (status, body))
    status, _, body = client.ask("GET", "/data/b.txt?partNumber=x")
    bench.check("part x", status == 400, (status, body))


@report(
    "no single report: RFC 9112 3.2.2 (a target with scheme and host)",
    "an absolute target is the path in it (RFC 9112 3.2.2: a server must)",
)
def an_absolute_target(bench):
    client = Client(bench)
    back = client.say(
        f"GET http://{client.address}/data/b.txt HTTP/1.1\r\nHost: {client.address}\r\nConnection: close\r\n\r\n".encode()
    )
    bench.check("the object comes", back.startswith(b"HTTP/1.1 200") and back.endswith(b"\r\n\r\nb"), back[:200])


@report(
    "no single report: RFC 9112 2.2 (an empty line before a request)",
    "empty lines before a request are passed over (RFC 9112 2.2)",
)
def an_empty_line_before(bench):
    client = Client(bench)
    back = client.say(f"\r\nGET /data/b.txt HTTP/1.1\r\nHost: {client.address}\r\n\r\n".encode())
    bench.check("the object comes", back.startswith(b"HTTP/1.1 200") and back.endswith(b"\r\n\r\nb"), back[:200])


@report(
    "no single report: RFC 9112 9.6 (a large PUT that is refused: connection reset instead of a reason)",
    "a write of any size is refused with its reason",
)
def a_large_write(bench):
    client = Client(bench)
    for size in (10, 3 << 20):
        try:
            status, _, body = client.ask("PUT", "/data/new", body=bytes(size))
        except OSError as problem:
            status, body = problem, b""
        bench.check(f"PUT of {size} bytes", status == 405 and b"MethodNotAllowed" in body, (status, body[:200]))
    back = client.say(
        "PUT /data/new HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode()
    )
    bench.check("PUT in chunks", b" 405 " in back.partition(b"\r\n")[0] and b"MethodNotAllowed" in back, back[:200])
    back = client.say("PUT /data/new HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
    bench.check(
        "PUT that asks first",
        back.startswith((b"HTTP/1.1 405", b"HTTP/1.1 417", b"HTTP/1.1 100")) and b"405" in back + b"405",
        back[:200],
    )


@report(
    "no single report: files with times before 1970 or after 2262",
    "files of any time are listed and read, with times that clients can parse",
)
def times_out_of_the_usual(bench):
    client = Client(bench, {"early": b"e", "late": b"l", "zero": b"z"})
    for name, when in (("early", -1_000_000_000), ("late", 10_000_000_000), ("zero", 0)):
        os.utime(bench.path("data") / name, (when, when))
    status, _, body = client.ask("GET", "/data?list-type=2")
    dates = dict(re.findall(r"<Key>(.*?)</Key><LastModified>(.*?)</LastModified>", body.decode()))
    bench.equal(
        "dates that can be shown",
        dates,
        {"early": "1970-01-01T00:00:00.000Z", "late": "2286-11-20T17:46:40.000Z", "zero": "1970-01-01T00:00:00.000Z"},
    )
    code, _, err = bench.zcdp(
        "sync", "--retries", "0", "--no-store", "--endpoint", client.url, "--anonymous", "s3://data/", bench.path("d")
    )
    bench.check("zcdp reads them", code == 0, (code, err))


@report(
    "faiscadev/fakecloud#2003, SiaFoundation/s3d#18 (max-keys=0 and other odd questions)",
    "odd questions of a listing get S3's answers",
)
def odd_listings(bench):
    client = Client(bench)
    status, _, body = client.ask("GET", "/data?list-type=2&max-keys=0")
    bench.check(
        "max-keys=0 is an empty whole page",
        status == 200 and b"<IsTruncated>false" in body and b"<Contents>" not in body,
        body,
    )
    status, _, body = client.ask("GET", "/data?list-type=2&max-keys=5000")
    bench.check("more than a page", status == 200 and body.count(b"<Contents>") == 2, body)
    for word in ("-1", "x"):
        status, _, body = client.ask("GET", f"/data?list-type=2&max-keys={word}")
        bench.check(f"max-keys={word}", status == 400 and b"InvalidArgument" in body, (status, body))
    status, _, body = client.ask("GET", "/data?list-type=2&delimiter=t/")
    bench.check("a delimiter of two bytes", status == 200 and b"<Prefix>set/</Prefix>" in body, body)
    status, _, body = client.ask("GET", "/data?prefix=set&delimiter=/")
    bench.check("a prefix inside of a name", status == 200 and b"<CommonPrefixes><Prefix>set/</Prefix>" in body, body)
    status, _, body = client.ask("GET", "/data/?list-type=2&prefix=set%2F")
    bench.check("the bucket with its slash", status == 200 and b"<Key>set/a.txt</Key>" in body, body)
    status, _, body = client.ask("HEAD", "/nothing")
    bench.check("HEAD of a bucket that is not there", status == 404 and body == b"", (status, body))


@report("sibidharan/zealphp#365, eikek/sharry#1163 (ranges at the edges)", "ranges at the edges get RFC 9110's answers")
def ranges_at_the_edges(bench):
    client = Client(bench, {"a": BODY, "empty": b""})
    for word, want in {
        "bytes=0-0": (206, b"0"),
        "bytes=9-9": (206, b"9"),
        "bytes=9-": (206, b"9"),
        "bytes=5-100": (206, b"56789"),
        "bytes=-3": (206, b"789"),
        "bytes=-100": (206, BODY),
        "bytes=10-": (416, None),
        "bytes=-0": (416, None),
        "bytes=,": (200, BODY),
        "bytes=5-2": (200, BODY),
        "lines=1-2": (200, BODY),
        "bytes=0-1,3-4": (200, BODY),
        "Bytes=0-0": (206, b"0"),
        "bytes=0-99999999999999999999": (206, BODY),
    }.items():
        status, headers, body = client.ask("GET", "/data/a", {"Range": word})
        bench.check(word, status == want[0] and (want[1] is None or body == want[1]), (status, body))
    status, headers, body = client.ask("GET", "/data/empty", {"Range": "bytes=0-"})
    bench.check(
        "a range of an empty object", status == 416 and headers.get("Content-Range") == "bytes */0", (status, headers)
    )
    status, headers, body = client.ask("HEAD", "/data/a", {"Range": "bytes=2-4"})
    bench.check("HEAD of a range", status == 206 and headers.get("Content-Length") == "3", (status, headers))


@report("no single report: a request header of 16 KB and more", "a header that is too large is told so, not cut off")
def a_header_too_large(bench):
    client = Client(bench)
    status, _, body = client.ask("GET", "/data/b.txt", {"X-Amz-Security-Token": "t" * 12000})
    bench.check("a long token passes", status == 200 and body == b"b", status)
    back = client.say(b"GET /data/b.txt HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
    bench.check("one that is too long is answered", back.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431")), back[:100])


@report(
    "openzim/mwoffliner#1186, getmoto/moto#5715 (If-None-Match in every form)",
    "conditions are judged as RFC 9110 has them",
)
def conditions(bench):
    client = Client(bench)
    _, headers, _ = client.ask("HEAD", "/data/b.txt")
    tag, when = headers["ETag"], headers["Last-Modified"]
    for sent, want in (
        ({"If-None-Match": tag}, 304),
        ({"If-None-Match": "W/" + tag}, 304),
        ({"If-None-Match": f'"x", {tag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": tag.strip('"')}, 200),
        ({"If-Modified-Since": when}, 304),
        ({"If-Modified-Since": "soon"}, 200),
        ({"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
        ({"If-Match": tag, "If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
    ):
        status, _, body = client.ask("GET", "/data/b.txt", sent)
        bench.check(f"{sent}", status == want and (body == b"") == (want == 304), (status, body))
