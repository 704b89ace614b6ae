# SPDX-License-Identifier: Apache-2.0
"""How what is owed is packed: the work, not the rules (those: session and upload)."""

import pytest

from scomod.dmclient import codec
from scomod.dmclient.awaited import Awaited
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Command, Item, Message, Results, Status, SyncHdr
from scomod.dmclient.outgoing import Outgoing

HEADER = SyncHdr(session_id="1", msg_id="1", target="t", source="s")
LIMIT_BYTES = 4096


def listing(size: int) -> Results:
    items = tuple(Item(source=f"./A/{number}") for number in range(size))
    return Results(msg_ref="1", cmd_ref="1", items=items)


SMALL = Status(msg_ref="1", cmd_ref="1", cmd="Get", code=200)


@pytest.mark.parametrize("owed", [listing(150), listing(1), SMALL], ids=["long", "short", "Status"])
@pytest.mark.parametrize("count", [0, 1, 7, 64, 65, 130])
def test_packing_costs_what_is_packed_and_loses_nothing(owed: Command, count: int) -> None:
    """Each command is encoded a few times, however many wait behind it."""
    encoded = 0

    def size_of(message: Message) -> int:
        nonlocal encoded
        encoded += len(message.commands)
        return codec.encoded_size(message, Encoding.WBXML)

    out = Outgoing(size_of, Awaited())
    for _ in range(count):
        out.owe(owed)
    messages = [out.pack(HEADER, LIMIT_BYTES, may_end=True)]
    while out.is_waiting:
        messages.append(out.pack(HEADER, LIMIT_BYTES, may_end=True))
    assert sum(len(message.commands) for message in messages) == count
    assert max(codec.encoded_size(each, Encoding.WBXML) for each in messages) <= LIMIT_BYTES
    assert [message.final for message in messages] == [False] * (len(messages) - 1) + [True]
    assert encoded <= 12 * count + 4
