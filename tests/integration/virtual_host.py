#!/usr/bin/env python3
# ctest: 120
"""A bucket in the host's name of any endpoint: because a flag or the profile says so, or because the service does, in the words of those
that are known to. Requests are signed for the host that they go to, below the endpoint's path if it has one. The server is reached as
a proxy, which stands for a name server."""

import time

from tests.support import sigv4
from tests.support.fault_server import FaultServer, error
from tests.support.harness import TestRun, bytes_of, sums, write_tree

HOST, BASE, REGION = "objects.lab.example", "/storage/v1", "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
OBJECTS = {
    "set/a.bin": bytes_of(1, 50_000),
    "set/dir/b.bin": bytes_of(2, 9 << 20),
    **{f"set/many/{n:03}": bytes([n]) for n in range(60)},
}
WANT = {key.removeprefix("set/"): content for key, content in OBJECTS.items()}
# (status, code, message) with which a service refuses a bucket in the path.
REFUSALS = {
    "Tencent Cloud": (
        403,
        "PathStyleDomainForbidden",
        "The bucket you are attempting to access must be addressed using COS virtual-styled domain.",
    ),
    "Alibaba Cloud": (403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access."),
    "Alibaba Cloud, formerly": (
        403,
        "SecondLevelDomainForbidden",
        "The bucket you are attempting to access must be addressed using OSS third level domain.",
    ),
    "Huawei Cloud": (
        403,
        "VirtualHostDomainRequired",
        "Virtual host domain is required when accessing a specific bucket.",
    ),
    "Volcengine": (403, "InvalidPathAccess", "Forbidden path to access server"),
    "one in words alone": (400, "InvalidRequest", "The bucket must be addressed using virtual-hosted style"),
    "another in words": (403, "AccessDenied", "Path-style requests are not supported"),
    "one that redirects": (301, "PermanentRedirect", "Use virtual-host style: the bucket is data." + HOST),
}


class Service(FaultServer):
    """Takes the bucket where `style` says, signatures checked; refuses it elsewhere with `refusal`."""

    style, base, refusal = "host", "", REFUSALS["Tencent Cloud"]

    def understand(self, request):
        request.host = request.target.split("/")[2] if request.target.startswith("http://") else request.headers["host"]
        path = request.target.removeprefix("http://" + request.host).partition("?")[0]
        request.in_path = request.host == HOST
        below = path.removeprefix(self.base)
        key = below.removeprefix("/data") if request.in_path else below
        request.key = sigv4.unquote_to_bytes(key.lstrip("/")).decode()
        request.wrong = None if path.startswith(self.base) else "not below the path of the service"
        query = request.target.partition("?")[2]
        request.wrong = request.wrong or sigv4.check(
            request.method,
            path,
            query,
            {**request.headers, "host": request.host},
            {"AKID": "secret"},
            REGION,
            time.time(),
        )
        if request.host not in (HOST, "data." + HOST):
            request.wrong = "the host is " + request.host
        self.fault = self.judge

    def judge(self, request, _):
        if request.wrong:
            return [("send", error(403, "SignatureDoesNotMatch", message=str(request.wrong)))]
        if request.in_path == (self.style == "host"):
            status, code, message = (
                self.refusal if request.in_path else (404, "NoSuchBucket", "there is no bucket called storage")
            )
            refused = error(status, code, message=message)
            return [("send", refused.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else refused)]
        return None


class Runner:
    def __init__(self, bench, server):
        self.bench, self.server, self.number = bench, server, 0

    def run(
        self,
        *flags,
        config="",
        base="",
        style="host",
        refusal=REFUSALS["Tencent Cloud"],
        source="s3://data/set/",
        endpoint=f"http://{HOST}",
    ):
        self.number += 1
        self.server.style, self.server.base, self.server.refusal = style, base, refusal
        self.server.reset()
        file = self.bench.path(f"config{self.number}")
        file.write_text(f"[default]\n{config}")
        dest = self.bench.path(f"dest{self.number}")
        code, _, err = self.bench.zcdp(
            "sync",
            "--retries",
            "0",
            *flags,
            "--region",
            REGION,
            "--endpoint",
            endpoint + base,
            "--no-store",
            source,
            dest,
            env={**KEYS, "HTTP_PROXY": self.server.endpoint, "AWS_CONFIG_FILE": str(file)},
        )
        return code, err, dest

    def works(self, what, *flags, refused=0, want="want", **more):
        code, err, dest = self.run(*flags, **more)
        self.bench.check(f"{what}: all files", code == 0 and sums(dest) == sums(self.bench.path(want)), (code, err))
        turned = self.server.count(lambda r: r.in_path == (self.server.style == "host"))
        self.bench.check(
            f"{what}: {turned} requests were refused", turned <= refused and (turned > 0) == (refused > 0), turned
        )

    def fails(self, what, code, words, *flags, **more):
        got, err, _ = self.run(*flags, **more)
        self.bench.check(
            f"{what}: exit {code}, one line",
            got == code and err.count("\n") == 1 and all(word in err for word in words),
            (got, err),
        )


with TestRun() as bench:
    write_tree(bench.path("want"), WANT)
    write_tree(bench.path("one"), {"a.bin": WANT["a.bin"]})
    runner = Runner(bench, Service(bench, OBJECTS))
    virtual = "s3 =\n  addressing_style = virtual\n"
    runner.works("--virtual-host", "--virtual-host")
    runner.works("addressing_style = virtual", config=virtual)
    runner.works("below a path", "--virtual-host", base=BASE)
    runner.works("in the path, below a path", style="path", base=BASE)
    runner.works("--path-style goes before the profile", "--path-style", style="path", config=virtual)
    runner.works("--virtual-host goes before the profile", "--virtual-host", config="s3 =\n  addressing_style = path\n")
    for service, refusal in REFUSALS.items():
        runner.works(f"{service} says so", refusal=refusal, refused=2)
    runner.works("one that says so, of one object", source="s3://data/set/a.bin", want="one", refused=3)
    runner.works("one that says so, below a path", base=BASE, refused=2)
    runner.fails(
        "one that says so, but --path-style",
        1,
        ["no bucket in the path", "PathStyleDomainForbidden", "--path-style"],
        "--path-style",
    )
    runner.fails(
        "one that says so, but addressing_style = path",
        1,
        ["no bucket in the path", "addressing_style"],
        config="s3 =\n  addressing_style = path\n",
    )
    runner.fails(
        "a refusal that says nothing of the host", 5, ["AccessDenied"], refusal=(403, "AccessDenied", "Access Denied")
    )
    bench.equal("and the bucket's host is not tried", runner.server.count(lambda r: not r.in_path), 0)
    runner.fails(
        "AWS's word about another endpoint",
        1,
        ["PermanentRedirect"],
        refusal=(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint.",
        ),
    )
    runner.fails("both flags", 2, ["--path-style", "--virtual-host"], "--path-style", "--virtual-host")
    runner.fails(
        "an address takes no names", 2, ["host's name", "--virtual-host"], "--virtual-host", endpoint="http://192.0.2.1"
    )
    runner.fails("a bucket that is no name", 2, ["Data_1", "host's name"], "--virtual-host", source="s3://Data_1/set/")
    code, _, err = bench.zcdp("sync", "--no-store", "--virtual-host", "gs://data/set/", bench.path("gs"))
    bench.check(
        "--virtual-host with another kind of source is refused", code == 2 and "--virtual-host" in err, (code, err)
    )
