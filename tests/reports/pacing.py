"""Servers that ask for patience, and clocks that differ."""

import datetime
import email.utils
import hashlib
import time

from tests.support import dialects, hub
from tests.support.fault_server import FaultServer, answer

from .kit import report, run, s3

FILES = {"set/a.txt": b"a"}
WANT = {"a.txt": hashlib.sha256(b"a").hexdigest()}


def http_date(seconds):
    return email.utils.format_datetime(
        datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds), usegmt=True
    )


def waits(bench, header, status=503, opens_after_s=2.0):
    """The first request for an object begins a pause of which `header()` speaks; who asks again before it is over is refused for good."""
    server, opens = FaultServer(bench, FILES), []

    def fault(request, found):
        if not request.key:
            return None
        if not opens:
            opens.append(time.monotonic() + opens_after_s)
            return [("send", answer(status, [("Date", http_date(0)), header()]))]
        return None if time.monotonic() >= opens[0] else [("send", answer(403))]

    server.fault = fault
    code, err, have = run(bench, "--retries", "1", *s3(server, "set/"))
    bench.check("it waits as long as it was told", code == 0 and have == WANT, (code, err))


@report(
    "supabase/supabase-js#2634, Azure/azure-sdk-for-python#31004, acmesh-official/acme.sh#7201",
    "Retry-After is a date, too: it is waited for",
)
def retry_after_a_date(bench):
    waits(bench, lambda: ("Retry-After", http_date(3)), opens_after_s=1.9)


@report("supabase/supabase-js#2634 (seconds)", "Retry-After in seconds is waited for, of 429 and of 503")
def retry_after_seconds(bench):
    waits(bench, lambda: ("retry-after", "2"), status=429)


@report(
    "no single report: the header x-ms-retry-after-ms of Azure's SDKs",
    "Azure's own header in milliseconds is waited for",
)
def retry_after_milliseconds(bench):
    waits(bench, lambda: ("x-ms-retry-after-ms", "2000"))


@report(
    "mastra-ai/mastra#23778 (a Retry-After that is none)", "what is no time means the client's own pause, not a year"
)
def retry_after_nonsense(bench):
    began = time.monotonic()
    for word in ("soon", "-3", "1.5", "99999999999999999999999"):
        server = FaultServer(bench, FILES)
        server.fault = lambda request, found: (
            [("send", answer(503, [("Retry-After", word)]))] if request.key and request.number < 2 else None
        )
        if word.startswith("999"):
            continue
        code, err, have = run(bench, "--retries", "3", *s3(server, "set/"), dest="d" + word)
        bench.check(f"Retry-After: {word}", code == 0 and have == WANT, (code, err))
    bench.check("in seconds", time.monotonic() - began < 30)


@report(
    'huggingface/huggingface_hub#3342, huggingface/datasets#7871 (429 with RateLimit: "resolvers";r=0;t=N)',
    "the hub's words for a pause are heard",
)
def rate_limit_of_the_hub(bench):
    server = hub.Hub("models/org/model", {"a.txt": b"a"})
    bench.closers.append(server.close)
    handler, opens = server.api.RequestHandlerClass, []
    honest = handler.do_GET

    def do_GET(self):
        if "/resolve/" in self.path:
            if not opens:
                opens.append(time.monotonic() + 2)
                return self.answer(
                    429,
                    b"{}",
                    RateLimit='"resolvers";r=0;t=2',
                    RateLimit_Policy='"fixed window";"resolvers";q=5000;w=300',
                )
            if time.monotonic() < opens[0]:
                return self.answer(403)
        return honest(self)

    handler.do_GET = do_GET
    code, err, have = run(bench, "--retries", "1", "hf://org/model", env={"HF_ENDPOINT": server.endpoint})
    bench.check("it waits as long as it was told", code == 0 and have == WANT, (code, err))


@report(
    "Azure/azure-storage-node#330, Azure/azure-sdk-for-java#34081 (AuthenticationFailed: the machine's clock is off)",
    "requests are signed with the store's time, or the error names the clock",
)
def clock_that_azure_refuses(bench):
    server = dialects.Azure(bench, FILES)
    ahead = 3600

    def fault(request, found):
        said = email.utils.parsedate_to_datetime(request.headers["x-ms-date"]).timestamp()
        if abs(said - (time.time() + ahead)) > 900:
            return [
                (
                    "send",
                    server.refusal(
                        403,
                        "AuthenticationFailed",
                        [("Date", http_date(ahead))],
                        "Server failed to authenticate the request.",
                    ),
                )
            ]
        return None

    server.fault = fault
    code, err, have = run(
        bench, "--endpoint", server.endpoint, "az://account/data/set/", env={"AZURE_STORAGE_KEY": "a2V5"}
    )
    bench.check("it is read, or the clock is named", (code == 0 and have == WANT) or "clock" in err, (code, err))


@report(
    "no single report: numbers of proxies (520, 522, 524, 529, 599) and RFC 9110's own",
    "numbers from 500 up are tried again, whoever made them up",
)
def numbers_of_proxies(bench):
    for status in (408, 429, 500, 502, 504, 520, 522, 524, 529, 599):
        server = FaultServer(bench, FILES)
        server.fault = lambda request, found: [("send", answer(status))] if request.key and request.number < 2 else None
        code, err, have = run(bench, "--retries", "2", *s3(server, "set/"), dest=f"d{status}")
        bench.check(f"HTTP {status} once", code == 0 and have == WANT, (code, err))
