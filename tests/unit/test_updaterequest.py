# SPDX-License-Identifier: Apache-2.0
"""What the device asks of servers by itself: real records, a clock and chance that are told."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.facade import Refused
from scomod.mo.inventory import InventoryItem
from scomod.operation import Branch, Operation, Phase, Primitive, StepKind, Subject
from scomod.quarantine import Quarantine
from scomod.records import Records
from scomod.settings import Paths, Request, Scomo, Server, Settings
from scomod.updaterequest import Kind, Requests, SelfCheck
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY_S = 86400.0


class Asking:
    """Records with one component, and what asks servers with them."""

    def __init__(self, directory: Path, **facts: object) -> None:
        scomo = {key: facts.pop(key) for key in ("version", "request_alerts") if key in facts}
        self.settings = dataclasses.replace(
            Settings(),
            scomo=Scomo(**{"version": "1.1", **scomo}),  # type: ignore[arg-type]
            servers={"old": Server(protocol="1.1")},
            request=Request(**{"check_interval_s": DAY_S, **facts}),  # type: ignore[arg-type]
        )
        self.clock = FakeClock()
        self.records = Records(self.settings, Paths(directory))
        self.quarantine = Quarantine(self.records.db, self.settings.quarantine, self.clock)
        item = InventoryItem(id="editor", version="1", environment="deb", is_active=True)
        with self.records.db.transaction():
            self.records.inventory.reconcile([item], {})
        self.wanted: list[str] = []
        self.chance = 0.0
        self.requests = Requests(
            db=self.records.db,
            outbox=self.records.outbox,
            inventory=self.records.inventory,
            settings=self.settings,
            clock=self.clock,
            quarantine=self.quarantine,
        )
        self.check = self.self_check()

    def self_check(self) -> SelfCheck:
        return SelfCheck(
            self.requests,
            servers=lambda: ["one", "two", "old"],
            last=self.records.journal.last,
            want=self.wanted.append,
            random=lambda: self.chance,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        if self.clock.now_s > 3 * DAY_S:
            raise asyncio.CancelledError
        self.clock.advance(seconds)

    def waiting(self, server_id: str | None = None) -> list[tuple[str, str, str]]:
        found = self.records.outbox.waiting(server_id)
        assert all(each.is_request and each.correlator is None for each in found)
        return [(each.type.rpartition(":")[2], each.source, each.items[0].data) for each in found]

    def fails(self, server_id: str, component: str) -> None:
        """Let an order of a server fail in a way that says that the version is bad."""
        operation = Operation(
            id=0,
            branch=Branch.DEPLOYED,
            primitive=Primitive.ACTIVATE,
            node="editor",
            exec_uri="u",
            server_id=server_id,
            subject=Subject(component_id=component, version="1"),
            phase=Phase.FAILED,
            reason=Reason.SCRIPT_FAILED,
            failed_step=StepKind.ACTIVATE,
        )
        self.quarantine.learn(self.records.journal.insert(operation))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Asking]]:
    made: list[Asking] = []

    def build(**facts: object) -> Asking:
        made.append(Asking(tmp_path / "device", **facts))
        return made[-1]

    yield build
    for asking in made:
        asking.records.db.close()


@pytest.mark.parametrize(
    ("kind", "component", "expected"),
    [
        (Kind.USER, "", ("UpdateUserRequest", "./SCOMO", "")),
        (Kind.DEVICE, "", ("UpdateDeviceRequest", "./SCOMO", "")),
        (
            Kind.USER,
            "editor",
            (
                "UpdateUserRequest",
                "./SCOMO/Inventory/Deployed/editor",
                "<Identifier>editor</Identifier>",
            ),
        ),
        (Kind.USER, "a&b", ("UpdateUserRequest", "./SCOMO", "<Identifier>a&amp;b</Identifier>")),
    ],
)
def test_request_names_what_it_is_about(
    make: Callable[..., Asking], kind: Kind, component: str, expected: tuple[str, str, str]
) -> None:
    asking = make()
    _, source = asking.requests.add(kind, component, "one")
    assert asking.waiting("one") == [expected]
    assert source == expected[1]
    assert asking.waiting("two") == []


def test_same_question_waits_once_and_their_number_has_a_limit(
    make: Callable[..., Asking],
) -> None:
    asking = make(max_waiting_count=2)
    first = asking.requests.add(Kind.USER, "editor", "one")
    assert asking.requests.add(Kind.USER, "editor", "one") == first
    asking.requests.add(Kind.USER, "editor", "two")
    assert len(asking.waiting()) == 2
    with pytest.raises(Refused, match=r"request\.max_waiting_count"):
        asking.requests.add(Kind.DEVICE, "editor", "one")


@pytest.mark.parametrize(
    ("facts", "server", "sentence"),
    [
        ({"version": "1.0"}, "one", r"scomo\.request_alerts"),
        ({"request_alerts": "off"}, "one", r"scomo\.request_alerts"),
        ({}, "old", r"OMA DM 1\.1"),
    ],
)
def test_request_that_cannot_be_sent_is_refused_with_the_reason(
    make: Callable[..., Asking], facts: dict[str, str], server: str, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        make(**facts).requests.add(Kind.USER, "", server)


def test_only_a_person_or_the_device_asks(make: Callable[..., Asking]) -> None:
    with pytest.raises(Refused, match="user or device"):
        make().requests.add("cat", "", "one")


def test_scomo_1_0_may_ask_in_the_words_of_fumo(make: Callable[..., Asking]) -> None:
    asking = make(version="1.0", request_alerts="fumo")
    asking.requests.add(Kind.DEVICE, "", "one")
    ((kind, _, _),) = asking.waiting()
    assert kind == "org.openmobilealliance.dm.firmwareupdate.devicerequest"


def test_device_does_not_ask_for_what_failed_lately_but_a_person_may(
    make: Callable[..., Asking],
) -> None:
    asking = make()
    asking.fails("one", "editor")
    with pytest.raises(Refused, match="editor failed lately"):
        asking.requests.add(Kind.DEVICE, "editor", "one")
    asking.requests.add(Kind.USER, "editor", "one")
    asking.clock.advance(asking.settings.quarantine.first_s + 1)
    asking.requests.add(Kind.DEVICE, "editor", "one")
    assert len(asking.waiting()) == 2


# -- by itself, every so often -----------------------------------------------------------


def test_servers_are_asked_once_in_each_interval(make: Callable[..., Asking]) -> None:
    asking = make()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asking.check.run())
    assert asking.waiting() == [("UpdateDeviceRequest", "./SCOMO", "")] * 2
    assert asking.wanted == ["one", "two"] * 5, "at 0, 1, 2, 3 and 4 days; the old one never"


def test_server_whose_last_order_failed_is_left_alone_for_a_while(
    make: Callable[..., Asking],
) -> None:
    asking = make()
    asking.fails("one", "editor")
    asking.check.check()
    assert asking.wanted == ["two"]
    asking.clock.advance(asking.settings.quarantine.first_s + 1)
    asking.check.check()
    assert asking.wanted == ["two", "one", "two"]


@pytest.mark.parametrize(
    ("gone_s", "chance", "due_s"),
    [
        (0.0, 0.0, DAY_S),
        (0.5 * DAY_S, 0.0, 0.5 * DAY_S),
        (5 * DAY_S, 0.0, 0.0),
        (5 * DAY_S, 1.0, 0.1 * DAY_S),
        (-300 * DAY_S, 0.0, DAY_S),
    ],
)
def test_next_check_follows_the_last_also_over_restarts_and_odd_clocks(
    make: Callable[..., Asking], gone_s: float, chance: float, due_s: float
) -> None:
    asking = make()
    asking.check.check()
    asking.clock.advance(gone_s)
    asking.chance = chance
    assert asking.self_check().due_s() == pytest.approx(due_s)


def test_first_check_of_a_fleet_is_spread_over_the_interval(make: Callable[..., Asking]) -> None:
    asking = make()
    asking.chance = 0.5
    assert asking.check.due_s() == pytest.approx(0.55 * DAY_S)
