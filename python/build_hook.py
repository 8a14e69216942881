"""Puts the executable that ZCDP_BIN names into the wheel, and says for which machines the wheel then is.

Without ZCDP_BIN (an sdist that somebody installs) the wheel is of Python alone, and looks for `zcdp` on PATH.
"""

from __future__ import annotations

import os
import struct
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# ELF's e_machine: what a static executable for that machine runs on.
PLATFORMS = {
    62: "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    183: "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
}
PT_INTERP = 3


def platform_of(path: str) -> str:
    """The wheel's platforms, from the executable's own header. It has to be static: then it needs no libc of anybody."""
    with open(path, "rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            raise RuntimeError(f"{path} is no 64-bit little-endian ELF executable")
        (machine,) = struct.unpack_from("<H", header, 18)
        (offset,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        file.seek(offset)
        segments = file.read(size * count)
    kinds = [struct.unpack_from("<I", segments, size * i)[0] for i in range(count)]
    if PT_INTERP in kinds:
        raise RuntimeError(f"{path} is linked dynamically: a wheel takes the static one (cmake --preset release)")
    if machine not in PLATFORMS:
        raise RuntimeError(f"{path} is for ELF machine {machine}: there are wheels for {sorted(PLATFORMS)}")
    return PLATFORMS[machine]


class Hook(BuildHookInterface):  # type: ignore[type-arg]  # generic only for type checkers
    """Called by hatchling; only the wheel is changed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the executable as a script (it lands beside `python`), and the tag."""
        executable = os.environ.get("ZCDP_BIN")
        if self.target_name != "wheel" or not executable or version == "editable":
            return
        build_data["shared_scripts"][os.path.abspath(executable)] = "zcdp"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_of(executable)}"
