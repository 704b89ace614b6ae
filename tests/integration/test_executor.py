# SPDX-License-Identifier: Apache-2.0
"""Bad commands on a real tree and database: the status of each, and what did not happen.

Status codes: omadm §3, scomo §3.3; every row of `outcome.STATUS` that a server
can cause by a command is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.element import Element
from scomod.dmclient.model import (
    Add,
    Alert,
    Command,
    Exec,
    Get,
    Item,
    Meta,
    Status,
    Unknown,
)
from scomod.errors import StoreFull
from scomod.outcome import STATUS
from tests.support.executing import (
    GO,
    INT,
    MAX_OBJECT_BYTES,
    MAX_PACKAGES,
    Device,
    X,
    Y,
    add,
    alert,
    copy,
    delete,
    execute,
    get,
    item,
    open_device,
    replace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKUP = Element("b", children=[Element("i")])


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with open_device(tmp_path) as opened:
        yield opened


BAD: dict[str, tuple[Command, DmStatus]] = {
    "Get of no node": (get("./SCOMO/Download/none"), DmStatus.NOT_FOUND),
    "Replace of no node": (replace(f"{X}/Name"), DmStatus.NOT_FOUND),
    "Delete of no node": (delete("./SCOMO/Download/none"), DmStatus.NOT_FOUND),
    "Copy of no node": (copy(f"{Y}/Name", f"{X}/Name"), DmStatus.NOT_FOUND),
    "Exec of no node": (execute("./SCOMO/Download/none/Operations/Go"), DmStatus.NOT_FOUND),
    "Exec without PkgURL": (execute(f"{Y}/Operations/Download"), DmStatus.NOT_FOUND),
    "Add of what is there": (add(f"{X}/PkgID"), DmStatus.ALREADY_EXISTS),
    "Exec of a text": (execute(f"{X}/PkgID"), DmStatus.COMMAND_NOT_ALLOWED),
    "Exec of DevInfo": (execute("./DevInfo/DevId"), DmStatus.PERMISSION_DENIED),
    "Add where nothing can be": (add("./Wonderland/Alice"), DmStatus.COMMAND_NOT_ALLOWED),
    "Add below a leaf": (add(f"{X}/PkgID/more"), DmStatus.COMMAND_NOT_ALLOWED),
    "Replace of Status": (replace(f"{X}/Status", "40"), DmStatus.COMMAND_NOT_ALLOWED),
    "Replace of a branch": (replace(X), DmStatus.COMMAND_NOT_ALLOWED),
    "Delete of the object": (delete("./SCOMO"), DmStatus.PERMISSION_DENIED),
    "Delete of the root": (delete("."), DmStatus.PERMISSION_DENIED),
    "Replace of DevId": (replace("./DevInfo/DevId"), DmStatus.PERMISSION_DENIED),
    "wrong format": (add(f"{X}/Name", "7", meta=INT), DmStatus.UNSUPPORTED_TYPE_OR_FORMAT),
    "wrong type": (
        add(f"{X}/Name", meta=Meta(type="image/png")), DmStatus.UNSUPPORTED_TYPE_OR_FORMAT,
    ),
    "markup as value": (
        Add(cmd_id="1", items=(Item(target=f"{X}/Name", tree=MARKUP),)),
        DmStatus.UNSUPPORTED_TYPE_OR_FORMAT,
    ),
    "no text": (
        Add(cmd_id="1", items=(Item(target=f"{X}/Name", data=b"\xff\xfe"),)),
        DmStatus.UNSUPPORTED_TYPE_OR_FORMAT,
    ),
    "no Target": (Add(cmd_id="1", items=(item(value="v"),)), DmStatus.BAD_REQUEST),
    "no CmdID": (Get(items=(item("./DevInfo"),)), DmStatus.BAD_REQUEST),
    "two Items in Exec": (
        Exec(cmd_id="1", items=(item(GO), item(GO))), DmStatus.BAD_REQUEST,
    ),
    "no URI": (get("./a//b?c"), DmStatus.BAD_REQUEST),
    "URI with ..": (get("./SCOMO/../DevInfo"), DmStatus.BAD_REQUEST),
    "Get without Item": (Get(cmd_id="1"), DmStatus.INCOMPLETE_COMMAND),
    "Add without Item": (Add(cmd_id="1"), DmStatus.INCOMPLETE_COMMAND),
    "long URI": (get("./" + "a/" * 300), DmStatus.URI_TOO_LONG),
    "deep URI": (get("./" + "/".join("a" * 20)), DmStatus.URI_TOO_LONG),
    "long name": (add(f"./SCOMO/Download/{'n' * 129}/PkgID"), DmStatus.URI_TOO_LONG),
    "large value": (add(f"{X}/Name", "v" * (MAX_OBJECT_BYTES + 1)), DmStatus.ENTITY_TOO_LARGE),
    "part of a value": (add(f"{X}/Name", more_data=True), DmStatus.INCOMPLETE_COMMAND),
    "unknown list": (get("./SCOMO?list=Tree"), DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED),
    "unknown property": (get("./SCOMO?prop=Colour"), DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED),
    "question without text": (
        Alert(cmd_id="1", code=AlertCode.CONFIRM_OR_REJECT), DmStatus.INCOMPLETE_COMMAND,
    ),
    "long question": (
        alert(AlertCode.CONFIRM_OR_REJECT, "", "?" * 101), DmStatus.REQUESTED_SIZE_TOO_BIG,
    ),
    "unknown alert": (
        Alert(cmd_id="1", code=AlertCode.MULTIPLE_CHOICE + 1),
        DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED,
    ),
    "an alert that clients send": (
        alert(AlertCode.GENERIC_ALERT, "x"), DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED,
    ),
    "alert without code": (Alert(cmd_id="1", code=0), DmStatus.INCOMPLETE_COMMAND),
    "unknown command": (Unknown(cmd_id="1", name="Dance"), DmStatus.COMMAND_NOT_IMPLEMENTED),
    "unknown command without CmdID": (Unknown(name="Dance"), DmStatus.BAD_REQUEST),
    "data synchronisation": (
        Unknown(cmd_id="1", name="Map"), DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_command_gets_its_status_and_changes_nothing(device: Device, name: str) -> None:
    command, code = BAD[name]
    before = device.picture()
    assert device.codes(command) == [code]
    assert device.picture() == before


@pytest.mark.parametrize("command", [
    get(f"{X}/PkgURL"), replace(f"{X}/PkgURL"), delete(X), execute(GO), add(f"{X}/Name"),
    copy(f"{Y}/Name", f"{X}/PkgID"), replace(f"{X}?prop=ACL", "Exec=*"),
], ids=lambda command: type(command).__name__)  # fmt: skip
def test_a_package_of_another_server_is_out_of_reach(device: Device, command: Command) -> None:
    before = device.picture()
    assert device.codes(command, server="other") == [DmStatus.PERMISSION_DENIED]
    assert device.picture() == before


def test_a_package_at_work_is_not_renamed_nor_started_again(device: Device) -> None:
    assert device.codes(execute(GO)) == [DmStatus.ACCEPTED_FOR_PROCESSING]
    before = device.picture()
    assert device.codes(replace(f"{X}?prop=Name", "z")) == [DmStatus.FORBIDDEN]
    assert device.codes(execute(GO, "c-2")) == [DmStatus.COMMAND_FAILED]
    assert device.codes(execute(f"{X}/Operations/Download", "c-3")) == [DmStatus.COMMAND_FAILED]
    assert device.picture() == before


def test_an_exec_that_comes_again_is_the_same_operation(device: Device) -> None:
    for _ in range(2):
        assert device.codes(execute(GO)) == [DmStatus.ACCEPTED_FOR_PROCESSING]
    assert len(device.records.journal.all()) == 1


def test_too_many_packages_fill_the_device(device: Device) -> None:
    names = [f"./SCOMO/Download/n{number}/PkgID" for number in range(MAX_PACKAGES - 2)]
    device.do(*map(add, names))
    assert device.codes(add("./SCOMO/Download/last/PkgID")) == [DmStatus.DEVICE_FULL]
    device.do(delete("./SCOMO/Download/n0"), add("./SCOMO/Download/last/PkgID"))


def test_a_value_that_the_server_does_not_take_is_not_sent(device: Device) -> None:
    device.do(add(f"{X}/InstallParams", "d" * (MAX_OBJECT_BYTES - 1)))
    (answer,) = device.answers(get(f"{X}/InstallParams"))
    assert isinstance(answer, Status)
    assert answer.code == DmStatus.ENTITY_TOO_LARGE


def test_items_of_one_command_get_their_own_status(device: Device) -> None:
    command = Add(cmd_id="1", items=(item(f"{X}/Name", "n"), item(f"{X}/PkgID", "p"), item()))
    answers = device.answers(command)
    assert [(a.code, a.target_refs) for a in answers if isinstance(a, Status)] == [
        (DmStatus.OK, (f"{X}/Name",)),
        (DmStatus.ALREADY_EXISTS, (f"{X}/PkgID",)),
        (DmStatus.BAD_REQUEST, ()),
    ]


# -- the disk ------------------------------------------------------------------------


def test_a_full_disk_loses_the_message_as_a_whole(device: Device) -> None:
    db, before = device.records.db, device.picture()
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages + 4}")
    commands = [
        add(f"./SCOMO/Download/f{number}/InstallParams", "v" * 4000) for number in range(20)
    ]
    with pytest.raises(StoreFull):
        device.answers(*commands)
    assert device.picture() == before
    db.execute("PRAGMA max_page_count=100000")
    device.do(*commands)


def test_every_status_that_a_server_can_cause_is_caused_here() -> None:
    elsewhere = {DmStatus.FORBIDDEN, DmStatus.DEVICE_FULL, DmStatus.COMMAND_FAILED}
    elsewhere |= {DmStatus.SIZE_MISMATCH}  # takes several messages: tests of large objects
    # no command causes these: the session judges credentials, a broken store ends it
    not_by_a_command = {DmStatus.INVALID_CREDENTIALS, DmStatus.DATA_STORE_FAILURE}
    caused = {code for _, code in BAD.values()} | elsewhere
    assert caused == set(STATUS.values()) - not_by_a_command
