# SPDX-License-Identifier: Apache-2.0
"""Services of modems that come, go, keep silent, say nonsense or far too much."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from scomod.busaddress import RemoteError
from scomod.buswire import Message, Variant, open_bus
from scomod.dmclient import push as wsp
from scomod.listeners.modems import Modems
from scomod.listeners.modemservice import Line
from scomod.listeners.ofono import Ofono
from scomod.wakesettings import Modem
from tests.support.modem_stand_ins import ModemManagerStandIn, OfonoStandIn, StandIn
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

PATIENCE_S = 100.0
PUSH = bytes.fromhex("01 06 03 c4 af 87") + bytes(32)
POISON = PUSH + b"poison"
FOREIGN = bytes.fromhex("01 06 03 ae af 82") + bytes(32)
RECEIVING, RECEIVED = 2, 3
AGENT = "org.ofono.PushNotificationAgent"
AGENT_PATH = "/org/scomod1/push/ril_0"
IMSI = "246813579012345"


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


class Ear:
    """What was heard, and by whom: `modems` on a connection of its own."""

    def __init__(self, modems: Modems, name: str, heard: list[tuple[bytes, str]]) -> None:
        self.modems = modems
        self.name = name
        self.heard = heard

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():  # noqa: ASYNC110 - what others do is looked at
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def listening(address: str, **settings: Any) -> AsyncIterator[Ear]:
    heard: list[tuple[bytes, str]] = []
    settings.setdefault("answer_timeout_s", PATIENCE_S)

    def receive(octets: bytes, sender: str) -> None:
        heard.append((octets, sender))
        if octets == POISON:
            raise ZeroDivisionError("a mistake of ours")

    async with asyncio.TaskGroup() as tasks:
        connection = await open_bus(address)
        wanted = Modem(**settings)
        modems = Modems(wanted, connection, tasks.create_task, receive, lambda: None)
        modems.present(True)
        try:
            yield Ear(modems, str(connection.unique_name), heard)
        finally:
            modems.present(False)
            await connection.close()


@contextlib.asynccontextmanager
async def running(kind: type[StandIn], address: str) -> AsyncIterator[StandIn]:
    service = await kind.start(address)
    try:
        yield service
    finally:
        await service.close()


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    asyncio.run(in_time())


async def give(service: StandIn, ear: Ear, octets: bytes, sender: str = "123") -> None:
    """Call the agent as oFono does."""
    facts = {"Sender": Variant("s", sender)}
    await service.call(
        ear.name, AGENT_PATH, f"{AGENT}.ReceiveNotification", "aya{sv}", octets, facts
    )


def test_only_the_owner_of_the_name_gives_pushes(bus: PrivateBus) -> None:
    async def story() -> None:
        async with (
            running(OfonoStandIn, bus.address) as ofono,
            running(Stranger, bus.address) as stranger,
            listening(bus.address) as ear,
        ):
            await ear.until(lambda: ofono.called("RegisterAgent"))
            assert ofono.calls[-1] == ("RegisterAgent", "/ril_0", [AGENT_PATH])
            with pytest.raises(RemoteError):
                await give(stranger, ear, PUSH)
            await give(ofono, ear, PUSH)
            await give(ofono, ear, PUSH, "\n+1 2")
            assert ear.heard == [(PUSH, "sms:123"), (PUSH, "sms:unknown")]

    play(story)


class Stranger(StandIn):
    name = "org.example.stranger"


def test_agent_is_registered_once_for_each_life_of_a_modem(bus: PrivateBus) -> None:
    async def story() -> None:
        async with (
            running(OfonoStandIn, bus.address) as ofono,
            listening(bus.address) as ear,
        ):
            assert isinstance(ofono, OfonoStandIn)
            await ear.until(lambda: ear.modems.is_listening)
            assert ear.modems.imsi() == IMSI
            ofono.identity = "no number"
            changed = "org.ofono.SimManager.PropertyChanged"
            news = ("SubscriberIdentity", Variant("s", "no number"))
            ofono.tell("/ril_0", changed, "sv", *news)
            await ear.until(lambda: not ear.modems.imsi())
            assert len(ofono.called("RegisterAgent")) == 1
            ofono.have("org.ofono.VoiceCallManager")
            ofono.have("org.ofono.PushNotification")
            await ear.until(lambda: len(ofono.called("RegisterAgent")) == 2)
            await ofono.call(ear.name, AGENT_PATH, f"{AGENT}.Release", "")
            await ear.until(lambda: len(ofono.called("RegisterAgent")) == 3)
            ofono.have()
            await ear.until(lambda: len(ofono.called("GetModems")) >= 5)
            assert ear.modems.is_listening, "a modem that was there may come back"

    play(story)


class HastyLine(Line):
    """A line over which oFono takes an agent back before it is seen that it had it."""

    def __init__(self) -> None:
        self.registered = 0
        self.ofono: Ofono | None = None

    async def ask(self, path: str, method: str, *_: str, **__: str) -> Any:
        if not method.endswith("RegisterAgent"):
            assert path == "/"
            return [["/ril_0", {"Interfaces": ["org.ofono.PushNotification"]}]]
        self.registered += 1
        assert self.ofono is not None
        if self.registered == 1:
            assert self.ofono.hear(
                Message(
                    destination=":1.2", path=AGENT_PATH, interface=AGENT, member="Release", serial=1
                )
            )
        return True


def test_agent_that_is_taken_back_at_once_is_registered_anew() -> None:
    async def story() -> None:
        line = HastyLine()
        line.ofono = ofono = Ofono(line, Modem(), lambda *_: True, lambda: None)
        assert await ofono.look()
        assert await ofono.look()
        assert await ofono.look()
        assert line.registered == 2

    asyncio.run(story())


def test_what_is_not_wanted_any_more_is_taken_back(bus: PrivateBus) -> None:
    async def story() -> None:
        async with (
            running(OfonoStandIn, bus.address) as ofono,
            listening(bus.address) as ear,
        ):
            await ear.until(lambda: ear.modems.is_listening)
            ear.modems.present(False)
            assert not ear.modems.is_listening
            await ear.until(lambda: ofono.called("UnregisterAgent"))
            with pytest.raises(RemoteError):
                await give(ofono, ear, PUSH)
            ear.modems.present(True)
            await ear.until(lambda: len(ofono.called("RegisterAgent")) == 2)
            await give(ofono, ear, PUSH)
            assert len(ear.heard) == 1

    play(story)


def test_services_come_and_go(bus: PrivateBus) -> None:
    async def story() -> None:
        async with listening(bus.address) as ear:
            for count in (1, 2):
                async with running(OfonoStandIn, bus.address) as ofono:
                    await ear.until(partial(ofono.called, "RegisterAgent"))
                    await give(ofono, ear, PUSH)
                await ear.until(lambda: not ear.modems.imsi())
                assert len(ear.heard) == count

    play(story)


@pytest.mark.parametrize(
    ("service", "other"), [("modemmanager", OfonoStandIn), ("ofono", ModemManagerStandIn)]
)
def test_a_service_that_is_not_wanted_is_let_be(
    bus: PrivateBus, service: str, other: type[StandIn]
) -> None:
    async def story() -> None:
        wanted = OfonoStandIn if service == "ofono" else ModemManagerStandIn
        async with (
            running(other, bus.address) as unwanted,
            running(wanted, bus.address),
            listening(bus.address, service=service) as ear,
        ):
            await ear.until(lambda: ear.modems.is_listening)
            assert unwanted.calls == []

    play(story)


def test_silence_and_nonsense_of_one_service_do_not_disturb_the_other(
    bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        async with (
            running(OfonoStandIn, bus.address) as ofono,
            running(ModemManagerStandIn, bus.address) as manager,
        ):
            assert isinstance(ofono, OfonoStandIn)
            assert isinstance(manager, ModemManagerStandIn)
            ofono.silent.add("GetModems")
            manager.messages[1] = (RECEIVED, PUSH)
            async with listening(bus.address, answer_timeout_s=0.5) as ear:
                await ear.until(lambda: "did not answer in 0.5 s" in caplog.text)
                await ear.until(lambda: not manager.messages)
                ofono.silent.clear()
                ofono.lying.add("GetModems")
                ofono.have("org.ofono.PushNotification")
                await ear.until(lambda: "answered with (as), not (a(oa{sv}))" in caplog.text)
                ofono.lying.clear()
                ofono.refused.add("RegisterAgent")
                ofono.have("org.ofono.PushNotification")
                await ear.until(lambda: "RegisterAgent of modem /ril_0: no" in caplog.text)
                ofono.refused.clear()
                ofono.have("org.ofono.PushNotification")
                await ear.until(lambda: len(ofono.called("RegisterAgent")) == 2)
                assert ear.heard == [(PUSH, "sms:unknown")]

    play(story)


def test_messages_are_taken_when_whole_and_deleted_after_that(bus: PrivateBus) -> None:
    async def story() -> None:
        async with (
            running(ModemManagerStandIn, bus.address) as manager,
            listening(bus.address) as ear,
        ):
            assert isinstance(manager, ModemManagerStandIn)
            await ear.until(lambda: ear.modems.is_listening)
            assert ear.modems.imsi() == IMSI
            manager.change(1, RECEIVING, PUSH[:9])
            await ear.until(lambda: manager.called("GetAll"))
            manager.refused.add("Delete")
            manager.change(1, RECEIVED, PUSH)
            await ear.until(lambda: manager.called("Delete"))
            manager.refused.clear()
            manager.change(2, RECEIVED, FOREIGN)
            await ear.until(lambda: list(manager.messages) == [2])
            assert ear.heard == [(PUSH, "sms:unknown")], "once, though it had to be deleted twice"

    play(story)


def test_a_message_that_finds_a_mistake_of_ours_is_kept_and_not_tried_for_ever(
    bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with (
            running(ModemManagerStandIn, bus.address) as manager,
            listening(bus.address) as ear,
        ):
            assert isinstance(manager, ModemManagerStandIn)
            await ear.until(lambda: ear.modems.is_listening)
            manager.change(1, RECEIVED, POISON)
            await ear.until(lambda: "internal error" in caplog.text)
            manager.change(2, RECEIVED, PUSH)
            await ear.until(lambda: list(manager.messages) == [1])
            assert [octets for octets, _ in ear.heard] == [POISON, PUSH]

    play(story)


def test_of_far_too_many_messages_the_newest_are_looked_at_once(bus: PrivateBus) -> None:
    async def story() -> None:
        async with running(ModemManagerStandIn, bus.address) as manager:
            assert isinstance(manager, ModemManagerStandIn)
            manager.messages = dict.fromkeys(range(10000), (RECEIVED, FOREIGN))
            manager.messages[9999] = (RECEIVED, PUSH + bytes(wsp.MAX_DATAGRAM_BYTES))
            manager.messages[9998] = (RECEIVED, bytes(1 << 20))
            manager.messages[9997] = (RECEIVED, PUSH)
            async with listening(bus.address, max_messages_count=5) as ear:
                await ear.until(lambda: 9997 not in manager.messages)
                manager.change(10000, RECEIVED, PUSH)
                await ear.until(lambda: 10000 not in manager.messages)
                assert len(ear.heard) == 2
                assert manager.called("GetAll")[:5] == [
                    manager.path(number) for number in range(9995, 10000)
                ]
                assert len(manager.called("GetAll")) <= 8, "what is settled is not read again"

    play(story)
