#!/usr/bin/env python3
# ctest: 180
"""Credentials that expire in the middle of a sync, for each kind that can be refreshed: container credentials with a
rotating token file, web identity with one, instance metadata, and chains of roles. The object server checks every signature and refuses
what has expired; the identity servers refuse a stale token. No secret is ever printed."""

import datetime
import hashlib
import http.server
import json
import threading
import time
from urllib.parse import parse_qs

from tests.support import sigv4
from tests.support.fault_server import FaultServer, error
from tests.support.harness import TestRun, bytes_of, sums, write_tree

REGION = "eu-central-1"
ROLES = {  # who may assume which role, and what must be said
    "arn:aws:iam::1:role/first": {
        "source": "long",
        "form": {"RoleSessionName": "zcdp", "ExternalId": "a&b=c", "DurationSeconds": "900"},
    },
    "arn:aws:iam::1:role/middle": {"source": "long", "form": {"RoleSessionName": "mid"}},
    "arn:aws:iam::1:role/last": {"source": "middle", "form": {"RoleSessionName": "zcdp"}},
    "arn:aws:iam::1:role/instance": {"source": "instance", "form": {"RoleSessionName": "zcdp"}},
}
OBJECTS = {f"dir/{i:03}.bin": bytes_of(i, 20_000 + i) for i in range(60)}


class Keys:
    """Access keys, of which the latest is good; the issuer hands it out against the token of the moment."""

    def __init__(self, token_file):
        self.lock = threading.Lock()
        self.number, self.token_file = 0, token_file
        self.refused_tokens = 0
        self.rotate()

    def rotate(self):
        with self.lock:
            self.number += 1
            self.token_file.write_text(f"token-{self.number}\n")

    def good(self):
        with self.lock:
            return f"KEY{self.number}", f"secret/of+{self.number}", f"session-{self.number}"

    def sources(self):
        """Who may assume a role: access key, secret and session token by the names in ROLES."""
        number = self.number
        return {
            "long": ("LONG", "long/secret", ""),
            "middle": (f"MIDDLE{number}", f"secret/of+middle{number}", f"session-middle{number}"),
            "instance": self.good(),
        }

    def issue(self, token):
        """The answer's four fields, or None for a stale token."""
        with self.lock:
            number = self.number
            if token != f"token-{number}":
                self.refused_tokens += 1
                return None
        access, secret, session = f"KEY{number}", f"secret/of+{number}", f"session-{number}"
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return access, secret, session, ends.strftime("%Y-%m-%dT%H:%M:%SZ")


