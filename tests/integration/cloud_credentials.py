#!/usr/bin/env python3
# ctest: 240
"""Bearer tokens that end in the middle of a sync, for each identity of Google and Azure that can be asked again: metadata servers,
a service account's key, workload identity with a token file that turns. fake-gcs-server and azurite stand behind a gate that
refuses what has ended as the real stores do. No token is ever printed."""

import json

from tests.support import google, stores
from tests.support.gate import AZURE_REFUSAL, GCS_REFUSAL, Gate, Tokens, identity_server
from tests.support.harness import TestRun, bytes_of, sums, write_tree

OBJECTS = {f"dir/{i:03}.bin": bytes_of(i, 20_000 + i) for i in range(60)}


def google_kinds(bench, identity, token_file, account):
    external = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/pool",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": identity + "/sts",
        "service_account_impersonation_url": identity + "/impersonate",
        "credential_source": {"file": str(token_file)},
    }
    bench.path("external.json").write_text(json.dumps(external))
    bench.path("key.json").write_text(account)
    home = {"HOME": str(bench.path("nobody"))}
    return {
        "GCE's metadata server": {"GCE_METADATA_HOST": identity.removeprefix("http://"), **home},
        "a service account's key": {"GOOGLE_APPLICATION_CREDENTIALS": str(bench.path("key.json"))},
        "workload identity federation": {"GOOGLE_APPLICATION_CREDENTIALS": str(bench.path("external.json"))},
    }


def azure_kinds(identity, token_file):
    return {
        "Azure's metadata server": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": identity},
        "App Service's identity": {"IDENTITY_ENDPOINT": identity + "/msi/token", "IDENTITY_HEADER": "of the service"},
        "Azure workload identity": {
            "AZURE_AUTHORITY_HOST": identity,
            "AZURE_TENANT_ID": "tenant",
            "AZURE_CLIENT_ID": "client",
            "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
        },
    }


def outlives(bench, gate, tokens, source, kinds):
    want = sums(bench.path("want"))
    flags = ["--endpoint", gate.endpoint, "--connections", "4"]
    for kind, env in kinds.items():
        gate.begin(rotate_after={15, 40})
        before, issued = tokens.number, tokens.issued
        code, out, err = bench.zcdp(
            "sync", "-v", *flags, "--store", bench.path("store " + kind), source, env=env, timeout=60
        )
        bench.check(f"{kind}: a sync outlives two expiries", code == 0 and sums(out.strip()) == want, err)
        bench.equal(f"{kind}: both happened", tokens.number - before, 2)
        bench.check(
            f"{kind}: the gate refused what had ended, and few tokens were asked for",
            gate.refused >= 2 and 3 <= tokens.issued - issued <= 9,
            (gate.refused, tokens.issued - issued),
        )
        tokens.trouble = 2
        gate.begin(rotate_after={30})
        code, again, trouble = bench.zcdp(
            "sync", "-v", *flags, "--store", bench.path("troubled " + kind), source, env=env, timeout=60
        )
        bench.check(
            f"{kind}: and a service that answers 503 twice just then",
            code == 0 and sums(again.strip()) == want and "HTTP 503" in trouble,
            trouble,
        )
        tokens.trouble, out, err = 0, out + again, err + trouble
        bench.check(
            f"{kind}: no token is printed",
            not any(word in out + err for word in ("bearer-", "subject-", "federated-")),
            out + err,
        )
    bench.equal("a token file that turned was read again each time", tokens.stale, 0)


def short_lived(bench, gate, tokens, source, kind, env):
    """Tokens of two seconds, and a sync that takes longer: each is asked for when the one before has ended, not with every request."""
    tokens.told_s = tokens.lasting_s = 2
    gate.begin()
    issued = tokens.issued
    code, out, err = bench.zcdp(
        "sync",
        "--endpoint",
        gate.endpoint,
        "--connections",
        "2",
        "--bandwidth",
        "250K",
        "--store",
        bench.path("slow " + kind),
        source,
        env=env,
        timeout=60,
    )
    bench.check(
        f"{kind}: a sync of many short tokens ends well",
        code == 0 and sums(out.strip()) == sums(bench.path("want")),
        err,
    )
    bench.check(
        f"{kind}: they are asked for as often as they end",
        2 <= tokens.issued - issued <= 12,
        (tokens.issued - issued, gate.refused),
    )
    tokens.told_s, tokens.lasting_s = 3600, None


with TestRun() as bench:
    write_tree(bench.path("want"), OBJECTS)
    token_file = bench.path("token")
    tokens = Tokens(token_file)
    keys = []
    identity = identity_server(bench, tokens, keys)
    account, public = google.service_account(bench.folder, identity + "/token")
    keys.append(public)
    gcs, azure = stores.Gcs.start(bench), stores.Azure.start(bench)
    for store in (gcs, azure):
        for key, content in OBJECTS.items():
            store.put(key, content)
    gates = (
        (
            Gate(bench, gcs.endpoint, tokens, GCS_REFUSAL, lambda method, path, query, headers: headers),
            "gs://data/",
            google_kinds(bench, identity, token_file, account),
        ),
        (
            Gate(
                bench,
                azure.endpoint,
                tokens,
                AZURE_REFUSAL,
                lambda method, path, query, headers: azure.signed(method, path, query, b"", headers),
            ),
            azure.source(),
            azure_kinds(identity, token_file),
        ),
    )
    for gate, source, kinds in gates:
        outlives(bench, gate, tokens, source, kinds)
    for gate, source, kinds in gates:
        short_lived(bench, gate, tokens, source, *next(iter(kinds.items())))
        tokens.file.write_text("subject-of-yesterday\n")
        kind = list(kinds)[-1]
        tokens.number += 1
        code, out, err = bench.zcdp(
            "sync",
            "-q",
            "--endpoint",
            gate.endpoint,
            "--store",
            bench.path("refused"),
            source,
            env=kinds[kind],
            timeout=60,
        )
        bench.check(
            f"{kind}: an identity that is refused: exit code 5, one line that names who refuses",
            code == 5 and err.count("\n") == 1 and identity in err and "invalid_grant" in err,
            (code, err),
        )
        tokens.rotate()
