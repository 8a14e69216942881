"""A fault of the fault server (tests/support/fault_server.py): some object requests stall, all may pause."""

import random
import threading

from tests.support.harness import bytes_of


def many_objects(count=4000):
    """What the tail is shown on: `count` small objects and four that need several requests."""
    return {f"{i:05}": bytes_of(i, 20_000) for i in range(count)} | {
        f"big/{i}": bytes_of(i, 24 << 20) for i in range(4)
    }


class Stalls:
    """One object request in `one_in` stalls (0: none), each by turns before its header or in the middle of its body. A pause on each
    request stands for a network; without it a run would end before anything can be called slow."""

    def __init__(self, server, one_in, stall_s, pause_s):
        self.server, self.one_in, self.stall_s, self.pause_s = server, one_in, stall_s, pause_s
        self.random, self.lock, self.count = random.Random(5), threading.Lock(), 0

    def __call__(self, request, found):
        if not found or request.method != "GET":
            return None
        with self.lock:
            stall = self.one_in and self.random.randrange(self.one_in) == 0
            self.count += stall
            kind = self.count % 2
        honest = self.server.honest(request, found)
        half = len(honest) // 2 if kind else 0
        if stall:
            return [("send", honest[:half]), ("stall", self.stall_s), ("send", honest[half:])]
        return [("stall", self.pause_s), ("send", honest)] if self.pause_s else None
