#!/usr/bin/env python3
# ctest: 400
"""Identity services that hang, lie, redirect, flood or are not there, for every identity that zcdp asks over the network: a sync
ends within seconds with one line that names the service, and nothing that was meant for the service is sent elsewhere. Services
that fail for a moment only are asked again."""

import http.server
import json
import socket
import threading
import time

from tests.support import google
from tests.support.fault_server import FaultServer
from tests.support.gate import JsonHandler
from tests.support.harness import TestRun

SECRETS = ("subject-token", "refresh-secret", "container-token", "client-secret", "service-header", "imds-token")
FAR = "2099-01-01T00:00:00Z"
AWS = {"Code": "Success", "AccessKeyId": "KEY", "SecretAccessKey": "SECRET", "Token": "SESSION", "Expiration": FAR}
OAUTH = {"access_token": "bearer", "expires_in": 3600, "token_type": "Bearer"}
LATER = (
    "/later/latest/api/token",
    "/later/latest/meta-data/iam/security-credentials/",
)  # where only the last step goes wrong
STS = (
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>KEY</AccessKeyId><SecretAccessKey>SECRET"
    f"</SecretAccessKey><SessionToken>SESSION</SessionToken><Expiration>{FAR}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
    "</AssumeRoleWithWebIdentityResponse>"
)


class Identity:
    """Every identity service on one port. `misdeed` answers for it: (handler, path) -> True when it has."""

    def __init__(self, bench, misdeed=None):
        self.misdeed, self.asked, self.lock, self.ending = misdeed, 0, threading.Lock(), threading.Event()
        identity = self

        class Handler(JsonHandler):
            def do_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                with identity.lock:
                    identity.asked += 1
                    identity.number = identity.asked
                try:
                    first_step = self.path.startswith("/honest/") or self.path in LATER
                    if first_step or not identity.misdeed or not identity.misdeed(self, identity):
                        self.honest(body)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_any

            def honest(self, body):
                if self.path.endswith("/latest/api/token"):
                    return self.answer(200, "imds-token")
                if self.path.endswith("/security-credentials/"):
                    return self.answer(200, "role")
                if "AssumeRoleWithWebIdentity" in body:
                    return self.answer(200, STS)
                if self.path == "/container" or "/security-credentials/" in self.path:
                    return self.answer(200, AWS)
                return self.answer(
                    200, {"accessToken": "bearer", "expireTime": FAR} if self.path == "/impersonate" else OAUTH
                )

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        bench.closers += [self.server.server_close, self.server.shutdown, self.ending.set]


def kinds_of(bench, endpoint):
    """name: (SOURCE's scheme, environment), for an identity service at `endpoint`."""
    host = endpoint.removeprefix("http://")
    token = bench.path("token")
    token.write_text("subject-token\n")
    account = json.loads(bench.path("account.json").read_text())
    for name, content in (
        ("key", {**account, "token_uri": endpoint + "/token"}),
        (
            "user",
            {
                "type": "authorized_user",
                "client_id": "c",
                "client_secret": "s",
                "refresh_token": "refresh-secret",
                "token_uri": endpoint + "/token",
            },
        ),
        (
            "external",
            {
                "type": "external_account",
                "audience": "a",
                "subject_token_type": "t",
                "token_url": endpoint + "/sts",
                "service_account_impersonation_url": endpoint + "/impersonate",
                "credential_source": {"file": str(token)},
            },
        ),
        (
            "impersonating",
            {
                "type": "external_account",
                "audience": "a",
                "subject_token_type": "t",
                "token_url": endpoint + "/honest/sts",
                "service_account_impersonation_url": endpoint + "/impersonate",
                "credential_source": {"file": str(token)},
            },
        ),
    ):
        bench.path(f"{name}-{host}.json").write_text(json.dumps(content))
    file = {
        name: {"GOOGLE_APPLICATION_CREDENTIALS": str(bench.path(f"{name}-{host}.json"))}
        for name in ("key", "user", "external", "impersonating")
    }
    return {
        "AWS's metadata service": (
            "s3://data/",
            {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint},
        ),
        "AWS's metadata service, of the role,": (
            "s3://data/",
            {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint + "/later"},
        ),
        "AWS's container credentials": (
            "s3://data/",
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint + "/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token",
            },
        ),
        "AWS's STS": (
            "s3://data/",
            {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                "AWS_ENDPOINT_URL_STS": endpoint,
            },
        ),
        "GCE's metadata service": ("gs://data/", {"GCE_METADATA_HOST": host, "HOME": str(bench.path("nobody"))}),
        "Google's token service": ("gs://data/", file["key"]),
        "Google's token service for a user": ("gs://data/", file["user"]),
        "Google's STS": ("gs://data/", file["external"]),
        "Google's impersonation": ("gs://data/", file["impersonating"]),
        "Alibaba's STS": (
            "oss://data/",
            {
                "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token),
                "ALIBABA_CLOUD_ROLE_ARN": "r",
                "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "p",
                "ALIBABA_CLOUD_STS_ENDPOINT": endpoint,
                "OSS_REGION": "cn-hangzhou",
            },
        ),
        "Azure's metadata service": ("az://account/data/", {"AZURE_POD_IDENTITY_AUTHORITY_HOST": endpoint}),
        "App Service's identity": (
            "az://account/data/",
            {"IDENTITY_ENDPOINT": endpoint + "/msi", "IDENTITY_HEADER": "service-header"},
        ),
        "Entra's token service": (
            "az://account/data/",
            {
                "AZURE_AUTHORITY_HOST": endpoint,
                "AZURE_TENANT_ID": "t",
                "AZURE_CLIENT_ID": "c",
                "AZURE_FEDERATED_TOKEN_FILE": str(token),
            },
        ),
        "Entra's token service with a secret": (
            "az://account/data/",
            {
                "AZURE_AUTHORITY_HOST": endpoint,
                "AZURE_TENANT_ID": "t",
                "AZURE_CLIENT_ID": "c",
                "AZURE_CLIENT_SECRET": "client-secret",
            },
        ),
    }


