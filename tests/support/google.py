"""What stands before fake-gcs-server, which asks nobody: a token service for service accounts (RFC 7523; the signature of
each assertion is verified by openssl) and a door that lets only requests with a token of it through."""

import base64
import http.client
import http.server
import json
import pathlib
import secrets
import subprocess
import tempfile
import threading
import time
import urllib.parse


def service_account(folder, token_uri, name="reader"):
    """A key pair, and the credentials file that Google would hand out for it."""
    key = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key],
        check=True,
        capture_output=True,
    )
    public = folder / f"{name}.pub"
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    return json.dumps(
        {
            "type": "service_account",
            "client_email": f"{name}@project.iam.gserviceaccount.com",
            "private_key_id": "1",
            "private_key": key.read_text(),
            "token_uri": token_uri,
        }
    ), public


def _raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(assertion, keys, folder):
    """The claims of a JWT that one of the public `keys` has signed, else None."""
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        aside = pathlib.Path(aside)
        try:
            signed, signature = assertion.rsplit(".", 1)
            (aside / "signed").write_text(signed)
            (aside / "signature").write_bytes(_raw(signature))
            claims = json.loads(_raw(signed.split(".")[1]))
        except (ValueError, IndexError):
            return None
        for key in keys:
            command = [
                "openssl",
                "dgst",
                "-sha256",
                "-verify",
                key,
                "-signature",
                aside / "signature",
                aside / "signed",
            ]
            if (
                subprocess.run(command, capture_output=True).returncode == 0
                and claims["iat"] <= time.time() + 5 < claims["exp"]
            ):
                return claims
    return None


class Door:
    """`with Door(host, behind, folder) as door`: door.endpoint; door.trust(public key); door.lifetime_s of new tokens;
    door.billed: of each request userProject and x-goog-user-project."""

    def __init__(self, host, behind, folder):
        self.behind, self.folder = urllib.parse.urlsplit(behind), folder
        self.keys, self.tokens, self.lifetime_s, self.issued, self.billed = [], {}, 3600, 0, []
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
                claims = claims_of(form.get("assertion", [""])[0], door.keys, door.folder)
                if self.path != "/token" or claims is None or claims.get("aud") != door.endpoint + "/token":
                    return self.answer(401, {"error": "invalid_grant"})
                token, door.issued = secrets.token_hex(16), door.issued + 1
                door.tokens[token] = time.time() + door.lifetime_s
                self.answer(200, {"access_token": token, "expires_in": door.lifetime_s, "token_type": "Bearer"})

            def do_GET(self):
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if door.tokens.get(token, 0) < time.time():
                    return self.answer(
                        401,
                        {"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}},
                    )
                door.billed.append(
                    (
                        urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("userProject"),
                        self.headers.get("x-goog-user-project"),
                    )
                )
                back = http.client.HTTPConnection(door.behind.hostname, door.behind.port, timeout=30)
                back.request(
                    "GET",
                    self.path,
                    headers={k: v for k, v in self.headers.items() if k.lower() not in ("host", "authorization")},
                )
                answer = back.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def answer(self, status, content):
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://{host}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def trust(self, public):
        self.keys.append(public)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
