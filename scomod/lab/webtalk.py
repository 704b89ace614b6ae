# SPDX-License-Identifier: Apache-2.0
"""The last messages between the bench and its devices, for the session log of the console.

Kept in memory, limited in number and octets, and gone with the bench: what lasts are the
records (`devices.py`).  A device is known here by its id, whether or not it has an account;
so what a stranger says can be seen too.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.dmclient import tokens, wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Space
from scomod.errors import ScomodError
from scomod.explain import LIMITS, Outline
from scomod.lab import websaid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scomod.clock import Clock
    from scomod.dmclient.model import Message

MAX_MESSAGES_COUNT: Final = 1000
MAX_KEPT_BYTES: Final = 8 << 20
SHOWN_COUNT: Final = 200


class NoMessage(ScomodError):  # noqa: N818 - a condition
    """The message is not kept any more, or never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One message; `number` counts all messages of the bench."""

    number: int
    at_s: float
    is_ours: bool
    message: Message
    octets: bytes
    encoding: Encoding

    @property
    def device(self) -> str:
        """The id of the device that sent it or is to get it."""
        header = self.message.header
        return header.target if self.is_ours else header.source


class Talk:
    """Hears every message (`DmServer.tap`) and shows the last ones."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._kept: deque[Kept] = deque()
        self._count = 0
        self._kept_bytes = 0

    def hear(self, *, is_ours: bool, message: Message, octets: bytes, encoding: Encoding) -> None:
        """Keep a message, and forget the oldest where there are too many."""
        self._count += 1
        kept = Kept(
            number=self._count,
            at_s=round(self._clock.wall_s(), 3),
            is_ours=is_ours,
            message=message,
            octets=octets,
            encoding=encoding,
        )
        self._kept.append(kept)
        self._kept_bytes += len(octets)
        while len(self._kept) > MAX_MESSAGES_COUNT or self._kept_bytes > MAX_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft().octets)
        self._tell(kept.device)

    def listed(self, device: str | None, after: int = 0) -> list[dict[str, Any]]:
        """Show messages of one device (None: of all) with a number above `after`, oldest first."""
        wanted = [kept for kept in self._kept if device is None or kept.device == device]
        answered = _nodes_by_command(wanted)

        def row(kept: Kept) -> dict[str, Any]:
            header = kept.message.header
            key = kept.device, header.session_id, not kept.is_ours
            return {
                "number": kept.number,
                "at_s": kept.at_s,
                "is_ours": kept.is_ours,
                "device": kept.device,
                "session": header.session_id,
                "message": header.msg_id,
                "encoding": kept.encoding.name,
                "octets": len(kept.octets),
                "is_final": kept.message.final,
                "said": websaid.said(
                    kept.message, lambda msg, cmd: answered.get((*key, msg, cmd), "")
                ),
            }

        return [row(kept) for kept in wanted if kept.number > after][-SHOWN_COUNT:]

    def whole(self, number: int) -> dict[str, Any]:
        """Show one message in full, as it was on the wire; raises `NoMessage`."""
        for kept in self._kept:
            if kept.number == number:
                outline = Outline(is_blanked=False)
                return {
                    "number": number,
                    "encoding": kept.encoding.name,
                    "outline": list(outline.message(kept.message)),
                    "xml": _as_xml(kept),
                    "octets": b64encode(kept.octets).decode(),
                }
        raise NoMessage(f"message {number} is not kept; the last {MAX_MESSAGES_COUNT} are")


def _nodes_by_command(messages: Iterable[Kept]) -> dict[tuple[str, str, bool, str, str], str]:
    """Name the nodes of all commands: by device, session, who sent it, message, command."""
    return {
        (kept.device, kept.message.header.session_id, kept.is_ours, *key): node
        for kept in messages
        for key, node in (
            ((kept.message.header.msg_id, command), node)
            for command, node in websaid.nodes(kept.message).items()
        )
    }


def _as_xml(kept: Kept) -> str:
    """Return the message as XML: as it came, or what its WBXML stands for, indented."""
    if kept.encoding is Encoding.XML:
        return kept.octets.decode("utf-8", "replace")
    version = kept.message.header.ver_dtd
    namespace = tokens.ROOT_NAMESPACES.get(version, tokens.NAMESPACES[Space.SYNCML])
    root = wbxml.decode(kept.octets, LIMITS)
    return xmltext.encode(root, namespace=namespace, for_people=True).decode()
