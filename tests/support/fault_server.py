"""An S3 server that misbehaves on command: `with FaultServer(bench, objects) as server: server.fault = ...`.

A fault is a function of (request, object or None) that returns None for honest service, or a list of actions:
  ("send", bytes)      these bytes, as they are
  ("stall", seconds)   nothing for that long
  ("reset",)           the connection is reset
  ("close",)           it is closed
Every request is counted. Signatures are not checked unless `secret` is set.
"""

import base64
import datetime
import email.utils
import hashlib
import socket
import ssl
import struct
import threading
import time
import zlib
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape


class Object:
    def __init__(self, content, tag=None, checksum=True):
        self.content = content
        self.tag = tag or hashlib.md5(content).hexdigest()
        self.crc32 = base64.b64encode(struct.pack(">I", zlib.crc32(content))).decode() if checksum else None


class Request:
    def __init__(self, method, target, headers, number):
        self.method, self.target, self.headers, self.number = method, target, headers, number
        parts = urlsplit(target)
        self.bucket, _, self.key = unquote(parts.path).lstrip("/").partition("/")
        self.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.listing = "list-type" in self.query
        self.range = None
        if headers.get("range", "").startswith("bytes="):
            first, _, last = headers["range"][6:].partition("-")
            self.range = (int(first), int(last))


def answer(status, headers=(), body=b"", reason="X"):
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *[f"{k}: {v}" for k, v in headers], "", ""]
    return "\r\n".join(lines).encode() + body


def error(status, code, headers=(), message="as the test wants it"):
    return answer(
        status,
        [("Content-Type", "application/xml"), *headers],
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>REQ1</RequestId></Error>".encode(),
    )


def listing_xml(entries, token=None, prefixes=()):
    body = [
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><EncodingType>url</EncodingType>',
        f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>",
    ]
    if token:
        body.append(f"<NextContinuationToken>{escape(token)}</NextContinuationToken>")
    body += [
        f'<Contents><Key>{quote(key)}</Key><ETag>"{escape(tag)}"</ETag><Size>{size}</Size></Contents>'
        for key, size, tag in entries
    ]
    body += [f"<CommonPrefixes><Prefix>{quote(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes]
    return ("".join(body) + "</ListBucketResult>").encode()


class FaultServer:
    scheme, source = "s3", "s3://data/"

    def __init__(self, bench, objects, tls=None, page=1000, host="127.0.0.1", port=0):
        self.objects = {key: value if isinstance(value, Object) else Object(value) for key, value in objects.items()}
        self.fault, self.page, self.tls = None, page, tls
        self.peers = set()  # addresses that connections came from
        self.lock, self.requests, self.bytes_sent = threading.Lock(), [], 0
        is_v6 = ":" in host
        self.listener = socket.create_server(
            (host, port), backlog=256, family=socket.AF_INET6 if is_v6 else socket.AF_INET
        )
        self.port = self.listener.getsockname()[1]
        self.endpoint = f"http{'s' if tls else ''}://{f'[{host}]' if is_v6 else host}:{self.port}"
        bench.closers.append(self.listener.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self, predicate=lambda request: True):
        with self.lock:
            return sum(1 for request in self.requests if predicate(request))

    def reset(self):
        with self.lock:
            self.requests, self.bytes_sent = [], 0

    def _accept(self):
        while True:
            try:
                connection, (peer, *_) = self.listener.accept()
                self.peers.add(peer)
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.tls)
                connection = context.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
                with self.lock:
                    request = Request(method, target, headers, len(self.requests))
                    self.requests.append(request)
                self.understand(request)
                if not self._act(connection, request):
                    return
        except (OSError, ValueError):
            pass
        finally:
            try:
                connection.close()
            except OSError:
                pass

    def _act(self, connection, request):
        found = self.objects.get(request.key) if request.key else None
        actions = self.fault(request, found) if self.fault else None
        if actions is None:
            actions = [("send", self.honest(request, found))]
        for action in actions:
            if action[0] == "send":
                data = action[1]
                for piece in [data] if isinstance(data, bytes) else data:
                    connection.sendall(piece)
                    with self.lock:
                        self.bytes_sent += len(piece)
            elif action[0] == "stall":
                time.sleep(action[1])
            elif action[0] == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            else:
                return False
        return True

    def understand(self, request):
        """For servers of another kind (dialects.py): what the target says in their words."""

    def honest(self, request, found):
        if request.listing:
            return self.list(request)
        if found is None:
            return error(404, "NoSuchKey")
        headers = [
            ("ETag", f'"{found.tag}"'),
            ("Date", email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc), usegmt=True)),
        ]
        if request.headers.get("if-match", f'"{found.tag}"') != f'"{found.tag}"':
            return error(412, "PreconditionFailed")
        if found.crc32 and request.headers.get("x-amz-checksum-mode"):
            headers += [("x-amz-checksum-crc32", found.crc32), ("x-amz-checksum-type", "FULL_OBJECT")]
        if request.method == "HEAD":
            return answer(200, headers, b"").replace(
                b"Content-Length: 0", f"Content-Length: {len(found.content)}".encode()
            )
        if request.range:
            first, last = request.range
            headers.append(("Content-Range", f"bytes {first}-{last}/{len(found.content)}"))
            return answer(206, headers, found.content[first : last + 1])
        return answer(200, headers, found.content)

    def list(self, request):
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        keys, prefixes = [], []
        for key in sorted(self.objects, key=str.encode):
            if not key.startswith(prefix) or key.encode() <= after.encode():
                continue
            if delimiter and delimiter in key[len(prefix) :]:
                common = key[: key.index(delimiter, len(prefix)) + 1]
                if common not in prefixes:
                    prefixes.append(common)
                continue
            keys.append(key)
        page = keys[: self.page]
        token = page[-1] if len(keys) > self.page else None
        body = listing_xml(
            [(key, len(self.objects[key].content), self.objects[key].tag) for key in page], token, prefixes
        )
        return answer(200, [("Content-Type", "application/xml")], body)
