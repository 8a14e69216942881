#!/usr/bin/env python3
# ctest: 120
"""Indexes as other servers write them than nginx: nothing that a folder lists is missing after exit 0. What is no index, or leads
nowhere, is an error that names it."""

import hashlib
import urllib.parse

from tests.support.harness import TestRun, bytes_of, sums
from tests.support.pages import Pages, Reply, file, html

FILES = {
    "100% it.txt": b"percent",
    "a+b;c.txt": b"odd",
    "plain.txt": b"plain",
    "set (1)/a.bin": b"a" * 10,
    "set (1)/deep/b.bin": bytes_of(1, 30_000),
    "set-2.txt": b"between",
    "z": b"",
    "é.txt": b"e",
}
WANT = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def children(folder, files=FILES):
    """The names right below "" or "a/b/": folders with their slash."""
    below = [name[len(folder) :] for name in files if name.startswith(folder)]
    return sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in below})


def is_folder(path, files=FILES):
    return path == "" or any(name.startswith(path.rstrip("/") + "/") for name in files)


def iis(asked, path):
    """Whole paths, capitals, and ( ) as they are."""
    links = "".join(
        f'<br> 1/2/2024 3:04 AM <A HREF="{urllib.parse.quote("/pub/" + path + name, safe="/()!+;")}">{name.rstrip("/")}</A>'
        for name in children(path)
    )
    return html(
        f'<html><head><title>host - /pub/{path}</title></head><body><pre><A HREF="/pub/">[To Parent Directory]</A><br>{links}</pre></body></html>'
    )


def plain(asked, path):
    """Nothing is encoded at all but what HTML wants to be."""
    links = "".join(
        f'<li><a href="./{name.replace("&", "&amp;").replace("é", "&#233;")}\n">{name}</a>' for name in children(path)
    )
    return html(
        f"<title>Index of /pub/{path}</title><a href=../>up</a><a href='?C=N;O=D'>Name</a><a href=https://example.com/a>elsewhere</a>{links}"
    )


def express(asked, path):
    """Folders are linked without their slash, and served so."""
    links = "".join(
        f'<li><a href="{urllib.parse.quote("/pub/" + path + name.rstrip("/"))}">{name.rstrip("/")}</a>'
        for name in children(path)
    )
    return html(
        f"<!DOCTYPE html><title>listing directory /pub/{path}</title><h1><a href='/'>~</a> / <a href='/pub'>pub</a></h1><ul>{links}</ul>"
    )


def goes(asked, path):
    """Go's FileServer: neither a title nor a way up."""
    links = "".join(f'<a href="{urllib.parse.quote(name)}">{name}</a>\n' for name in children(path))
    return Reply(200, f"<pre>\n{links}</pre>\n", framing="chunked", Content_Type="text/html; charset=utf-8")


def served(index, without_slash):
    def answer(asked):
        if not (asked.path + "/").startswith("/pub/"):
            return Reply(404, b"no")
        path = asked.path.removeprefix("/pub").removeprefix("/")
        if path.endswith("/") or path == "" or (without_slash == "served" and is_folder(path) and path not in FILES):
            path = path.rstrip("/") + "/" if path else ""
            return index(asked, path) if is_folder(path) else Reply(404, b"no")
        if path in FILES:
            return file(asked, FILES[path])
        return (
            Reply(301, b"", Location=urllib.parse.quote(asked.path.split("/")[-1]) + "/")
            if is_folder(path)
            else Reply(404, b"no")
        )

    return answer


def dialects(bench):
    for index, without_slash in (
        (iis, "redirected"),
        (plain, "redirected"),
        (express, "served"),
        (express, "redirected"),
        (goes, "redirected"),
    ):
        server = Pages(bench, served(index, without_slash))
        done = bench.sync("--store", bench.path("dialects"), server.url + "/pub/")
        bench.equal(
            f"an index like {index.__name__}'s, whose folders without a slash are {without_slash}",
            sums(done["path"]),
            WANT,
        )
    for without_slash in ("served", "redirected"):
        server = Pages(bench, served(express, without_slash))
        code, _, err = bench.zcdp("sync", "--no-store", server.url + "/pub", bench.path("no-slash"))
        bench.check(
            f"a folder's address without its slash, {without_slash}, is not the page as a file",
            code == 3 and "a folder's URL ends in /" in err and not bench.path("no-slash/pub").exists(),
            (code, err),
        )


