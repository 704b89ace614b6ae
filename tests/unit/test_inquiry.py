# SPDX-License-Identifier: Apache-2.0
"""Who may read the inventory: policy, the person, and by which commands nobody gets around it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scomod.clock import SystemClock
from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.gate import Gate, Glance
from scomod.dmclient.model import Atomic, Get, Item, Sequence, Status
from scomod.dmclient.useralert import UserAnswer, Verdict
from scomod.errors import ScomodError
from scomod.facade import AgentGone
from scomod.inquiry import Inquiry
from scomod.interview import Interview
from scomod.settings import Confirm, Rule, Session
from tests.support.executing import add, alert, copy, delete, execute, get, open_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scomod.dmclient.model import Command
    from tests.support.executing import Device

INVENTORY = "./SCOMO/Inventory"
FIRST, LATER = Glance(is_first=True), Glance(is_first=False)
YES, NO = UserAnswer(verdict=Verdict.DONE), UserAnswer(verdict=Verdict.NO)


class Person:
    """An agent that answers confirmations with `reply`: a bool, an error, or never (None)."""

    def __init__(self, reply: bool | ScomodError | None = True) -> None:
        self.reply = reply
        self.shown: list[dict[str, Any]] = []

    def is_present(self) -> bool:
        return not (self.shown and isinstance(self.reply, ScomodError))

    async def show(self, method: str, record: Any) -> Any:
        assert method == "Confirm"
        self.shown.append(dict(record))
        if isinstance(self.reply, ScomodError):
            raise self.reply
        if self.reply is None:
            await asyncio.sleep(60)
        return self.reply


class World:
    """An inquiry with what it touches: looks are counted, what is told is kept."""

    def __init__(self, policy: Confirm, person: Person | None = None) -> None:
        self.looks = 0
        self.told: list[dict[str, Any]] = []
        interview = Interview(Session(user_alert_timeout_s=0.1), SystemClock())
        interview.agent = person
        self.inquiry = Inquiry(policy, interview, inform=self.told.append, look=self._look)

    async def _look(self) -> None:
        self.looks += 1

    def answer(self, glance: Glance = FIRST, server: str = "srv") -> bool:
        given = asyncio.run(self.inquiry.answer(glance, server_id=server, server_name="Example"))
        return given.verdict is Verdict.DONE


def test_nobody_is_asked_where_policy_is_silent_and_the_device_is_looked_at() -> None:
    person = Person()
    world = World(Confirm(), person)
    assert world.answer()
    assert world.answer(LATER)
    assert (world.looks, world.told, person.shown) == (2, [], [])


def test_the_person_is_told_once_in_a_session() -> None:
    world = World(Confirm(inventory="inform"), Person())
    assert world.answer()
    assert world.answer(LATER)
    [told] = world.told
    assert (told["server"], told["server_name"], told["primitive"]) == (
        "srv",
        "Example",
        "Inventory",
    )


def test_the_person_is_asked_once_in_a_session_and_sees_who_asks() -> None:
    person = Person()
    world = World(Confirm(inventory="ask"), person)
    assert world.answer()
    assert world.answer(LATER)
    [shown] = person.shown
    assert shown["server_name"] == "Example"
    assert "software" in shown["text"]
    assert world.looks == 2


@pytest.mark.parametrize("reply", [False, None, AgentGone("left")])
def test_no_answer_and_no_yes_are_no_and_nothing_is_looked_at(
    reply: bool | ScomodError | None,
) -> None:
    world = World(Confirm(inventory="ask"), Person(reply))
    assert not world.answer()
    assert world.looks == 0


@pytest.mark.parametrize(
    ("no_agent", "may"), [("defer", False), ("decline", False), ("accept", True)]
)
def test_without_an_agent_the_configured_meaning_counts(no_agent: str, may: bool) -> None:
    assert World(Confirm(inventory="ask", no_agent=no_agent)).answer() is may


def test_a_policy_that_refuses_asks_nobody() -> None:
    person = Person()
    world = World(Confirm(inventory="refuse"), person)
    assert not world.answer()
    assert (world.looks, person.shown) == (0, [])


def test_the_first_rule_about_the_inventory_that_fits_the_server_counts() -> None:
    rules = (
        Rule(server="bad.*", operation="Inventory", mode="refuse"),
        Rule(server="*", operation="*", mode="refuse"),  # about operations, not about reading
        Rule(server="*", operation="Inventory", mode="silent"),
        Rule(server="srv", operation="Inventory", mode="refuse"),
    )
    world = World(Confirm(inventory="refuse", rule=rules))
    assert world.answer(server="srv")
    assert not world.answer(server="bad.example")


# -- no way around it ----------------------------------------------------------------


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with open_device(tmp_path) as device:
        yield device


def run(device: Device, *messages: Iterable[Command], answers: list[UserAnswer]) -> list[list[int]]:
    """Carry out messages as one session behind a gate; returns codes and keeps what was asked."""
    executor = device.executor()
    tree = device.records.tree
    executor.tree_commands.gate = Gate(tree, server_id="srv", scomo_root="./SCOMO")
    given, codes = list(answers), []
    for number, message in enumerate(messages, start=1):
        own: list[int] = []
        for command in message:
            work = executor.execute(str(number), command)
            answer: UserAnswer | None = None
            while True:
                with device.records.db.transaction():
                    try:
                        device.asked.append(next(work) if answer is None else work.send(answer))
                    except StopIteration as over:
                        own += [each.code for each in over.value if isinstance(each, Status)]
                        break
                answer = given.pop(0)
        codes.append(own)
    assert not given, "nobody asked for the other answers"
    return codes


WAYS: dict[str, Command] = {
    "the inventory": get(INVENTORY),
    "a branch": get(f"{INVENTORY}/Deployed"),
    "a leaf that is not there": get(f"{INVENTORY}/Deployed/x/ID"),
    "a property": get(f"{INVENTORY}/Deployed?prop=ACL"),
    "a list from the root": get(".?list=Struct"),
    "a list from the object": get("./SCOMO?list=StructData"),
    "a document from the object": get("./SCOMO?list=TNDS"),
    "a list of a branch": get(f"{INVENTORY}/Delivered?list=TNDS-Value"),
    "another spelling": get("SCOMO/%49nventory"),
    "a copy": copy("./SCOMO/Download/x/Name", f"{INVENTORY}/Delivered/x/Name"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_way_leads_around_a_no(device: Device, way: Command) -> None:
    assert run(device, [way], answers=[NO]) == [[DmStatus.FORBIDDEN]]
    assert device.asked == [FIRST]


@pytest.mark.parametrize(
    "command",
    [
        get("./DevInfo/DevId"),
        get("./SCOMO"),
        get("./SCOMO/Download?list=Struct"),
        get("./DevInfo?list=TNDS"),
        get("./SCOMO/InventoryX"),
        get("?"),
        Get(cmd_id="1", items=(Item(),)),
        add("./SCOMO/Download/x/Name"),
        delete("./SCOMO/Download/x"),
        execute("./SCOMO/Download/x/Operations/Download"),
    ],
)
def test_what_reads_no_inventory_asks_nobody(device: Device, command: Command) -> None:
    codes = run(device, [command], answers=[])
    assert DmStatus.FORBIDDEN not in codes[0]


def test_an_answer_holds_for_the_session_and_a_look_for_one_message(device: Device) -> None:
    reads = [get(INVENTORY), get(f"{INVENTORY}/Deployed?list=Struct")]
    assert run(device, reads, reads, answers=[YES, YES]) == [[200, 200], [200, 200]]
    assert device.asked == [FIRST, LATER]
    assert run(device, reads, reads, answers=[NO]) == [[403, 403], [403, 403]]


def test_other_items_of_the_same_get_are_answered(device: Device) -> None:
    items = tuple(Item(target=uri) for uri in ("./DevInfo/DevId", INVENTORY))
    assert run(device, [Get(cmd_id="1", items=items)], answers=[NO]) == [[200, 403]]


def test_inside_of_containers_it_is_asked_before_anything_is_done(device: Device) -> None:
    way = WAYS["a copy"]
    atomic = Atomic(cmd_id="9", commands=(add("./SCOMO/Download/z/PkgID", cmd_id="8"), way))
    [codes] = run(device, [atomic], answers=[NO])
    assert codes[0] == DmStatus.ATOMIC_FAILED
    assert DmStatus.FORBIDDEN in codes
    sequence = Sequence(cmd_id="9", commands=(alert(1101, "", "?"), get(INVENTORY)))
    assert run(device, [sequence], answers=[YES, NO]) == [[200, 200, 403]]
    assert getattr(device.asked[1], "code", None) is AlertCode.CONFIRM_OR_REJECT
