#!/usr/bin/env python3
# ctest: 120
"""On MinIO: versions of one object (each is fetched as it was, none is taken for another, and one that there is not is said to be
missing), and a role assumed at its STS."""

import hashlib
import os
import urllib.request

from tests.support import servers, sigv4, stores
from tests.support.counting_proxy import CountingProxy
from tests.support.harness import TestRun, bytes_of

KEY = "set/model.bin"
OLD, NEW = bytes_of(1, 20 << 20), bytes_of(2, 20 << 20)  # of one size, over several chunks
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(endpoint, method, path, query="", body=b""):
    """The answer's headers."""
    headers = sigv4.sign(
        method,
        path,
        query,
        {"Host": endpoint.split("://")[1]},
        hashlib.sha256(body).hexdigest(),
        servers.ACCESS,
        servers.SECRET,
        "us-east-1",
    )
    url = endpoint + path + ("?" + query if query else "")
    with opener.open(
        urllib.request.Request(url, data=body if method == "PUT" else None, method=method, headers=headers), timeout=30
    ) as answer:
        answer.read()
        return answer.headers


def content(path):
    with open(path, "rb") as file:
        return file.read()


with TestRun() as bench:
    endpoint = stores.S3.start(bench).endpoint
    send(
        endpoint,
        "PUT",
        "/data",
        "versioning=",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    )
    versions = {send(endpoint, "PUT", f"/data/{KEY}", body=body)["x-amz-version-id"]: body for body in (OLD, NEW, b"")}
    marker = send(endpoint, "DELETE", f"/data/{KEY}")["x-amz-version-id"]
    bench.equal("MinIO keeps three versions and a delete marker", len({*versions, marker, None}), 5)

    proxy = CountingProxy(bench, endpoint)
    flags = ["--endpoint", proxy.endpoint, "--store", bench.path("store")]
    snapshots = set()
    for version, want in versions.items():
        done = bench.sync(*flags, f"s3://data/{KEY}?versionId={version}", env=servers.CREDENTIALS)
        bench.check(
            f"the version of {len(want)} bytes is the only file, byte for byte",
            os.listdir(done["path"]) == ["model.bin"] and content(f"{done['path']}/model.bin") == want,
        )
        snapshots.add(done["snapshot"])
    bench.equal("each is a snapshot of its own", len(snapshots), 3)
    proxy.reset()
    again = bench.sync(*flags, f"s3://data/{KEY}?versionId={next(iter(versions))}", env=servers.CREDENTIALS)
    bench.check(
        "the first once more: nothing is fetched, and it is the first",
        proxy.object_gets() == 0 and content(f"{again['path']}/model.bin") == OLD,
    )
    dest = bench.path("dest")
    for want, version in ((want, version) for version, want in versions.items()):
        code, _, err = bench.zcdp(
            "sync",
            "--endpoint",
            proxy.endpoint,
            "--no-store",
            f"s3://data/{KEY}?versionId={version}",
            dest,
            env=servers.CREDENTIALS,
        )
        bench.check(
            f"a DEST takes the version of {len(want)} bytes in place of another",
            code == 0 and content(dest / "model.bin") == want,
            err,
        )
    first, last = next(iter(versions)), list(versions)[-1]
    for version, want in ((last, 0), (first, 1)):
        code, out, err = bench.zcdp(
            "verify",
            "--endpoint",
            proxy.endpoint,
            dest,
            "--against",
            f"s3://data/{KEY}?versionId={version}",
            env=servers.CREDENTIALS,
        )
        bench.check(
            f"verify --against {'another version finds it' if want else 'its own version finds nothing'}",
            (code != 0) == bool(want),
            (code, out, err),
        )
        code, out, err = bench.zcdp(
            "verify",
            "--endpoint",
            proxy.endpoint,
            dest / "model.bin",
            "--against",
            f"s3://data/{KEY}?versionId={version}",
            env=servers.CREDENTIALS,
        )
        bench.check(
            f"and so it does of the file alone, exit code {want}",
            code == want and ("model.bin" in out) == bool(want),
            (code, out, err),
        )

    def refused(what, query, code, word, key=KEY):
        got, out, err = bench.zcdp("sync", *flags, f"s3://data/{key}?{query}", env=servers.CREDENTIALS)
        bench.check(
            f"{what}: exit code {code} and one line",
            got == code and word in err and err.count("\n") == 1 and not out,
            (got, err),
        )

    refused("a version that there is not", "versionId=00000000-1111-2222-3333-444444444444", 4, "version")
    refused("what is no version id", "versionId=nonsense", 4, "version")
    refused("a delete marker", f"versionId={marker}", 4, "delete marker")
    refused("a key that there is not", f"versionId={marker}", 4, "s3://data/other?versionId", key="other")
    refused("a prefix", f"versionId={marker}", 2, "prefix", key="set/")
    refused("another query", f"versionId={marker}&x=1", 2, "versionId")

    send(endpoint, "PUT", "/plain")
    send(endpoint, "PUT", f"/plain/{KEY}", body=OLD)
    code, _, err = bench.zcdp("sync", *flags, f"s3://plain/{KEY}?versionId=null", env=servers.CREDENTIALS)
    bench.check("versionId=null of a bucket without versions is its object", code == 0, err)

    config = bench.path("aws-config")
    config.write_text(
        f"[profile keys]\naws_access_key_id = {servers.ACCESS}\naws_secret_access_key = {servers.SECRET}\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = keys\nduration_seconds = 900\n"
    )
    env = {"AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL_STS": endpoint, "AWS_PROFILE": "role"}
    done = bench.sync(
        "--endpoint", endpoint, "--store", bench.path("role"), f"s3://plain/{KEY}?versionId=null", env=env
    )
    bench.check("a role that MinIO's STS gives credentials for reads", content(f"{done['path']}/model.bin") == OLD)
    config.write_text(config.read_text().replace(servers.SECRET, "wrong"))
    code, _, err = bench.zcdp(
        "sync", "--endpoint", endpoint, "--store", bench.path("role"), f"s3://plain/{KEY}?versionId=null", env=env
    )
    bench.check(
        "a source with a wrong secret: exit code 5 and one line that names the role",
        code == 5 and "role/reader" in err and err.count("\n") == 1,
        (code, err),
    )