def errors(bench):
    """(what, the page of the folder's sub/, exit code, words)"""
    root = "<title>Index of /d/</title><a href='a.txt'>a</a><a href='sub/'>sub</a>"
    app = "<!doctype html><div id=root></div><script src='/app.js'></script>"
    cases = (
        (
            "an application's page",
            lambda _: html(app),
            3,
            "/d/sub/: is a folder of the index above it, but answers a page that is no index",
        ),
        ("another folder's index.html", lambda _: html("<h1>Manual</h1><a href='chapter1.html'>1</a>"), 3, "/d/sub/: "),
        (
            "a page to log in at",
            lambda _: Reply(302, b"", Location="/login?to=sub"),
            5,
            "/d/sub/: answers a page that asks for a password",
        ),
        (
            "a redirect to the top",
            lambda _: Reply(302, b"", Location="/d/"),
            3,
            "/d/sub/: is a folder of the index above it, but is redirected back up",
        ),
        ("404", lambda _: Reply(404, b"no"), 4, "/d/sub/: "),
        ("403", lambda _: Reply(403, b"no"), 5, "/d/sub/: "),
        (
            "a link that leads on",
            lambda _: html("<title>Index of /d/sub</title><a href=x>x</a><a href='?page=2'>next</a>"),
            3,
            "?page=2",
        ),
        (
            "a name with a slash in it",
            lambda _: html("<title>Index of /d/sub</title><a href='x%2Fy'>x</a>"),
            3,
            "x%2Fy",
        ),
        (
            "a file that leads to a page to log in at",
            lambda _: html("<title>Index of /d/sub</title><a href=secret>x</a>"),
            5,
            "/d/sub/secret: answers a page that asks for a password",
        ),
        (
            "a name that is not there",
            lambda _: html("<title>Index of /d/sub</title><a href='50%'>x</a>"),
            4,
            "/d/sub/50%: ",
        ),
        (
            "a page that is compressed unasked",
            lambda _: html(root, Content_Encoding="gzip"),
            3,
            "/d/sub/: is sent as gzip",
        ),
        (
            "a page that is cut",
            lambda _: Reply(
                200, "<title>Index of /d/sub</title><body><a href=x>x</a>", framing="close", Content_Type="text/html"
            ),
            1,
            "/d/sub/: the page may have been cut off",
        ),
    )
    for what, page, want, words in cases:

        def answer(asked, page=page):
            if asked.path == "/login":
                return html("<form><input type=password name=p></form>")
            if asked.path == "/d/sub/secret":
                return Reply(302, b"", Location="/login")
            return {"/d/": html(root), "/d/a.txt": file(asked, b"a")}.get(asked.path) or (
                page(asked) if asked.path == "/d/sub/" else Reply(404, b"no")
            )

        code, _, err = bench.zcdp(
            "sync", "--retries", "0", "--store", bench.path("errors"), Pages(bench, answer).url + "/d/"
        )
        bench.check(
            f"{what}: exit {want}, one line that names it",
            code == want and words in err and err.count("\n") == 1,
            (code, err),
        )


def loops(bench):
    """A folder that is linked within itself."""

    def answer(asked):
        return (
            file(asked, b"a")
            if asked.path.endswith("a.txt")
            else html("<title>Index of it</title><a href=a.txt>a</a><a href=again/>again</a><a href=./>self</a>")
        )

    code, _, err = bench.zcdp("sync", "--store", bench.path("loops"), Pages(bench, answer).url + "/d/")
    bench.check(
        "a folder that leads back into itself is named",
        code == 3 and "again/" in err and "leads back into itself" in err,
        (code, err),
    )


def empty_folders(bench):
    """They have nothing to bring, and are no error where they say that they are indexes."""
    for what, empty in (("nginx's", "<h1>Index of /d/sub/</h1><a href='../'>..</a>"), ("Go's", "<pre>\n</pre>\n")):
        root = "<title>Index of /d/</title>" if what == "nginx's" else ""
        server = Pages(
            bench,
            lambda asked: (
                {"/d/": html(f"{root}<pre><a href=a>a</a>\n<a href=sub/>s</a></pre>"), "/d/sub/": html(empty)}.get(
                    asked.path
                )
                or file(asked, b"a")
            ),
        )
        bench.equal(
            f"an empty folder of {what}",
            list(sums(bench.sync("--store", bench.path("empty"), server.url + "/d/")["path"])),
            ["a"],
        )


