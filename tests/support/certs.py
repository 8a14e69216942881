"""A private CA and the good and bad server certificates that TLS tests need, made by the openssl command."""

import pathlib
import subprocess

CONFIG = """
[ca]
default_ca = here
[here]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


def _openssl(*arguments) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


def make_ca(folder) -> pathlib.Path:
    """Makes FOLDER/ca.crt and what make_server needs; returns the certificate's path."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.conf").write_text(CONFIG.format(folder=folder))
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("1000\n")
    _openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        30,
        "-subj",
        "/CN=test CA",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout",
        folder / "ca.key",
        "-out",
        folder / "ca.crt",
    )
    return folder / "ca.crt"


def make_server(folder, name: str, names: list, start="20200101000000Z", end="20400101000000Z"):
    """A certificate for `names` ("DNS:host", "IP:127.0.0.1"), signed by the CA of `folder`; (certificate, key)."""
    folder = pathlib.Path(folder)
    certificate, key, request = (folder / f"{name}.{kind}" for kind in ("crt", "key", "csr"))
    _openssl(
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        f"/CN={name}",
        "-addext",
        "subjectAltName=" + ",".join(names),
        "-keyout",
        key,
        "-out",
        request,
    )
    _openssl(
        "ca",
        "-batch",
        "-notext",
        "-config",
        folder / "ca.conf",
        "-cert",
        folder / "ca.crt",
        "-keyfile",
        folder / "ca.key",
        "-startdate",
        start,
        "-enddate",
        end,
        "-in",
        request,
        "-out",
        certificate,
    )
    return certificate, key
