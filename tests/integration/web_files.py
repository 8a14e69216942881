#!/usr/bin/env python3
# ctest: 120
"""Files of web servers that take no HEAD or state no length, mirrors with tags of their own, lists of digests as others than
sha256sum write them, and who asks: tokens, ~/.netrc."""

import base64
import hashlib
import itertools

from tests.support.harness import TestRun, bytes_of, sums
from tests.support.pages import Pages, Reply, file

BIG = bytes_of(7, 9 << 20)  # two chunks
SMALL = b"weights" * 1000


def hexes(content):
    return hashlib.sha256(content).hexdigest()


def sizes(bench):
    def on_get(reply, head):
        return lambda asked, content: head if asked.method == "HEAD" else reply(asked, content)

    def no_length(asked, content):
        reply = file(asked, content)
        reply.framing = "none" if asked.method == "HEAD" else reply.framing
        return reply

    whole = lambda asked, content: Reply(200, content, framing="chunked", ETag='"t"')
    to_the_end = lambda asked, content: Reply(200, content, framing="close", ETag='"t"')
    ways = [
        (f"HEAD is refused with {status}", on_get(file, Reply(status, b"")), False)
        for status in (400, 403, 404, 405, 406, 500, 501)
    ]
    ways += [
        ("HEAD states no length", no_length, False),
        (
            "HEAD states none, and there are no ranges",
            on_get(lambda asked, content: file(asked, content, ranges=False), Reply(200, framing="none", ETag='"t"')),
            False,
        ),
        ("HEAD says nothing of it", on_get(file, Reply(200, b"", ETag='"t"')), False),
        ("nothing states a length", whole, False),
        ("nothing states a length, nor where it ends", to_the_end, True),
    ]
    for what, how, digest_only in ways:
        for content in (SMALL, b""):
            server = Pages(bench, lambda asked: how(asked, content))
            given = ["--sha256", hexes(content)]
            done = bench.sync(
                "--retries", "1", "--store", bench.path("sizes"), *given, server.url + "/export/model.bin"
            )
            bench.equal(
                f"{what}: {len(content)} bytes with their digest", sums(done["path"]), {"model.bin": hexes(content)}
            )
            code, out, err = bench.zcdp(
                "sync",
                "--json",
                "--retries",
                "1",
                "--no-store",
                server.url + "/export/model.bin",
                bench.path(f"sizes {what} {len(content)}"),
            )
            if digest_only:
                bench.check(
                    f"{what}: without a digest it is refused",
                    code == 3 and "does not say its size, nor where it ends" in err,
                    (code, err),
                )
            else:
                bench.check(
                    f"{what}: {len(content)} bytes without",
                    code == 0 and sums(bench.path(f"sizes {what} {len(content)}")) == {"model.bin": hexes(content)},
                    (code, err),
                )
    code, _, err = bench.zcdp(
        "sync", "--store", bench.path("sizes"), Pages(bench, lambda asked: Reply(404, b"no")).url + "/nothing.bin"
    )
    bench.check("what is not there is not there for a GET either", code == 4 and err.count("\n") == 1, (code, err))


def mirrors(bench):
    """Each answer comes from another server, whose tag and date are its own; conditions on them never hold."""
    files = {"a.bin": BIG, "b.bin": SMALL, "empty": b""}
    listed = "".join(f"{hexes(content)}  {name}\n" for name, content in files.items())
    count = itertools.count()
    wrong = set()

    def answer(asked):
        name = asked.path.removeprefix("/rel/")
        if name == "SHA256SUMS":
            return Reply(200, listed, ETag=f'"{next(count)}"')
        if any(header in asked.headers for header in ("if-match", "if-unmodified-since")):
            return Reply(412, b"")
        content = files[name][:-1] + b"!" if name in wrong else files[name]
        return file(
            asked,
            content,
            tag=f'"{next(count) % 3}-{len(content):x}"',
            Last_Modified=f"Tue, 02 Jan 2024 03:04:0{next(count) % 10} GMT",
        )

    server = Pages(bench, answer)
    done = bench.sync("--store", bench.path("mirrors"), server.url + "/rel/SHA256SUMS")
    bench.equal(
        "a list's digests decide, not tags",
        sums(done["path"]),
        {name: hexes(content) for name, content in files.items()},
    )
    again = bench.sync("--store", bench.path("mirrors"), server.url + "/rel/SHA256SUMS")
    bench.equal("a second time nothing is fetched", again["bytes_fetched"], 0)
    done = bench.sync("--store", bench.path("mirror"), "--sha256", hexes(BIG), server.url + "/rel/a.bin")
    bench.equal("so does a digest that is given", sums(done["path"]), {"a.bin": hexes(BIG)})
    for name in ("a.bin", "b.bin"):
        wrong = {name}
        code, _, err = bench.zcdp(
            "sync", "--retries", "1", "--no-store", server.url + "/rel/SHA256SUMS", bench.path("wrong " + name)
        )
        bench.check(
            f"another {name} under the same name is not taken",
            code == 1 and name in err and "SHA-256" in err and not bench.path(f"wrong {name}/{name}").exists(),
            (code, err),
        )