def hangs(handler, identity):
    identity.ending.wait(30)
    handler.close_connection = True
    return True


def drips(handler, identity):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(300):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if identity.ending.wait(0.1):
            break
    handler.close_connection = True
    return True


def floods(handler, identity):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(4096):
        handler.wfile.write(b'{"access_token":"' + b"x" * 65536)
    handler.close_connection = True
    return True


def writes(data):
    """These bytes, whatever they are, and the end."""

    def misdeed(handler, identity):
        handler.wfile.write(data)
        handler.close_connection = True
        return True

    return misdeed


header_floods = writes(
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(500)) + b"\r\n"
)
garbage = writes(b"SSH-2.0-OpenSSH_9.6\r\n")
cut_off = writes(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"access_token":')


def closes(handler, identity):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


def says(status, body, *headers):
    def misdeed(handler, identity):
        handler.answer(status, body, headers)
        return True

    return misdeed


# name: (misdeed, exit codes, a word of the error). 5: the service has spoken, or there may be none; 1: it may be there later.
MISDEEDS = {
    "hangs": (hangs, (1, 5), "in time"),
    "drips": (drips, (1, 5), "slower"),
    "closes the connection": (closes, (1, 5), "closed the connection"),
    "is cut off": (cut_off, (1, 5), "cut off"),
    "speaks no HTTP": (garbage, (1, 5), "not HTTP"),
    "floods": (floods, (5,), "over the limit"),
    "floods by its header": (header_floods, (1, 5), "not HTTP"),
    "answers HTML": (says(200, "<html><body>Sign in\r\nX-Injected: yes</body></html>"), (5,), ""),
    "answers nothing": (says(200, ""), (5,), ""),
    "answers null": (says(200, "null"), (5,), ""),
    "answers an array of arrays": (says(200, "[" * 100_000), (5,), ""),
    "answers without the fields": (
        says(200, {"Code": "Success", "token_type": "Bearer", "expires_in": 3600}),
        (5,),
        "",
    ),
    "answers fields of other types": (
        says(
            200, {"access_token": 7, "accessToken": {}, "AccessKeyId": [], "SecretAccessKey": None, "expires_in": "x"}
        ),
        (5,),
        "",
    ),
    "answers a token with a line break": (
        says(
            200,
            {
                "access_token": "a\r\nX-Injected: yes",
                "accessToken": "a\nb",
                "AccessKeyId": "a\r\nX-Injected: yes",
                "SecretAccessKey": "s",
                "Token": "t",
                "Expiration": FAR,
            },
        ),
        (5,),
        "",
    ),
    "answers 401": (says(401, {"error": "invalid_client"}), (5,), "401"),
    "answers 404": (says(404, "<html>no such page</html>"), (5,), "404"),
    "answers 204": (says(204, ""), (5,), "204"),
    "answers 503": (says(503, "later"), (1,), "503"),
}


def misbehaves(bench, store, kinds_at):
    for misdeed, (act, codes, word) in MISDEEDS.items():
        identity = Identity(bench, act)
        for kind, (source, env) in kinds_at(identity.endpoint).items():
            began = time.monotonic()
            code, out, err = bench.zcdp(
                "sync",
                "-q",
                "--retries",
                "0" if act in (hangs, drips) else "1",
                "--timeout",
                "1s",
                "--endpoint",
                store.endpoint,
                "--store",
                bench.path("store"),
                source,
                env=env,
                timeout=30,
            )
            took = time.monotonic() - began
            bench.check(
                f"{kind} {misdeed}: one line that names it ({code}, {took:.1f} s)",
                code in codes and err.count("\n") == 1 and identity.endpoint in err and word in err and took < 10,
                (code, took, err),
            )
            bench.check(f"{kind} {misdeed}: no secret in it", not any(secret in err for secret in SECRETS), err)
        identity.ending.set()
    bench.equal("nothing was sent to the store", store.count(), 0)


def redirects(bench, store, kinds_at):
    other = FaultServer(bench, {})
    for status in (301, 302, 303, 307, 308):
        identity = Identity(
            bench,
            lambda handler, identity: handler.answer(status, "", [("Location", other.endpoint + handler.path)]) or True,
        )
        for kind, (source, env) in kinds_at(identity.endpoint).items():
            code, out, err = bench.zcdp(
                "sync",
                "-q",
                "--retries",
                "1",
                "--endpoint",
                store.endpoint,
                "--store",
                bench.path("store"),
                source,
                env=env,
                timeout=30,
            )
            bench.check(
                f"{kind} redirects ({status}): exit code 5, one line that says so and names it",
                code == 5 and err.count("\n") == 1 and identity.endpoint in err and "redirect" in err,
                (code, err),
            )
    bench.equal("no redirect was followed", len(other.peers), 0)


def absent(bench, store, kinds_at):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for kind, (source, env) in kinds_at(endpoint).items():
            code, out, err = bench.zcdp(
                "sync",
                "-q",
                "--retries",
                "1",
                "--endpoint",
                store.endpoint,
                "--store",
                bench.path("store"),
                source,
                env=env,
                timeout=30,
            )
            own = "metadata" in kind or "App" in kind
            bench.check(
                f"{kind} is not there: one line that names it",
                code == (5 if own else 1) and err.count("\n") == 1 and endpoint in err,
                (code, err),
            )


def recovers(bench, kinds_at):
    """503 once, then honest: the sync goes on. The store takes whatever it is asked, for Google and Azure refuse by a look at it."""
    store = FaultServer(bench, {"a": b"1"})
    for kind in ("AWS's metadata service", "AWS's container credentials", "AWS's STS"):
        identity = Identity(
            bench, lambda handler, identity: identity.number == 1 and (handler.answer(503, "later") or True)
        )
        source, env = kinds_at(identity.endpoint)[kind]
        code, out, err = bench.zcdp(
            "sync",
            "-q",
            "--endpoint",
            store.endpoint,
            "--store",
            bench.path("store " + kind),
            source,
            env=env,
            timeout=30,
        )
        bench.check(
            f"{kind} answers 503 once: it is asked again",
            code == 0 and identity.asked >= 2,
            (code, identity.asked, err),
        )


def ended_already(bench, kinds_at):
    """Credentials whose end is past by our clock: the store's clock decides, and they are not asked for with each request."""
    past = {**AWS, "Expiration": "2020-01-01T00:00:00Z", "accessToken": "bearer", "expireTime": "2020-01-01T00:00:00Z"}
    store = FaultServer(bench, {f"{n:03}": b"1" for n in range(100)})
    identity = Identity(bench, lambda handler, identity: handler.answer(200, past) or True)
    source, env = kinds_at(identity.endpoint)["AWS's container credentials"]
    code, out, err = bench.zcdp(
        "sync", "-v", "--endpoint", store.endpoint, "--store", bench.path("store past"), source, env=env, timeout=30
    )
    bench.check(
        "credentials that have ended by our clock: said, tried, and asked for seldom",
        code == 0 and "ended already" in err and identity.asked <= 3,
        (code, identity.asked, err[-500:]),
    )


with TestRun() as bench:
    account, _ = google.service_account(bench.folder, "http://unset")
    bench.path("account.json").write_text(account)
    store = FaultServer(bench, {"a": b"1"})
    kinds_at = lambda endpoint: kinds_of(bench, endpoint)
    redirects(bench, store, kinds_at)
    absent(bench, store, kinds_at)
    misbehaves(bench, store, kinds_at)
    recovers(bench, kinds_at)
    ended_already(bench, kinds_at)
