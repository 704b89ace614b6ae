# SPDX-License-Identifier: Apache-2.0
"""Messages of about 64 KiB that try to cost more than they are; run: what each one costs.

As a program it decodes each in a process of its own, as memory is never given back, and
prints JSON: by name the octets, the seconds of processor time and MiB that it took, how it
ended, and how slow the machine was at that moment.
"""

from __future__ import annotations

import json
import os
import resource
import time
from typing import TYPE_CHECKING, Final

from scomod.dmclient import codec
from scomod.dmclient.codec import Encoding, Limits
from scomod.errors import DecodeError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE: Final = 65536
# What the default configuration takes; and what a generous one takes, so that no count helps.
USUAL: Final = Limits(max_bytes=2 * SIZE, max_depth=32, max_elements=20000)
GENEROUS: Final = Limits(max_bytes=2 * SIZE, max_depth=64, max_elements=2_000_000)

LOOPS: Final = 200_000
LOOPS_S: Final = 0.01  # what they take on the machine that the promise of one second is for
MIB_OF_KIB: Final = 1024

_HEADER: Final = bytes.fromhex("02a4016a")
_PLAIN: Final = _HEADER + b"\x00"
_BODY: Final = b"\x6d\x6b"  # SyncML, SyncBody, both open
_TABLE: Final = b"x" * 16000


