"""A name with several addresses, all of this machine: `with Addresses(bench, objects) as many: many.sync(...)`.

Each address is a server of its own (fault_server.py) with the same objects, on the same port. zcdp finds them in a hosts file
that a mount namespace shows it, which needs root."""

import os
import subprocess
import threading
import time

from tests.support.fault_server import FaultServer

NAME = "many.zcdp.test"
PIECE, NARROW_PIECE = 256 << 10, 32 << 10


def named(folder, addresses):
    """What a command has to be begun with so that NAME is these addresses."""
    hosts, conf = folder / "hosts", folder / "host.conf"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {NAME}\n" for address in addresses))
    conf.write_text("multi on\n")
    show = f'mount --bind "{hosts}" /etc/hosts && {{ [ ! -e /etc/host.conf ] || mount --bind "{conf}" /etc/host.conf; }} && exec "$0" "$@"'
    return ["unshare", "--mount", "sh", "-c", show]


def can_name():
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


class Late:
    """Every answer comes `delay_s` late, and each connection gets some 3 MiB/s."""

    def __init__(self, server, delay_s):
        self.server, self.delay_s = server, delay_s

    def __call__(self, request, found):
        return [("stall", self.delay_s), ("send", self.pieces(self.server.honest(request, found)))]

    def pieces(self, data):
        for at in range(0, len(data), PIECE):
            if at > 0:
                time.sleep(PIECE / (3 << 20))
            yield data[at : at + PIECE]


class Narrow:
    """All connections together get `bytes_per_s`."""

    def __init__(self, server, delay_s, bytes_per_s):
        self.server, self.delay_s, self.bytes_per_s = server, delay_s, bytes_per_s
        self.lock, self.free_at = threading.Lock(), 0.0

    def __call__(self, request, found):
        return [("stall", self.delay_s), ("send", self.pieces(self.server.honest(request, found)))]

    def pieces(self, data):
        for at in range(0, len(data), NARROW_PIECE):
            with self.lock:
                self.free_at = (
                    max(self.free_at, time.monotonic()) + min(NARROW_PIECE, len(data) - at) / self.bytes_per_s
                )
                wait = self.free_at - time.monotonic()
            time.sleep(max(0, wait))
            yield data[at : at + NARROW_PIECE]


class Addresses:
    """127.0.0.1 and so on, the first of them bad as bad() says, the others good; `delay_s` stands for a network."""

    def __init__(self, bench, objects, count=4, delay_s=0.06):
        self.bench, self.count, self.delay_s = bench, count, delay_s
        first = FaultServer(bench, objects)
        self.servers = [first] + [
            FaultServer(bench, first.objects, host=f"127.0.0.{i + 1}", port=first.port) for i in range(1, count)
        ]
        self.endpoint = f"http://{NAME}:{first.port}"
        self.good()

    def good(self):
        for server in self.servers:
            server.reset()
            server.fault = Late(server, self.delay_s)

    def bad(self, how):
        """The prefix for zcdp: "late", "narrow" and "silent" change the first server; "refuses" has nobody at its address."""
        self.good()
        first = self.servers[0]
        if how == "late":
            first.fault = Late(first, 1 + self.delay_s)
        elif how == "narrow":
            first.fault = Narrow(first, self.delay_s, 1 << 20)
        elif how == "silent":
            first.fault = lambda request, found: [("stall", 120)]
        addresses = [f"127.0.0.{i + 1}" for i in range(self.count)]
        if how == "refuses":
            addresses[0] = "127.0.0.99"
        return named(self.bench.folder, addresses)
