"""How servers write their answers: other clients take them, so do we."""

import hashlib
import socket
import ssl
import threading

from tests.support import certs
from tests.support.fault_server import answer
from tests.support.harness import bytes_of

from .kit import Web, raw, report, run

BODY = bytes_of(1, 70_000)
DIGEST = hashlib.sha256(BODY).hexdigest()
HEADERS = ["HTTP/1.1 200 OK", 'ETag: "t1"']
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def fetches(bench, app, path="/file.bin", name="file.bin", digest=DIGEST, **options):
    """One file from a web server that answers with `app`."""
    server = Web(bench, app, **options)
    code, err, have = run(bench, server.endpoint + path)
    bench.check("the file arrives", code == 0 and have == {name: digest}, (code, err, have))
    return server


def framed(header, body=BODY, close=False):
    """HEAD gets the header alone."""
    return lambda request: raw(header, b"" if request.method == "HEAD" else body, close and request.method != "HEAD")


@report(
    "odnoklassniki/one-nio#50, TorSpider/TorSpider#23",
    "with Content-Length and chunks, the chunks count (RFC 9112 6.3)",
)
def a_length_beside_chunks(bench):
    fetches(
        bench,
        lambda request: (
            raw([*HEADERS, f"Content-Length: {len(BODY)}"])
            if request.method == "HEAD"
            else raw([*HEADERS, "Content-Length: 12", "Transfer-Encoding: chunked"], CHUNKED)
        ),
    )


@report(
    "seanmonstar/httparse#68, urllib3/urllib3#1362",
    "a folded header field is one field (RFC 9112 5.2: a user agent must)",
)
def a_folded_field(bench):
    fetches(
        bench,
        framed(
            [HEADERS[0], "Set-Cookie: a=1;", "\tpath=/", "  ; secure", HEADERS[1], "Content-Length:", f" {len(BODY)}"]
        ),
    )


@report(
    "boostorg/beast#1761, reactphp/http-client#130 (lines that end in a line feed alone)",
    "a header whose lines end in LF is read as curl reads it (RFC 9112 2.2)",
)
def lines_without_a_return(bench):
    head = "\n".join([*HEADERS, f"Content-Length: {len(BODY)}", "", ""]).encode()
    fetches(bench, lambda request: [("send", head + (b"" if request.method == "HEAD" else BODY))])


@report(
    "nodejs/node#6517, boostorg/beast#1880, NanoHttpd/nanohttpd#395 (a length twice, or joined by a proxy)",
    "one length said twice is that length (RFC 9110 8.6)",
)
def a_length_said_twice(bench):
    fetches(bench, framed([*HEADERS, f"Content-Length: {len(BODY)}, {len(BODY)}"]))


@report(
    "spray/spray#861, espressif/arduino-esp32#5486 (Transfer-Encoding: identity)", "an encoding that is none is none"
)
def identity_as_an_encoding(bench):
    fetches(bench, framed([*HEADERS, "Transfer-Encoding: identity", f"Content-Length: {len(BODY)}"]))


@report(
    "NeuraLegion/bright-cli#292, snibox/snibox#8 (policies of 100 KB and more in the header)",
    "a large header is read; one without an end is an error",
)
def a_large_header(bench):
    policy = "Content-Security-Policy: " + "default-src 'self' https://cdn.example.org; " * 2500
    fetches(
        bench, framed([*HEADERS, policy, *[f"x-field-{i}: {i}" for i in range(300)], f"Content-Length: {len(BODY)}"])
    )


@report(
    "no single report: RFC 9112 7.1 lets a size have leading zeros, extensions and trailers",
    "chunk sizes padded with zeros, extensions and trailers are read",
)
def chunks_with_ornaments(bench):
    half = len(BODY) // 2
    body = b'%020X ;name="a;b"\r\n%s\r\n%x\r\n%s\r\n000;last\r\nx-checksum: none\r\nDigest: x\r\n\r\n' % (
        half,
        BODY[:half],
        len(BODY) - half,
        BODY[half:],
    )
    fetches(
        bench,
        lambda request: (
            raw([*HEADERS, f"Content-Length: {len(BODY)}"])
            if request.method == "HEAD"
            else raw([*HEADERS, "Transfer-Encoding: Chunked"], body)
        ),
    )


@report(
    "nodejs/undici#5119, notatallshaw/nab#532",
    "a part whose whole is not said (bytes 0-9/*) is that part; the size was listed",
)
def a_part_of_an_unknown_whole(bench):
    big = bytes_of(2, 20 << 20)

    def app(request):
        if request.method == "HEAD":
            return raw([*HEADERS, f"Content-Length: {len(big)}"])
        first, last = request.range or (0, len(big) - 1)
        last = min(last, len(big) - 1)
        return raw(
            [
                "HTTP/1.1 206 Partial Content",
                HEADERS[1],
                f"Content-Range: bytes {first}-{last}/*",
                f"Content-Length: {last - first + 1}",
            ],
            big[first : last + 1],
        )

    fetches(bench, app, digest=hashlib.sha256(big).hexdigest())


