#!/usr/bin/env python3
# ctest: 600 busy
"""zcdp serve lists a folder of very many names, and very many folders, under `ulimit -v`: every key against the truth, by
peak resident size and by how often it reads a folder. ZCDP_TEST_KEYS=1000000 is the long run."""

import http.client
import os
import pathlib
import re
import shutil
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree

from tests.support import servers
from tests.support.harness import ZCDP, TestRun

KEYS = int(os.environ.get("ZCDP_TEST_KEYS", "200000"))
FOLDERS = KEYS // 1000
ADDRESS_SPACE_KIB = 700_000  # as in memory_limits.py
RESIDENT_MIB = 64
OLDEST_S = 60  # what was read longer ago is read again
WINDOW_BYTES = 2 << 20  # of names that one reading of a folder keeps, each with 8 bytes more
XMLNS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def name(i):
    """Every order that a directory may have is a bad one: names that are sorted neither as they are made nor by length."""
    return f"{i * 7919 % KEYS:08}-{'long' * (i % 16)} ä"


def make_files(folder, names):
    folder.mkdir(parents=True)
    at = os.open(folder, os.O_RDONLY)
    for one in names:
        os.close(os.open(one, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=at))
    os.close(at)


class Listing:
    def __init__(self, address):
        self.http = http.client.HTTPConnection(address, timeout=300)

    def page(self, **parameters):
        query = urllib.parse.urlencode({k.replace("_", "-"): v for k, v in parameters.items()})
        self.http.request("GET", "/data?" + query)
        answer = self.http.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        root = xml.etree.ElementTree.fromstring(body)
        decoded = urllib.parse.unquote if parameters.get("encoding_type") == "url" else lambda text: text
        entries = [e for e in root if e.tag in (XMLNS + "Contents", XMLNS + "CommonPrefixes")]
        names = [decoded(e.findtext(XMLNS + "Key") or e.findtext(XMLNS + "Prefix")) for e in entries]
        return names, root.findtext(XMLNS + "NextContinuationToken"), root.findtext(XMLNS + "NextMarker")

    def pages(self, **parameters):
        """All names of a version 2 listing, and of how many pages."""
        out, pages, token = [], 0, None
        while pages == 0 or token:
            names, token, _ = self.page(list_type=2, **parameters, **({"continuation_token": token} if token else {}))
            out += names
            pages += 1
        return out, pages

    def version_1(self, **parameters):
        out, marker = [], ""
        while marker is not None:
            names, _, marker = self.page(marker=marker, **parameters)
            out += names
        return out


def peak_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def reads(metrics):
    connection = http.client.HTTPConnection(metrics, timeout=20)
    connection.request("GET", "/metrics")
    return int(re.search(rb"^zcdp_serve_folder_reads_total (\d+)", connection.getresponse().read(), re.M)[1])


def serve(bench, folder):
    port, metrics = servers.free_port(), servers.free_port()
    process = servers.start(
        bench,
        [
            "bash",
            "-c",
            f'ulimit -v {ADDRESS_SPACE_KIB} && exec "$@"',
            "bash",
            ZCDP,
            "serve",
            folder,
            "--bucket",
            "data",
            "-q",
            "--listen",
            f"127.0.0.1:{port}",
            "--metrics",
            f"127.0.0.1:{metrics}",
        ],
        log="serve.log",
    )
    servers.wait_for_http(f"http://127.0.0.1:{metrics}/healthz", process)
    return process, f"127.0.0.1:{port}", f"127.0.0.1:{metrics}"


