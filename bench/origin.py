"""The servers and peers of the benchmark: nginx with a canned listing, and rclone, curl and the aws cli as they are found."""

import itertools
import json
import math
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from urllib.parse import quote
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(
    os.environ.get("ZCDP_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "zcdp-build"
)
PAGE = 1000

NGINX = """
{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000; keepalive_timeout 600s; etag on;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  open_file_cache max=12000 inactive=600s; open_file_cache_valid 600s;
  map_hash_bucket_size 256; map_hash_max_size 65536;
  map $args $page {{ default 0; "~delimiter=" flat; "~(continuation-token|pageToken|marker)=p(?<number>[0-9]+)" $number; }}
  map $uri $crc32c {{ default ""; include {folder}/crc32c; }}
  map "$uri $http_range" $crc64 {{ default ""; include {folder}/crc64; }}
  ssl_protocols TLSv1.3; ssl_session_cache shared:s:4m; ssl_certificate {folder}/tls.crt; ssl_certificate_key {folder}/tls.key;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    listen 127.0.0.1:{tls_port} ssl backlog=4096;
    root {folder}/root;
    default_type application/octet-stream;
    location = /{name} {{ default_type application/xml; try_files /lists/$page.xml =404; }}
    location = /{name}/ {{ default_type application/xml; try_files /lists/$page.xml =404; }}
    location / {{ }}
    # As Google Cloud Storage: its listing, and media with the CRC32C that it would send.
    location = /storage/v1/b/{name}/o {{ default_type application/json; try_files /lists/$page.json =404; }}
    location /storage/ {{
      if ($arg_alt = "") {{ rewrite ^/storage/v1/b/[^/]+/o/(.+)$ /about/$1.json last; }}
      rewrite ^/storage/v1/b/[^/]+/o/(.+)$ /gcs/$1 last;
    }}
    location /about/ {{ internal; default_type application/json; }}
    location /gcs/ {{ internal; alias {folder}/root/{name}/; add_header x-goog-generation 1; add_header x-goog-hash $crc32c; }}
    # As Azure Blob Storage, with the CRC64 that it would send with a range.
    location = /{account}/{name} {{ default_type application/xml; try_files /lists/$page.azure.xml =404; }}
    location /{account}/ {{ alias {folder}/root/; add_header x-ms-content-crc64 $crc64; }}
  }}
}}
"""
ACCOUNT = "benchaccount"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def page_xml(name, entries, token, key_count):
    """`entries` are (key, size, tag); `token` names the next page, or is empty."""
    parts = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{name}</Name>'
        f"<Prefix></Prefix><KeyCount>{key_count}</KeyCount><MaxKeys>{PAGE}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>"
    ]
    if token:
        parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    parts += [
        f"<Contents><Key>{quote(key)}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;{tag}&quot;</ETag>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key, size, tag in entries
    ]
    return "".join(parts) + "</ListBucketResult>"


def page_json(entries, token):
    """Google Cloud Storage's."""
    page = {
        "kind": "storage#objects",
        "items": [{"name": key, "size": str(size), "generation": "1"} for key, size, _ in entries],
    }
    return json.dumps(page | ({"nextPageToken": token} if token else {}))


def page_azure(entries, token):
    blobs = "".join(
        f"<Blob><Name>{escape(key)}</Name><Properties><Etag>{tag}</Etag><Content-Length>{size}</Content-Length>"
        "<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
        for key, size, tag in entries
    )
    return f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{token}</NextMarker></EnumerationResults>'


