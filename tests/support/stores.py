"""Real object stores of each kind on loopback, all with the same face: put and remove objects, how zcdp names the store
and which credentials it wants. A store can be written down as JSON and opened by another process:
    python3 -m tests.support.stores JSON PREFIX put|remove KEY FILE
"""

import base64
import email.utils
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from tests.support import google, servers, sigv4
from tests.support.harness import Failed

# No proxy of the environment, and nothing goes anywhere but to the URL.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(method, url, body=b"", headers=None):
    request = urllib.request.Request(
        url, data=body if method in ("PUT", "POST") else None, method=method, headers=headers or {}
    )
    try:
        with _opener.open(request, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise Failed(f"{method} {url}: {error.code} {error.read()[:300]!r}") from error


def quoted(key, safe=""):
    return urllib.parse.quote(os.fsencode(key), safe=safe)


class S3:
    """MinIO."""

    scheme, kind = "s3", "s3"

    def __init__(self, endpoint, bucket):
        self.endpoint, self.bucket = endpoint, bucket
        self.flags = ["--endpoint", endpoint]
        self.env = dict(servers.CREDENTIALS)
        self.wrong_env = {**self.env, "AWS_SECRET_ACCESS_KEY": "wrong"}

    @classmethod
    def start(cls, bench, bucket="data", host="127.0.0.1"):
        store = cls(servers.minio(bench, host), bucket)
        for attempt in range(100):  # MinIO answers a while before it can do anything
            try:
                store._send("PUT", f"/{bucket}", b"")
                return store
            except Failed as error:
                if "NotInitialized" not in str(error) or attempt == 99:
                    raise
                time.sleep(0.1)

    def _send(self, method, path, body):
        digest = hashlib.sha256(body).hexdigest()
        host = self.endpoint.split("://")[1]
        headers = sigv4.sign(method, path, "", {"Host": host}, digest, servers.ACCESS, servers.SECRET, "us-east-1")
        send(method, self.endpoint + path, body, headers)

    def put(self, key, content):
        self._send("PUT", f"/{self.bucket}/{quoted(key, '/')}", content)

    def remove(self, key):
        self._send("DELETE", f"/{self.bucket}/{quoted(key, '/')}", b"")


class Gcs:
    """fake-gcs-server, which asks nobody for credentials."""

    scheme, kind = "gs", "gcs"

    def __init__(self, endpoint, bucket):
        self.endpoint, self.bucket = endpoint, bucket
        self.flags = ["--endpoint", endpoint, "--anonymous"]
        self.env, self.wrong_env = {}, None

    @classmethod
    def start(cls, bench, bucket="data", host="127.0.0.1"):
        binary = servers.need("need_fake_gcs") / "fake-gcs-server"
        port = servers.free_port()
        endpoint = f"http://{host}:{port}"
        process = servers.start(
            bench,
            [
                binary,
                "-scheme",
                "http",
                "-host",
                host,
                "-port",
                port,
                "-backend",
                "memory",
                "-public-host",
                f"{host}:{port}",
                "-log-level",
                "error",
            ],
            log="gcs.log",
        )
        servers.wait_for_http(endpoint + "/storage/v1/b", process)
        send(
            "POST",
            f"{endpoint}/storage/v1/b?project=p",
            json.dumps({"name": bucket}).encode(),
            {"Content-Type": "application/json"},
        )
        return cls(endpoint, bucket)

    def behind_a_door(self, bench, host="127.0.0.1"):
        """From now on zcdp reads as a service account."""
        folder = bench.path("google")
        folder.mkdir()
        self.door = google.Door(host, self.endpoint, folder)
        bench.closers.append(self.door.close)
        self.credentials, public = google.service_account(folder, self.door.endpoint + "/token")
        self.wrong_credentials, _ = google.service_account(folder, self.door.endpoint + "/token", "stranger")
        self.door.trust(public)
        for name, content in (("reader", self.credentials), ("stranger", self.wrong_credentials)):
            (folder / f"{name}.json").write_text(content)
        self.flags = ["--endpoint", self.door.endpoint]
        self.env = {"GOOGLE_APPLICATION_CREDENTIALS": str(folder / "reader.json")}
        self.wrong_env = {"GOOGLE_APPLICATION_CREDENTIALS": str(folder / "stranger.json")}
        return self

    def put(self, key, content):
        send(
            "POST",
            f"{self.endpoint}/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name={quoted(key)}",
            content,
            {"Content-Type": "application/octet-stream"},
        )

    def remove(self, key):
        send("DELETE", f"{self.endpoint}/storage/v1/b/{self.bucket}/o/{quoted(key)}")


class Azure:
    """Azurite."""

    scheme, kind = "az", "azure"
    account, key = "zcdptest", base64.b64encode(b"a test account's key" * 3).decode()
    version = "2021-12-02"

    def __init__(self, endpoint, bucket):
        self.endpoint, self.bucket = endpoint, bucket
        self.flags = ["--endpoint", endpoint]
        self.env = {"AZURE_STORAGE_KEY": self.key}
        self.wrong_env = {"AZURE_STORAGE_KEY": base64.b64encode(b"another key").decode()}

    @classmethod
    def start(cls, bench, bucket="data", host="127.0.0.1"):
        program = servers.need("need_azurite").parent / "azurite/node_modules/.bin/azurite-blob"
        port = servers.free_port()
        endpoint = f"http://{host}:{port}"
        process = servers.start(
            bench,
            [
                program,
                "--silent",
                "--disableTelemetry",
                "--inMemoryPersistence",
                "--blobHost",
                host,
                "--blobPort",
                port,
            ],
            {"AZURITE_ACCOUNTS": f"{cls.account}:{cls.key}"},
            log="azurite.log",
        )
        servers.wait_for_http(endpoint, process)
        store = cls(endpoint, bucket)
        store._send("PUT", f"/{cls.account}/{bucket}", {"restype": "container"}, b"")
        return store

    def signed(self, method, path, query, body, headers):
        """Shared Key, as learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key has it."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": self.version, **headers}
        if body:
            headers["Content-Type"] = "application/octet-stream"
        canonical = "".join(
            f"{name.lower()}:{value}\n" for name, value in sorted(headers.items()) if name.lower().startswith("x-ms-")
        )
        resource = f"/{self.account}{path}" + "".join(f"\n{name}:{value}" for name, value in sorted(query.items()))
        text = "\n".join(
            [
                method,
                "",
                "",
                str(len(body)) if body else "",
                "",
                headers.get("Content-Type", ""),
                "",
                "",
                headers.get("If-Match", ""),
                "",
                "",
                headers.get("Range", ""),
                canonical + resource,
            ]
        )
        signature = base64.b64encode(
            hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        ).decode()
        return {**headers, "Authorization": f"SharedKey {self.account}:{signature}"}

    def sas(self, key=None):
        """A shared access signature that reads and lists the container (learn.microsoft.com/rest/api/storageservices/create-service-sas)."""
        fields = {"sp": "rl", "se": "2099-01-01T00:00:00Z", "sv": self.version, "sr": "c"}
        text = "\n".join(
            [
                fields["sp"],
                "",
                fields["se"],
                f"/blob/{self.account}/{self.bucket}",
                "",
                "",
                "",
                fields["sv"],
                fields["sr"],
                "",
                "",
                "",
                "",
                "",
                "",
                "",
            ]
        )
        digest = hmac.new(base64.b64decode(key or self.key), text.encode(), hashlib.sha256).digest()
        return urllib.parse.urlencode({**fields, "sig": base64.b64encode(digest).decode()})

    def _send(self, method, path, query, body, **headers):
        url = self.endpoint + path + ("?" + urllib.parse.urlencode(query) if query else "")
        signed = self.signed(method, path, query, body, headers)
        if method == "PUT" and not body:
            signed["Content-Type"] = ""  # urllib would add one
        return send(method, url, body, signed)

    def put(self, key, content):
        self._send(
            "PUT", f"/{self.account}/{self.bucket}/{quoted(key, '/')}", {}, content, **{"x-ms-blob-type": "BlockBlob"}
        )

    def remove(self, key):
        self._send("DELETE", f"/{self.account}/{self.bucket}/{quoted(key, '/')}", {}, b"")

    def source(self, prefix=""):
        return f"az://{self.account}/{self.bucket}/{prefix}"


class Nginx:
    """A web server with an index, over a folder; with credentials where `user` is set."""

    scheme, kind = "http", "http"
    user, password = "reader", "pass word"

    def __init__(self, endpoint, folder, asks=False):
        self.endpoint, self.bucket, self.folder = endpoint, str(folder), str(folder)
        self.flags = []
        self.env = {"ZCDP_HTTP_USER": self.user, "ZCDP_HTTP_PASSWORD": self.password} if asks else {}
        self.wrong_env = {**self.env, "ZCDP_HTTP_PASSWORD": "wrong"} if asks else None

    @classmethod
    def start(cls, bench, form="json", host="127.0.0.1", asks=False, tls=None, also=""):
        """form: of the index. tls: (certificate, key). also: more of the server's configuration."""
        folder = bench.path("www")
        folder.mkdir(exist_ok=True)
        port = servers.free_port()
        config, users = bench.path(f"nginx-{port}.conf"), bench.path(f"users-{port}")
        users.write_text(f"{cls.user}:{{PLAIN}}{cls.password}\n")
        temporary = "".join(
            f"{kind}_temp_path {bench.path('tmp')}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config.write_text(
            f"daemon off; master_process off; pid {bench.path(f'nginx-{port}.pid')}; error_log {bench.path('nginx.log')}; events {{}}\n"
            f"{'user root;' if os.getuid() == 0 else ''}\n"
            f"http {{ access_log off; {temporary} types {{ text/html html; }} server {{ listen {host}:{port}{' ssl' if tls else ''}; root {folder};\n"
            + (f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};\n" if tls else "")
            + (f"auth_basic all; auth_basic_user_file {users};\n" if asks else "")
            + f"autoindex on; autoindex_format {form}; {also} }} }}\n"
        )
        process = servers.start(bench, ["/usr/sbin/nginx", "-c", config], log="nginx.out")
        endpoint = f"{'https' if tls else 'http'}://{host}:{port}"
        servers.wait_for_http(endpoint.replace("https", "http"), process)
        return cls(endpoint, folder, asks)

    def ask_for_credentials(self, server):
        """From now on zcdp reads by another server of the same folder, which asks for them."""
        self.__init__(server.endpoint, self.folder, asks=True)

    def put(self, key, content):
        path = os.path.join(self.folder, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(content)
        os.rename(path + ".new", path)

    def remove(self, key):
        os.remove(os.path.join(self.folder, key))

    def source(self, prefix=""):
        return f"{self.endpoint}/{prefix}"


KINDS = {kind.__name__: kind for kind in (S3, Gcs, Azure, Nginx)}


def source_of(store, prefix=""):
    return store.source(prefix) if hasattr(store, "source") else f"{store.scheme}://{store.bucket}/{prefix}"


def written_down(store):
    return json.dumps([type(store).__name__, store.endpoint, store.bucket])


if __name__ == "__main__":
    kind, endpoint, bucket = json.loads(sys.argv[1])
    store, key = KINDS[kind](endpoint, bucket), sys.argv[2] + sys.argv[4]
    if sys.argv[3] == "put":
        with open(sys.argv[5], "rb") as content:
            store.put(key, content.read())
    else:
        store.remove(key)
