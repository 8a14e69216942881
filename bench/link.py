"""A link on loopback with a latency and a bandwidth: `with Link(port) as link: … link.port`.

It is a process of its own that forwards TCP. Bytes towards the client share one bottleneck and come `delay_s` later; a
connection has at most `window_bytes` under way, as the default receive window of Linux allows (tcp_rmem's 6 MiB, half of it
for payload). There is no loss and no slow start: what it shows is how a client fills a long link, not what TCP does.
"""

import collections
import heapq
import selectors
import socket
import subprocess
import sys
import time

DELAY_S, BYTES_PER_S, WINDOW_BYTES = 0.010, 250 << 20, 3 << 20
PIECE = 256 << 10


class Link:
    """Each way takes `delay_s`: the latency added to a request and its answer is twice that."""

    def __init__(self, target_port, delay_s=DELAY_S, bytes_per_s=BYTES_PER_S):
        self.arguments = [str(target_port), str(delay_s), str(bytes_per_s)]

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, __file__, *self.arguments], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Way:
    """One direction of a connection."""

    def __init__(self, source, sink, is_down):
        self.source, self.sink, self.is_down = source, sink, is_down
        self.under_way = 0  # bytes read and not yet written
        self.ready = collections.deque()  # what has arrived and waits for the sink; b"" is the end
        self.source_ended = self.sink_ended = False

    def wants_more(self):
        return not self.source_ended and self.under_way < WINDOW_BYTES


class Forwarder:
    def __init__(self, target_port, delay_s, bytes_per_s):
        self.target, self.delay_s, self.bytes_per_s = ("127.0.0.1", target_port), delay_s, bytes_per_s
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.arrivals, self.number = [], 0  # a heap of (when, number, way, bytes)
        self.link_free = 0.0  # when the bottleneck has sent all it was given

    def run(self):
        print(self.listener.getsockname()[1], flush=True)
        while True:
            wait = max(0, self.arrivals[0][0] - time.monotonic()) if self.arrivals else None
            for key, events in self.selector.select(wait):
                if key.data is None:
                    self.accept()
                    continue
                into, out = key.data  # the way that reads this socket, and the one that writes to it
                if events & selectors.EVENT_READ:
                    self.read(into)
                if events & selectors.EVENT_WRITE:
                    self.write(out)
            now = time.monotonic()
            while self.arrivals and self.arrivals[0][0] <= now:
                _, _, way, data = heapq.heappop(self.arrivals)
                way.ready.append(data)
                self.write(way)

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(self.target)
        up, down = Way(client, server, False), Way(server, client, True)
        up.other, down.other = down, up
        for end, ways in ((client, (up, down)), (server, (down, up))):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(end, selectors.EVENT_READ, ways)

    def read(self, way):
        try:
            data = way.source.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = time.monotonic()
        if way.is_down:
            self.link_free = max(now, self.link_free) + len(data) / self.bytes_per_s
        due = (self.link_free if way.is_down else now) + self.delay_s
        way.under_way += len(data)
        self.number += 1
        heapq.heappush(self.arrivals, (due, self.number, way, data))
        way.source_ended = not data
        self.watch(way.source, way, way.other)

    def write(self, way):
        try:
            while way.ready:
                data = way.ready.popleft()
                if not data:
                    way.sink_ended = True
                    way.sink.shutdown(socket.SHUT_WR)
                    break
                sent = way.sink.send(data)
                way.under_way -= sent
                if sent < len(data):
                    way.ready.appendleft(memoryview(data)[sent:])
                    break
        except BlockingIOError:
            way.ready.appendleft(data)
        except OSError:
            way.sink_ended = way.other.sink_ended = True
        if way.sink_ended and way.other.sink_ended:
            self.close(way)
            return
        self.watch(way.source, way, way.other)
        self.watch(way.sink, way.other, way)

    def watch(self, end, into, out):
        events = (selectors.EVENT_READ if into.wants_more() else 0) | (selectors.EVENT_WRITE if out.ready else 0)
        if end.fileno() < 0:
            return
        known = end in self.selector.get_map()
        if events and known:
            self.selector.modify(end, events, (into, out))
        elif events:
            self.selector.register(end, events, (into, out))
        elif known:
            self.selector.unregister(end)

    def close(self, way):
        for end in (way.source, way.sink):
            if end.fileno() >= 0 and end in self.selector.get_map():
                self.selector.unregister(end)
            end.close()


if __name__ == "__main__":
    Forwarder(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])).run()
