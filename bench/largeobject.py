# SPDX-License-Identifier: Apache-2.0
"""A program of its own: how much memory a large object costs that comes, or goes, in chunks.

    python -m bench.largeobject DIRECTORY MIB

The device is a whole one (database, tree, client, codec) in DIRECTORY; the server lives in
the same process, makes each chunk when it is asked for one and keeps nothing.  Prints one
JSON object: by how much peak memory rose beyond that of a small object, and what it took.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.auth import AuthType
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Alert, Get, Meta
from tests.support.scripted import Device, Say, ScriptedServer, on, speaking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scomod.dmclient.transport import Reply

MIB: Final = 1 << 20
SMALL_BYTES: Final = MIB
MESSAGE_BYTES: Final = 256 * 1024
PIECE_BYTES: Final = 255 * 1024
DATA: Final = "./SCOMO/Inventory/Delivered/d/Data"
READABLE: Final = "./Toy/d/Blob"


# Basic: without a nonce there is none to keep from one session to the next.
say = partial(Say, proof=AuthType.BASIC)


class Streamer(ScriptedServer):
    """Says what an iterator gives, and forgets what it heard but the digest of the values."""

    def __init__(self, script: Iterator[Say]) -> None:
        super().__init__((), Encoding.WBXML)
        self._says = script
        self.digest = hashlib.sha256()
        self.codes: set[int] = set()

    async def exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Answer one message."""
        self._script = [next(self._says)]
        reply = await super().exchange(url, body, content_type, headers)
        heard = self.heard.pop()
        self.codes.update(heard.codes())
        for item in heard.results():
            self.digest.update(item.data or b"")
            if not item.more_data:
                self._says = iter((say(),))
        return reply


def given(target: str, size_bytes: int, digest: Any) -> Iterator[Say]:
    """Write a value of that size in chunks; `digest` is fed with it."""
    for start in range(0, size_bytes, PIECE_BYTES):
        piece = os.urandom(min(PIECE_BYTES, size_bytes - start))
        digest.update(piece)
        meta = Meta(format="bin", size=None if start else size_bytes)
        is_last = start + len(piece) == size_bytes
        command = on(Add, target, piece, meta=meta, more_data=not is_last)
        yield say(commands=(command,), final=is_last)
    yield say()


def asked(target: str) -> Iterator[Say]:
    """Read a value, and ask for the rest as long as there is one."""
    yield say(commands=(on(Get, target),))
    while True:
        yield say(commands=(Alert(code=AlertCode.NEXT_MESSAGE),), final=False)


def held(device: Device, script: Iterator[Say]) -> Streamer:
    """Hold a session; raises `RuntimeError` unless it went well."""
    server = Streamer(script)
    client = device.client(lambda _account: server)
    trigger = AlertCode.CLIENT_INITIATED_MANAGEMENT
    report = asyncio.run(client.run(device.account, trigger, "A1"))
    if report.outcome != "ok" or max(server.codes) >= DmStatus.BAD_REQUEST:
        raise RuntimeError(f"the session failed: {report.detail} {sorted(server.codes)}")
    return server


def received(device: Device, target: str, size_bytes: int) -> str:
    """Have an object written; returns its digest, which is that of the file."""
    digest = hashlib.sha256()
    held(device, given(target, size_bytes, digest))
    node = device.records.tree.node(target)
    if node is None or node.blob is None or node.blob.sha256 != digest.hexdigest():
        raise RuntimeError(f"{target} does not hold what was sent")
    return digest.hexdigest()


def sent(device: Device, target: str, digest: str) -> None:
    """Have an object read, and compare what came."""
    if held(device, asked(target)).digest.hexdigest() != digest:
        raise RuntimeError(f"{target} did not come as it is")


def peak_mib() -> float:
    """Return the highest resident memory of this process so far."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if match is None:
        raise RuntimeError("the kernel does not tell the peak")
    return int(match[1]) / 1024


def measure(directory: Path, mib: int) -> dict[str, float]:
    """Measure with objects of one MiB, then with those of `mib`."""
    limits = {"max_msg_bytes": MESSAGE_BYTES, "max_obj_bytes": mib * MIB}
    settings = speaking(Encoding.WBXML, **limits)
    with Device(directory, settings, server_auth="BASIC") as device:
        sent(device, READABLE, received(device, READABLE, SMALL_BYTES))
        before_mib, began = peak_mib(), time.perf_counter()
        received(device, DATA, mib * MIB)
        received_mib, came = peak_mib(), time.perf_counter()
        with device.records.db.transaction():
            device.records.tree.drop(READABLE)
        digest = received(device, READABLE, mib * MIB)
        again = time.perf_counter()
        sent(device, READABLE, digest)
        return {
            "received_mib": received_mib - before_mib,
            "sent_mib": peak_mib() - before_mib,
            "receive_s": came - began,
            "send_s": time.perf_counter() - again,
        }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
