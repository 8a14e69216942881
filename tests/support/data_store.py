"""A data store's server, and a client of it that speaks raw HTTP: written from docs/formats.md alone."""

import ctypes
import ctypes.util
import hashlib
import http.client
import json
import struct
import subprocess
import time
import urllib.parse

from tests.support.harness import ZCDP, Failed, clean_env

CHUNK = 8 << 20
MAGIC = b"zcdp manifest 1\n"
END = b"\xff"
TOKEN = "a-token-that-counts"

_zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
_zstd.ZSTD_compressBound.restype = _zstd.ZSTD_compress.restype = ctypes.c_size_t


def compress(data):
    room = ctypes.create_string_buffer(_zstd.ZSTD_compressBound(ctypes.c_size_t(len(data))))
    size = _zstd.ZSTD_compress(room, ctypes.c_size_t(len(room)), data, ctypes.c_size_t(len(data)), 3)
    return room.raw[:size]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def sha256(data):
    return hashlib.sha256(data).digest()


def chunks_of(data):
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)] or [b""]


class Content:
    """A file's bytes, its chunks and its digest."""

    def __init__(self, data, executable=False):
        self.data, self.executable = data, executable
        self.chunks = chunks_of(data)
        self.digests = [sha256(chunk) for chunk in self.chunks]
        self.is_long = len(self.chunks) > 1
        self.digest = sha256(b"".join(self.digests)) if self.is_long else self.digests[0]

    def start(self):
        kind = (2 if self.is_long else 1) | (4 if self.executable else 0)
        return bytes([kind]) + varint(len(self.data)) + self.digest

    def record(self):
        return self.start() + (b"".join(self.digests) if self.is_long else b"")

    def chunk(self, number, data=None):
        data = self.chunks[number] if data is None else data
        header = self.start()
        if self.is_long:
            header += varint(number) + self.digests[number]
        return header + data


class Link(str):
    """A symlink, by its target."""


def manifest(tree):
    """Of {path: bytes, Content or Link; None for an empty folder}: (plain bytes, id)."""
    out = bytearray(MAGIC)
    totals = [0, 0, 0, 0]
    entries = {path + ("/" if what is None else ""): what for path, what in tree.items()}
    for path in sorted(entries, key=str.encode):
        what, name = entries[path], path.encode()
        what = Content(what) if isinstance(what, bytes) else what
        if what is None:
            out += b"\x01" + varint(len(name)) + name
            totals[1] += 1
        elif isinstance(what, Link):
            out += b"\x02" + varint(len(name)) + name + varint(len(what.encode())) + what.encode()
            totals[2] += 1
        else:
            out += bytes([4 if what.executable else 0]) + varint(len(name)) + name + varint(len(what.data))
            out += b"".join(what.digests)
            totals[0] += 1
            totals[3] += len(what.data)
    out += END + struct.pack("<4Q", *totals)
    return bytes(out), hashlib.sha256(out).hexdigest()


