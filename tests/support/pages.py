"""A small web server whose answers a function gives: `Pages(bench, answer)`, answer(request) -> Reply. Every request is kept."""

import http.server
import threading
import urllib.parse


class Asked:
    def __init__(self, method, target, headers):
        self.method, self.target, self.headers = method, target, {k.lower(): v for k, v in headers.items()}
        self.raw, _, self.query = target.partition("?")
        self.path = urllib.parse.unquote(self.raw)


class Reply:
    """framing: "length", "chunked", or "close" (the body ends where the connection does)."""

    def __init__(self, status=200, body=b"", framing="length", **headers):
        self.status, self.framing = status, framing
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def html(text, **headers):
    return Reply(200, text, Content_Type="text/html; charset=utf-8", **headers)


def file(asked, content, tag='"t"', ranges=True, **headers):
    """A file as good servers have it."""
    headers |= {"ETag": tag} if tag else {}
    wanted = asked.headers.get("range", "")
    if not ranges or not wanted.startswith("bytes="):
        return Reply(200, content, **headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    first, last = int(first), min(int(last or len(content) - 1), len(content) - 1)
    if first >= len(content):
        return Reply(416, b"", Content_Range=f"bytes */{len(content)}")
    return Reply(206, content[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(content)}", **headers)


class Pages:
    def __init__(self, bench, answer, host="127.0.0.1"):
        self.asked = []
        kept = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                asked = Asked(self.command, self.path, self.headers)
                kept.append(asked)
                reply = answer(asked)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.framing == "length":
                    self.send_header("Content-Length", str(len(reply.body)))
                elif reply.framing == "chunked" and self.command != "HEAD":
                    self.send_header("Transfer-Encoding", "chunked")
                elif reply.framing == "close":
                    self.send_header("Connection", "close")
                self.end_headers()
                if self.command == "HEAD":
                    return
                if reply.framing == "chunked":
                    for at in range(0, len(reply.body), 50_000):
                        piece = reply.body[at : at + 50_000]
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.wfile.write(reply.body)

            do_HEAD = do_GET

        server = http.server.ThreadingHTTPServer((host, 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # a client that hangs up is no news
        self.url = f"http://{host}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bench.closers.append(lambda: (server.shutdown(), server.server_close()))
