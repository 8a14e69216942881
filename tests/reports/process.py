"""What a process is given by who starts it: descriptors, signals, limits, a locale, a home."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import time

from tests.support.fault_server import FaultServer
from tests.support.harness import ZCDP, bytes_of, clean_env, sums, write_tree

from .kit import report, s3

FILES = {f"set/{i}": bytes_of(i, 300_000) for i in range(20)}
WANT = {key[4:]: hashlib.sha256(body).hexdigest() for key, body in FILES.items()}


def source(bench):
    write_tree(bench.path("src"), {key[4:]: body for key, body in FILES.items()})
    return bench.path("src")


@report(
    "rust-lang/rust#57728, Mithril-mine/libmdbx#144, immortal/fork#2",
    "without the three descriptors nothing that zcdp prints gets into what it writes",
)
def started_without_descriptors(bench):
    folder = source(bench)
    for closed in ("<&- >&- 2>&-", ">&-", "2>&-", "<&-"):
        tag = closed.replace(" ", "").replace("<&-", "i").replace("2>&-", "e").replace(">&-", "o")
        done = subprocess.run(
            [
                "bash",
                "-c",
                f'"$0" sync -vv --progress plain --store "$1" "$2" "$3" {closed}',
                ZCDP,
                bench.path("st" + tag),
                folder,
                bench.path("d" + tag),
            ],
            env=clean_env(),
            capture_output=True,
            timeout=60,
        )
        bench.check(
            f"{closed}: the bytes are right", sums(bench.path("d" + tag)) == WANT, (done.returncode, done.stderr[-300:])
        )
        code, out, err = bench.zcdp("store", "verify", "--store", bench.path("st" + tag))
        bench.check(f"{closed}: the store is whole", code == 0, (code, out, err))


@report(
    "facebook/zstd#42, sharkdp/fd#737, nodejs/node#43271",
    "what could not be written to stdout is an error: a script waits for the path",
)
def stdout_is_full(bench):
    folder = source(bench)
    wrong = {}
    for arguments in (
        ["sync", "--store", bench.path("st"), folder],
        ["sync", "--json", "--store", bench.path("st"), folder],
        ["store", "ls", "--store", bench.path("st")],
        ["version"],
        ["sync", "--help"],
    ):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [ZCDP, *map(str, arguments)], env=clean_env(), stdout=full, stderr=subprocess.PIPE, timeout=60
            )
        if done.returncode == 0 or b"stdout" not in done.stderr:
            wrong[" ".join(map(str, arguments[:2]))] = (done.returncode, done.stderr)
    bench.check("each says so", not wrong, wrong)


@report(
    "sharkdp/fd#737 (fd | head), and progress into a pipe whose reader has gone",
    "a reader that goes away ends no sync half-way",
)
def readers_that_go_away(bench):
    folder = source(bench)
    done = subprocess.run(
        [
            "bash",
            "-c",
            '"$0" sync -vv --progress plain --no-store "$1" "$2" 2>&1 | head -c 1 >/dev/null; echo "${PIPESTATUS[0]}"',
            ZCDP,
            folder,
            bench.path("d"),
        ],
        env=clean_env(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    bench.check("everything is there", sums(bench.path("d")) == WANT, done.stdout)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [ZCDP, "sync", "--store", bench.path("st"), folder],
            env=clean_env(),
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=60,
        )
    bench.check(
        "messages that cannot be written are no reason to fail",
        done.returncode == 0 and sums(done.stdout.strip()) == WANT,
        (done.returncode, done.stdout),
    )


@report("fish-shell/fish-shell#4007, gem/oq-engine#4027 (nohup)", "a signal that the parent ignores stays ignored")
def signals_that_are_ignored(bench):
    server = FaultServer(bench, FILES)
    server.fault = lambda request, found: (
        [("stall", 0.1), ("send", server.honest(request, found))] if request.key else None
    )
    for sign in (signal.SIGHUP,):
        dest = bench.path(f"d{int(sign)}")
        process = subprocess.Popen(
            [ZCDP, "sync", "--no-store", "--connections", "1", *s3(server, "set/"), dest],
            env=clean_env(),
            preexec_fn=lambda: signal.signal(sign, signal.SIG_IGN),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.8)
        process.send_signal(sign)
        _, err = process.communicate(timeout=60)
        bench.check(
            f"{sign.name} is passed over", process.returncode == 0 and sums(dest) == WANT, (process.returncode, err)
        )


def limited(bench, limits, *arguments, user=None):
    def lower():
        for which, value in limits:
            resource.setrlimit(which, (value, value))
        if user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)

    return subprocess.run(
        [ZCDP, *map(str, arguments)],
        env=clean_env() | {"HOME": str(bench.folder)},
        capture_output=True,
        text=True,
        preexec_fn=lower,
        timeout=60,
    )


@report(
    "nodejs/node#27798, metwork-framework/log_proxy#5 (ulimit -f: SIGXFSZ)",
    "a limit on file sizes is an error that says so, not a death by signal",
)
def a_limit_on_file_sizes(bench):
    write_tree(bench.path("src"), {"big": bytes(5 << 20)})
    wrong = {}
    for name, arguments in (
        ("dest", ["--no-store", bench.path("src"), bench.path("d")]),
        ("store", ["--store", bench.path("st"), bench.path("src")]),
    ):
        done = limited(bench, [(resource.RLIMIT_FSIZE, 1 << 20)], "sync", *arguments)
        if done.returncode not in (1, 6) or done.stderr.count("\n") != 1 or "large" not in done.stderr.lower():
            wrong[name] = (done.returncode, done.stderr)
    bench.check("one line", not wrong, wrong)


@report(
    "containers/toolbox#602 (a low limit of open files)",
    "few descriptors are enough, or the error says how many are needed",
)
def few_open_files(bench):
    server = FaultServer(bench, {f"set/{i}": b"%d" % i for i in range(300)})
    wrong = {}
    for limit in (64, 32):
        done = limited(
            bench,
            [(resource.RLIMIT_NOFILE, limit)],
            "sync",
            "--retries",
            "0",
            "--no-store",
            *s3(server, "set/"),
            bench.path(f"d{limit}"),
        )
        if not (done.returncode == 0 and len(sums(bench.path(f"d{limit}"))) == 300) and "open files" not in done.stderr:
            wrong[limit] = (done.returncode, done.stderr)
    bench.check("it ends well or says why", not wrong, wrong)


@report(
    "mattermost/mattermost#19123, moby/moby#20096 (pthread_create failed: Resource temporarily unavailable)",
    "no threads to be had: one line that says so, no abort",
)
def no_threads_to_be_had(bench):
    folder = source(bench)
    bench.folder.chmod(0o777)
    done = (
        limited(bench, [(resource.RLIMIT_NPROC, 1)], "sync", "--no-store", folder, bench.path("d"), user=65534)
        if os.getuid() == 0
        else limited(bench, [(resource.RLIMIT_NPROC, 1)], "sync", "--no-store", folder, bench.path("d"))
    )
    good = done.returncode == 0 or (
        done.returncode == 1
        and done.stderr.count("\n") == 1
        and "thread" in done.stderr
        and "report" not in done.stderr
    )
    bench.check("one line", good, (done.returncode, done.stderr))


@report(
    "PyCQA/flake8-json#3, jbruchon/jdupes#109, scylladb/scylladb#25773 (names in JSON output)",
    "what --json prints is JSON, whatever the folders are called",
)
def json_of_odd_names(bench):
    folder = source(bench)
    for name in (b"caf\xe9", b'quote"d', b"line\nbreak"):
        code = subprocess.run(
            [ZCDP, "sync", "--json", "--no-store", folder, os.fsencode(bench.folder) + b"/" + name],
            env=clean_env(),
            capture_output=True,
            timeout=60,
        )
        try:
            path = json.loads(code.stdout.decode())["path"] if code.returncode == 0 else None
        except ValueError as problem:
            path = problem
        bench.check(
            f"{name!r}",
            code.returncode == 0 and isinstance(path, str),
            (code.returncode, code.stdout, code.stderr, path),
        )


@report(
    "no single report: a umask of 0777, 0077 or 0",
    "a strange umask neither breaks the sync nor hides the files from who made them",
)
def a_strange_umask(bench):
    folder = source(bench)
    bench.folder.chmod(0o777)
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    for mask in (0o777, 0o077, 0):
        done = subprocess.run(
            [ZCDP, "sync", "--no-store", folder, bench.path(f"d{mask}")],
            env=clean_env() | {"HOME": str(bench.folder)},
            capture_output=True,
            text=True,
            umask=mask,
            timeout=60,
            **user,
        )
        have = sums(bench.path(f"d{mask}"))
        bench.check(f"umask {mask:o}", done.returncode == 0 and have == WANT, (done.returncode, done.stderr))
        bench.check(
            f"umask {mask:o}: nobody else may write",
            not any(p.stat().st_mode & 0o002 for p in bench.path(f"d{mask}").iterdir()),
        )


@report(
    "no single report: a container's user without a name, HOME, TMPDIR or locale",
    "HOME and TMPDIR are not needed with --no-store",
)
def no_home(bench):
    folder = source(bench)
    bench.folder.chmod(0o777)
    env = {k: v for k, v in clean_env().items() if k not in ("HOME", "TMPDIR", "USER", "LANG", "LC_ALL")} | {
        "TMPDIR": "/nonexistent",
        "LC_ALL": "xx_YY.nothing",
        "TZ": ":/nonexistent",
    }
    user = {"user": 54321, "group": 54321, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run(
        [ZCDP, "sync", "--no-store", folder, bench.path("d")],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        **user,
    )
    bench.check("it is there", done.returncode == 0 and sums(bench.path("d")) == WANT, (done.returncode, done.stderr))
    server = FaultServer(bench, FILES)
    done = subprocess.run(
        [ZCDP, "sync", "--no-store", *s3(server, "set/"), bench.path("e")],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        **user,
    )
    bench.check(
        "from a store, too", done.returncode == 0 and sums(bench.path("e")) == WANT, (done.returncode, done.stderr)
    )
    done = subprocess.run([ZCDP, "sync", folder], env=env, capture_output=True, text=True, timeout=60, **user)
    bench.check(
        "a store that has no place: the line says which to name",
        done.returncode != 0 and "--store" in done.stderr and done.stderr.count("\n") == 1,
        (done.returncode, done.stderr),
    )