def identity_server(bench, keys):
    """Container credentials, STS and instance metadata on one loopback port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def json_of(self, issued):
            if issued is None:
                return self.answer(403, "stale token")
            names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
            return self.answer(200, json.dumps({"Code": "Success", **dict(zip(names, issued))}))

        def do_GET(self):
            if self.path == "/container":
                return self.json_of(keys.issue(self.headers.get("Authorization")))
            if self.path == "/federation/credentials?role_name=reader&account_id=1":
                if self.headers.get("x-amz-sso_bearer_token") != "sso":
                    return self.answer(401, "")
                access, secret, session, _ = keys.issue(f"token-{keys.number}")
                role = {
                    "accessKeyId": access,
                    "secretAccessKey": secret,
                    "sessionToken": session,
                    "expiration": int(time.time() + 3600) * 1000,
                }
                return self.answer(200, json.dumps({"roleCredentials": role}))
            if self.headers.get("X-aws-ec2-metadata-token") != "imds":
                return self.answer(401, "")
            if self.path.endswith("/security-credentials/"):
                return self.answer(200, "role-of-the-node")
            return self.json_of(keys.issue(f"token-{keys.number}"))

        def do_PUT(self):
            self.answer(200, "imds")

        def xml(self, action, issued):
            names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
            fields = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, issued))
            return self.answer(
                200,
                f"<{action}Response><{action}Result><Credentials>{fields}</Credentials></{action}Result></{action}Response>",
            )

        def assume_role(self, form, body):
            headers = {name.lower(): value for name, value in self.headers.items()}
            want = ROLES.get(form["RoleArn"][0])
            secrets = {access: secret for access, secret, *_ in keys.sources().values()}
            wrong = sigv4.check("POST", self.path, "", headers, secrets, REGION, time.time(), "sts")
            if not wrong and headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
                wrong = (400, "XAmzContentSHA256Mismatch")
            if not wrong and want:
                access, _, token = keys.sources()[want["source"]]
                if (
                    f"Credential={access}/" not in headers["authorization"]
                    or headers.get("x-amz-security-token", "") != token
                ):
                    wrong = (403, "AccessDenied")
            given = {name: values[0] for name, values in form.items()}
            if (
                wrong
                or not want
                or given
                != {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": given["RoleArn"], **want["form"]}
            ):
                return self.answer(
                    403,
                    f"<ErrorResponse><Error><Code>{wrong[1] if wrong else 'AccessDenied'}</Code><Message>not you</Message></Error></ErrorResponse>",
                )
            if "middle" in given["RoleArn"]:
                return self.xml("AssumeRole", (*keys.sources()["middle"], "2099-01-01T00:00:00Z"))
            return self.xml("AssumeRole", keys.issue(f"token-{keys.number}"))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = parse_qs(body.decode())
            if form["Action"] == ["AssumeRole"]:
                return self.assume_role(form, body)
            issued = keys.issue(form["WebIdentityToken"][0])
            if issued is None or form["RoleArn"] != ["arn:aws:iam::1:role/reader"]:
                return self.answer(
                    400,
                    "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>stale</Message></Error></ErrorResponse>",
                )
            return self.xml("AssumeRoleWithWebIdentity", issued)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bench.closers += [server.server_close, server.shutdown]
    return f"http://127.0.0.1:{server.server_port}"


def guarded(server, keys, rotate_after):
    """The fault that checks signatures, and makes the keys stale after some objects (each of `rotate_after`)."""
    served, lock = [0], threading.Lock()

    def act(request, found):
        access, secret, session = keys.good()
        claimed = request.headers.get("authorization", "")
        if "Credential=KEY" in claimed and f"Credential={access}/" not in claimed:
            return [("send", error(400, "ExpiredToken"))]
        path, _, query = request.target.partition("?")
        wrong = sigv4.check(request.method, path, query, request.headers, {access: secret}, REGION, time.time())
        if wrong or request.headers.get("x-amz-security-token") != session:
            return [("send", error(403, wrong[1] if wrong else "InvalidToken"))]
        if found is not None:
            with lock:
                served[0] += 1
                if served[0] in rotate_after:
                    keys.rotate()
        return None

    server.fault = act


with TestRun() as bench:
    token_file = bench.path("token")
    keys = Keys(token_file)
    identity = identity_server(bench, keys)
    server = FaultServer(bench, OBJECTS)
    want = bench.path("want")
    write_tree(want, OBJECTS)
    config = bench.path("aws-config")
    config.write_text(
        f'[profile process]\ncredential_process = curl -sf -H "Authorization: $(cat {token_file})" {identity}/container\n'
        "[profile sso]\nsso_session = work\nsso_account_id = 1\nsso_role_name = reader\n[sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://start\n"
        "[profile long]\naws_access_key_id = LONG\naws_secret_access_key = long/secret\n"
        "[profile first]\nrole_arn = arn:aws:iam::1:role/first\nsource_profile = long\nexternal_id = a&b=c\nduration_seconds = 900\n"
        "[profile middle]\nrole_arn = arn:aws:iam::1:role/middle\nsource_profile = long\nrole_session_name = mid\n"
        "[profile last]\nrole_arn = arn:aws:iam::1:role/last\nsource_profile = middle\n"
        "[profile environment]\nrole_arn = arn:aws:iam::1:role/first\ncredential_source = Environment\nexternal_id = a&b=c\nduration_seconds = 900\n"
        "[profile instance]\nrole_arn = arn:aws:iam::1:role/instance\ncredential_source = Ec2InstanceMetadata\n"
        "[profile container]\nrole_arn = arn:aws:iam::1:role/instance\ncredential_source = EcsContainer\n"
        "[profile refused]\nrole_arn = arn:aws:iam::1:role/last\nsource_profile = long\n"
        "[profile loop]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = round\n[profile round]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = loop\n"
        "[profile code]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = long\nmfa_serial = arn:aws:iam::1:mfa/me\n"
    )
    cache = bench.path("home/.aws/sso/cache")
    cache.mkdir(parents=True)
    login = cache / (hashlib.sha1(b"work").hexdigest() + ".json")
    login.write_text(json.dumps({"accessToken": "sso", "expiresAt": "2099-01-01T00:00:00Z"}))
    sso = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_PROFILE": "sso",
        "HOME": str(bench.path("home")),
        "AWS_ENDPOINT_URL_SSO": identity,
    }
    kinds = {
        "container credentials": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": identity + "/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
        },
        "web identity": {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/reader",
            "AWS_ENDPOINT_URL_STS": identity,
        },
        "credential_process": {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "process"},
        "SSO": sso,
        **{
            f"a role, {name}": {
                "AWS_CONFIG_FILE": str(config),
                "AWS_ENDPOINT_URL_STS": identity,
                "AWS_REGION": REGION,
                **env,
            }
            for name, env in {
                "of keys": {"AWS_PROFILE": "first"},
                "of a role": {"AWS_PROFILE": "last"},
                "of the environment": {"AWS_ACCESS_KEY_ID": "LONG", "AWS_SECRET_ACCESS_KEY": "long/secret"},
                "of the instance": {
                    "AWS_PROFILE": "instance",
                    "AWS_EC2_METADATA_DISABLED": "false",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": identity,
                },
                "of the container": {
                    "AWS_PROFILE": "container",
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": identity + "/container",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
                },
            }.items()
        },
        "instance metadata": {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": identity},
    }
    for number, (kind, env) in enumerate(kinds.items()):
        guarded(server, keys, rotate_after={15, 40})
        before = keys.number
        profile = ["--profile", "environment"] if "environment" in kind else []  # else its keys are used as they are
        code, out, err = bench.zcdp(
            "sync",
            "-v",
            "--endpoint",
            server.endpoint,
            "--region",
            REGION,
            "--connections",
            "4",
            *profile,
            "--store",
            bench.path(f"store{number}"),
            "s3://data/",
            env=env,
            timeout=60,
        )
        bench.check(f"{kind}: a sync outlives two expiries", code == 0 and sums(out.strip()) == sums(want), err)
        bench.equal(f"{kind}: both happened", keys.number - before, 2)
        said = out + err
        bench.check(
            f"{kind}: no secret and no token is printed",
            not any(word in said for word in ("secret/of", "session-", "token-")),
            said,
        )
    bench.equal("a rotated token file was read again each time", keys.refused_tokens, 0)

    login.write_text(json.dumps({"accessToken": "sso", "expiresAt": "2020-01-01T00:00:00Z"}))
    code, out, err = bench.zcdp(
        "sync",
        "-q",
        "--endpoint",
        server.endpoint,
        "--region",
        REGION,
        "--store",
        bench.path("refused"),
        "s3://data/",
        env=sso,
        timeout=60,
    )
    bench.check(
        "an SSO login that has ended: exit code 5, and what to do",
        code == 5 and "aws sso login" in err and len(err.strip().splitlines()) == 1,
        (code, err),
    )

    keys.token_file.write_text("token-of-yesterday\n")
    code, out, err = bench.zcdp(
        "sync",
        "-q",
        "--endpoint",
        server.endpoint,
        "--region",
        REGION,
        "--store",
        bench.path("refused"),
        "s3://data/",
        env=kinds["container credentials"],
        timeout=60,
    )
    bench.check(
        "an identity that is refused: exit code 5 and one line",
        code == 5 and len(err.strip().splitlines()) == 1,
        (code, err),
    )

    for profile, want, word in [
        ("refused", 5, "role/last"),
        ("loop", 2, "loop"),
        ("code", 2, "MFA"),
        ("environment", 5, "Environment"),
        ("container", 5, "EcsContainer"),
    ]:
        env = {"AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL_STS": identity, "AWS_REGION": REGION}
        code, out, err = bench.zcdp(
            "sync",
            "-q",
            "--endpoint",
            server.endpoint,
            "--store",
            bench.path("refused"),
            "--profile",
            profile,
            "s3://data/",
            env=env,
            timeout=60,
        )
        bench.check(
            f"the profile {profile}: exit code {want} and one line that says why",
            code == want and word in err and len(err.strip().splitlines()) == 1,
            (code, err),
        )
