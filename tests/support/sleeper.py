# SPDX-License-Identifier: Apache-2.0
"""The smallest program that runs until it is killed, for sandboxes that have nothing in them.

A static ELF file made by hand: a sandbox without a C library or a shell runs it.
"""

from __future__ import annotations

import os
import struct
from typing import Final

_BASE: Final = 0x400000
_HEADERS_BYTES: Final = 64 + 56
# ELF machine number, and code that waits for a signal for ever.
_MACHINES: Final = {
    # mov eax, 34 (pause); syscall; jmp to the start
    "x86_64": (62, bytes.fromhex("b822000000 0f05 ebf7")),
    # mov x0..x3, 0; mov x8, 73 (ppoll); svc 0; b to the start
    "aarch64": (
        183,
        struct.pack("<7I", *(0xD2800000 + n for n in range(4)), 0xD2800928, 0xD4000001, 0x17FFFFFA),
    ),
}


def _elf(machine: int, code: bytes) -> bytes:
    size = _HEADERS_BYTES + len(code)
    entry = _BASE + _HEADERS_BYTES
    header = b"\x7fELF\2\1\1" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code


SLEEPER: Final = _elf(*_MACHINES[os.uname().machine])
