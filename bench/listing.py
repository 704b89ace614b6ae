# SPDX-License-Identifier: Apache-2.0
"""A program of its own: makes a large tree, or answers one Get of it and says what it cost.

Two runs, as the memory of making the tree would hide that of reading it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

from scomod.clock import SystemClock
from scomod.db import Database
from scomod.dmclient import codec
from scomod.dmclient.awaited import Awaited
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Results, SyncHdr
from scomod.dmclient.outgoing import Outgoing
from scomod.dmclient.subtreecommands import SubtreeCommands
from scomod.mo.blob import BlobStore
from scomod.mo.node import Format, Node
from scomod.mo.registry import Registry, load_ddf
from scomod.mo.store import NodeStore
from scomod.mo.tree import Tree
from scomod.mo.uri import UriLimits
from scomod.settings import Subtree
from scomod.shapes import GIB

ROOT: Final = "./SCOMO/Inventory/Deployed"
LEAVES: Final = ("ID", "PkgIDRef", "Name", "Description", "Version", "EnvType", "Status", "State")
NODES_EACH: Final = len(LEAVES) + 1
MESSAGE_BYTES: Final = 65536
KIB: Final = 1024
MS: Final = 1000


def main() -> None:
    """`make DIRECTORY COUNT` or `get DIRECTORY ATTRIBUTE`, which prints JSON."""
    what, directory, argument = sys.argv[1:]
    db = Database.open(Path(directory) / "state/scomod.db")
    store = NodeStore(db, BlobStore(Path(directory) / "state/values", reserve_bytes=0))
    with db.transaction():
        if what == "make":
            _make(store, int(argument))
        else:
            print(json.dumps(_get(store, argument)))
    db.close()


def _make(store: NodeStore, count: int) -> None:
    """Insert about `count` nodes: components of an inventory."""
    for path in (".", "./SCOMO", "./SCOMO/Inventory", ROOT):
        store.insert(Node(path=path, format=Format.NODE, acl="Get=*" if path == "." else ""))
    for number in range(count // NODES_EACH):
        base = f"{ROOT}/component-{number:06}"
        store.insert(Node(path=base, format=Format.NODE))
        for name in LEAVES:
            value = f"{name} of component {number}".encode()
            store.insert(
                Node(path=f"{base}/{name}", format=Format.CHR, type="text/plain", value=value)
            )


def _get(store: NodeStore, attribute: str) -> dict[str, float]:
    """Answer a Get and pack the answer into messages."""
    tree = Tree(store, load_ddf("./SCOMO"), Registry(), UriLimits(), SystemClock())
    commands = SubtreeCommands(
        tree, server_id="srv", encoding=Encoding.WBXML, limits=Subtree(max_listed_bytes=GIB)
    )
    peak_before = _peak_bytes()
    began = time.perf_counter()
    parts = commands.get(f"{ROOT}?list={attribute}", MESSAGE_BYTES - KIB) or []
    listed_s = time.perf_counter() - began
    out = Outgoing(lambda message: codec.encoded_size(message, Encoding.WBXML), Awaited())
    for items in parts:
        out.owe(Results(msg_ref="1", cmd_ref="1", items=items))
    del parts
    header = SyncHdr(session_id="1", msg_id="1", target="https://server.example", source="device")
    octets = 0
    while out.is_waiting:
        message = out.pack(header, MESSAGE_BYTES, may_end=True)
        octets += codec.encoded_size(message, Encoding.WBXML)
    return {
        "listed_ms": MS * listed_s,
        "ms": MS * (time.perf_counter() - began),
        "octets": octets,
        "peak_bytes": _peak_bytes() - peak_before,
    }


def _peak_bytes() -> int:
    """Return the most memory this program had; `ru_maxrss` would begin with the parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("VmHWM:"))
    return KIB * int(line.split()[1])


if __name__ == "__main__":
    main()
