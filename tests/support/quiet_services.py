# SPDX-License-Identifier: Apache-2.0
"""UPower and NetworkManager as far as scomod asks them: one property each, on a real bus.

They own their names, answer `Properties.Get` and tell changes, as the real ones do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from scomod.busfacts import PROPERTIES
from scomod.buswire import Message, MessageType, PacedBus, Variant, open_bus
from scomod.surroundings import NETWORK, POWER

if TYPE_CHECKING:
    from scomod.busfacts import Source


class QuietService:
    """One of them; `asked` counts how often its property was read."""

    def __init__(self, source: Source, bus: PacedBus, value: Variant) -> None:
        self._source = source
        self._bus = bus
        self._value = value
        self.asked = 0

    @classmethod
    async def start(cls, address: str, source: Source, value: Variant) -> Self:
        bus = await open_bus(address)
        service = cls(source, bus, value)
        bus.add_message_handler(service._serve)
        await bus.claim(source.service)
        return service

    async def close(self) -> None:
        await self._bus.close()

    def change(self, value: Any) -> None:
        """Take another value and tell it."""
        self._value = Variant(self._value.signature, value)
        changed = {self._source.name: self._value}
        body = [self._source.place, changed, []]
        self._bus.send(
            Message.new_signal(self._source.path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)
        )

    def _serve(self, call: Message) -> Message | None:
        if call.message_type is not MessageType.METHOD_CALL or call.interface != PROPERTIES:
            return None
        assert call.body == [self._source.place, self._source.name]
        self.asked += 1
        return Message.new_method_return(call, "v", [self._value])


async def upower(address: str, *, on_battery: bool) -> QuietService:
    return await QuietService.start(address, POWER, Variant("b", on_battery))


async def network_manager(address: str, metered: int) -> QuietService:
    return await QuietService.start(address, NETWORK, Variant("u", metered))
