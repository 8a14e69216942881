"""What the replays share: `@report(source, right)` registers one, `Web` is a server of bytes as they are written, `answer` an answer with
a length. The servers of stores lie in tests/support."""

from tests.support.fault_server import FaultServer
from tests.support.harness import sums

REPORTS = []


def report(source, right):
    """Registers fn(bench): a report of users of another tool, replayed. `source`: owner/repo#number; `right`: what holds then."""

    def register(function):
        REPORTS.append((function.__module__.rsplit(".", 1)[-1], function.__name__, source, right, function))
        return function

    return register


class Web(FaultServer):
    """app(request) -> the bytes of an answer, or actions (fault_server.py). The server closes what ends in ("close",)."""

    def __init__(self, bench, app, **options):
        super().__init__(bench, {}, **options)
        self.fault = lambda request, found: (lambda done: [("send", done)] if isinstance(done, bytes) else done)(
            app(request)
        )


def raw(header, body=b"", close=False):
    """An answer whose header is written out: lines without their ends."""
    return [("send", "\r\n".join([*header, "", ""]).encode("latin-1") + body), *([("close",)] if close else [])]


def run(bench, *arguments, **options):
    """zcdp sync of a source that is asked once a request (--retries 0 unless given) into `dest`; (exit code, stderr, {path: digest})."""
    dest = options.pop("dest", "dest")
    retries = [] if "--retries" in arguments else ["--retries", "0"]
    code, out, err = bench.zcdp("sync", *retries, "--no-store", *arguments, bench.path(dest), **options)
    return code, err.strip(), sums(bench.path(dest)) if bench.path(dest).exists() else {}


def s3(server, prefix=""):
    return ["--endpoint", server.endpoint, "--anonymous", f"s3://data/{prefix}"]
