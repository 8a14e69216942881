#!/usr/bin/env python3
# ctest: 300
"""`zcdp serve` driven by boto3, the aws cli and rclone."""

import os
import subprocess
import sys

from tests.support import servers
from tests.support.harness import CACHE, ROOT, TestRun, bytes_of, clean_env, skip, sums, write_tree

FILES = {
    "a b+c": b"1",
    "d/\u00fc": bytes_of(3, 70_000),
    "d/e/f": b"",
    "g": bytes_of(4, 3 << 20),
    "z&<x>": b"xml",
    **{f"many/{i:05}": b"m" for i in range(2500)},
}


def with_boto3(endpoint):
    """Runs in the environment that has boto3: prints one line a check, exits 1 at the first that fails."""
    import boto3
    from botocore.exceptions import ClientError

    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=servers.ACCESS,
        aws_secret_access_key=servers.SECRET,
        region_name="us-east-1",
    )

    def check(what, holds):
        print(("ok   " if holds else "FAIL ") + what, flush=True)
        if not holds:
            sys.exit(1)

    keys = [
        o["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="data")
        for o in page.get("Contents", [])
    ]
    check("boto3 lists every key, in order", keys == sorted(FILES, key=str.encode))
    top = s3.list_objects_v2(Bucket="data", Delimiter="/")
    check("boto3 sees folders as common prefixes", [p["Prefix"] for p in top["CommonPrefixes"]] == ["d/", "many/"])
    after = s3.list_objects_v2(Bucket="data", Prefix="many/", StartAfter="many/02400", MaxKeys=10)
    check(
        "prefix, start-after and max-keys",
        [o["Key"] for o in after["Contents"]][0] == "many/02401" and after["KeyCount"] == 10 and after["IsTruncated"],
    )
    check("an object's bytes", s3.get_object(Bucket="data", Key="g")["Body"].read() == FILES["g"])
    part = s3.get_object(Bucket="data", Key="g", Range="bytes=1000-1999")
    check("a range", part["Body"].read() == FILES["g"][1000:2000] and part["ResponseMetadata"]["HTTPStatusCode"] == 206)
    check(
        "a range from the end",
        s3.get_object(Bucket="data", Key="g", Range="bytes=-5")["Body"].read() == FILES["g"][-5:],
    )
    head = s3.head_object(Bucket="data", Key="d/\u00fc")
    check("HEAD", head["ContentLength"] == 70_000 and "-" in head["ETag"])
    check(
        "If-Match with the tag",
        s3.get_object(Bucket="data", Key="g", IfMatch=s3.head_object(Bucket="data", Key="g")["ETag"])["ContentLength"]
        == 3 << 20,
    )
    for what, code, call in [
        ("If-Match with another", "PreconditionFailed", lambda: s3.get_object(Bucket="data", Key="g", IfMatch='"x"')),
        ("a key that is not there", "NoSuchKey", lambda: s3.get_object(Bucket="data", Key="nope")),
        ("a key that climbs", "NoSuchKey", lambda: s3.get_object(Bucket="data", Key="../../etc/passwd")),
        (
            "a range that is not there",
            "InvalidRange",
            lambda: s3.get_object(Bucket="data", Key="g", Range="bytes=9999999-"),
        ),
        ("a bucket that is not there", "NoSuchBucket", lambda: s3.list_objects_v2(Bucket="other")),
        ("a write", "MethodNotAllowed", lambda: s3.put_object(Bucket="data", Key="new", Body=b"x")),
    ]:
        try:
            call()
            check(f"{what} is refused", False)
        except ClientError as error:
            check(f"{what} is refused as {code}", error.response["Error"]["Code"] == code)


if len(sys.argv) > 1:
    with_boto3(sys.argv[1])
    sys.exit(0)
with TestRun() as bench:
    if subprocess.run(["bash", "-c", f". {ROOT}/scripts/lib/venv.sh && need_venv"]).returncode != 0:
        skip("boto3 and the aws cli cannot be installed here")
    source = bench.path("source")
    write_tree(source, FILES)
    endpoint = servers.zcdp_serve(
        bench, source, env={"ZCDP_SERVE_ACCESS_KEY": servers.ACCESS, "ZCDP_SERVE_SECRET_KEY": servers.SECRET}
    )
    env = {**clean_env(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([CACHE / "venv/bin/python", __file__, endpoint], env=env)
    bench.equal("boto3's checks", done.returncode, 0)
    aws = [CACHE / "venv/bin/aws", "--endpoint-url", endpoint, "--region", "us-east-1", "s3"]
    env.update(servers.CREDENTIALS)
    copy = bench.path("copy")
    done = subprocess.run(
        [*aws, "cp", "--recursive", "--quiet", "s3://data/", copy], env=env, capture_output=True, text=True
    )
    bench.check("aws s3 cp copies everything", done.returncode == 0 and sums(copy) == sums(source), done.stderr[-500:])
    done = subprocess.run([*aws, "sync", "s3://data/", copy], env=env, capture_output=True, text=True)
    bench.check(
        "aws s3 sync finds nothing to do then",
        done.returncode == 0 and "download" not in done.stdout,
        done.stdout[-300:],
    )
    done = subprocess.run(
        [*aws, "ls", "s3://data/"], env={**env, "AWS_SECRET_ACCESS_KEY": "wrong"}, capture_output=True, text=True
    )
    bench.check(
        "aws with a wrong secret is refused",
        done.returncode != 0 and "SignatureDoesNotMatch" in done.stderr,
        done.stderr,
    )

    if subprocess.run(["bash", "-c", f". {ROOT}/scripts/lib/servers.sh && need_peers"]).returncode != 0:
        skip("rclone cannot be built here")
    remote = f":s3,provider=Other,env_auth=true,region=us-east-1,force_path_style=true,endpoint='{endpoint}':data"
    rclone = [CACHE / "bin/rclone", "--config", os.devnull]
    copy = bench.path("rclone-copy")
    done = subprocess.run([*rclone, "sync", remote, copy], env=env, capture_output=True, text=True)
    bench.check(
        "rclone sync copies everything", done.returncode == 0 and sums(copy) == sums(source), done.stderr[-500:]
    )
    done = subprocess.run([*rclone, "check", "--download", remote, copy], env=env, capture_output=True, text=True)
    bench.check(
        "rclone check --download finds no difference",
        done.returncode == 0 and "0 differences found" in done.stderr,
        done.stderr[-500:],
    )
    done = subprocess.run([*rclone, "sync", "-v", remote, copy], env=env, capture_output=True, text=True)
    bench.check(
        "rclone sync finds nothing to do then", done.returncode == 0 and "Copied" not in done.stderr, done.stderr[-300:]
    )
    done = subprocess.run(
        [*rclone, "lsf", "--retries", "1", "--low-level-retries", "1", remote],
        env={**env, "AWS_SECRET_ACCESS_KEY": "wrong"},
        capture_output=True,
        text=True,
    )
    bench.check(
        "rclone with a wrong secret is refused",
        done.returncode != 0 and "SignatureDoesNotMatch" in done.stderr,
        done.stderr[-300:],
    )