def one_folder(bench, base):
    names = [name(i) for i in range(KEYS)]
    make_files(base / "wide" / "in", names)
    names = sorted(names, key=str.encode)
    windows = sum(len(n.encode()) + 8 for n in names) // WINDOW_BYTES + 1
    time.sleep(3)  # a folder that changed just now is read again for each page
    process, address, metrics = serve(bench, base / "wide")
    listing = Listing(address)
    for what, parameters, want in [
        ("flat", {}, [f"in/{n}" for n in names]),
        ("with a delimiter", {"prefix": "in/", "delimiter": "/"}, [f"in/{n}" for n in names]),
        (
            "a delimiter within names",
            {"prefix": "in/", "delimiter": "-", "encoding_type": "url"},
            [f"in/{n[:9]}" for n in names],
        ),
    ]:
        before, begin = reads(metrics), time.monotonic()
        have, pages = listing.pages(**parameters)
        bench.check(
            f"a folder of {KEYS:,} names, {what}: every key, {pages} pages, {time.monotonic() - begin:.1f} s",
            have == want,
            (len(have), len(want)),
        )
        count, minutes = reads(metrics) - before, int((time.monotonic() - begin) / OLDEST_S)
        bench.check(f"for which it was read {count} times", count <= windows + 2 + minutes, (count, windows, minutes))
    bench.equal(
        "version 1 of the listing",
        listing.version_1(prefix="in/0000"),
        [f"in/{n}" for n in names if n.startswith("0000")],
    )
    middle = f"in/{names[KEYS // 2]}"
    bench.equal(
        "start-after and max-keys",
        listing.page(list_type=2, start_after=middle, max_keys=3)[0],
        [f"in/{n}" for n in names[KEYS // 2 + 1 : KEYS // 2 + 4]],
    )
    bench.equal(
        "a start between two names",
        listing.page(list_type=2, start_after=middle[:-1], max_keys=2)[0],
        [f"in/{n}" for n in names[KEYS // 2 : KEYS // 2 + 2]],
    )
    bench.equal("the folder as one common prefix", listing.page(list_type=2, delimiter="/")[0], ["in/"])
    mib = peak_mib(process)
    bench.check(f"all under ulimit -v: {mib} MiB", mib <= RESIDENT_MIB, mib)


def many_folders(bench, base):
    for f in range(FOLDERS):
        make_files(base / "deep" / f"{f * 7919 % FOLDERS:04}" / "d", [f"{i:04}" for i in range(1000)])
        make_files(base / "deep" / f"{f * 7919 % FOLDERS:04}" / "e", ["f"])
    keys = [f"{f:04}/{rest}" for f in range(FOLDERS) for rest in [*(f"d/{i:04}" for i in range(1000)), "e/f"]]
    time.sleep(3)
    process, address, metrics = serve(bench, base / "deep")
    listing = Listing(address)
    begin = time.monotonic()
    have, pages = listing.pages(delimiter="/")
    bench.equal(
        f"{FOLDERS} folders as common prefixes, {pages} pages, {time.monotonic() - begin:.1f} s",
        have,
        [f"{f:04}/" for f in range(FOLDERS)],
    )
    count = reads(metrics)
    bench.check(f"for which {count} folders were read, none that holds files", count <= FOLDERS + 1, count)
    before, begin = reads(metrics), time.monotonic()
    have, pages = listing.pages()
    bench.check(
        f"{len(keys):,} keys in {FOLDERS} folders, {pages} pages, {time.monotonic() - begin:.1f} s",
        have == keys,
        (len(have), len(keys)),
    )
    count = reads(metrics) - before
    bench.check(f"for which {count} folders were read: none twice", count <= 3 * FOLDERS + 1, count)
    bench.equal(
        "a page from the middle of a folder",
        listing.page(list_type=2, start_after="0001/d/0998", max_keys=3)[0],
        ["0001/d/0999", "0001/e/f", "0002/d/0000"],
    )
    mib = peak_mib(process)
    bench.check(f"all under ulimit -v: {mib} MiB", mib <= RESIDENT_MIB, mib)


base = pathlib.Path(tempfile.mkdtemp(prefix="zcdp-it-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
try:
    with TestRun() as bench:
        one_folder(bench, base)
        shutil.rmtree(base / "wide")
        many_folders(bench, base)
finally:
    shutil.rmtree(base, ignore_errors=True)
