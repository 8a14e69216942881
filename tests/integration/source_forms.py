#!/usr/bin/env python3
# ctest: 120
"""SOURCE as people write it who come from each store's own tools, and the one line they get where zcdp reads it otherwise."""

import hashlib
import json
import shutil

from tests.support import stores
from tests.support.harness import TestRun, bytes_of, sums

FILES = {"a.txt": b"hello", "b/c.bin": bytes_of(1, 100_000)}
WANT = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def one_object(bench, store):
    """What has no '/' at its end is a folder, or the object of that name."""
    source = stores.source_of(store, "set/a.txt")
    done = bench.sync("--store", bench.path("one"), *store.flags, source, env=store.env)
    bench.equal(f"{store.kind}: an object's name is that one file", sums(done["path"]), {"a.txt": WANT["a.txt"]})
    picked = bench.sync(
        "--store", bench.path("one"), *store.flags, "--include", "/a.txt", source.removesuffix("a.txt"), env=store.env
    )
    bench.equal(
        f"{store.kind}: the same as that file of its folder, and is not fetched again",
        (picked["snapshot"], picked["bytes_fetched"]),
        (done["snapshot"], 0),
    )
    for what, name in (
        ("a folder that is not there", "nothing/"),
        ("what is neither", "set/a"),
        ("an object with a '/' at its end", "set/a.txt/"),
    ):
        named = stores.source_of(store, name)
        code, _, err = bench.zcdp("sync", "--store", bench.path("one"), *store.flags, named, env=store.env)
        bench.check(
            f"{store.kind}: {what}, shown as it was written",
            code == 4 and err.startswith(f"zcdp: {named.removesuffix('/')}/: ") and err.count("\n") == 1,
            (code, err),
        )
    whole = source.removesuffix("/set/a.txt")
    done = bench.sync("--store", bench.path("one"), *store.flags, whole, env=store.env)
    bench.equal(f"{store.kind}: {whole} without a slash is all of it", done["objects"], len(FILES))


def flags_of_others(bench):
    """A flag that says nothing about a kind is refused, not passed over."""
    key = bench.path("key")
    key.write_bytes(bytes(32))
    for flags, sources in (
        (
            ["--sha256", "0" * 64],
            [
                "s3://data/a",
                "gs://data/a",
                "az://account/container/a",
                "https://account.blob.core.windows.net/container/a",
                "hf://org/name",
                ".",
            ],
        ),
        (["--request-payer"], ["gs://data/"]),
        (
            ["--billing-project", "p"],
            ["s3://data/", "az://account/container/", "oss://data/", "https://host/a", "hf://org/name", "."],
        ),
        (["--dualstack"], ["oss://data/"]),
        (["--sse-c-key", key], ["gs://data/"]),
        (["--profile", "p"], ["az://account/container/"]),
    ):
        for source in sources:
            code, _, err = bench.zcdp(
                "sync", "--store", bench.path("flags"), "--anonymous", "--retries", "0", *flags, source
            )
            bench.check(
                f"{flags[0]} with {source}",
                code == 2 and err.startswith(f"zcdp: {source}: {flags[0]} is for ") and err.count("\n") == 1,
                (code, err),
            )


