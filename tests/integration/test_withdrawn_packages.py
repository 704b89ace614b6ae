# SPDX-License-Identifier: Apache-2.0
"""What servers delete or send again while the device has it in hand, on a whole device (T10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import DmStatus, ResultCode
from scomod.dmclient.model import Add, Item, Meta
from tests.support.clocks import FakeClock
from tests.support.executing import add, delete, execute
from tests.support.handset import Handset, settings_of
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X, D = "./SCOMO/Download/x", "./SCOMO/Inventory/Delivered/d"


@pytest.fixture
def handset(tmp_path: Path) -> Iterator[Handset]:
    found = Handset(tmp_path, Shelf(), FakeClock(), settings=settings_of("ask"))
    yield found
    found.close()


def results(handset: Handset, server: str = "srv") -> list[bytes]:
    handset.settle()
    return [item.data or b"" for _, alert in handset.reports(server) for item in alert.items]


@pytest.mark.spec("scomo T10")
def test_deleted_package_is_reported_as_cancelled_and_its_name_is_free_again(
    handset: Handset,
) -> None:
    announced = (add(f"{X}/PkgID", "p"), add(f"{X}/PkgURL", "https://h/p"))
    go = execute(f"{X}/Operations/DownloadInstall")
    assert handset.codes("srv", *announced, go)[-1] == DmStatus.ACCEPTED_FOR_PROCESSING
    handset.settle()
    again = handset.codes("srv", delete(X), announced[0])
    assert again == [DmStatus.OK, DmStatus.COMMAND_FAILED]
    (result,) = results(handset)
    assert str(int(ResultCode.USER_CANCELLED)).encode() in result
    assert handset.codes("srv", *announced) == [DmStatus.OK, DmStatus.OK]
    assert handset.value(f"{X}/Status") == "10"


def test_package_sent_in_the_session_is_installed_and_kept_until_it_is_deleted(
    handset: Handset,
) -> None:
    octets = package("editor", "1")
    data = Item(target=f"{D}/Data", meta=Meta(format="bin"), data=octets)
    sent = (add(f"{D}/PkgID", "p"), Add(cmd_id="1", items=(data,)))
    assert handset.codes("srv", *sent) == [DmStatus.OK, DmStatus.OK]
    assert handset.reports("srv") == []
    handset.codes("srv", execute(f"{D}/Operations/Install"))
    handset.settle()
    assert handset.codes("srv", delete(D)) == [DmStatus.FORBIDDEN]
    (operation,) = handset.records.journal.live()
    handset.answer(operation.id, is_accepted=True)
    (result,) = results(handset)
    assert str(int(ResultCode.SUCCESSFUL)).encode() in result
    assert handset.value(f"{D}/State") == "20"
    assert [item.id for item in handset.stock()] == ["editor"]
    assert len(list(handset.paths.values_dir.iterdir())) == 1
    assert handset.codes("srv", delete(D)) == [DmStatus.OK]
    assert list(handset.paths.values_dir.iterdir()) == []
    assert [item.id for item in handset.stock()] == ["editor"]
