# SPDX-License-Identifier: Apache-2.0
"""What we owe, packed into messages as a session does it, and read back as a server would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.codes import DmStatus
from scomod.dmclient import codec
from scomod.dmclient.awaited import Awaited
from scomod.dmclient.codec import Encoding, Limits
from scomod.dmclient.model import Status, SyncHdr
from scomod.dmclient.outgoing import Outgoing

if TYPE_CHECKING:
    from scomod.dmclient.model import Message

READING = Limits(max_bytes=1 << 20, max_depth=32, max_elements=10000)


class Packer:
    """An `Outgoing` of one encoding; `sent` holds the messages as the server reads them."""

    def __init__(self, encoding: Encoding = Encoding.WBXML, limit_bytes: int = 2048) -> None:
        self._encoding = encoding
        self.limit_bytes = limit_bytes
        self.awaited = Awaited()
        self.out = Outgoing(lambda m: codec.encoded_size(m, encoding), self.awaited)
        self.sent: list[Message] = []

    def header(self) -> SyncHdr:
        """Return the header of the next message."""
        number = str(len(self.sent) + 1)
        return SyncHdr(
            session_id="A1", msg_id=number, target="https://dm.example/dm", source="urn:x:1"
        )

    def pack(self) -> Message:
        """Send one message; it must not be longer than the limit."""
        header = self.header()
        self.out.head = Status(msg_ref=header.msg_id, cmd_ref="0", cmd="SyncHdr", code=DmStatus.OK)
        message = self.out.pack(header, self.limit_bytes, may_end=True)
        body = codec.encode(message, self._encoding)
        assert len(body) <= self.limit_bytes
        self.sent.append(codec.decode(body, self._encoding, READING))
        return self.sent[-1]

    def pack_all(self) -> list[Message]:
        """Send until nothing is owed."""
        while self.out.is_waiting:
            self.pack()
        return self.sent
