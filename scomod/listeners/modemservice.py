# SPDX-License-Identifier: Apache-2.0
"""What services of modems have in common: calls to one life of them, and who listens to it.

Not the services: `ofono`, `modemmanager`; nor when they are there: `modems`, `modemlife`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from scomod.busaddress import RemoteError
from scomod.buswire import Message, MessageFlag, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scomod.buswire import PacedBus

log = logging.getLogger(__name__)


class Line:
    """Calls to one life of a service."""

    def __init__(self, bus: PacedBus, owner: str, timeout_s: float) -> None:
        self._bus = bus
        self.owner = owner
        self._timeout_s = timeout_s

    async def ask(
        self, path: str, method: str, *body: str, takes: str = "", gives: str = ""
    ) -> Any:
        """Call `method` (INTERFACE.MEMBER) of an object; returns the value, True if it gives none.

        None if it answered with an error, which is logged, or with another type than `gives`;
        raises `TimeoutError` if there is no answer, `NotReachable` if there is no bus.
        """
        message = self._message(path, method, takes, body)
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._bus.invoke(message, gives)
        except RemoteError as error:
            log.warning("%s of modem %s: %s", message.member, path, error)
            return None
        return unpack(reply[0]) if reply else True

    def tell(self, path: str, method: str, *body: str, takes: str) -> None:
        """Call a method without wanting an answer."""
        message = self._message(path, method, takes, body)
        message.flags |= MessageFlag.NO_REPLY_EXPECTED
        self._bus.send(message)

    def _message(self, path: str, method: str, takes: str, body: Sequence[str]) -> Message:
        interface, _, member = method.rpartition(".")
        return Message(
            destination=self.owner,
            path=path,
            interface=interface,
            member=member,
            signature=takes,
            body=list(body),
        )


class Listener(Protocol):
    """What knows one service: made with (line, settings, take, on_news) for one life of it.

    `take(octets, number)` takes a push from its transaction id on, and says whether it did.
    """

    @property
    def signals(self) -> tuple[str, ...]:
        """Return the match rules for its news, but for the sender."""

    @property
    def has_modem(self) -> bool:
        """Tell whether a modem is there by which messages can come."""

    @property
    def imsi(self) -> object:
        """What the service says the identity of the subscriber is."""

    def hear(self, message: Message, /) -> Message | None:
        """Take a signal or a call of the service; returns the answer to a call that is known."""

    async def look(self) -> bool:
        """Make up for all news so far; tells whether that went well."""

    def leave(self) -> None:
        """Take back what the service was asked for: it stays, and nobody listens any more."""
