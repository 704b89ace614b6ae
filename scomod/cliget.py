# SPDX-License-Identifier: Apache-2.0
"""`scomoctl get`: one node, and of a value that is kept in a file its beginning or all of it.

Not the listing of nodes (`cliactions.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.clicall import EXIT_OK
from scomod.clifmt import fields

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from scomod.busclient import Client
    from scomod.clicall import Call
    from scomod.facade import Record

SHOWN_BYTES: Final = 1024


async def get(call: Call) -> int:
    """Show a node, or with --output write its value."""
    uri, output = call.arguments.uri, call.arguments.output
    if output == "-":
        await _write(call.client, uri, sys.stdout.buffer)
        sys.stdout.flush()
    elif output:
        await call.client.tree_octets(uri, 0)  # a file is made only for what there is
        with Path(output).open("wb") as file:  # noqa: ASYNC230 - nobody else waits here
            size = await _write(call.client, uri, file)
        call.screen.show({"uri": uri, "size": size}, [f"{size} octets written to {output}"])
    else:
        node = await call.client.tree_node(uri)
        call.screen.show(node, fields(await _with_beginning(call.client, node)))
    return EXIT_OK


async def _with_beginning(client: Client, node: Record) -> Record:
    """Put what can be read of a long value in its place."""
    if "size" not in node:
        return node
    octets = (await client.tree_octets(node["uri"], 0))[:SHOWN_BYTES]
    left = node["size"] - len(octets)
    more = f" … and {left} octets more: --output FILE writes all" if left > 0 else ""
    return {**node, "value": octets.decode("utf-8", "replace") + more}


async def _write(client: Client, uri: str, file: BinaryIO) -> int:
    size = 0
    async for piece in _pieces(client, uri):
        size += file.write(piece)
    return size


async def _pieces(client: Client, uri: str) -> AsyncIterator[bytes]:
    offset = 0
    while piece := await client.tree_octets(uri, offset):
        yield piece
        offset += len(piece)
