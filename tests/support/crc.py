"""The reflected CRCs that object stores state, byte by byte, from their polynomials: apart from the product's own code."""

import functools


@functools.cache
def _table(polynomial):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return table


def _crc(content, polynomial, bits):
    table, ones = _table(polynomial), (1 << bits) - 1
    value = ones
    for byte in content:
        value = table[(value ^ byte) & 255] ^ (value >> 8)
    return value ^ ones


@functools.cache
def crc32c(content):
    return _crc(content, 0x82F63B78, 32)


@functools.cache
def crc64nvme(content):
    return _crc(content, 0x9A6C9329AC4BC9B5, 64)


@functools.cache
def crc64xz(content):
    return _crc(content, 0xC96C5795D7870F42, 64)
