# SPDX-License-Identifier: Apache-2.0
"""Single facts that services of the system tell by a property, and news of them.

Which facts, and what follows from them: `surroundings`, `network`.  Services that do not
run are not started for this.  What a signal says is not believed: it only means that the
property is to be read again.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import RemoteError
from scomod.buswire import BUS, Message, MessageFlag, MessageType, owner_rule, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scomod.buswire import PacedBus

PROPERTIES: Final = "org.freedesktop.DBus.Properties"
READ_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact is; without `interface` that of the object has the name of the service."""

    service: str
    path: str
    name: str
    interface: str = ""

    @property
    def place(self) -> str:
        """The interface that has the property."""
        return self.interface or self.service

    def rules(self) -> tuple[str, str]:
        """Return the match rules for news of it."""
        news = f"type='signal',sender='{self.service}',path='{self.path}',"
        return owner_rule(self.service), f"{news}interface='{PROPERTIES}',arg0='{self.place}'"

    def question(self) -> Message:
        """Return the call that reads it."""
        return Message(
            destination=self.service,
            path=self.path,
            interface=PROPERTIES,
            member="Get",
            signature="ss",
            body=[self.place, self.name],
            flags=MessageFlag.NO_AUTOSTART,
        )


async def value_of(bus: PacedBus, source: Source) -> Any:
    """Return a property, None if nobody has it or gives it in time."""
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            [value] = await bus.invoke(source.question())
    except (RemoteError, TimeoutError, ValueError):
        return None
    return unpack(value)


@contextmanager
def hearing(
    bus: PacedBus, sources: Iterable[Source], on_news: Callable[[], None]
) -> Iterator[list[str]]:
    """Have `on_news` called after news of the sources; gives the rules, which who uses it adds.

    When it is left they are taken back.
    """
    rules = [rule for source in sources for rule in source.rules()]

    def hear(message: Message) -> None:
        is_signal = message.message_type is MessageType.SIGNAL
        if is_signal and (message.interface == PROPERTIES or message.sender == BUS):
            on_news()

    bus.add_message_handler(hear)
    try:
        yield rules
    finally:
        bus.remove_message_handler(hear)
        if bus.connected:
            for rule in rules:
                bus.unmatch(rule)