def shared_access_signatures(bench, azure):
    """In the environment, and at the end of the URL as Azure's portal and azcopy have it."""
    url = f"https://{azure.account}.blob.core.windows.net/{azure.bucket}/set/"
    wrong = azure.sas(azure.wrong_env["AZURE_STORAGE_KEY"])
    store = bench.path("sas")
    for what, source, env in (
        ("in the environment", azure.source("set/"), {"AZURE_STORAGE_SAS_TOKEN": "?" + azure.sas()}),
        ("in the URL", f"{url}?{azure.sas()}", {}),
    ):
        done = bench.sync("--store", store, "--endpoint", azure.endpoint, source, env=env)
        bench.equal(f"a SAS {what}", sums(done["path"]), WANT)
    kept = [str(p) for p in store.rglob("*") if p.is_file() and b"sig=" in p.read_bytes()]
    bench.check("is kept nowhere", not kept, kept)
    for what, source, env in (
        ("in the environment", azure.source("set/"), {"AZURE_STORAGE_SAS_TOKEN": wrong}),
        ("in the URL", f"{url}?{wrong}", azure.env),
    ):
        code, out, err = bench.zcdp("sync", "--store", store, "--endpoint", azure.endpoint, source, env=env)
        bench.check(
            f"a wrong one {what}: exit 5, one line, not shown",
            code == 5 and err.count("\n") == 1 and "sig=" not in err,
            (code, err),
        )
    done = bench.sync("--store", store, "--endpoint", azure.endpoint, url, env=azure.env)
    bench.equal("the https form, at the address that --endpoint says", sums(done["path"]), WANT)


def gclouds_folder(bench, gcs):
    gcs.behind_a_door(bench)
    folder = bench.path("gcloud")
    folder.mkdir()
    shutil.copy(gcs.env["GOOGLE_APPLICATION_CREDENTIALS"], folder / "application_default_credentials.json")
    done = bench.sync("--store", bench.path("adc"), *gcs.flags, "gs://data/set/", env={"CLOUDSDK_CONFIG": str(folder)})
    bench.equal("gcloud's default credentials, in the folder that CLOUDSDK_CONFIG names", sums(done["path"]), WANT)


def who_is_billed(bench, gcs):
    """By the flag, else by the credentials' file, in every request; else nobody is named."""
    quota = bench.path("quota.json")
    quota.write_text(json.dumps({**json.loads(gcs.credentials), "quota_project_id": "quota-1"}))
    file, variable = {"GOOGLE_APPLICATION_CREDENTIALS": str(quota)}, {"GOOGLE_CLOUD_QUOTA_PROJECT": "quota-2"}
    for how, flags, env, want in (
        ("nobody", [], gcs.env, (None, None)),
        ("the credentials' project", [], file, (None, "quota-1")),
        ("the environment's project", [], file | variable, (None, "quota-2")),
        (
            "the flag's project",
            ["--billing-project", "example.com:me-1"],
            file | variable,
            (["example.com:me-1"], None),
        ),
    ):
        gcs.door.billed.clear()
        done = bench.sync("--store", bench.path("billed " + how), *gcs.flags, *flags, "gs://data/set/", env=env)
        bench.check(
            f"billed is {how}, in the listing and with each object",
            sums(done["path"]) == WANT
            and len(gcs.door.billed) > len(FILES)
            and set(map(str, gcs.door.billed)) == {str(want)},
            gcs.door.billed,
        )
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("billed"),
        *gcs.flags,
        "--billing-project",
        "me&alt=json",
        "gs://data/set/",
        env=gcs.env,
    )
    bench.check(
        "what is no project is refused",
        code == 2 and err.startswith("zcdp: me&alt=json: is no project") and err.count("\n") == 1,
        (code, err),
    )
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("billed"),
        *gcs.flags,
        "gs://data/set/",
        env={**gcs.env, "GOOGLE_CLOUD_QUOTA_PROJECT": "me you"},
    )
    bench.check(
        "nor is it from the environment",
        code == 2 and "GOOGLE_CLOUD_QUOTA_PROJECT is no project: me you" in err and err.count("\n") == 1,
        (code, err),
    )


with TestRun() as bench:
    flags_of_others(bench)
    s3, gcs, azure = (kind.start(bench) for kind in (stores.S3, stores.Gcs, stores.Azure))
    for store in (s3, gcs, azure):
        for name, content in FILES.items():
            store.put("set/" + name, content)
        one_object(bench, store)
    shared_access_signatures(bench, azure)
    gclouds_folder(bench, gcs)
    who_is_billed(bench, gcs)
