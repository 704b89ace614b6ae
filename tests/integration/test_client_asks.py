# SPDX-License-Identifier: Apache-2.0
"""The client while a person is asked: no transaction is open, what came before is durable.

adr/0011.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.gate import Glance
from scomod.dmclient.model import Add, Alert, Get
from scomod.dmclient.useralert import UserAlert, UserAnswer, Verdict
from scomod.mo.inventory import InventoryItem
from tests.support.scripted import Device, item, on, person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.dmclient.executor import Question
    from scomod.mo.dmacc import Account

BEFORE, AFTER = "./Toy/before", "./Toy/after"
HELLO = "./SCOMO/Inventory/Deployed/hello"
QUESTION = Alert(code=AlertCode.TEXT_INPUT, items=(item(value="MAXLEN=5"), item(value="Name?")))
YES = UserAnswer(verdict=Verdict.DONE, text="Ada")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with Device(tmp_path) as opened:
        yield opened


def committed(device: Device) -> set[str]:
    """The nodes as another connection sees them."""
    connection = sqlite3.connect(device.paths.database)
    try:
        return {path for (path,) in connection.execute("SELECT path FROM node")}
    finally:
        connection.close()


def test_what_came_before_the_question_is_committed_and_others_may_write(device: Device) -> None:
    seen: list[set[str]] = []

    async def ask(account: Account, alert: Question) -> UserAnswer:
        assert isinstance(alert, UserAlert)
        assert (account.server_id, alert.text) == (device.account.server_id, "Name?")
        with device.records.db.transaction():
            device.records.db.set_meta("engine", "was here")
        seen.append(committed(device))
        return YES

    device.ask = ask
    heard = device.does(
        on(Add, f"{BEFORE}/Text", "v"), QUESTION, on(Add, f"{AFTER}/Text", "v"), on(Get, AFTER)
    )
    assert heard.codes() == [200, 200, 200, 200]
    assert BEFORE in seen[0]
    assert AFTER not in seen[0]
    assert AFTER in committed(device)
    assert device.records.db.meta("engine") == "was here"


def test_device_that_dies_while_the_person_thinks_has_done_what_came_before(
    device: Device,
) -> None:
    class PowerCut(BaseException):
        pass

    async def ask(_account: Account, _alert: Question) -> UserAnswer:
        raise PowerCut

    device.ask = ask
    with pytest.raises(PowerCut):
        device.does(on(Add, f"{BEFORE}/Text", "v"), QUESTION, on(Add, f"{AFTER}/Text", "v"))
    assert BEFORE in committed(device)
    assert AFTER not in committed(device)
    device.ask, _ = person(YES)
    heard = device.does(on(Add, f"{BEFORE}/Text", "v"), QUESTION, on(Add, f"{AFTER}/Text", "v"))
    assert heard.codes() == [418, 200, 200], "the server repeats its message"


def test_the_inventory_that_a_server_reads_is_that_of_the_moment(device: Device) -> None:
    hello = InventoryItem(id="hello", version="2", environment="deb", is_active=True)
    glances: list[Question] = []

    async def look(_account: Account, question: Question) -> UserAnswer:
        glances.append(question)
        with device.records.db.transaction():
            device.records.inventory.reconcile([hello], {})
        return YES

    device.ask = look
    heard = device.does(on(Get, f"{HELLO}/Version"), on(Get, f"{HELLO}/State"))
    assert heard.codes() == [200, 200]
    assert glances == [Glance(is_first=True)]


def test_a_refused_inventory_is_forbidden_and_the_rest_is_not(device: Device) -> None:
    device.ask, _ = person(UserAnswer(verdict=Verdict.NO))
    heard = device.does(on(Get, "./DevInfo/DevId"), on(Get, "./SCOMO?list=StructData"))
    assert heard.codes() == [200, 403]
