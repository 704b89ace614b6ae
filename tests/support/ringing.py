# SPDX-License-Identifier: Apache-2.0
"""The door of a device in this process: who rings, who is asked, what is wished for.

Doorbell, summonses and interview are real, on a real database; the person is a fake who
says what the test wants, and time stands still until it is moved.  One `Hall` is one life;
another one over the same device is the next.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from scomod.facade import AgentGone
from scomod.interview import Interview
from scomod.pushes import Pushes
from scomod.summons import Summonses
from scomod.wakeup import Doorbell
from tests.support.scripted import SERVER_ID, SERVER_SECRET
from tests.support.standstill import StillLoop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.wishes import Wish
    from tests.support.clocks import FakeClock
    from tests.support.scripted import Device

PUSH_HEAD = bytes.fromhex("000603c4af87")


def trigger(
    server_id: str = SERVER_ID, *, session: int = 0x1234, ui_mode: int = 1, initiator: int = 1
) -> bytes:
    """Everything behind the digest, after the field table of omadm §10.1."""
    bits = (11 << 54) | (ui_mode << 52) | (initiator << 51) | (session << 8) | len(server_id)
    return bits.to_bytes(8, "big") + server_id.encode()


def notification(nonce: bytes, octets: bytes, name: str = SERVER_ID) -> bytes:
    """Put the digest of the test's server before a trigger."""

    def b64_md5(data: bytes) -> bytes:
        return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest())

    identity = b64_md5(f"{name}:{SERVER_SECRET.reveal()}".encode())
    whole = identity + b":" + nonce + b":" + b64_md5(octets)
    return hashlib.md5(whole, usedforsecurity=False).digest() + octets


def called(*, session: int = 0x1234, ui_mode: int = 1, initiator: int = 1) -> bytes:
    """Return a genuine push of the test's server."""
    octets = trigger(session=session, ui_mode=ui_mode, initiator=initiator)
    return PUSH_HEAD + notification(b"server nonce", octets)


class Person:
    """An agent: says yes, no or nothing (None), or leaves or fails in the way of an error."""

    def __init__(self, says: object = True, *, is_here: bool = True) -> None:
        self.says = says
        self.is_here = is_here
        self.shown: list[tuple[str, Mapping[str, Any]]] = []
        self._wait: Any = None
        self.is_dismissed = False

    def is_present(self) -> bool:
        return self.is_here

    async def show(self, method: str, alert: Mapping[str, Any]) -> Any:
        self.shown.append((method, alert))
        if self.says is None:
            self._wait = self._loop.create_future()
            try:
                return await self._wait
            except asyncio.CancelledError:
                self.is_dismissed = True
                raise
        if isinstance(self.says, Exception):
            raise self.says
        return self.says if method == "Confirm" else None

    def attach(self, loop: StillLoop) -> None:
        self._loop = loop

    def answer(self, says: object) -> None:
        """Answer what is on the screen."""
        self.says = says
        self._wait.set_result(says)

    def leave(self) -> None:
        """Go away, also from what is on the screen."""
        self.is_here = False
        if self._wait is not None and not self._wait.done():
            self._wait.set_exception(AgentGone("the agent left"))


class Hall:
    """One life of what stands between pushes and wishes for sessions."""

    def __init__(self, device: Device, clock: FakeClock, person: Person | None = None) -> None:
        self.person = person or Person(is_here=False)
        self.wishes: list[Wish] = []
        self.documents: list[bytes] = []
        self._loop = StillLoop(clock)
        self.person.attach(self._loop)
        policy = device.settings.notification
        client = device.client(lambda _account: pytest.fail("nothing is sent to a doorbell"))
        interview = Interview(device.settings.session, clock)
        interview.agent = self.person
        self.summonses = Summonses(
            policy,
            clock,
            device.records,
            interview=lambda: interview,
            start=self._loop.create_task,
            ring=self.wishes.append,
        )
        bell = Doorbell(
            device.settings, clock, device.records, client=lambda: client, summonses=self.summonses
        )
        self.pushes = Pushes(
            policy,
            clock.monotonic_s,
            notified=bell.notified,
            enrol=lambda parcel, _sender: self.documents.append(parcel.body),
        )
        self._db = device.records.db

    def hear(self, *datagrams: bytes) -> None:
        """Take datagrams, and do all that follows at once."""
        for datagram in datagrams:
            self.pushes.take(datagram, "192.0.2.1")
            self.settle()

    def look(self) -> None:
        """Start, or let an agent come or go."""
        self.summonses.look()
        self.settle()

    def settle(self) -> None:
        self._loop.run_until_idle()
        assert self._loop.troubles == []

    def over(self, session_id: str, outcome: str = "ok", *, is_retryable: bool = True) -> None:
        """Let a session with the server end."""
        report = {"server": SERVER_ID, "outcome": outcome, "is_retryable": is_retryable}
        with self._db.transaction():
            self.summonses.over(report, session_id)

    def end(self) -> None:
        """End this life, with whatever it was doing."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_idle()
        self._loop.close()

    @property
    def sessions(self) -> list[str]:
        """The ids of the sessions that are wished for."""
        return [wish.session_id for wish in self.wishes]
