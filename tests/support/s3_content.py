"""What the fault server serves: objects from files, made from a seed, or a canned key space of any size, and the pages
of ListObjectsV2 over them."""
import base64
import bisect
import functools
import hashlib
import os
import pathlib
import random
import struct
import zlib
from urllib.parse import quote
from xml.sax.saxutils import escape

BLOCK = 1 << 20


@functools.lru_cache(maxsize=64)
def _base_block(seed) -> bytes:
    return random.Random(f"zcdp {seed}").randbytes(BLOCK)


def generated(seed, offset: int, length: int) -> bytes:
    """Bytes [offset, offset+length) of the endless content named `seed`; no two 1 MiB blocks are equal."""
    base, pieces, end = _base_block(seed), [], offset + length
    while offset < end:
        block, skip = divmod(offset, BLOCK)
        whole = struct.pack(">Q", block) + base[8:]
        pieces.append(whole[skip:skip + end - offset])
        offset += len(pieces[-1])
    return b"".join(pieces)


@functools.lru_cache(maxsize=2)
def _crc_table(polynomial: int) -> tuple:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ polynomial if byte & 1 else byte >> 1
        table.append(byte)
    return tuple(table)


def _crc(data: bytes, polynomial: int, ones: int) -> int:
    table, value = _crc_table(polynomial), ones
    for byte in data:
        value = table[(value ^ byte) & 255] ^ (value >> 8)
    return value ^ ones


def crc32c(data: bytes) -> bytes:
    return struct.pack(">I", _crc(data, 0x82F63B78, 0xFFFFFFFF))


def crc64nvme(data: bytes) -> bytes:
    return struct.pack(">Q", _crc(data, 0x9A6C9329AC4BC9B5, 0xFFFFFFFFFFFFFFFF))


class Object:
    """`checksum`: crc32, crc32c, crc64nvme, sha256, sha1, sha256_composite (with part_bytes), or nothing. `claimed` replaces the
    true checksum (base64). `changed` counts versions: each has other bytes and another ETag."""

    def __init__(self, size=None, seed="", file=None, data=None, checksum="", claimed="", part_bytes=8 << 20, etag=""):
        self.file, self.seed, self.data = file, seed, data
        self.size = os.path.getsize(file) if file else len(data) if data is not None else size
        self.checksum, self.claimed, self.part_bytes, self.fixed_etag, self.changed = checksum, claimed, part_bytes, etag, 0

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if self.file:
            with open(self.file, "rb") as handle:
                return os.pread(handle.fileno(), length, offset)
        if self.data is not None:
            return self.data[offset:offset + length]
        return generated(f"{self.seed}/{self.changed}", offset, length)

    @property
    def etag(self) -> str:
        name = self.fixed_etag or hashlib.sha256(f"{self.file}{self.seed}{self.size}".encode() + (self.data or b"")).hexdigest()[:32]
        return f'"{name}-{self.changed + 1}"'

    def checksum_headers(self) -> list:
        if not self.checksum:
            return []
        name = self.checksum.removesuffix("_composite")
        value = self.claimed or self._checksum(self.changed)
        kind = "COMPOSITE" if self.checksum.endswith("_composite") else "FULL_OBJECT"
        return [(f"x-amz-checksum-{name}", value), ("x-amz-checksum-type", kind)]

    @functools.lru_cache(maxsize=None)
    def _checksum(self, _version) -> str:
        if self.checksum == "sha256_composite":
            parts = [hashlib.sha256(self.read(at, self.part_bytes)).digest() for at in range(0, self.size, self.part_bytes)]
            return base64.b64encode(hashlib.sha256(b"".join(parts)).digest()).decode() + f"-{len(parts)}"
        data = self.read(0, self.size)
        raw = {"crc32": lambda: struct.pack(">I", zlib.crc32(data)), "crc32c": lambda: crc32c(data),
               "crc64nvme": lambda: crc64nvme(data), "sha256": lambda: hashlib.sha256(data).digest(),
               "sha1": lambda: hashlib.sha1(data).digest()}[self.checksum]()
        return base64.b64encode(raw).decode()


