"""A server in Hugging Face's layout: the API's revision and tree (in pages), /resolve/ that redirects what lies in LFS to
another host, which takes no credentials. Written from huggingface.co/docs/hub/api."""

import hashlib
import http.server
import json
import threading
import urllib.parse


def _serve(handler, host):
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is no news
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://{host}:{server.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_range(self, content, **headers):
        wanted = self.headers.get("Range")
        if not wanted:
            return self.answer(200, content, **headers)
        first, last = wanted.removeprefix("bytes=").split("-")
        first, last = int(first), min(int(last), len(content) - 1)
        self.answer(206, content[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(content)}", **headers)

    def do_HEAD(self):
        self.do_GET()


class Hub:
    """repository: "models/org/name"; files: path -> content; those over `lfs_bytes` lie in LFS.
    alias: another name of it, "models/name", which redirects as the hub's old names without an ORG do."""

    def __init__(
        self, repository, files, token="", lfs_bytes=1000, page=3, host="127.0.0.1", revisions=("main",), alias=""
    ):
        self.token, self.files, self.commit, self.leaked, self.damage = (
            token,
            files,
            hashlib.sha1(repository.encode()).hexdigest(),
            [],
            False,
        )
        lfs = {hashlib.sha256(content).hexdigest(): content for content in files.values() if len(content) > lfs_bytes}
        hub = self

        class Cdn(Handler):
            def do_GET(self):
                if self.headers.get("Authorization"):
                    hub.leaked.append(self.path)
                content = lfs.get(self.path.split("/")[-1].split("?")[0], b"")
                self.send_range(content[:-1] + b"!" if hub.damage else content, ETag='"of-the-cdn"')

        self.cdn, cdn_url = _serve(Cdn, host)

        class Api(Handler):
            def do_GET(self):
                if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                    return self.answer(401, b'{"error":"Invalid credentials"}')
                if alias:
                    for kind in ("api/", ""):
                        old, new = (
                            f"/{kind}{name}/" if kind else f"/{name.removeprefix('models/')}/"
                            for name in (alias, repository)
                        )
                        if self.path.startswith(old):
                            return self.answer(307, b"", Location=new + self.path.removeprefix(old))
                url = urllib.parse.urlsplit(self.path)
                path, query = urllib.parse.unquote(url.path), urllib.parse.parse_qs(url.query)
                plain = repository.removeprefix("models/")
                if (
                    url.path.count("/") == repository.count("/") + 4
                    and path.removeprefix(f"/api/{repository}/revision/") in revisions
                ):
                    return self.answer(200, json.dumps({"sha": hub.commit}).encode(), Content_Type="application/json")
                if path.startswith(f"/api/{repository}/tree/{hub.commit}"):
                    below = path.removeprefix(f"/api/{repository}/tree/{hub.commit}").strip("/")
                    names = sorted(
                        (name for name in files if name.startswith(below)), reverse=True
                    )  # in no order that matters
                    at = int(query.get("cursor", ["0"])[0])
                    items = [{"type": "directory", "path": "some/folder", "oid": "0"}] if at == 0 else []
                    for name in names[at : at + page]:
                        content = files[name]
                        item = {
                            "type": "file",
                            "path": name,
                            "size": len(content),
                            "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
                        }
                        digest = hashlib.sha256(content).hexdigest()
                        if digest in lfs:
                            item |= {
                                "lfs": {"oid": digest, "size": len(content), "pointerSize": 134},
                                "xetHash": "f" * 64,
                            }
                        items.append(item)
                    more = (
                        {"Link": f'<{hub.endpoint}{url.path}?recursive=true&cursor={at + page}>; rel="next"'}
                        if at + page < len(names)
                        else {}
                    )
                    return self.answer(200, json.dumps(items).encode(), Content_Type="application/json", **more)
                if path.startswith(f"/{plain}/resolve/{hub.commit}/"):
                    content = files.get(path.removeprefix(f"/{plain}/resolve/{hub.commit}/"))
                    if content is None:
                        return self.answer(404, b"Entry not found")
                    digest = hashlib.sha256(content).hexdigest()
                    if digest in lfs:
                        return self.answer(
                            302,
                            b"",
                            Location=f"{cdn_url}/{digest}?signature=1",
                            X_Linked_Etag=f'"{digest}"',
                            X_Linked_Size=str(len(content)),
                        )
                    return self.send_range(
                        content, ETag='"' + hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() + '"'
                    )
                self.answer(404, b'{"error":"Repository not found"}')

        self.api, self.endpoint = _serve(Api, host)

    def close(self):
        for server in (self.api, self.cdn):
            server.shutdown()
            server.server_close()
