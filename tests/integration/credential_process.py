#!/usr/bin/env python3
# ctest: 120
"""credential_process: a program that hangs, floods, fails, dies or leaves others behind ends in one clear line within its time, and
what it started is killed; Ctrl-C does not wait for it; one that works is not disturbed by what it says on stderr."""

import json
import os
import pathlib
import signal
import subprocess
import time

from tests.support.fault_server import FaultServer
from tests.support.harness import ZCDP, TestRun, bytes_of, clean_env, sums, write_tree

OBJECTS = {"a.bin": bytes_of(1, 100_000), "dir/b.bin": bytes_of(2, 5_000)}
GOOD = json.dumps(
    {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret/word", "SessionToken": "session-word"}
)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pids):
    """Whether all end within a second."""
    until = time.monotonic() + 1
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


class Runner:
    def __init__(self, bench):
        self.bench, self.number = bench, 0
        self.server = FaultServer(bench, OBJECTS)
        self.pids = bench.path("pids")
        self.good = bench.path("good.json")
        self.good.write_text(GOOD)

    def command(self, script, *flags):
        """`script` is the program; it writes pids of its own to $PIDS."""
        self.number += 1
        program, config = self.bench.path(f"program{self.number}"), self.bench.path(f"config{self.number}")
        program.write_text(f"#!/bin/sh\nPIDS={self.pids}\necho $$ >> $PIDS\n{script}\n")
        program.chmod(0o755)
        config.write_text(f"[profile work]\ncredential_process = {program}\n")
        self.pids.write_text("")
        dest = self.bench.path(f"dest{self.number}")
        args = [
            ZCDP,
            "sync",
            "-q",
            "--no-store",
            "--profile",
            "work",
            "--region",
            "eu-central-1",
            "--endpoint",
            self.server.endpoint,
            *flags,
            "s3://data/",
            dest,
        ]
        return list(map(str, args)), {**clean_env(), "AWS_CONFIG_FILE": str(config)}, dest

    def run(self, script, *flags):
        """(exit code, stderr, seconds, the program's and its children's pids, DEST)"""
        args, env, dest = self.command(script, *flags)
        began = time.monotonic()
        # A stdin that stays open and says nothing.
        done = subprocess.run(
            args, env=env, stdin=self.bench.silence, capture_output=True, text=True, errors="replace", timeout=60
        )
        return (
            done.returncode,
            done.stderr,
            time.monotonic() - began,
            [int(pid) for pid in self.pids.read_text().split()],
            dest,
        )

    def fails(self, what, script, code, words, *flags, within=10, killed=True):
        got, err, seconds, pids, dest = self.run(script, *flags)
        plain = (
            err.count("\n") == 1
            and "credential_process of the profile work" in err
            and all(word in err for word in words)
        )
        self.bench.check(f"{what}: exit {code}, one line that says so", got == code and plain, (got, err[:600]))
        self.bench.check(f"{what}: in time", seconds < within, seconds)
        self.bench.check(f"{what}: nothing of it is left", not killed or gone(pids), pids)
        self.bench.check(f"{what}: nothing was written", not dest.exists())


def works(bench, runner):
    code, err, _, _, dest = runner.run(f"echo 'deprecated: use another' >&2; cat {runner.good}")
    bench.check("one that works, and complains on stderr", code == 0 and err == "", (code, err))
    bench.equal("byte for byte", sums(dest), sums(bench.path("want")))
    code, err, seconds, pids, _ = runner.run(f"sleep 300 & echo $! >> $PIDS; cat {runner.good}")
    bench.check(
        "one that leaves a helper behind, which holds its stdout: no wait",
        code == 0 and seconds < 10,
        (code, err, seconds),
    )
    bench.check("that helper is let live", len(pids) == 2 and alive(pids[1]), pids)
    os.kill(pids[1], signal.SIGKILL)
    code, err, seconds, _, _ = runner.run(f"cat; cat {runner.good}")
    bench.check("one that reads stdin gets none", code == 0 and seconds < 10, (code, err, seconds))


def goes_wrong(bench, runner):
    hang = "sleep 300 & echo $! >> $PIDS; wait"
    runner.fails("hangs", hang, 1, ["did not end within 1 s", "killed"], "--timeout", "1s", within=6)
    runner.fails(
        "hangs, and says why",
        "echo 'waiting for the vault' >&2; exec sleep 300",
        1,
        ["did not end within 1 s", "waiting for the vault"],
        "--timeout",
        "1s",
        within=6,
    )
    runner.fails(
        "closes its stdout and hangs",
        "exec >&- 2>&-; sleep 300",
        1,
        ["did not end within 1 s"],
        "--timeout",
        "1s",
        within=6,
    )
    runner.fails(
        "ignores every signal that it can",
        "trap '' TERM INT HUP; sleep 300; sleep 300",
        1,
        ["did not end"],
        "--timeout",
        "1s",
        within=6,
    )
    runner.fails("floods stderr", "yes complaint >&2", 1, ["did not end", "complaint"], "--timeout", "1s", within=6)
    runner.fails("floods stdout", "yes '{'", 5, ["prints more than 64 KiB"])
    runner.fails("prints a byte too much", "head -c 65537 /dev/zero", 5, ["prints more than 64 KiB"])
    runner.fails(
        "fails",
        "echo; echo 'the token has ended: log in' >&2; echo more >&2; exit 3",
        5,
        ["failed with exit status 3: the token has ended: log in\n"],
    )
    runner.fails("fails without a word", "exit 9", 5, ["failed with exit status 9\n"])
    runner.fails(
        "complains at length and in bytes",
        "printf 'a\\033[31m%0900d\\n' 7 >&2; exit 1",
        5,
        ["exit status 1: a\\x1b[31m000"],
    )
    runner.fails("is not there", "exec /nonexistent/program", 5, ["exit status 127", "/nonexistent/program"])
    runner.fails("prints what is no JSON", "echo secret/word", 5, ["no JSON"])
    runner.fails("prints nothing", "true", 5, ["no JSON"])
    runner.fails("prints no credentials", "echo '{\"Version\": 1}'", 5, ["no credentials"])
    code, err, *_ = runner.run("cat " + str(runner.good) + "; exit 4")
    bench.check(
        "credentials of one that fails are not used, nor shown",
        code == 5 and "exit status 4" in err and "word" not in err,
        (code, err),
    )


def interrupted(bench, runner):
    args, env, dest = runner.command("sleep 300 & echo $! >> $PIDS; wait")
    process = subprocess.Popen(args, env=env, stdin=bench.silence, stderr=subprocess.PIPE, text=True)
    while len(runner.pids.read_text().split()) < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    seconds = time.monotonic() - began
    bench.check(
        "Ctrl-C does not wait for it", process.returncode == 130 and seconds < 2, (process.returncode, err, seconds)
    )
    pids = [int(pid) for pid in runner.pids.read_text().split()]
    bench.check("and nothing of it is left", len(pids) == 2 and gone(pids), pids)


with TestRun() as bench:
    bench.silence, keep = os.pipe()
    bench.closers += [lambda: os.close(keep), lambda: os.close(bench.silence)]
    write_tree(bench.path("want"), OBJECTS)
    runner = Runner(bench)
    works(bench, runner)
    goes_wrong(bench, runner)
    interrupted(bench, runner)
