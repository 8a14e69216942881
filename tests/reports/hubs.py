"""Repositories in Hugging Face's layout."""

import hashlib
import json
import urllib.parse

from tests.support import hub
from tests.support.fault_server import answer

from .kit import Web, report, run

COMMIT = "c" * 40


class Repository(Web):
    """`items`: the tree's own JSON, `files`: what /resolve/ has."""

    def __init__(self, bench, items, files, name="org/model", revisions=("main",)):
        self.items, self.files, self.name, self.revisions = items, files, name, revisions
        super().__init__(bench, self.page)

    def page(self, request):
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.target).path)
        raw = urllib.parse.urlsplit(request.target).path
        kind = [("Content-Type", "application/json")]
        if path.startswith(f"/api/models/{self.name}/revision/"):
            revision = urllib.parse.unquote(raw.rsplit("/", 1)[1])
            return (
                answer(200, kind, json.dumps({"sha": COMMIT}).encode())
                if revision in self.revisions
                else answer(404, kind, b'{"error":"Invalid rev id"}')
            )
        if path.startswith(f"/api/models/{self.name}/tree/{COMMIT}"):
            return answer(200, kind, json.dumps(self.items).encode())
        found = self.files.get(path.removeprefix(f"/{self.name}/resolve/{COMMIT}/"))
        if found is None:
            return answer(404, kind, b'{"error":"Entry not found"}')
        return answer(200, [("ETag", '"x"')], found)


def item(path, content, **more):
    return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()} | more


def env(server):
    return {"HF_ENDPOINT": server.endpoint}


@report(
    "no single report: the hub's tree with a kind of entry that the client does not know",
    "an entry that is neither a file nor a folder is an error that names it, not left out without a word",
)
def an_unknown_kind_of_entry(bench):
    server = Repository(
        bench,
        [
            item("a.txt", b"a"),
            {"type": "directory", "path": "sub", "oid": "0"},
            {"type": "submodule", "path": "vendor/lib", "oid": "1", "size": 0},
        ],
        {"a.txt": b"a"},
    )
    code, err, have = run(bench, "hf://org/model", env=env(server))
    bench.check("it is named", code != 0 and "vendor/lib" in err, (code, err, have))


@report(
    "no single report: an LFS oid written as in a pointer file, sha256:HEX",
    "an oid with its kind before it is that digest",
)
def an_oid_with_its_kind(bench):
    body = b"weights" * 1000
    server = Repository(
        bench,
        [
            item(
                "w.bin",
                body,
                lfs={"oid": "sha256:" + hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130},
            )
        ],
        {"w.bin": body},
    )
    code, err, have = run(bench, "hf://org/model", env=env(server))
    bench.check("the file arrives", code == 0 and have == {"w.bin": hashlib.sha256(body).hexdigest()}, (code, err))


@report("no single report: a repository without a file", "an empty repository is told as such")
def an_empty_repository(bench):
    server = Repository(bench, [], {})
    code, err, _ = run(bench, "hf://org/model", env=env(server))
    bench.check("exit 4 and one line", code == 4 and err.count("\n") == 0, (code, err))


@report(
    "no single report: a branch with slashes",
    "a branch with slashes is asked for whole; the hint says how it is written",
)
def a_branch_with_slashes(bench):
    server = Repository(bench, [item("a.txt", b"a")], {"a.txt": b"a"}, revisions=("feature/new/one",))
    code, err, have = run(bench, "hf://org/model@feature%2Fnew%2Fone", env=env(server))
    bench.check("it arrives", code == 0 and list(have) == ["a.txt"], (code, err))
    code, err, _ = run(bench, "hf://org/model@feature/new/one", env=env(server), dest="d2")
    bench.check("written with slashes: the line says %2F", code == 4 and "%2F" in err, (code, err))


@report("no single report: names with '#', '?', '%', blanks and other letters", "any name that is a path arrives")
def names_of_every_kind(bench):
    files = {
        name: name.encode()
        for name in ("a#b.txt", "c?d=e.txt", "100%.txt", "x y.txt", "\u65e5\u672c.txt", "q'\".txt", "s/[1].txt")
    }
    server = hub.Hub("models/org/model", files)
    bench.closers.append(server.close)
    code, err, have = run(bench, "hf://org/model", env=env(server))
    bench.check(
        "each arrives",
        code == 0 and have == {name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
        (code, err),
    )


@report(
    "no single report: a repository that was renamed, 307 for every question",
    "the new name's files arrive, also through an absolute redirect",
)
def a_renamed_repository(bench):
    server = hub.Hub("models/org/new", {"a.txt": b"a", "big.bin": b"b" * 5000}, alias="models/old/name")
    bench.closers.append(server.close)
    code, err, have = run(bench, "hf://old/name", env=env(server))
    bench.check("they do", code == 0 and sorted(have) == ["a.txt", "big.bin"], (code, err))


@report("no single report: a tree's size that is the pointer's", "the size of an LFS file is that of its object")
def the_size_of_the_pointer(bench):
    body = b"weights" * 1000
    server = Repository(
        bench,
        [
            item(
                "w.bin",
                b"x" * 130,
                lfs={"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130},
            )
        ],
        {"w.bin": body},
    )
    code, err, have = run(bench, "hf://org/model", env=env(server))
    bench.check("the file arrives", code == 0 and have == {"w.bin": hashlib.sha256(body).hexdigest()}, (code, err))
