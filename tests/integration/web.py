#!/usr/bin/env python3
# ctest: 120
"""Web servers as origins: a file with its digest, SHA256SUMS, indexes in HTML and JSON, servers without ranges, redirects
within rules, Hugging Face's layout. nginx and Python's own server are the real ones; hub.py speaks the hub's API."""

import functools
import hashlib
import http.server
import json
import threading

from tests.support import hub, stores
from tests.support.harness import TestRun, bytes_of, sums

BIG = bytes_of(7, 20 << 20)  # three chunks
FILES = {
    "a/b": b"1",
    "a-x": b"2",
    "big.bin": BIG,
    "odd & <name>.txt": b"3",
    "percent%41": b"4",
    "sub/empty": b"",
    "sub/sub/deep": b"5",
}


def filled(bench):
    web = stores.Nginx.start(bench)
    for name, content in FILES.items():
        web.put("set/" + name, content)
    return web


def want(names=FILES):
    return {name: hashlib.sha256(FILES[name]).hexdigest() for name in names}


def indexes(bench, web):
    for form in ("json", "html"):
        server = stores.Nginx.start(bench, form=form)
        done = bench.sync("--store", bench.path(f"index-{form}"), server.source("set/"))
        bench.equal(f"an index in {form} is walked", sums(done["path"]), want())
    web.put("odd/ctrl\x01", b"c")
    code, _, err = bench.zcdp("sync", "--store", bench.path("odd"), web.source("odd/"))
    bench.check(
        "a name that is no path is named under its own address",
        code == 3 and err.startswith(f"zcdp: {web.source('odd/')}: is no path"),
        (code, err),
    )
    code, _, err = bench.zcdp("sync", "--store", bench.path("odd"), web.source("set"))
    bench.check(
        "a folder without its slash: the line says how a folder is written",
        code == 3 and "ends in /" in err,
        (code, err),
    )
    code, _, err = bench.zcdp("sync", "--no-store", web.source("set/sub/sub/nothing/"), bench.path("n"))
    bench.check("a folder that is not there", code == 4 and err.count("\n") == 1, (code, err))


def one_file(bench, web):
    digest = hashlib.sha256(BIG).hexdigest()
    done = bench.sync("--store", bench.path("one"), "--sha256", digest, web.source("set/big.bin"))
    bench.equal("a file with its digest", sums(done["path"]), {"big.bin": digest})
    code, _, err = bench.zcdp("sync", "--store", bench.path("wrong"), "--sha256", "0" * 64, web.source("set/big.bin"))
    bench.check(
        "another digest is never visible",
        code == 1 and "SHA-256" in err and not list(bench.path("wrong").glob("snapshots/*/tree/*")),
        (code, err),
    )
    done = bench.sync("--store", bench.path("capitals"), "--sha256", digest.upper(), web.source("set/big.bin"))
    bench.equal("the same in capitals", done["objects"], 1)
    code, _, err = bench.zcdp("sync", "--store", bench.path("wrong"), "--sha256", "12", web.source("set/big.bin"))
    bench.check("a digest that is none is refused", code == 2, (code, err))
    code, _, err = bench.zcdp(
        "sync", "--store", bench.path("wrong"), web.source("set/big.bin").replace("http://", "http://user:secret@")
    )
    bench.check("a password in the URL is refused and not shown", code == 2 and "secret" not in err, (code, err))


def signed_address(bench, web):
    """A query may be what gives the right to read: it is sent, and neither shown nor kept."""
    store = bench.path("signed")
    done = bench.sync("--store", store, web.source("set/big.bin?signature=hushhush"))
    bench.equal("an address with a query", sums(done["path"]), want(["big.bin"]))
    code, out, err = bench.zcdp("store", "ls", "--json", "--store", store)
    bench.equal(
        "the store calls it by what stands before the query",
        [one["name"] for one in json.loads(out)],
        [web.source("set/big.bin")],
    )
    kept = [str(p) for p in store.rglob("*") if p.is_file() and b"hushhush" in p.read_bytes()]
    bench.check("and keeps the query nowhere", not kept, kept)


