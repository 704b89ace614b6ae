# SPDX-License-Identifier: Apache-2.0
"""polkit as its callers know it, on a bus and in a thread: actions from real policy files.

Like the real one it tells nothing about others to who is neither root nor the owner of the
action, decides by the defaults of the action and whether the person is at the device, and
asks for a password only if it may.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lxml import etree

from scomod.buswire import Message, MessageType, PacedBus, open_bus, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "org.freedesktop.PolicyKit1"
INTERFACE = "org.freedesktop.PolicyKit1.Authority"
MAY_ASK = 1
OWNER_KEY = "org.freedesktop.policykit.owner"
PATIENCE_S = 100.0


@dataclass(frozen=True)
class Action:
    """One action of a policy file."""

    any: str
    inactive: str
    active: str
    owner: str
    texts: int


def actions_of(policy: Path) -> dict[str, Action]:
    found = {}
    for each in etree.parse(policy).getroot().findall("action"):
        kinds = {
            key: each.findtext(f"defaults/allow_{key}", "no")
            for key in ("any", "inactive", "active")
        }
        owners = [a.text or "" for a in each.findall("annotate") if a.get("key") == OWNER_KEY]
        texts = len(each.findall("description")) + len(each.findall("message"))
        found[str(each.attrib["id"])] = Action(**kinds, owner="".join(owners), texts=texts)
    return found


@dataclass
class Polkit:
    """What it knows and was asked; `where` the person is: "active", "inactive" or "any"."""

    actions: dict[str, Action]
    where: str = "active"
    types_password: bool = False
    is_silent: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    passwords_count: int = 0
    _bus: PacedBus | None = None

    async def open(self, address: str) -> PacedBus:
        self._bus = await open_bus(address)
        self._bus.add_message_handler(self._on_message)
        await self._bus.claim(NAME)
        return self._bus

    def _on_message(self, call: Message) -> Message | bool | None:
        if call.message_type is not MessageType.METHOD_CALL or call.interface != INTERFACE:
            return None
        if (call.member, call.signature) != ("CheckAuthorization", "(sa{sv})sa{ss}us"):
            return Message.new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "none")
        if self.is_silent:
            return True
        [kind, subject], action, details, flags, cancellation = call.body
        assert (kind, list(details), cancellation) == ("system-bus-name", [], "")
        self.asked.append((action, flags))
        if action not in self.actions:
            text = f"Action {action} is not registered"
            return Message.new_error(call, f"{NAME}.Error.Failed", text)
        assert unpack(subject)["name"].startswith(":")
        is_given, is_challenge = self._judged(action, flags)
        return Message.new_method_return(call, "(bba{ss})", [[is_given, is_challenge, {}]])

    def _judged(self, action: str, flags: int) -> tuple[bool, bool]:
        default = getattr(self.actions[action], self.where)
        if default in ("yes", "no"):
            return default == "yes", False
        if not flags & MAY_ASK:
            return False, True
        self.passwords_count += 1
        return self.types_password, False


@contextlib.contextmanager
def polkit(address: str, policy: Path, **how: Any) -> Iterator[Polkit]:
    """Have polkit on the bus at `address`."""
    service = Polkit(actions_of(policy), **how)
    opened: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        bus = await service.open(address)
        opened.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        await bus.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        loop, stop = opened.result(timeout=PATIENCE_S)
        try:
            yield service
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(timeout=PATIENCE_S)
        assert not thread.is_alive()