@report(
    "simplepie/simplepie#26, kotx/render#21 (tags without quotes, compared as they are)",
    "a tag is sent back as it came: the file arrives",
)
def a_tag_without_quotes(bench):
    def app(request):
        if request.headers.get("if-match", "t-1") != "t-1":
            return answer(412)
        return raw([HEADERS[0], "ETag: t-1", f"Content-Length: {len(BODY)}"], b"" if request.method == "HEAD" else BODY)

    fetches(bench, app)


@report(
    "curl/curl#5138, urllib3/urllib3#1825, curl/curl#17471",
    "a body with a length is whole although the peer ends without close_notify; one without a length is an error or right, never short",
)
def ends_without_close_notify(bench):
    authority = certs.make_ca(bench.path("ca"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs.make_server(bench.path("ca"), "server", ["DNS:localhost", "IP:127.0.0.1"]))
    listener = socket.create_server(("127.0.0.1", 0))
    bench.closers.append(listener.close)

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
                connection = context.wrap_socket(plain, server_side=True)
                head = connection.recv(65536)
                body = b"" if head.startswith(b"HEAD") else BODY
                connection.sendall(
                    "\r\n".join([*HEADERS, f"Content-Length: {len(BODY)}", "Connection: close", "", ""]).encode() + body
                )
                connection.detach()  # no close_notify
                plain.close()
            except OSError:
                if listener.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    code, err, have = run(bench, "--ca-bundle", authority, f"https://127.0.0.1:{listener.getsockname()[1]}/file.bin")
    bench.check("the file arrives", code == 0 and have == {"file.bin": DIGEST}, (code, err, have))


@report(
    "line/armeria#5477, snoyberg/http-client#83, benoitc/hackney#711, sagebind/isahc#315 (Location with blanks, letters of its own, relative)",
    "redirects are followed as browsers follow them (RFC 3986 5)",
)
def redirects_as_they_are_written(bench):
    server = Web(
        bench,
        lambda request: (
            raw(
                ["HTTP/1.1 200 OK", 'ETag: "t"', f"Content-Length: {len(BODY)}"],
                b"" if request.method == "HEAD" else BODY,
            )
            if request.target in places
            else raw(["HTTP/1.1 302 Found", f"Location: {moved[request.target]}", "Content-Length: 0"])
        ),
    )
    places = {"/a/x/real.bin", "/a/real.bin", "/a/b/file5?u=http://other/&v=1", "/d%20e/f%C3%BC.bin"}
    moved = {
        "/a/b/file1": f"HTTP://{server.endpoint[7:]}/a/real.bin",
        "/a/b/file2": "../real.bin",
        "/a/b/file3": "./../x/real.bin",
        "/a/b/file4": "/d e/f\u00c3\u00bc.bin",
        "/a/b/file5": "?u=http://other/&v=1",
        "/a/b/file6": "/a/real.bin#part",
    }
    wrong = {}
    for target in moved:
        code, err, have = run(bench, server.endpoint + target, dest=target.rsplit("/", 1)[1])
        if code != 0 or list(have.values()) != [DIGEST]:
            wrong[moved[target]] = (code, err)
    bench.check("each arrives", not wrong, wrong)


@report(
    "aristidb/http-types#87, httpie/cli#515 (416 and 'bytes */0')",
    "an empty file of a server that takes no HEAD arrives",
)
def an_empty_file_without_head(bench):
    def app(request):
        if request.method == "HEAD":
            return answer(405)
        if request.headers.get("range"):
            return answer(416, [("Content-Range", "bytes */0")])
        return answer(200, [("ETag", '"e"')])

    fetches(bench, app, digest=hashlib.sha256(b"").hexdigest())


@report("no single report: RFC 9110 15.2 (100, 102 and 103 before the answer)", "informational answers are passed over")
def informational_answers(bench):
    before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n".encode()
    fetches(
        bench,
        lambda request: [
            ("send", before),
            ("stall", 0.1),
            *framed([*HEADERS, f"Content-Length: {len(BODY)}"])(request),
        ],
    )


@report(
    "no single report: RFC 9112 9.3.1 (a server that closes after each answer and does not say so)",
    "a connection that was closed meanwhile is no error",
)
def closes_without_a_word(bench):
    fetches(bench, framed([*HEADERS, f"Content-Length: {len(BODY)}"], close=True))


@report("request/request#2490 (406 for who sends no Accept)", "requests say what curl's say: Accept: */*")
def wants_an_accept(bench):
    fetches(
        bench,
        lambda request: (
            answer(406)
            if request.headers.get("accept") != "*/*"
            else framed([*HEADERS, f"Content-Length: {len(BODY)}"])(request)
        ),
    )
