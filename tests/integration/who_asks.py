#!/usr/bin/env python3
# ctest: 180
"""Who asks: what the user names (a profile, a file, a variable) and what cannot be used is an error that names it, for every kind of
source, and the machine's own identity is never used in its place; white space around keys and tokens is no part of them, and what
would break a header is refused by the name of its variable, before anything is sent, and is not shown."""

import base64
import http.server
import json
import threading
import time

from tests.support import sigv4
from tests.support.fault_server import FaultServer, error
from tests.support.harness import TestRun, clean_env

SECRET = "wJalrXUt+nFEMI/K7MDENG"
PAIRS = {"s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "oss": ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET")}
OTHER_PAIR = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")


class Machine:
    """The machine's own identity, for every cloud: gives keys and tokens to all who ask, and counts them."""

    def __init__(self, bench):
        self.asked, lock = [], threading.Lock()
        machine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                with lock:
                    machine.asked.append(self.path)
                body = (
                    "token"
                    if self.command == "PUT" or self.path.endswith("/security-credentials/")
                    else json.dumps(
                        {
                            "Code": "Success",
                            "AccessKeyId": "MACHINE",
                            "SecretAccessKey": "s",
                            "AccessKeySecret": "s",
                            "Token": "MACHINE",
                            "SecurityToken": "MACHINE",
                            "Expiration": "2099-01-01T00:00:00Z",
                            "access_token": "MACHINE",
                            "expires_in": 3600,
                        }
                    )
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_PUT = do_POST = answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bench.closers += [server.server_close, server.shutdown]
        self.url = f"http://127.0.0.1:{server.server_port}"


class Runner:
    def __init__(self, bench):
        self.bench, self.machine, self.number = bench, Machine(bench), 0
        self.store = FaultServer(bench, {"set/a": b"1"})
        self.home = bench.path("home")
        (self.home / ".aws").mkdir(parents=True)
        (self.home / ".aws/config").write_text(
            "[profile training]\nregion = eu-central-1\n[profile empty]\nregion = eu-central-1\n"
        )
        (self.home / ".aws/credentials").write_text(
            f"[training]\naws_access_key_id = AKIDTRAIN\naws_secret_access_key = {SECRET}\n[half]\naws_access_key_id = AKIDHALF\n"
        )

    def run(self, source, env, *flags):
        """(exit code, stderr). The environment is clean but for the machine's identity."""
        self.number += 1
        self.store.reset()
        self.machine.asked.clear()
        base = {name: None for name in clean_env() if name.startswith("AWS_")}
        base |= {
            "HOME": str(self.home),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.machine.url,
            "GCE_METADATA_HOST": self.machine.url.removeprefix("http://"),
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": self.machine.url,
            "OSS_REGION": "cn-hangzhou",
        }
        prefix = ["env", *[f"-u{name}" for name, value in base.items() if value is None and name not in env]]
        code, _, err = self.bench.zcdp(
            "sync",
            "-q",
            "--retries",
            "0",
            *flags,
            "--endpoint",
            self.store.endpoint,
            "--no-store",
            source,
            self.bench.path(f"dest{self.number}"),
            env={**{name: value for name, value in base.items() if value is not None}, **env},
            prefix=prefix,
        )
        return code, err

    def refused(self, what, source, env, *words, flags=(), codes=(2, 4, 5)):
        code, err = self.run(source, env, *flags)
        self.bench.check(
            f"{what}: one line that says {', '.join(words)}",
            code in codes and err.count("\n") == 1 and all(word in err for word in words),
            (code, err),
        )
        self.bench.check(
            f"{what}: nobody was asked",
            self.store.count() == 0 and not self.machine.asked,
            (self.store.requests, self.machine.asked),
        )
        self.bench.check(
            f"{what}: no secret in it",
            SECRET not in err and "SECRET" not in err.replace("AWS_SECRET_ACCESS_KEY", "").replace("_SECRET", ""),
            err,
        )


def named_by_aws(runner, path):
    source = "s3://data/set/"
    runner.refused(
        "--profile that no file has",
        source,
        {},
        "profile trainning",
        "there are:",
        "training",
        flags=("--profile", "trainning"),
    )
    runner.refused(
        "--profile that no file has, anonymously",
        source,
        {},
        "profile trainning",
        flags=("--profile", "trainning", "--anonymous"),
    )
    runner.refused("AWS_PROFILE that no file has", source, {"AWS_PROFILE": "trainning"}, "profile trainning")
    runner.refused(
        "a profile with half a pair", source, {"AWS_PROFILE": "half"}, "profile half", "aws_secret_access_key"
    )
    runner.refused(
        "a profile without credentials", source, {}, "profile empty", "no credentials", flags=("--profile", "empty")
    )
    runner.refused(
        "--profile, whatever else there is",
        source,
        {
            "AWS_ACCESS_KEY_ID": "A",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_WEB_IDENTITY_TOKEN_FILE": path("token"),
            "AWS_ROLE_ARN": "r",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": runner.machine.url,
        },
        "profile empty",
        "no credentials",
        flags=("--profile", "empty"),
    )
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        runner.refused(f"{variable} that is not there", source, {variable: path("nothing")}, variable, "nothing")
        runner.refused(f"{variable} that is a folder", source, {variable: path("")}, variable)
    runner.refused(
        "AWS_WEB_IDENTITY_TOKEN_FILE without a role",
        source,
        {"AWS_WEB_IDENTITY_TOKEN_FILE": path("token")},
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
    )
    web = {"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_ENDPOINT_URL_STS": runner.machine.url}
    runner.refused(
        "AWS_WEB_IDENTITY_TOKEN_FILE that is not there",
        source,
        {**web, "AWS_WEB_IDENTITY_TOKEN_FILE": path("nothing")},
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "nothing",
    )
    runner.refused(
        "AWS_WEB_IDENTITY_TOKEN_FILE that is empty",
        source,
        {**web, "AWS_WEB_IDENTITY_TOKEN_FILE": path("empty")},
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "empty",
    )
    container = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": runner.machine.url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": path("nothing"),
    }
    runner.refused(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE that is not there",
        source,
        container,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "nothing",
    )
    for name, value in (("AWS_MAX_ATTEMPTS", "many"), ("AWS_MAX_ATTEMPTS", "0")):
        runner.refused(
            f"{name}={value}",
            source,
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", name: value},
            name,
            value,
        )


