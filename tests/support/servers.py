"""Real S3 servers on loopback: MinIO, versitygw, zcdp serve; and rclone to fill them. Built by scripts/lib/servers.sh."""

import socket
import subprocess
import time
import urllib.error
import urllib.request

from tests.support.harness import CACHE, ROOT, ZCDP, Failed, clean_env, skip

ACCESS, SECRET = "zcdp-test-access", "zcdp-test-secret-key"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}


def need(*functions):
    """Builds the servers and peers that are missing; once, cached."""
    command = f". {ROOT}/scripts/lib/servers.sh && " + " && ".join(functions)
    if subprocess.run(["bash", "-c", command]).returncode != 0:
        skip("the servers cannot be built here")
    return CACHE / "bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_http(url, process, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed(f"the server ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"the server at {url} does not answer")


def start(bench, command, env=None, log="server.log"):
    out = open(bench.path(log), "ab")
    process = subprocess.Popen(list(map(str, command)), env={**clean_env(), **(env or {})}, stdout=out, stderr=out)

    def stop():
        process.kill()
        process.wait()
        out.close()

    bench.closers.append(stop)
    return process


def minio(bench, host="127.0.0.1", folder=None):
    binary = need("need_servers") / "minio"
    port = free_port()
    folder = folder or bench.path("minio")
    folder.mkdir()
    process = start(
        bench,
        [
            binary,
            "server",
            "--quiet",
            "--address",
            f"{host}:{port}",
            "--console-address",
            f"127.0.0.1:{free_port()}",
            folder,
        ],
        {"MINIO_ROOT_USER": ACCESS, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_UPDATE": "off"},
        "minio.log",
    )
    wait_for_http(f"http://{host}:{port}/minio/health/live", process)
    return f"http://{host}:{port}"


def versitygw(bench, folder=None):
    binary = need("need_servers") / "versitygw"
    port = free_port()
    folder = folder or bench.path("versitygw")
    folder.mkdir()
    process = start(
        bench,
        [binary, "--access", ACCESS, "--secret", SECRET, "--port", f"127.0.0.1:{port}", "posix", folder],
        log="versitygw.log",
    )
    wait_for_http(f"http://127.0.0.1:{port}/", process)
    return f"http://127.0.0.1:{port}"


def zcdp_serve(bench, folder, *args, env=None):
    port = free_port()
    process = start(bench, [ZCDP, "serve", folder, "--listen", f"127.0.0.1:{port}", *args], env, "serve.log")
    wait_for_http(f"http://127.0.0.1:{port}/", process)
    return f"http://127.0.0.1:{port}"


class Rclone:
    """rclone as the client that fills a server's bucket."""

    def __init__(self, bench, endpoint):
        self.binary = need("need_peers") / "rclone"
        self.config = bench.path(f"rclone-{endpoint.rsplit(':', 1)[1]}.conf")
        self.config.write_text(
            f"[s]\ntype = s3\nprovider = Other\naccess_key_id = {ACCESS}\nsecret_access_key = {SECRET}\n"
            f"endpoint = {endpoint}\nforce_path_style = true\nregion = us-east-1\n"
        )

    def run(self, *args, check=True):
        done = subprocess.run(
            [self.binary, "--config", self.config, *map(str, args)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=clean_env(),
        )
        if check and done.returncode != 0:
            raise Failed(f"rclone {' '.join(map(str, args))}: {done.stderr.strip()[-500:]}")
        return done
