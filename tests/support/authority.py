# SPDX-License-Identifier: Apache-2.0
"""A polkit authority on a private bus: answers CheckAuthorization from a set of refused actions."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

from scomod.buswire import Message, MessageType, Variant, open_bus

if TYPE_CHECKING:
    from collections.abc import Coroutine

NAME = "org.freedesktop.PolicyKit1"
PROPERTIES = "org.freedesktop.DBus.Properties"
FACTS = {
    "BackendName": Variant("s", "test"),
    "BackendVersion": Variant("s", "1"),
    "BackendFeatures": Variant("u", 0),
}


class Authority:
    """Entered, everybody may do everything but what is in `refused`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.refused: set[str] = set()
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._bus.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        self._bus = await open_bus(self._address)
        self._bus.add_message_handler(self._serve)
        await self._bus.claim(NAME)

    def _serve(self, call: Message) -> Message | None:
        if call.message_type is not MessageType.METHOD_CALL:
            return None
        if (call.interface, call.member) == (PROPERTIES, "GetAll"):
            return Message.new_method_return(call, "a{sv}", [FACTS])
        if call.member != "CheckAuthorization":
            return None
        _, action, *_ = call.body
        self.asked.append(action)
        answer = [action not in self.refused, False, {}]
        return Message.new_method_return(call, "(bba{ss})", [answer])
