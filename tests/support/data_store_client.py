"""zcdp's own client of a data store, as a person uses it: what was put, what is got, and what a tree is."""

import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import urllib.request

from tests.support.harness import ZCDP, Failed, clean_env


class Client:
    """`zcdp put` and the rest against one server, with a digest cache of its own."""

    def __init__(self, bench, store, name="client"):
        self.bench, self.store = bench, store
        self.cache = bench.path(name + ".cache")

    def env(self, **more):
        token = {"ZCDP_TOKEN_FILE": str(self.store.token_file)} if self.store.token is not None else {}
        server = f"http://127.0.0.1:{self.store.port}"
        return {"ZCDP_SERVER": server, **token, "XDG_CACHE_HOME": str(self.cache), **more}

    def run(self, *args, stdin=None, env=None, timeout=300, **options):
        """(exit code, the JSON on stdout or None, stderr)."""
        done = subprocess.run(
            [ZCDP, *map(str, args), "--json"],
            capture_output=True,
            env={**clean_env(), **self.env(), **(env or {})},
            input=stdin,
            timeout=timeout,
            **options,
        )
        said = done.stdout.decode()
        return done.returncode, json.loads(said) if said.strip() else None, done.stderr.decode(errors="replace")

    def start(self, *args, **options):
        return subprocess.Popen(
            [ZCDP, *map(str, args), "--json"],
            env={**clean_env(), **self.env()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def must(self, *args, **options):
        code, said, err = self.run(*args, **options)
        if code != 0:
            raise Failed(f"zcdp {' '.join(map(str, args))}: exit {code}: {err.strip()}")
        return said

    def put(self, *args, **options):
        return self.must("put", *args, **options)

    def peak_mib(self, *args):
        """(exit code, peak resident size): of a child of a small process, for one begins with the size of its parent."""
        measure = (
            "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10); sys.exit(code)"
        )
        command = [sys.executable, "-c", measure, ZCDP, *map(str, args), "-q"]
        done = subprocess.run(command, env={**clean_env(), **self.env()}, capture_output=True, text=True)
        return done.returncode, int(done.stdout.split()[-1])

    def stat(self, key):
        """None: there is no such key."""
        code, said, err = self.run("stat", key)
        if code == 4:
            return None
        if code != 0:
            raise Failed(f"zcdp stat {key}: exit {code}: {err.strip()}")
        return said

    def tree_of(self, key, name="got"):
        """What is got of the key, as tree() has it."""
        dest = self.bench.path(name)
        subprocess.run(["rm", "-rf", dest], check=True)
        self.must("get", key, dest)
        return tree(dest)


def tree(folder):
    """{path: what it is}: (bytes, executable) of files, '-> TARGET' of symlinks, None of empty folders."""
    found, base = {}, os.fsencode(folder)

    def walk(parent, at):
        names = [os.fsencode(name) for name in os.listdir(parent)]
        if at == b"":
            names = [name for name in names if name != b".zcdp"]
        if not names and at:
            found[os.fsdecode(at)] = None
        for name in names:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            path = os.fsdecode(at + name)
            if stat.S_ISDIR(status.st_mode):
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
                walk(below, at + name + b"/")
                os.close(below)
            elif stat.S_ISLNK(status.st_mode):
                found[path] = "-> " + os.fsdecode(os.readlink(name, dir_fd=parent))
            else:
                file = os.open(name, os.O_RDONLY, dir_fd=parent)
                with os.fdopen(file, "rb") as content:
                    found[path] = (content.read(), bool(status.st_mode & 0o111))

    if os.path.isdir(base):
        top = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
        walk(top, b"")
        os.close(top)
    else:
        found[""] = (pathlib.Path(folder).read_bytes(), os.access(folder, os.X_OK))
    return found


def metric(url, name):
    """A number of a server's /metrics."""
    with urllib.request.urlopen(url + "/metrics", timeout=10) as answer:
        found = re.search(rf"^{name} (\d+)$", answer.read().decode(), re.M)
    return int(found[1]) if found else 0
