"""`zcdp metadata-server` on loopback, killed and started again at the same place, and the commands that ask it."""

import json
import os
import time
import urllib.error
import urllib.request

from tests.support import servers
from tests.support.harness import ZCDP, Failed


class DataStore:
    """A server of a root of its own, with a token."""

    def __init__(self, bench, name="data-store", flags=()):
        self.bench, self.name, self.flags = bench, name, flags
        self.root, self.port = bench.path(name), servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = "a-test's-token"
        self.token_file = bench.path(f"{name}.token")
        self.token_file.write_text(self.token + "\n")
        self.env = {"ZCDP_SERVER": self.url, "ZCDP_TOKEN_FILE": str(self.token_file)}
        self.start()

    def start(self):
        self.process = servers.start(
            self.bench,
            [ZCDP, "metadata-server", "--root", self.root, "--listen", f"127.0.0.1:{self.port}"]
            + ["--token-file", self.token_file, *self.flags],
            log=f"{self.name}.log",
        )
        servers.wait_for_http(f"{self.url}/v1/health", self.process)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def run(self, *args, **options):
        """A command that must succeed: what it printed as JSON."""
        code, out, err = self.bench.zcdp(*args, "--json", env=self.env, **options)
        if code != 0:
            raise Failed(f"zcdp {' '.join(map(str, args))}: exit {code}: {err.strip()}")
        lines = [json.loads(line) for line in out.splitlines()]
        return lines[0] if len(lines) == 1 else lines

    def put(self, key, source, *flags):
        return self.run("put", key, source, *flags)

    def get(self, key, *args, **options):
        return self.run("get", key, *args, **options)

    def fails(self, what, code, *args, env=None, **options):
        """A command that must end with that exit code, and say why in one line: that line."""
        have, _, err = self.bench.zcdp(*args, env={**self.env, **(env or {})}, **options)
        self.bench.check(f"{what}: exit code {code}, one line", have == code and err.count("\n") == 1, (have, err))
        return err

    def ask(self, method, target, body=None, headers=None):
        """A raw request: (status, headers, body)."""
        request = urllib.request.Request(self.url + target, data=body, method=method, headers=headers or {})
        request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


def wait_until(what, holds, seconds=60):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.002)


def bytes_below(folder):
    """What is allocated below it; 0 while it is not there."""
    found = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                found += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                pass
    return found