class Server:
    """An S3 endpoint over HTTP and TLS; where a subclass fills them in, also Google's and Azure's."""

    def __init__(self, name, folder):
        self.name, self.folder = name, pathlib.Path(folder)
        self.endpoint = self.tls_endpoint = self.port = None

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "root/lists").mkdir(parents=True)
        self.fill()
        # What a delimiter listing answers: truncated, so that clients list in one line (there is nothing to split by).
        self.write_page("flat", [], "flat")
        self.port, tls_port = free_port(), free_port()
        self.endpoint, self.tls_endpoint = f"http://127.0.0.1:{self.port}", f"https://127.0.0.1:{tls_port}"
        self.ca = self.folder / "tls.crt"
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=bench",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-keyout",
                self.folder / "tls.key",
                "-out",
                self.ca,
            ],
            check=True,
            capture_output=True,
        )
        (self.folder / "crc32c").touch()
        (self.folder / "crc64").touch()
        (self.folder / "nginx.conf").write_text(
            NGINX.format(
                folder=self.folder,
                port=self.port,
                tls_port=tls_port,
                name=self.name,
                account=ACCOUNT,
                user="user root;\n" if os.geteuid() == 0 else "",
            )
        )
        self.process = subprocess.Popen(
            ["nginx", "-c", self.folder / "nginx.conf", "-p", self.folder, "-e", self.folder / "error.log"]
        )
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.endpoint}/{self.name}", timeout=2).read()
                return self
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx does not answer: " + (self.folder / "error.log").read_text()[-500:])

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_pages(self, entries, count):
        """`entries` come in the order of their keys, and are never all held: a child's peak memory starts at its parent's."""
        entries = iter(entries)
        for i in range(max(1, -(-count // PAGE))):
            page = list(itertools.islice(entries, PAGE))
            token = f"p{i + 1}" if (i + 1) * PAGE < count else ""
            self.write_page(i, page, token)

    def write_page(self, number, page, token):
        for form, text in self.forms(page, token):
            (self.folder / f"root/lists/{number}.{form}").write_text(text)

    def forms(self, page, token):
        return [("xml", page_xml(self.name, page, token, len(page)))]


# Google's of whole objects, Azure's of the ranges of 4 MiB: the longest that it sums.
SUMS = """
import base64, pathlib, sys
from awscrt.checksums import crc32c, crc64nvme
root, azure = pathlib.Path(sys.argv[1]), sys.argv[2]
with open(sys.argv[3], "w") as whole, open(sys.argv[4], "w") as ranges:
    for path in sorted(root.rglob("*")):
        if path.is_file():
            key, total, at = path.relative_to(root), 0, 0
            with open(path, "rb") as file:
                while block := file.read(4 << 20):
                    total = crc32c(block, total)
                    crc64 = base64.b64encode(crc64nvme(block).to_bytes(8, "little")).decode()
                    print(f'"{azure}/{key} bytes={at}-{at + len(block) - 1}" "{crc64}";', file=ranges)
                    at += len(block)
            print(f'"/gcs/{key}" "crc32c={base64.b64encode(total.to_bytes(4, "big")).decode()}";', file=whole)
"""


class Bucket(Server):
    """Objects of random bytes, {key: size}; their ETags are nginx's own. With `crt`, a Python that has awscrt, Google's and
    Azure's answers carry their checksums, as they always do."""

    def __init__(self, name, objects, folder, crt=None):
        super().__init__(name, folder)
        self.objects, self.crt = objects, crt
        self.keys = sorted(objects)
        self.bytes = sum(objects.values())

    def fill(self):
        block = os.urandom(1 << 20)
        for number, (key, size) in enumerate(self.objects.items()):
            path = self.folder / "root" / self.name / key
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                head = number.to_bytes(8, "big")
                left = size
                while left > 0:
                    piece = head + block[8:] if left >= len(block) else (head + block[8:])[:left]
                    file.write(piece)
                    left -= len(piece)
                    head = os.urandom(8)
        sums = {}
        if self.crt:
            subprocess.run(
                [
                    self.crt,
                    "-c",
                    SUMS,
                    self.folder / "root" / self.name,
                    f"/{ACCOUNT}/{self.name}",
                    self.folder / "crc32c",
                    self.folder / "crc64",
                ],
                check=True,
            )
            sums = dict(re.findall('"/gcs/(.*)" "crc32c=(.*)";', (self.folder / "crc32c").read_text()))
        for key, size in self.objects.items():
            if size > 1 << 20:  # of these alone a client asks what they are
                about = self.folder / "root/about" / f"{key}.json"
                about.parent.mkdir(parents=True, exist_ok=True)
                about.write_text(
                    json.dumps({"name": key, "size": str(size), "generation": "1", "crc32c": sums.get(key, "")})
                )
        self.write_pages(map(self.entry, sorted(self.objects, key=str.encode)), len(self.objects))

    def forms(self, page, token):
        return [*super().forms(page, token), ("json", page_json(page, token)), ("azure.xml", page_azure(page, token))]

    def entry(self, key):
        """What the listing says of a key; its ETag is nginx's own."""
        st = (self.folder / "root" / self.name / key).stat()
        return key, st.st_size, f"{int(st.st_mtime):x}-{st.st_size:x}"


class ListOnly(Server):
    """A listing of `count` keys behind which there is nothing, in order, or `shuffled`: as far from it as can be."""

    def __init__(self, count, folder, shuffled=False):
        super().__init__("listed", folder)
        self.count, self.shuffled = count, shuffled

    def fill(self):
        step = next(n for n in itertools.count(600_011) if math.gcd(n, self.count) == 1) if self.shuffled else 1
        self.write_pages(
            (
                (
                    f"data/part-{i // 10000:05}/sample-{i:010}.jpg",
                    110_000 + i % 1000,
                    f"{i * 2654435761 % 2**64:016x}{i:016x}",
                )
                for i in (n * step % self.count for n in range(self.count))
            ),
            self.count,
        )


def tools():
    command = f". {ROOT}/scripts/lib/servers.sh && need_packages nginx-light curl && need_peers && . {ROOT}/scripts/lib/venv.sh && need_venv && need_crt_venv"
    subprocess.run(["bash", "-c", command], check=True)
    config = CACHE / "rclone-bench.conf"
    config.write_text(
        "[s]\ntype = s3\nprovider = Other\naccess_key_id = bench\nsecret_access_key = bench\nforce_path_style = true\n"
        "region = us-east-1\nlist_version = 2\n"
    )
    found = {
        "rclone": CACHE / "bin/rclone",
        "rclone.conf": config,
        "curl": shutil.which("curl"),
        "nginx": shutil.which("nginx"),
    }
    aws = CACHE / "venv/bin/aws"
    if aws.exists():
        found["aws"] = aws
    if (CACHE / "venv-crt/bin/python").exists():
        found["crt"] = CACHE / "venv-crt/bin/python"
    return found


def first_line(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def versions(found, zcdp):
    lines = {
        "zcdp": first_line([zcdp, "version"]),
        "rclone": first_line([found["rclone"], "version"]),
        "curl": first_line([found["curl"], "--version"]),
        "nginx": first_line([found["nginx"], "-v"]),
    }
    if "aws" in found:
        lines["aws cli"] = first_line([found["aws"], "--version"])
    if "crt" in found:
        lines["AWS CRT"] = first_line(
            [
                found["crt"],
                "-c",
                "import awscrt, boto3; print('awscrt', awscrt.__version__, 'boto3', boto3.__version__)",
            ]
        )
    lines["commit"] = first_line(["git", "-C", ROOT, "rev-parse", "HEAD"])
    return lines


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) // (1 << 20)
    return f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}"