def lists(bench):
    digest = hexes(SMALL)
    signed = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{digest.upper()}  dir/a.bin\n-----BEGIN PGP SIGNATURE-----\n\niQIzBAEB\n=abcd\n-----END PGP SIGNATURE-----\n"
    good = {
        "in a clear signature": signed,
        "with return characters": f"# files\r\n{digest} *dir/a.bin\r\n",
        "of BSD, with other kinds beside": f"MD5 (dir/a.bin) = {hashlib.md5(SMALL).hexdigest()}\nSHA256 (dir/a.bin) = {digest}\n",
        "of OpenSSL": f"SHA2-256(dir/a.bin)= {digest}\n",
        "with words around it": f"Release 1\n\n  {digest}  ./dir/a.bin\n",
    }
    for what, text in good.items():
        server = Pages(bench, lambda asked: Reply(200, text) if asked.path == "/SHA256SUMS" else file(asked, SMALL))
        bench.equal(
            f"a list {what}",
            sums(bench.sync("--store", bench.path("lists"), server.url + "/SHA256SUMS")["path"]),
            {"dir/a.bin": digest},
        )
    for what, text, words in (
        ("of another kind", f"{hashlib.sha512(SMALL).hexdigest()}  a.bin\n", "SHA-512"),
        ("that is cut", f"{digest}  a.bin\n{digest[:40]}", "line 2"),
        ("that is a page", "<html><p>not found</p>", "lists no file"),
    ):
        code, _, err = bench.zcdp(
            "sync", "--store", bench.path("lists"), Pages(bench, lambda asked: Reply(200, text)).url + "/SHA256SUMS"
        )
        bench.check(
            f"a list {what} is refused by name",
            code == 3 and words in err and "SHA256SUMS" in err and err.count("\n") == 1,
            (code, err),
        )


def logins(bench):
    """~/.netrc and NETRC: for the host that they name, after what is meant for zcdp alone."""

    def answer(asked):
        return (
            file(asked, SMALL)
            if asked.headers.get("authorization") == "Basic " + base64.b64encode(b"me:p w").decode()
            else Reply(401, b"who?")
        )

    server, home, named = Pages(bench, answer), bench.path("home"), bench.path("my netrc")
    home.mkdir()
    source = server.url + "/a.bin"
    text = 'machine other login you password no\nmachine 127.0.0.1\n  login me\n  password "p w"\n'

    def sync(**env):
        return bench.zcdp(
            "sync", "--retries", "0", "--no-store", source, bench.path("login"), env={"HOME": str(home), **env}
        )

    code, _, err = sync()
    bench.check("without a login: exit 5", code == 5, (code, err))
    named.write_text(text)
    code, _, err = sync(NETRC=str(named))
    bench.check("NETRC's file has it", code == 0, (code, err))
    (home / ".netrc").write_text(text)
    code, _, err = sync()
    bench.check("so has ~/.netrc", code == 0, (code, err))
    code, _, err = sync(ZCDP_HTTP_USER="me", ZCDP_HTTP_PASSWORD="other")
    bench.check(
        "what is meant for zcdp goes before it", code == 5 and "other" not in err and "p w" not in err, (code, err)
    )
    code, _, err = bench.zcdp(
        "sync", "--retries", "0", "--anonymous", "--no-store", source, bench.path("login"), env={"HOME": str(home)}
    )
    bench.check("--anonymous asks nobody", code == 5, (code, err))
    code, _, err = sync(NETRC=str(bench.path("nothing")))
    bench.check(
        "a file that NETRC names and that is not there is named",
        code == 2 and "NETRC" in err and str(bench.path("nothing")) in err,
        (code, err),
    )
    code, _, err = sync(ZCDP_HTTP_USER=" me\n", ZCDP_HTTP_PASSWORD="p w\n")
    bench.check("white space around a password is nobody's", code == 0, (code, err))
    code, _, err = sync(ZCDP_HTTP_TOKEN="a\nb")
    bench.check(
        "a control byte in one is refused by the variable's name",
        code == 2 and "ZCDP_HTTP_TOKEN" in err and "a\nb" not in err,
        (code, err),
    )
    elsewhere = Pages(bench, lambda asked: file(asked, SMALL))
    redirecting = Pages(
        bench, lambda asked: Reply(302, b"", Location=elsewhere.url.replace("127.0.0.1", "localhost") + asked.target)
    )
    code, _, err = bench.zcdp(
        "sync", "--no-store", redirecting.url + "/b.bin", bench.path("login"), env={"HOME": str(home)}
    )
    bench.check(
        "a login follows no redirect to another host",
        code == 0
        and all("authorization" in one.headers for one in redirecting.asked)
        and not any("authorization" in one.headers for one in elsewhere.asked),
        (code, err),
    )


with TestRun() as bench:
    sizes(bench)
    mirrors(bench)
    lists(bench)
    logins(bench)