def list_of_digests(bench, web):
    names = ["a/b", "big.bin", "sub/empty", "odd & <name>.txt"]
    text = "# made by sha256sum\n" + "".join(f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n" for name in names)
    web.put("set/SHA256SUMS", text.encode())
    done = bench.sync("--store", bench.path("listed"), web.source("set/SHA256SUMS"))
    bench.equal("what the list names, and nothing else", sums(done["path"]), want(names))
    again = bench.sync("--store", bench.path("listed"), web.source("set/SHA256SUMS"))
    bench.equal("a second time nothing is fetched", again["bytes_fetched"], 0)
    for name in ("a/b", "big.bin"):
        broken = text.replace(hashlib.sha256(FILES[name]).hexdigest(), hashlib.sha256(b"else").hexdigest())
        web.put("set/SHA256SUMS", broken.encode())
        code, _, err = bench.zcdp("sync", "--store", bench.path("broken"), web.source("set/SHA256SUMS"))
        bench.check(
            f"{name} with another digest than listed ends it and is named",
            code == 1 and name in err and "SHA-256" in err,
            (code, err),
        )
    web.put("set/SHA256SUMS", b"# nothing\n")
    code, _, err = bench.zcdp("sync", "--store", bench.path("broken"), web.source("set/SHA256SUMS"))
    bench.check("a list of nothing is named as such", code == 3 and "SHA256SUMS: lists no file" in err, (code, err))
    web.put("set/big.bin.sha256", hashlib.sha256(BIG).hexdigest().encode())
    done = bench.sync("--store", bench.path("sidecar"), web.source("set/big.bin.sha256"))
    bench.equal("a digest without a name is of the file that it lies beside", sums(done["path"]), want(["big.bin"]))
    web.remove("set/big.bin.sha256")
    web.put("set/SHA256SUMS", b"0" * 64 + b"  ../../etc/passwd\n")
    code, _, err = bench.zcdp("sync", "--store", bench.path("broken"), web.source("set/SHA256SUMS"))
    bench.check("a list that climbs is refused", code == 3 and "outside" in err, (code, err))
    web.remove("set/SHA256SUMS")


def without_ranges(bench, web):
    """Python's own server sends whole files only, and an index of its own."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def send_head(self):
            if self.path != "/set/moved":
                return super().send_head()
            self.send_response(302)
            self.send_header("Location", "sub/../big.bin")
            self.send_header("Content-Length", "0")
            self.end_headers()

    handler = functools.partial(Handler, directory=web.folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is no news
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bench.closers.append(server.shutdown)
    done = bench.sync("--store", bench.path("whole"), f"http://127.0.0.1:{server.server_address[1]}/set/", timeout=60)
    bench.equal("a server without ranges will do", sums(done["path"]), want())
    done = bench.sync("--store", bench.path("moved"), f"http://127.0.0.1:{server.server_address[1]}/set/moved")
    bench.equal(
        "a relative redirect is followed, and the name stays",
        sums(done["path"]),
        {"moved": hashlib.sha256(BIG).hexdigest()},
    )


def without_an_org(bench, env):
    """Served by that name, or redirected to an ORG's as the hub does; NAME/FOLDER stays an ORG/NAME."""
    files = {"config.json": b"{}", "onnx/model.onnx": BIG, "onnx/a": b"1", "onnx/b": b"2"}
    for how, served, alias, source in (
        ("served", "models/gpt2", "", "hf://gpt2"),
        ("redirected", "models/org/gpt2", "models/gpt2", "hf://gpt2"),
        ("a dataset", "datasets/squad", "", "hf://datasets/squad"),
    ):
        server = hub.Hub(served, files, env["HF_TOKEN"], alias=alias)
        bench.closers.append(server.close)
        here = {**env, "HF_ENDPOINT": server.endpoint}
        done = bench.sync("--store", bench.path("canonical"), source, env=here)
        bench.equal(
            f"a repository without an ORG, {how}",
            sums(done["path"]),
            {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        )
        done = bench.sync("--store", bench.path("canonical"), f"{source}@main/onnx", env=here)
        bench.equal(f"a folder of it, {how}", sorted(sums(done["path"])), ["a", "b", "model.onnx"])
        code, _, err = bench.zcdp("sync", "--store", bench.path("canonical"), f"{source}/onnx", env=here)
        bench.check(
            f"without a revision that would be an ORG, {how}",
            code == 4 and "NAME@REVISION/FOLDER" in err and err.count("\n") == 1,
            (code, err),
        )
        bench.check(f"the token went to no other host, {how}", not server.leaked, server.leaked)


def repositories(bench):
    files = {
        "config.json": b"{}",
        "model-00001.safetensors": BIG,
        "data/part.bin": bytes_of(3, 5000),
        "data/notes.txt": b"n",
        "README.md": b"# r",
        "z/\u00fc.txt": b"u",
    }
    token = "hf_secret"
    server = hub.Hub("models/org/name", files, token, revisions=("main", "refs/pr/1"))
    bench.closers.append(server.close)
    env = {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": token, "HF_HOME": "/nonexistent"}
    all_sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    done = bench.sync("--store", bench.path("hub"), "hf://org/name", env=env)
    bench.equal("a repository, page by page, LFS through its redirects", sums(done["path"]), all_sums)
    bench.equal(
        "a second time nothing is fetched",
        bench.sync("--store", bench.path("hub"), "hf://org/name@main", env=env)["bytes_fetched"],
        0,
    )
    part = bench.sync("--store", bench.path("hub"), "hf://org/name/data/", env=env)
    bench.equal(
        "a folder of it",
        sums(part["path"]),
        {name.removeprefix("data/"): digest for name, digest in all_sums.items() if name.startswith("data/")},
    )
    for revision in ("refs/pr/1", "refs%2Fpr%2F1"):
        done = bench.sync("--store", bench.path("hub"), f"hf://org/name@{revision}/data/", env=env)
        bench.equal(f"a revision with slashes, {revision}, and a folder", sums(done["path"]), sums(part["path"]))
    space = hub.Hub("spaces/org/demo", {"app.py": b"print()"})
    bench.closers.append(space.close)
    done = bench.sync("--store", bench.path("hub"), "hf://spaces/org/demo", env={**env, "HF_ENDPOINT": space.endpoint})
    bench.equal("a space", list(sums(done["path"])), ["app.py"])
    without_an_org(bench, env)
    bench.check("the token went to no other host", not server.leaked, server.leaked)
    code, _, err = bench.zcdp("sync", "--store", bench.path("hub2"), "hf://org/name", env={**env, "HF_TOKEN": "wrong"})
    bench.check(
        "a wrong token: exit 5, one line, not shown",
        code == 5 and err.count("\n") == 1 and "wrong" not in err,
        (code, err),
    )
    code, _, err = bench.zcdp("sync", "--store", bench.path("hub2"), "hf://org/other", env=env)
    bench.check("a repository that is not there", code == 4 and "HF_TOKEN" in err and "folder" not in err, (code, err))
    code, _, err = bench.zcdp("sync", "--store", bench.path("hub2"), "hf://org/name/nothing/", env=env)
    bench.check(
        "nor a folder of one, by its own name",
        code == 4 and err.startswith("zcdp: hf://org/name/nothing/: "),
        (code, err),
    )
    server.damage = True
    code, _, err = bench.zcdp("sync", "--store", bench.path("hub3"), "hf://org/name", env=env)
    bench.check("LFS bytes that are not their sha256 are refused", code == 1 and "SHA-256" in err, (code, err))


with TestRun() as bench:
    web = filled(bench)
    indexes(bench, web)
    one_file(bench, web)
    signed_address(bench, web)
    list_of_digests(bench, web)
    without_ranges(bench, web)
    repositories(bench)
