"""What every integration script needs: a temporary folder, zcdp, checks that print a line each, and clean-up."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ZCDP = os.environ.get("ZCDP_BIN", "build/test/zcdp")
CACHE = pathlib.Path(
    os.environ.get("ZCDP_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "zcdp-build"
)
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    pass


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(77)


class TestRun:
    """A test run: `with TestRun() as b:`. Everything it starts is stopped and everything it makes is removed."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zcdp-it-"))
        self.closers = []
        self.checks = 0
        self.started = time.monotonic()

    def __enter__(self):
        end_when_terminated()
        return self

    def __exit__(self, kind, error, trace):
        for close in reversed(self.closers):
            try:
                close()
            except Exception as problem:  # the other closers still have to run
                print(f"while cleaning up: {problem}")
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind is Failed:
            print(f"FAILED: {error}")
            sys.exit(1)
        if kind is None:
            if self.checks == 0:
                print("FAILED: nothing was checked")
                sys.exit(1)
            print(f"{self.checks} checks in {time.monotonic() - self.started:.1f} s")

    def path(self, name):
        return self.folder / name

    def path_in_memory(self, name, size_bytes):
        """For bulk that is none of zcdp's; see temporary_folder."""
        folder = temporary_folder("zcdp-it-", size_bytes)
        self.closers.insert(0, lambda: shutil.rmtree(folder, ignore_errors=True))  # after the servers have ended
        return folder / name

    def check(self, what, holds, detail=""):
        self.checks += 1
        print(f"{'ok  ' if holds else 'FAIL'} {what}{'' if holds or not detail else ': ' + str(detail)}", flush=True)
        if not holds:
            raise Failed(what)

    def equal(self, what, have, want):
        self.check(what, have == want, f"{have!r} instead of {want!r}")

    def zcdp(self, *args, env=None, timeout=120, cwd=None, stdin=None, prefix=()):
        """Runs zcdp to its end: (exit code, stdout, stderr)."""
        done = subprocess.run(
            [*prefix, ZCDP, *map(str, args)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env={**clean_env(), **(env or {})},
            timeout=timeout,
            cwd=cwd,
            stdin=stdin,
        )
        return done.returncode, done.stdout, done.stderr

    def sync(self, *args, **options):
        """zcdp sync that must succeed: its JSON result."""
        code, out, err = self.zcdp("sync", "--json", *args, **options)
        if code != 0:
            raise Failed(f"zcdp sync {' '.join(map(str, args))}: exit {code}: {err.strip()}")
        return json.loads(out)


def temporary_folder(prefix, in_memory_bytes=0):
    """A new one; in memory where that has room for so much three times over. Bulk that is none of zcdp's belongs there: written
    to the disk, it makes every fsync beside it wait."""
    with open("/proc/meminfo") as file:
        room = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable:"))
    if os.access("/dev/shm", os.W_OK):
        room = min(room, shutil.disk_usage("/dev/shm").free)
        if 0 < in_memory_bytes < room / 3:
            return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/dev/shm"))
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix))


def end_when_terminated():
    """SIGTERM ends this process as an exception does: servers are stopped, folders removed, mounts undone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def clean_env():
    """The environment without anybody's credentials or proxies."""
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(
            (
                "AWS_",
                "AZURE_",
                "GOOGLE_APPLICATION_",
                "GCE_METADATA_",
                "IDENTITY_",
                "OSS_",
                "ALIBABA_CLOUD_",
                "ZCDP_STORE",
            )
        )
        and k.upper() not in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "NETRC")
        and not k.startswith(("HF_", "HUGGING_FACE_", "ZCDP_HTTP_"))
    }
    env["AWS_EC2_METADATA_DISABLED"] = "true"
    env["AWS_CONFIG_FILE"] = env["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null"
    return env


def bytes_of(seed, size):
    return random.Random(seed).randbytes(size)


def write_tree(folder, files):
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def sums(folder, skip_own=True):
    """{path: sha256} of the regular files below, and {path: '-> target'} of symlinks."""
    found = {}
    base = os.fsencode(folder)
    for parent, folders, files in os.walk(base):
        if skip_own and parent == base and b".zcdp" in folders:
            folders.remove(b".zcdp")
        for name in files + [f for f in folders if os.path.islink(os.path.join(parent, f))]:
            path = os.path.join(parent, name)
            key = os.fsdecode(os.path.relpath(path, base))
            if os.path.islink(path):
                found[key] = "-> " + os.readlink(os.fsdecode(path))
                continue
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            found[key] = digest.hexdigest()
    return found