def _filled(start: bytes, piece: bytes, end: bytes = b"") -> bytes:
    """Repeat a piece until the message is full."""
    return start + piece * ((SIZE - len(start) - len(end)) // len(piece)) + end


def _with_table(table: bytes) -> bytes:
    length = len(table)
    return _HEADER + bytes([length >> 14 | 0x80, length >> 7 & 0x7F | 0x80, length & 0x7F]) + table


def _references(tag: bytes) -> bytes:
    """Refer to a large text in the string table again and again."""
    return _filled(_with_table(_TABLE) + _BODY, tag)


def _command(name: str, inside: str) -> bytes:
    head = (
        b"<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID>"
    )
    head += (
        b"<MsgID>1</MsgID><Target><LocURI>t</LocURI></Target><Source><LocURI>s</LocURI></Source>"
    )
    head += f"</SyncHdr><SyncBody><{name}>".encode()
    return _filled(head, inside.encode(), f"</{name}></SyncBody></SyncML>".encode())


def _bomb() -> bytes:
    declared = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    used = "<SyncML a='&e11;'>&e11;</SyncML>"
    return f"<!DOCTYPE SyncML [<!ENTITY e0 'boom'>{declared}]>{used}".encode()


def _flat_bomb() -> bytes:
    start = f"<!DOCTYPE SyncML [<!ENTITY e '{'x' * 30000}'>]><SyncML>".encode()
    return _filled(start, b"&e;", b"</SyncML>")


def _items() -> bytes:
    """Write a whole message whose one Replace holds nothing but empty items."""
    header = bytes.fromhex(
        "6c 7103312e320001 7203444d2f312e320001 6503310001 5b03310001"
        "6e5703740001 01 675703730001 01 01"
    )
    return _filled(_PLAIN + b"\x6d" + header + b"\x6b\x60", b"\x14", b"\x01\x01\x01")


WBXML: Final[dict[str, Callable[[], bytes]]] = {
    "table text in one element": lambda: _references(b"\x83\x00"),
    "table text in many elements": lambda: _references(b"\x4f\x83\x00\x01"),
    "table text beside elements": lambda: _references(b"\x83\x00\x0f"),
    "table text of processing instructions": lambda: _references(b"\x43\x05\x83\x00\x01"),
    "table without any end": lambda: _with_table(b"x" * (SIZE - 10)) + b"\x6d\x83\x00\x01",
    "literal tags": lambda: _filled(_with_table(b"N" * 200) + _BODY, b"\x04\x00"),
    "empty elements": lambda: _filled(_PLAIN + _BODY, b"\x14"),
    "empty items": _items,
    "small texts": lambda: _filled(_PLAIN + _BODY, b"\x4f\x03\x61\x00\x01"),
    "entities": lambda: _filled(_PLAIN + b"\x4f", b"\x02\x61"),
    "empty texts": lambda: _filled(_PLAIN + b"\x4f", b"\x03\x00"),
    "empty opaques": lambda: _filled(_PLAIN + b"\x4f", b"\xc3\x00"),
    "attributes": lambda: _filled(_PLAIN + b"\xad", b"\x05\x03\x61\x00"),
    "pages": lambda: _filled(_PLAIN + b"\x6d", b"\x00\x01\x00\x00"),
    "depth": lambda: _filled(_PLAIN, b"\x6d"),
    "text that never ends": lambda: _filled(_PLAIN + _BODY, b"\x4f\x03"),
    "starts of texts": lambda: _filled(_PLAIN + _BODY + b"\x4f\x03", b"a"),
    "huge opaque": lambda: _PLAIN + b"\x4f\xc3\x8f\xff\xff\xff\x7f",
    "huge table": lambda: _HEADER + b"\x8f\xff\xff\xff\x7f",
}
XML: Final[dict[str, Callable[[], bytes]]] = {
    "entity bomb": _bomb,
    "one large entity": _flat_bomb,
    "empty elements": lambda: _filled(b"<a>", b"<b/>", b"</a>"),
    "depth": lambda: _filled(b"", b"<a>"),
    "attributes": lambda: b"<a " + b" ".join(b'a%d=""' % n for n in range(6000)) + b"/>",
    "name spaces": lambda: (
        b"<a " + b" ".join(b'xmlns:a%d="u%d"' % (n, n) for n in range(1500)) + b">"
        + b"<a0:b/>" * 4000 + b"</a>"
    ),
    "comments": lambda: _filled(b"<a>", b"<!---->", b"</a>"),
    "characters by number": lambda: _filled(b"<a>", b"&#65;", b"</a>"),
    "empty items": lambda: _command("Replace", "<Item/>"),
    "commands": lambda: _command("Atomic", "<Get/>"),
    "references of one status": lambda: _command("Status", "<TargetRef>.</TargetRef>"),
    "long name": lambda: b"<" + b"n" * (SIZE - 3) + b"/>",
}  # fmt: skip
NAMES: Final = [
    f"{kind} {name}" for kind, table in (("WBXML", WBXML), ("XML", XML)) for name in table
]


def message(name: str) -> tuple[bytes, Encoding]:
    """Return one of the messages, by a name of `NAMES`, and its syntax."""
    kind, _, which = name.partition(" ")
    return (WBXML if kind == "WBXML" else XML)[which](), Encoding[kind]


def slowness() -> float:
    """Tell how many times slower this machine is now; never less than 1."""
    began_s = time.process_time()
    total = 0
    for number in range(LOOPS):
        total += number
    return max(1.0, (time.process_time() - began_s) / LOOPS_S)


def _outcome(body: bytes, encoding: Encoding, limits: Limits) -> str:
    try:
        codec.decode(body, encoding, limits)
    except (DecodeError, LimitExceeded) as error:
        return type(error).__name__
    return "read"


def _cost(name: str) -> dict[str, object]:
    body, encoding = message(name)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends, seconds = [], []
    for limits in (USUAL, GENEROUS):
        began_s = time.process_time()
        ends.append(_outcome(body, encoding, limits))
        seconds.append(time.process_time() - began_s)
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mib = (after_kib - before_kib) / MIB_OF_KIB
    return {"octets": len(body), "s": max(seconds), "mib": mib, "ends": ends, "slow": slowness()}


def _costs_of_a_child(name: str) -> dict[str, object]:
    """Measure in a copy of this process: its peak of memory begins where we stand."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(_cost(name)).encode())
        os._exit(0)
    os.close(writing)
    found: dict[str, object] = json.loads(os.read(reading, SIZE))
    os.waitpid(child, 0)
    return found


if __name__ == "__main__":
    _outcome(b"<a/>", Encoding.XML, USUAL)  # the library is loaded once, by nobody's message
    print(json.dumps({name: _costs_of_a_child(name) for name in NAMES}))
