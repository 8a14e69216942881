"""An HTTP proxy on loopback that stands for the whole internet: whatever host is asked, it answers as S3 or STS would, and keeps who
asked for what. TLS is ended with a certificate of its own, for the names that are asked."""

import http.server
import ssl
import threading
import time
from urllib.parse import parse_qs, urlsplit

from tests.support import certs, sigv4
from tests.support.fault_server import listing_xml

STS_NAMES = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


def sts_keys(form, access, host):
    """Keys whose name says how they were come by: the role, who asked for it, and where."""
    action = form["Action"][0]
    by = access if action == "AssumeRole" else "web-" + form["WebIdentityToken"][0]
    return (
        f"{form['RoleArn'][0].rpartition('/')[2]}.{by}.at.{host}",
        "secret-of-role",
        "token-of-role",
        "2099-01-01T00:00:00Z",
    )


def sts_answer(form, access, host):
    action = form["Action"][0]
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in zip(STS_NAMES, sts_keys(form, access, host)))
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>{fields}</Credentials>'
        f"<AssumedRoleUser><Arn>a</Arn><AssumedRoleId>b</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
    ).encode()


def place(url):
    """Where the bucket was asked: scheme, host, port and the path up to the bucket."""
    parts = urlsplit(url)
    port = parts.port if parts.port not in (None, 443 if parts.scheme == "https" else 80) else None
    return f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


class Observer:
    def __init__(self, bench, names):
        folder = bench.path("observer-ca")
        self.ca = certs.make_ca(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certs.make_server(folder, "observer", [f"DNS:{name}" for name in names]))
        self.seen, self.lock = [], threading.Lock()
        observer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            tunnel = None

            def do_CONNECT(self):
                self.send_response(200)
                self.end_headers()
                self.tunnel = self.path.removesuffix(":443")
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = f"https://{self.tunnel}{self.path}" if self.tunnel else self.path
                authorization = self.headers.get("Authorization", "")
                access = authorization.partition("Credential=")[2].partition("/")[0]
                if body:
                    said = sts_answer(parse_qs(body.decode()), access, urlsplit(url).netloc)
                else:
                    with observer.lock:
                        observer.seen.append(
                            (self.command, url, {name.lower(): value for name, value in self.headers.items()})
                        )
                    said = (
                        listing_xml([("set/a", 1, "c4ca4238a0b923820dcc509a6f75849b")]) if "list-type" in url else b"1"
                    )
                self.send_response(200)
                self.send_header("ETag", '"c4ca4238a0b923820dcc509a6f75849b"')
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(said)

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that does not trust the certificate
                pass

        server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bench.closers += [server.server_close, server.shutdown]

    def first(self):
        """Of the requests since the last call the first: (where, access key, region, session token, whether `secret` signed it)."""
        with self.lock:
            seen, self.seen = self.seen, []
        if not seen:
            return None
        method, url, headers = seen[0]
        match = sigv4.AUTHORIZATION.match(headers.get("authorization", ""))
        access, _, region = match.groups()[:3] if match else ("", "", "")
        parts = urlsplit(url)

        def signed_with(secret):
            return sigv4.check(method, parts.path, parts.query, headers, {access: secret}, region, time.time()) is None

        return place(url), access, region, headers.get("x-amz-security-token", ""), signed_with
