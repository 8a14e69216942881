#!/usr/bin/env python3
"""Checks a store after a crash, written from docs/formats.md alone: every snapshot under snapshots/ is whole, byte for byte,
and its id is that of its manifest. Usage: checker.py ROOT; exit 1 names what is wrong."""

import ctypes
import ctypes.util
import hashlib
import os
import pathlib
import sys

CHUNK = 8 << 20
_zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
_zstd.ZSTD_createDStream.restype = ctypes.c_void_p


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def decompress(data):
    """All of one zstd stream."""
    stream = ctypes.c_void_p(_zstd.ZSTD_createDStream())
    source = ctypes.create_string_buffer(data, len(data))
    inside = _Buffer(ctypes.cast(source, ctypes.c_void_p), len(data), 0)
    room = ctypes.create_string_buffer(1 << 20)
    out, left = bytearray(), 1
    while inside.pos < inside.size or left:
        outside = _Buffer(ctypes.cast(room, ctypes.c_void_p), len(room), 0)
        left = _zstd.ZSTD_decompressStream(stream, ctypes.byref(outside), ctypes.byref(inside))
        if _zstd.ZSTD_isError(ctypes.c_size_t(left)):
            raise ValueError("manifest.zst does not decompress")
        out += room.raw[: outside.pos]
        if outside.pos == 0 and inside.pos == inside.size and left:
            raise ValueError("manifest.zst is cut off")
    _zstd.ZSTD_freeDStream(stream)
    return bytes(out)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def entries(plain):
    """(path, kind, executable, size, chunk digests, target) of a manifest's plain stream."""
    magic = b"zcdp manifest 1\n"
    if not plain.startswith(magic):
        raise ValueError("the manifest has no magic")
    at = len(magic)
    while plain[at] != 0xFF:
        flags = plain[at]
        length, at = varint(plain, at + 1)
        path, at = plain[at : at + length], at + length
        kind, size, chunks, target = flags & 3, 0, [], b""
        if kind == 2:
            length, at = varint(plain, at)
            target, at = plain[at : at + length], at + length
        elif kind == 0:
            size, at = varint(plain, at)
            for _ in range(max(1, -(-size // CHUNK))):
                chunks.append(plain[at : at + 32])
                at += 32
        yield path, kind, bool(flags & 4), size, chunks, target
    if len(plain) != at + 1 + 32:
        raise ValueError("the manifest's trailer is not 32 bytes")


def check_snapshot(folder):
    """Lines that say what is wrong with one snapshot."""
    plain = decompress((folder / "manifest.zst").read_bytes())
    if hashlib.sha256(plain).hexdigest() != folder.name:
        yield "its name is not the SHA-256 of its manifest"
    tree, listed = os.fsencode(folder / "tree"), set()
    for path, kind, executable, size, chunks, target in entries(plain):
        full = os.path.join(tree, path)
        listed.add(path.rstrip(b"/"))
        if kind == 1:
            if not os.path.isdir(full):
                yield f"{path!r} is no folder"
            continue
        if kind == 2:
            if not os.path.islink(full) or os.readlink(full) != target:
                yield f"{path!r} is not the symlink it should be"
            continue
        if not os.path.isfile(full) or os.path.islink(full):
            yield f"{path!r} is missing"
            continue
        stat = os.stat(full)
        if stat.st_size != size or bool(stat.st_mode & 0o111) != executable or stat.st_mode & 0o222:
            yield f"{path!r} has size {stat.st_size}, mode {stat.st_mode:o}"
            continue
        with open(full, "rb") as file:
            for number, digest in enumerate(chunks):
                if hashlib.sha256(file.read(CHUNK)).digest() != digest:
                    yield f"{path!r} is wrong in chunk {number}"
    for parent, _, files in os.walk(tree):
        for name in files:
            path = os.path.relpath(os.path.join(parent, name), tree)
            if path not in listed:
                yield f"{path!r} is in the tree but not in the manifest"


def check_store(root):
    root = pathlib.Path(root)
    problems, whole = [], []
    snapshots = root / "snapshots"
    for folder in sorted(snapshots.iterdir()) if snapshots.exists() else []:
        try:
            found = list(check_snapshot(folder))
        except (OSError, ValueError, IndexError) as error:
            found = [str(error)]
        problems += [f"snapshot {folder.name}: {line}" for line in found]
        if not found:
            whole.append(folder.name)
    return whole, problems


if __name__ == "__main__":
    good, wrong = check_store(sys.argv[1])
    print(f"{len(good)} whole snapshots")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