def target(verb, key, **query):
    path = f"/v1/{verb}" + (f"/{urllib.parse.quote(key)}" if key is not None else "")
    query = {name: value for name, value in query.items() if value is not None}
    return path + (f"?{urllib.parse.urlencode(query)}" if query else "")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class DataStore:
    """`zcdp metadata-server` on a free port; `put` and the rest as a client does them."""

    def __init__(self, bench, name="data-store", *flags, env=None, token=TOKEN, root=None, prefix=()):
        self.bench, self.flags, self.env, self.token, self.prefix = bench, flags, env, token, prefix
        self.root = root or bench.path(name)
        self.token_file = bench.path(name + ".token")
        self.log = bench.path(name + ".log")
        self.process = self.port = None
        if token is not None:
            self.token_file.write_text(token + "\n")
        bench.closers.append(self.kill)
        self.start()

    def command(self):
        token = ["--token-file", self.token_file] if self.token is not None else []
        command = [
            *self.prefix,
            ZCDP,
            "metadata-server",
            "--root",
            self.root,
            "--listen",
            f"127.0.0.1:{self.port or 0}",
        ]
        return [str(part) for part in [*command, *token, *self.flags]]

    def start(self, env=None):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**clean_env(), **(self.env or {}), **(env or {})},
            )
        self.line = self.process.stdout.readline().strip()
        if not self.line:
            raise Failed(f"the data store's server ended with {self.process.wait()}: {self.log.read_text()[-2000:]}")
        self.port = int(self.line.split(" at ")[1].split()[0].rsplit(":", 1)[1])

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
            self.process.stdout.close()

    def stop(self):
        """SIGTERM: the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)

    def restart(self, env=None):
        self.kill()
        self.start(env)

    def connection(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def headers(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}

    def ask(self, method, where, body=None, headers=None, connection=None):
        own = connection or self.connection()
        try:
            body = body.encode() if isinstance(body, str) else body
            own.request(method, where, body=body, headers={**self.headers(), **(headers or {})})
            answer = own.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            if not connection:
                own.close()

    def begin(self, key, kind="tree", files=0, size=0, snapshot="", if_version=None, force=False):
        intent = {"kind": kind, "files": files, "bytes": size, "snapshot": snapshot, "force": force}
        if if_version is not None:
            intent["if_version"] = if_version
        return self.ask("POST", target("uploads", key), json.dumps(intent))

    def step(self, key, upload, step, body=b"", **query):
        return self.ask("POST", target("uploads", key, upload=upload, step=step, **query), body)

    def missing(self, key, upload, contents):
        """The (content, chunk number) that have to be sent, in order."""
        answer = self.must(self.step(key, upload, "missing", b"".join(c.record() for c in contents) + END))
        asked = [(content, number) for content in contents for number in range(len(content.chunks))]
        return [one for at, one in enumerate(asked) if answer.body[at // 8] >> at % 8 & 1]

    def put(self, key, tree, kind="tree", ttl_s=None, if_version=None, force=False, announce=True):
        """As a client does it: the commit's answer, with the bytes that were sent as "sent"."""
        contents = {}
        for what in tree.values():
            what = Content(what) if isinstance(what, bytes) else what
            if isinstance(what, Content):
                contents[what.digest, what.executable] = what
        plain, snapshot = manifest(tree)
        files = [c for c in contents.values()]
        begun = self.begin(
            key, kind, len(files), sum(len(c.data) for c in files), snapshot if announce else "", if_version, force
        )
        if begun.status != 201:
            raise Refused(begun)
        upload, sent, body = begun.json["upload"], 0, b""
        if not begun.json.get("present", False):
            records = b""
            for content, number in self.missing(key, upload, files):
                records += content.chunk(number)
                sent += len(content.chunks[number])
                if len(records) > 32 << 20:
                    self.must(self.step(key, upload, "chunks", records + END))
                    records = b""
            if records:
                self.must(self.step(key, upload, "chunks", records + END))
            body = compress(plain)
        committed = self.must(self.step(key, upload, "commit", body, ttl_s=ttl_s)).json
        return {**committed, "sent": sent, "upload": upload}

    def must(self, answer):
        if answer.status // 100 != 2:
            raise Refused(answer)
        return answer

    def items(self, prefix="", recursive=False, limit=None):
        """All of a listing, page by page."""
        found, after = [], None
        while True:
            query = {"prefix": prefix or None, "recursive": 1 if recursive else None, "after": after, "limit": limit}
            page = self.must(self.ask("GET", target("keys", None, **query))).json
            found += page.get("items", [])
            after = page.get("next")
            if not after:
                return found

    def file(self, key, path, version=None):
        return self.ask("GET", target("files", key, path=path, version=version))

    def many(self, key, paths, version=None):
        answer = self.must(self.ask("POST", target("files", key, version=version), "\n".join(paths) + "\n"))
        files, at = {}, 0
        for path in paths:
            (size,) = struct.unpack_from("<Q", answer.body, at)
            at += 8
            files[path] = None if size == (1 << 64) - 1 else answer.body[at : at + size]
            at += 0 if files[path] is None else size
        if at != len(answer.body):
            raise Failed(f"{len(answer.body) - at} bytes follow the files")
        return files

    def get(self, key, path, version=None):
        answer = self.file(key, path, version)
        return answer.body if answer.status == 200 else answer.status


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


def wait_until(what, holds, seconds=30):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise Failed(f"still not: {what}")
        time.sleep(0.05)