class Objects:
    """A bucket of named objects. Keys are bytes: any of them, also what is no path and no UTF-8."""

    def __init__(self, objects: dict):
        self.objects = objects
        self.keys = sorted(objects)

    def __len__(self):
        return len(self.keys)

    def key(self, index: int) -> bytes:
        return self.keys[index]

    def lower_bound(self, key: bytes) -> int:
        return bisect.bisect_left(self.keys, key)

    def get(self, key: bytes):
        return self.objects.get(key)

    @classmethod
    def of_folder(cls, folder):
        folder = pathlib.Path(folder)
        return cls({os.fsencode(str(path.relative_to(folder))): Object(file=str(path))
                    for path in folder.rglob("*") if path.is_file()})


class Canned:
    """`count` keys that exist nowhere: PREFIXd000000/f000000 with `per_folder` of them, or PREFIX0000000000."""

    def __init__(self, count: int, size: int = 16384, prefix: str = "", per_folder: int = 0):
        self.count, self.size, self.prefix, self.per_folder = count, size, prefix, per_folder

    def __len__(self):
        return self.count

    def key(self, index: int) -> bytes:
        if self.per_folder:
            return b"%sd%06d/f%06d" % (self.prefix.encode(), *divmod(index, self.per_folder))
        return b"%s%010d" % (self.prefix.encode(), index)

    def lower_bound(self, key: bytes) -> int:
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.key(middle) < key else (low, middle)
        return low

    def get(self, key: bytes):
        index = self.lower_bound(key)
        if index == self.count or self.key(index) != key:
            return None
        return Object(size=self.size, seed="canned", etag="0123456789abcdef0123456789abcdef")


def after_prefix(prefix: bytes) -> bytes | None:
    """The least string above all that start with `prefix`."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else None


def list_page(bucket, prefix: bytes, delimiter: bytes, begin: bytes, max_keys: int):
    """(keys, common prefixes, where the next page begins or None): S3's rules, in raw byte order."""
    keys, commons = [], []
    index = bucket.lower_bound(max(prefix, begin))
    while index < len(bucket):
        key = bucket.key(index)
        if not key.startswith(prefix):
            break
        if len(keys) + len(commons) == max_keys:
            return keys, commons, key
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            keys.append(key)
            index += 1
        else:
            common = key[:cut + len(delimiter)]
            commons.append(common)
            beyond = after_prefix(common)
            index = bucket.lower_bound(beyond) if beyond else len(bucket)
    return keys, commons, None


def shown(key: bytes, url_encoded: bool) -> str:
    """A key in XML: percent-encoded on request, else as text (what XML cannot carry becomes U+FFFD, as in real servers)."""
    if url_encoded:
        return quote(key, safe="/-._~*")
    text = key.decode("utf-8", "replace")
    return escape("".join(c if c in "\t\n\r" or " " <= c else "\ufffd" for c in text))


def contents_xml(bucket, keys, url_encoded: bool) -> str:
    if isinstance(bucket, Canned):
        head, tail = "<Contents><Key>", ("</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
                 f"<ETag>&quot;0123456789abcdef0123456789abcdef-1&quot;</ETag><Size>{bucket.size}</Size>"
                 "<StorageClass>STANDARD</StorageClass></Contents>")
        return "".join([f"{head}{key.decode()}{tail}" for key in keys])
    parts = []
    for key in keys:
        found = bucket.get(key)
        parts.append(f"<Contents><Key>{shown(key, url_encoded)}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
                     f"<ETag>{escape(found.etag, {chr(34): '&quot;'})}</ETag><Size>{found.size}</Size>"
                     "<StorageClass>STANDARD</StorageClass></Contents>")
    return "".join(parts)


def listing_xml(name: str, prefix: bytes, delimiter: bytes, max_keys: int, token: str, contents: str, count: int, commons: list,
                next_token: str | None, url_encoded: bool) -> bytes:
    more = f"<NextContinuationToken>{escape(next_token)}</NextContinuationToken>" if next_token is not None else ""
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{escape(name)}</Name><Prefix>{shown(prefix, url_encoded)}</Prefix>"
            + (f"<Delimiter>{shown(delimiter, url_encoded)}</Delimiter>" if delimiter else "")
            + (f"<ContinuationToken>{escape(token)}</ContinuationToken>" if token else "")
            + f"<KeyCount>{count}</KeyCount><MaxKeys>{max_keys}</MaxKeys>"
            + ("<EncodingType>url</EncodingType>" if url_encoded else "")
            + f"<IsTruncated>{'true' if next_token is not None else 'false'}</IsTruncated>{more}{contents}"
            + "".join(f"<CommonPrefixes><Prefix>{shown(common, url_encoded)}</Prefix></CommonPrefixes>" for common in commons)
            + "</ListBucketResult>").encode()
