"""Cloud identities with tokens that end, and a gate before a store that asks nobody for bearer tokens (fake-gcs-server) or knows
only keys (azurite): what carries the token of the moment passes, the rest gets the refusal of the real store."""

import datetime
import http.client
import http.server
import json
import threading
import time
import urllib.parse

from tests.support import google

GCS_REFUSAL = (
    401,
    [("Content-Type", "application/json"), ("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/"')],
    json.dumps(
        {
            "error": {
                "code": 401,
                "message": "Invalid Credentials",
                "errors": [
                    {
                        "message": "Invalid Credentials",
                        "domain": "global",
                        "reason": "authError",
                        "locationType": "header",
                        "location": "Authorization",
                    }
                ],
            }
        }
    ),
)
AZURE_REFUSAL = (
    401,
    [
        ("Content-Type", "application/xml"),
        ("x-ms-error-code", "InvalidAuthenticationInfo"),
        ("WWW-Authenticate", "Bearer"),
    ],
    '\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>InvalidAuthenticationInfo</Code><Message>Server failed to authenticate the '
    "request. Please refer to the information in the www-authenticate header.\nRequestId:1</Message><AuthenticationErrorDetail>Lifetime "
    "validation failed. The token is expired.</AuthenticationErrorDetail></Error>",
)


class Tokens:
    """Bearer tokens of which the latest is good, for `lifetime_s` at most; issued for the identity token in `file`, which turns with them."""

    def __init__(self, file, told_s=3600):
        self.lock, self.file, self.told_s, self.lasting_s = threading.Lock(), file, told_s, None
        self.number, self.issued, self.stale = 0, 0, 0
        self.trouble, self.troubles = 0, 0  # how many requests fail after each turn; how many have still to
        self.ends = {}
        self.rotate()

    def rotate(self):
        with self.lock:
            self.number += 1
            self.troubles = self.trouble
            self.file.write_text(f"subject-{self.number}\n")

    def issue(self, word="bearer"):
        with self.lock:
            self.issued += 1
            token = f"{word}-{self.number}" + (f".{self.issued}" if self.lasting_s else "")
            self.ends[token] = time.time() + (self.lasting_s or 1e9)
            return token

    def fails(self):
        with self.lock:
            failing = self.troubles > 0
            self.troubles -= failing
            return failing

    def is_good(self, token, word="bearer"):
        with self.lock:
            return token.partition(".")[0] == f"{word}-{self.number}" and self.ends.get(token, 0) > time.time()

    def is_subject(self, token):
        with self.lock:
            good = token == f"subject-{self.number}"
            self.stale += not good
            return good


class JsonHandler(http.server.BaseHTTPRequestHandler):
    """Keeps connections, says nothing on stderr, and answers with bytes, text or JSON."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def serve(bench, handler, host="127.0.0.1"):
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bench.closers += [server.server_close, server.shutdown]
    return f"http://{host}:{server.server_port}"


def identity_server(bench, tokens, keys=()):
    """The metadata servers of GCE, Azure and App Service, and the token services of both clouds. keys: of service accounts."""

    class Handler(JsonHandler):
        def token(self, **more):
            return self.answer(
                200,
                {
                    "token_type": "Bearer",
                    **({"expires_in": tokens.told_s} if not more else more),
                    "access_token": tokens.issue(),
                },
            )

        def do_GET(self):
            path, _, query = self.path.partition("?")
            query = dict(urllib.parse.parse_qsl(query))
            if tokens.fails():
                return self.answer(503, "later")
            ends = str(int(time.time()) + tokens.told_s)
            if (
                path == "/computeMetadata/v1/instance/service-accounts/default/token"
                and self.headers.get("Metadata-Flavor") == "Google"
            ):
                return self.token()
            wanted = query.get("resource") == "https://storage.azure.com/"
            if path == "/metadata/identity/oauth2/token" and self.headers.get("Metadata") == "true" and wanted:
                return self.token(expires_in=str(tokens.told_s), expires_on=ends, resource=query["resource"])
            if path == "/msi/token" and self.headers.get("X-IDENTITY-HEADER") == "of the service" and wanted:
                return self.token(expires_on=ends, resource=query["resource"])
            return self.answer(404, "there is no such thing here")

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if tokens.fails():
                return self.answer(503, "later")
            form = {name: values[0] for name, values in urllib.parse.parse_qs(body).items()}
            if self.path == "/impersonate":
                if not tokens.is_good(self.headers["Authorization"].removeprefix("Bearer "), "federated"):
                    return self.answer(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
                ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=tokens.told_s)
                return self.answer(
                    200, {"accessToken": tokens.issue(), "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
                )
            if self.path == "/token" and google.claims_of(form["assertion"], keys, bench.folder):
                return self.token()
            if self.path == "/sts" and tokens.is_subject(form["subject_token"]):
                return self.answer(
                    200,
                    {"access_token": tokens.issue("federated"), "token_type": "Bearer", "expires_in": tokens.told_s},
                )
            if (
                self.path == "/tenant/oauth2/v2.0/token"
                and form["client_id"] == "client"
                and tokens.is_subject(form["client_assertion"])
            ):
                return self.token()
            return self.answer(400, {"error": "invalid_grant"})

    return serve(bench, Handler)


class Gate:
    """`sign`: (method, path, query, headers) -> the headers with which the store behind takes the request."""

    def __init__(self, bench, behind, tokens, refusal, sign):
        behind = urllib.parse.urlsplit(behind)
        self.lock, self.served, self.refused, self.rotate_after = threading.Lock(), 0, 0, set()
        gate = self

        class Handler(JsonHandler):
            def do_GET(self):
                if not tokens.is_good(self.headers.get("Authorization", "").removeprefix("Bearer ")):
                    with gate.lock:
                        gate.refused += 1
                    return self.answer(refusal[0], refusal[2], refusal[1])
                path, _, query = self.path.partition("?")
                query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
                own = {
                    k: v for k, v in self.headers.items() if k.lower() not in ("host", "authorization", "connection")
                }
                back = http.client.HTTPConnection(behind.hostname, behind.port, timeout=30)
                back.request(self.command, self.path, headers=sign(self.command, path, query, own))
                answer = back.getresponse()
                body = answer.read()
                back.close()
                self.answer(
                    answer.status,
                    body,
                    [
                        (k, v)
                        for k, v in answer.getheaders()
                        if k.lower() not in ("transfer-encoding", "content-length", "connection", "keep-alive")
                    ],
                )
                is_object = "alt" in query or (
                    "comp" not in query and "delimiter" not in query and "maxResults" not in query
                )
                if is_object and answer.status in (200, 206):
                    gate.count()

            do_HEAD = do_GET

        self.endpoint = serve(bench, Handler)
        self.tokens = tokens

    def count(self):
        with self.lock:
            self.served += 1
            turn = self.served in self.rotate_after
        if turn:
            self.tokens.rotate()

    def begin(self, rotate_after=()):
        with self.lock:
            self.served, self.refused, self.rotate_after = 0, 0, set(rotate_after)