def moved(bench):
    """The whole of a folder is redirected: to another path, to another host; links with the whole address of either."""
    there = Pages(
        bench,
        lambda asked: (
            html("<title>Index of /v2/</title><a href=../>..</a><a href=/v2/a>a</a><a href=s/>s</a>")
            if asked.path == "/v2/"
            else html(
                "<title>Index of /v2/s</title><a href='http://127.0.0.1:%s/v2/s/b'>b</a>" % there.url.rsplit(":", 1)[1]
            )
            if asked.path == "/v2/s/"
            else file(asked, asked.path.encode())
        ),
        host="127.0.0.1",
    )
    here = Pages(bench, lambda asked: Reply(301, b"", Location=there.url + "/v2/" + asked.raw.removeprefix("/latest/")))
    done = bench.sync("--store", bench.path("moved"), here.url + "/latest/", env={"ZCDP_HTTP_TOKEN": "hush"})
    bench.equal(
        "a folder that lies elsewhere in the end",
        sums(done["path"]),
        {name: hashlib.sha256(f"/v2/{name}".encode()).hexdigest() for name in ("a", "s/b")},
    )
    bench.check(
        "the token goes to the host that was named, and to no other",
        all("authorization" in one.headers for one in here.asked)
        and not any("authorization" in one.headers for one in there.asked),
    )


def left_out(bench):
    """What is left out is decided on names: nothing is asked about it, whatever would be answered."""
    root = "<title>Index of /d/</title><a href=../>..</a><a href=a.bin>a</a><a href='locked.bin'>l</a><a href=README>r</a><a href=bad%01>b</a><a href=sub/>s</a><a href=private/>p</a><a href='bad%02/'>b</a>"
    pages = {
        "/d/": html(root),
        "/d/sub/": html("<title>Index of /d/sub/</title><a href=b.bin>b</a><a href=notes.txt>n</a>"),
    }

    def answer(asked):
        known = {"/d/a.bin": b"a", "/d/README": b"r", "/d/sub/b.bin": b"b"}
        return pages.get(asked.path) or (file(asked, known[asked.path]) if asked.path in known else Reply(403, b"no"))

    for what, flags, want in (
        (
            "left out",
            ["--exclude", "locked.bin", "--exclude", "/private/", "--exclude", "notes.txt", "--bad-keys", "skip"],
            {"a.bin", "README", "sub/b.bin"},
        ),
        ("not included", ["--include", "/a.bin", "--include", "/sub/b.bin"], {"a.bin", "sub/b.bin"}),
        ("all of a folder but one", ["--include", "/sub/*.bin"], {"sub/b.bin"}),
    ):
        server = Pages(bench, answer)
        done = bench.sync("--store", bench.path("left out"), *flags, server.url + "/d/")
        bench.equal(f"{what}: what is wanted is there", set(sums(done["path"])), want)
        touched = {asked.path for asked in server.asked} - set(pages) - {"/d/" + name for name in want}
        bench.equal(f"{what}: nothing else was asked about", touched, set())
    code, _, err = bench.zcdp(
        "sync",
        "--store",
        bench.path("left out"),
        "--exclude",
        "locked.bin",
        "--exclude",
        "/private/",
        "--exclude",
        "/sub/",
        Pages(bench, answer).url + "/d/",
    )
    bench.check(
        "a name that is no path is named, and not asked about",
        code == 3 and "bad\\x0" in err and err.count("\n") == 1,
        (code, err),
    )
    express_like = Pages(bench, served(express, "redirected"))
    done = bench.sync("--store", bench.path("left out"), "--include", "/set (1)/deep/*.bin", express_like.url + "/pub/")
    bench.equal(
        "a folder that is linked without its slash is looked into for what is included below it",
        list(sums(done["path"])),
        ["set (1)/deep/b.bin"],
    )


with TestRun() as bench:
    dialects(bench)
    errors(bench)
    loops(bench)
    empty_folders(bench)
    moved(bench)
    left_out(bench)