def named_by_others(runner, path):
    google, azure = "GOOGLE_APPLICATION_CREDENTIALS", "az://account/data/set/"
    for file, word in (("nothing", "nothing"), ("empty", "empty"), ("token", "no JSON")):
        runner.refused(f"{google} of {file}", "gs://data/set/", {google: path(file)}, file, word)
    runner.refused(
        "AZURE_FEDERATED_TOKEN_FILE alone",
        azure,
        {"AZURE_FEDERATED_TOKEN_FILE": path("token"), "AZURE_CLIENT_ID": "c"},
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_TENANT_ID",
    )
    runner.refused(
        "AZURE_CLIENT_SECRET alone",
        azure,
        {"AZURE_CLIENT_SECRET": SECRET, "AZURE_TENANT_ID": "t"},
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_ID",
    )
    whole = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_AUTHORITY_HOST": runner.machine.url}
    runner.refused(
        "AZURE_FEDERATED_TOKEN_FILE that is not there",
        azure,
        {**whole, "AZURE_FEDERATED_TOKEN_FILE": path("nothing")},
        "AZURE_FEDERATED_TOKEN_FILE",
        "nothing",
    )
    runner.refused(
        "AZURE_FEDERATED_TOKEN_FILE that is empty",
        azure,
        {**whole, "AZURE_FEDERATED_TOKEN_FILE": path("empty")},
        "AZURE_FEDERATED_TOKEN_FILE",
        "empty",
    )
    runner.refused(
        "AZURE_CLIENT_CERTIFICATE_PATH",
        azure,
        {**whole, "AZURE_CLIENT_CERTIFICATE_PATH": path("token")},
        "AZURE_CLIENT_CERTIFICATE_PATH",
    )
    runner.refused(
        "a connection string without a key",
        azure,
        {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=account;Key={SECRET}"},
        "AZURE_STORAGE_CONNECTION_STRING",
        "AccountKey",
    )
    oidc = {
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": path("nothing"),
        "ALIBABA_CLOUD_ROLE_ARN": "r",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "p",
        "ALIBABA_CLOUD_STS_ENDPOINT": runner.machine.url,
    }
    runner.refused(
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE that is not there",
        "oss://data/set/",
        oidc,
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "nothing",
    )
    runner.refused(
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE without a role",
        "oss://data/set/",
        {**oidc, "ALIBABA_CLOUD_ROLE_ARN": ""},
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "ALIBABA_CLOUD_ROLE_ARN",
    )
    runner.refused(
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "oss://data/set/",
        {"ALIBABA_CLOUD_CREDENTIALS_URI": runner.machine.url},
        "ALIBABA_CLOUD_CREDENTIALS_URI",
    )
    for source, pair in (
        ("s3://data/set/", PAIRS["s3"]),
        ("oss://data/set/", PAIRS["oss"]),
        ("oss://data/set/", OTHER_PAIR),
    ):
        for there, missing in (pair, pair[::-1]):
            runner.refused(f"{there} alone", source, {there: "VALUE"}, there, missing)
    runner.refused(
        "ZCDP_HTTP_PASSWORD alone",
        f"{runner.store.endpoint}/set/",
        {"ZCDP_HTTP_PASSWORD": SECRET},
        "ZCDP_HTTP_PASSWORD",
        "ZCDP_HTTP_USER",
        flags=(),
    )


def spaces(runner):
    """(SOURCE, variable, the other variables, what the server must be told of it)"""
    bench, store = runner.bench, runner.store
    pair = {"AWS_ACCESS_KEY_ID": "AKIDTEAM", "AWS_SECRET_ACCESS_KEY": SECRET}
    azure = {"AZURE_STORAGE_KEY": base64.b64encode(SECRET.encode()).decode()}
    oss = {"OSS_ACCESS_KEY_ID": "AKIDTEAM", "OSS_ACCESS_KEY_SECRET": SECRET}
    kinds = [
        ("s3://data/set/", {**pair, "AWS_SESSION_TOKEN": "TOKEN"}),
        ("oss://data/set/", {**oss, "OSS_SESSION_TOKEN": "TOKEN"}),
        ("az://account/data/set/", azure),
        ("az://account/data/set/", {"AZURE_STORAGE_SAS_TOKEN": "sv=2022-11-02&sig=abc%3D"}),
        (f"{store.endpoint}/set/", {"ZCDP_HTTP_TOKEN": "TOKEN"}),
        (f"{store.endpoint}/set/", {"ZCDP_HTTP_USER": "me", "ZCDP_HTTP_PASSWORD": SECRET}),
        ("hf://org/model", {"HF_TOKEN": "TOKEN"}),
    ]
    store.fault = lambda request, found: [("send", error(403, "AccessDenied"))]  # what is asked is looked at, no more
    for source, given in kinds:

        def told(values):
            runner.run(source, values)
            if not store.requests:
                return None
            first = store.requests[0]
            path, _, query = first.target.partition("?")
            authorization = first.headers.get("authorization", "")
            # Signatures hold for a second: who is named, what is sent as it is, and whether S3's is made with the secret.
            shown = (
                authorization.partition("/20")[0]
                if "Credential=" in authorization
                else authorization[:18]
                if "SharedKey" in authorization
                else authorization
            )
            signed = source.startswith("s3://") and sigv4.check(
                first.method, path, query, first.headers, {"AKIDTEAM": SECRET}, "us-east-1", time.time()
            )
            return [
                shown,
                first.headers.get("x-amz-security-token"),
                first.headers.get("x-oss-security-token"),
                first.target.partition("sig=")[2],
                signed,
            ]

        plain = told(given)
        bench.check(f"{source} with {', '.join(given)}: the server is asked", plain is not None and not plain[4], plain)
        for space in ("{}\n", " {}\r\n", "\t{} ", "\ufeff{}", "\u00a0{}\u00a0"):
            bench.equal(
                f"{source} with {', '.join(given)}: {space.format('…')!r} is the same",
                told({name: space.format(value) for name, value in given.items()}),
                plain,
            )
        for name, value in given.items():
            half = len(value) // 2
            for breaks in ("\n", "\r\nX-Injected: yes\r\n", "\x1b"):
                runner.refused(
                    f"{source} with a {breaks!r} inside {name}",
                    source,
                    {**given, name: value[:half] + breaks + value[half:]},
                    name,
                    codes=(2,),
                )
    store.fault = None


def attempts(runner):
    """How often a request is sent that never succeeds."""
    keys = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"}
    config = runner.bench.path("attempts")
    config.write_text("[default]\nmax_attempts = 3\n")
    runner.store.fault = lambda request, found: [("send", error(500, "InternalError"))]
    for what, env, flags, want in (
        ("max_attempts of the profile", {"AWS_CONFIG_FILE": str(config)}, (), 3),
        ("AWS_MAX_ATTEMPTS", {"AWS_MAX_ATTEMPTS": "2"}, (), 2),
        ("which goes before the profile", {"AWS_CONFIG_FILE": str(config), "AWS_MAX_ATTEMPTS": "1"}, (), 1),
        ("--retries goes before both", {"AWS_MAX_ATTEMPTS": "4"}, ("--retries", "1"), 2),
    ):
        runner.store.reset()
        code, _, err = runner.bench.zcdp(
            "sync",
            "-q",
            *flags,
            "--endpoint",
            runner.store.endpoint,
            "--no-store",
            "s3://data/set/",
            runner.bench.path("attempted"),
            env={**keys, **env},
        )
        runner.bench.check(
            f"{what}: {want} requests", code == 1 and runner.store.count() == want, (code, runner.store.count(), err)
        )
    runner.store.fault = None


with TestRun() as bench:
    runner = Runner(bench)
    for name, content in (("token", "subject"), ("empty", "\n")):
        bench.path(name).write_text(content)
    path = lambda name: str(bench.path(name))
    code, err = runner.run("s3://data/set/", {})
    bench.check(
        "the machine's identity is used when nobody is named",
        code == 0 and runner.machine.asked and "MACHINE" in runner.store.requests[0].headers["authorization"],
        (code, err),
    )
    code, err = runner.run("s3://data/set/", {}, "--profile", "training")
    bench.check(
        "a profile that is there",
        code == 0 and "AKIDTRAIN" in runner.store.requests[0].headers["authorization"] and not runner.machine.asked,
        (code, err),
    )
    named_by_aws(runner, path)
    named_by_others(runner, path)
    spaces(runner)
    attempts(runner)
