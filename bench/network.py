"""A loopback of the bench's own. A machine's own may pace what servers send (BBR): one timer for each 64 KiB, whose cost the
kernel books on whoever runs just then, mostly the client. So the bench runs in a network namespace with Linux's default."""

import os
import pathlib
import socket
import subprocess
import sys

CONGESTION = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
DEFAULT = "cubic"
_INSIDE = "ZCDP_BENCH_NETWORK"


def enter():
    """Begins the program again in a network namespace of its own. Where that is not allowed, it stays where it is."""
    if os.environ.pop(_INSIDE, None) is not None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        pace_as_linux_does()
        return
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        print("not root: measured on the machine's own loopback", file=sys.stderr)
        return
    os.environ[_INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def pace_as_linux_does():
    try:
        CONGESTION.write_text(DEFAULT)
    except OSError:  # some machines keep it from whoever is in no first namespace; a route may name it all the same
        for there in ("127.0.0.0/8", "127.0.0.1"):
            route = ["local", there, "dev", "lo", "proto", "kernel", "scope", "host", "src", "127.0.0.1"]
            subprocess.run(["ip", "route", "change", "table", "local", *route, "congctl", DEFAULT], check=True)


def congestion():
    """How TCP is paced where the bench runs: as a connection over loopback says."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
