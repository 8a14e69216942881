"""A TCP proxy that counts, at the server's side of things, what a client asked for and how many bytes came back."""

import re
import socket
import threading

REQUEST = re.compile(rb"(?:^|\r\n\r\n)(GET|HEAD|PUT|POST) ([^ ]+) HTTP/1\.1")


class CountingProxy:
    def __init__(self, bench, endpoint):
        host, port = endpoint.removeprefix("http://").split(":")
        self.upstream = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()
        bench.closers.append(self.listener.close)

    def reset(self):
        with self.lock:
            self.requests, self.bytes = [], 0

    def count(self, method, contains=b""):
        with self.lock:
            return sum(1 for m, target in self.requests if m == method.encode() and contains in target)

    def object_gets(self):
        """GETs of objects: neither listings nor questions about the bucket."""
        return len(self._object_targets())

    def objects_asked_for(self):
        """Each once: one that is silent for long on a busy machine is given up and asked for again (tail.py)."""
        return len(set(self._object_targets()))

    def _object_targets(self):
        with self.lock:
            return [target for method, target in self.requests if method == b"GET" and b"list-type=" not in target]

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(self.upstream)
        except OSError:
            client.close()
            return
        # The client speaks HTTP/1.1 without pipelining and without bodies: each send is one request.
        threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
        self._pump(server, client, False)

    def _pump(self, source, target, requests):
        try:
            while data := source.recv(1 << 18):
                with self.lock:
                    if requests:
                        self.requests += [m.groups() for m in REQUEST.finditer(data)]
                    else:
                        self.bytes += len(data)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if not requests:
                end.close()
