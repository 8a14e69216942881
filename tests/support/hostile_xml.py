"""Answers to ListObjectsV2 that no honest server sends, by name. Each is bytes, or a generator of bytes without an end."""

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
TAIL = "</ListBucketResult>"
ITEM = "<Contents><Key>{key}</Key><ETag>&quot;e-1&quot;</ETag><Size>{size}</Size></Contents>"
ENDED = "<IsTruncated>false</IsTruncated>"


def _page(inside: str, head: str = HEAD, tail: str = TAIL) -> bytes:
    return (head + inside + tail).encode()


def _billion_laughs() -> bytes:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return (
        f'<?xml version="1.0"?><!DOCTYPE lolz [{entities}]><ListBucketResult>{ENDED}<Contents><Key>&a11;</Key>'
        "<Size>1</Size></Contents></ListBucketResult>"
    ).encode()


def _endless(piece: bytes):
    yield HEAD.encode()
    while True:
        yield piece


MEGABYTE = "k" * (1 << 20)

PAGES = {
    "empty": lambda: b"",
    "not_xml": lambda: b"hello, this is a proxy's sign-in page",
    "html": lambda: b"<html><body><h1>It works!</h1></body></html>",
    "cut_short": lambda: _page(ENDED + ITEM.format(key="a", size=1) + "<Contents><Key>b", tail=""),
    "unclosed": lambda: _page(ENDED + "<Contents><Key>a</Key>", tail=TAIL),
    "crossed_tags": lambda: _page(ENDED + "<Contents><Key>a</Contents></Key>"),
    "two_roots": lambda: _page(ENDED) + b"<ListBucketResult></ListBucketResult>",
    "bomb": _billion_laughs,
    "external_entity": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><ListBucketResult>'
        b"<IsTruncated>false</IsTruncated><Contents><Key>&f;</Key><Size>1</Size></Contents></ListBucketResult>"
    ),
    "unknown_entity": lambda: _page(ENDED + ITEM.format(key="a&nosuch;", size=1)),
    "bad_reference": lambda: _page(ENDED + ITEM.format(key="a&#x110000;", size=1)),
    "nul_reference": lambda: _page(ENDED + ITEM.format(key="a&#0;", size=1)),
    "deep": lambda: _page("<a>" * 100_000 + "</a>" * 100_000 + ENDED),
    "megabyte_key": lambda: _page(ENDED + ITEM.format(key=MEGABYTE, size=1)),
    "megabyte_name": lambda: _page(f"<{MEGABYTE}></{MEGABYTE}>" + ENDED),
    "megabyte_attribute": lambda: _page(f'<Name x="{MEGABYTE}"/>' + ENDED),
    "megabyte_token": lambda: _page(
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{MEGABYTE}</NextContinuationToken>"
        + ITEM.format(key="a", size=1)
    ),
    "endless_keys": lambda: _endless(b"".join(ITEM.format(key=f"k{n:06d}", size=1).encode() for n in range(1000))),
    "endless_comment": lambda: _endless(b"<!--" + b"-" * 4096),
    "endless_space": lambda: _endless(b" " * 65536),
    "bad_utf8": lambda: (
        HEAD.encode() + ENDED.encode() + b"<Contents><Key>\xff\xfe</Key><Size>1</Size></Contents>" + TAIL.encode()
    ),
    "no_size": lambda: _page(ENDED + "<Contents><Key>a</Key><ETag>e-1</ETag></Contents>"),
    "negative_size": lambda: _page(ENDED + ITEM.format(key="a", size=-1)),
    "huge_size": lambda: _page(ENDED + ITEM.format(key="a", size="99999999999999999999999")),
    "word_size": lambda: _page(ENDED + ITEM.format(key="a", size="many")),
    "no_key": lambda: _page(ENDED + "<Contents><ETag>e-1</ETag><Size>1</Size></Contents>"),
    "no_etag": lambda: _page(ENDED + "<Contents><Key>a</Key><Size>1</Size></Contents>"),
    "no_is_truncated": lambda: _page(ITEM.format(key="a", size=1)),
    "truncated_without_token": lambda: _page("<IsTruncated>true</IsTruncated>" + ITEM.format(key="a", size=1)),
    "bad_percent": lambda: _page("<EncodingType>url</EncodingType>" + ENDED + ITEM.format(key="a%zz", size=1)),
    "utf16": lambda: (HEAD + ENDED + TAIL).encode("utf-16"),
    "error_as_200": lambda: (
        b"<Error><Code>InternalError</Code><Message>We encountered an internal error</Message></Error>"
    ),
}
