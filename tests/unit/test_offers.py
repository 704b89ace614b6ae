# SPDX-License-Identifier: Apache-2.0
"""What becomes of an offer on a medium: an operation of the server that it names, once."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from scomod.errors import Reason
from scomod.offer import NAME
from scomod.operation import Phase, StepKind
from scomod.settings import Confirm, Download, Media, Rule, Settings
from tests.support.clocks import FakeClock
from tests.support.handset import settings_of
from tests.support.media import PluggedHandset, by_maker, by_stranger, fill
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.operation import Operation

EDITOR = package("editor", "2.1")
DAY_S = 86400.0


@pytest.fixture
def open_device(tmp_path: Path) -> Iterator[Callable[..., PluggedHandset]]:
    opened: list[PluggedHandset] = []

    def opener(settings: Settings | None = None) -> PluggedHandset:
        if opened:
            opened.pop().close()
        device = PluggedHandset(tmp_path / "device", Shelf(), FakeClock(), settings=settings)
        opened.append(device)
        return device

    yield opener
    if opened:
        opened.pop().close()


@pytest.fixture
def device(open_device: Callable[..., PluggedHandset]) -> PluggedHandset:
    return open_device()


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    return tmp_path / "media/my stick"


def operations(device: PluggedHandset) -> list[Operation]:
    return device.records.journal.all()


def only(device: PluggedHandset) -> Operation:
    (operation,) = operations(device)
    return operation


def accept(device: PluggedHandset) -> Operation:
    device.answer(only(device).id, is_accepted=True)
    device.settle()
    return only(device)


def test_offer_that_the_person_accepts_is_installed_and_reported_to_its_server(
    device: PluggedHandset, medium: Path
) -> None:
    more = {"description": '"writes texts"', "expires": "1970-01-02T00:00:00Z"}
    device.plug(fill(medium, EDITOR, by_maker, **more))
    (prompt,) = device.confirmations.prompts()
    assert prompt["what"] == "install from a removable medium"
    assert f"on the medium at {medium}" in prompt["effect"]
    assert (prompt["name"], prompt["version"], prompt["server"]) == ("Editor", "2.1", "srv")
    assert (prompt["description"], prompt["size"]) == ("writes texts", len(EDITOR))
    assert accept(device).phase is Phase.SUCCEEDED
    assert [(item.id, item.version) for item in device.stock()] == [("editor", "2.1")]
    ((_, alert),) = device.reports("srv")
    (item,) = alert.items
    assert alert.correlator is None
    assert item.meta is not None
    assert item.meta.type == "urn:oma:at:scomo:1.0:OperationComplete"
    assert device.children("./SCOMO/Download") == []
    assert device.children("./SCOMO/Inventory/Deployed") == ["editor"]
    assert device.leftovers() == {"spool": [], "delivered": [], "work": []}


def test_component_belongs_to_the_server_of_the_offer(device: PluggedHandset, medium: Path) -> None:
    device.plug(fill(medium, EDITOR, by_maker))
    node = device.records.tree.node(f"./SCOMO/Download/{only(device).node}")
    assert node is not None
    assert "Get=srv" in node.acl
    accept(device)
    node = device.records.tree.node("./SCOMO/Inventory/Deployed/editor")
    assert node is not None
    assert "Exec=srv" in node.acl


def test_rule_for_silence_does_not_count_for_offers(
    open_device: Callable[..., PluggedHandset], medium: Path
) -> None:
    silent = Confirm(default="silent", no_agent="accept", at_deadline="accept", deadline_s=DAY_S)
    device = open_device(replaced(confirm=silent))
    device.plug(fill(medium, EDITOR, by_maker))
    assert len(device.confirmations.prompts()) == 1
    device.clock.advance(2 * DAY_S)
    device.settle()
    assert only(device).reason is Reason.CANCELLED
    assert device.stock() == []


def replaced(**sections: object) -> Settings:
    settings = settings_of()
    have = {each.name: getattr(settings, each.name) for each in fields(settings)}
    return Settings(**{**have, **sections})


def test_rule_that_refuses_counts_for_offers(
    open_device: Callable[..., PluggedHandset], medium: Path
) -> None:
    rule = Rule(component="editor", mode="refuse")
    device = open_device(replaced(confirm=Confirm(rule=(rule,))))
    device.plug(fill(medium, EDITOR, by_maker))
    assert only(device).result is ResultCode.USER_CANCELLED
    assert device.confirmations.prompts() == []


def test_offer_that_was_declined_is_not_taken_again(device: PluggedHandset, medium: Path) -> None:
    device.plug(fill(medium, EDITOR, by_maker))
    device.answer(only(device).id, is_accepted=False)
    device.settle()
    assert only(device).result is ResultCode.USER_CANCELLED
    device.plug(medium)
    assert len(operations(device)) == 1


def test_same_offer_is_taken_once_also_while_it_waits_and_after_a_restart(
    open_device: Callable[..., PluggedHandset], medium: Path
) -> None:
    device = open_device()
    device.plug(fill(medium, EDITOR, by_maker))
    device.plug(medium)
    assert len(operations(device)) == 1
    accept(device)
    device = open_device()
    device.plug(medium)
    assert len(operations(device)) == 1


def test_medium_pulled_out_before_the_copy_is_named_and_plugged_in_again_it_is_asked_anew(
    device: PluggedHandset, medium: Path
) -> None:
    device.plug(fill(medium, EDITOR, by_maker))
    medium.rename(medium.with_name("pulled out"))
    operation = accept(device)
    assert (operation.failed_step, operation.reason) == (StepKind.ACQUIRE, Reason.MEDIUM_GONE)
    assert operation.result is ResultCode.DOWNLOAD_FAILED
    assert device.leftovers()["spool"] == []
    assert device.stock() == []
    medium.with_name("pulled out").rename(medium)
    device.plug(medium)
    assert [each.phase for each in operations(device)] == [Phase.FAILED, Phase.WAITING]
    device.answer(operations(device)[1].id, is_accepted=True)
    device.settle()
    assert operations(device)[1].phase is Phase.SUCCEEDED


def test_package_that_was_swapped_after_the_offer_was_taken_is_not_installed(
    device: PluggedHandset, medium: Path
) -> None:
    device.plug(fill(medium, EDITOR, by_maker))
    (medium / "editor.deb").write_bytes(package("virus", "1.0").ljust(len(EDITOR)))
    operation = accept(device)
    assert operation.reason in (Reason.DIGEST, Reason.NOT_AS_DESCRIBED)
    assert device.stock() == []


def test_windows_and_day_limits_of_the_network_do_not_hold_a_medium_up(
    open_device: Callable[..., PluggedHandset], medium: Path
) -> None:
    limits = Download(reserve_bytes=0, windows=("Mon 03:00-04:00",), day_max_bytes=1, spread_s=0.0)
    device = open_device(replaced(download=limits))
    device.plug(fill(medium, EDITOR, by_maker))
    assert accept(device).phase is Phase.SUCCEEDED


UNFIT: tuple[tuple[dict[str, str], str], ...] = (
    ({"server": '"com.stranger"'}, "no server of this device is that"),
    ({"expires": "1969-12-31T00:00:00Z"}, "expired"),
    ({"size": "7"}, "offered were 7"),
    ({"size": "99999999999999"}, "[download] max_bytes"),
    ({"name": f'"{"n" * 200}"'}, "Name takes no 200 octets"),
    ({"file": '"other.deb"'}, "No such file"),
    ({"colour": '"red"'}, "unknown key"),
)


def test_offer_that_does_not_do_leaves_a_line_in_the_log_and_nothing_else(
    device: PluggedHandset, medium: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for changed, words in UNFIT:
        caplog.clear()
        device.plug(fill(medium, EDITOR, by_maker, **changed))
        assert operations(device) == []
        assert device.children("./SCOMO/Download") == []
        (line,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        assert line.startswith(f"the offer at {medium} is not taken: ")
        assert words in line


def test_offer_that_nobody_trusted_has_signed_is_not_taken_whatever_packages_need(
    device: PluggedHandset, medium: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert device.settings.verify.signature == "optional"
    device.plug(fill(medium, EDITOR, None))
    assert "an offer must be signed" in caplog.text
    device.plug(fill(medium, EDITOR, by_stranger))
    assert "fits none of the 1 keys" in caplog.text
    assert operations(device) == []


def test_medium_without_an_offer_is_left_alone(device: PluggedHandset, medium: Path) -> None:
    medium.mkdir(parents=True)
    device.plug(medium)
    device.plug(medium / "not there any more")
    assert operations(device) == []


def test_another_offer_is_taken_beside(device: PluggedHandset, medium: Path) -> None:
    device.plug(fill(medium, EDITOR, by_maker))
    other = fill(medium.with_name("other"), EDITOR, by_maker, version='"2.1.1"')
    device.plug(other)
    assert len(operations(device)) == 2


def test_only_so_many_offers_are_remembered(
    open_device: Callable[..., PluggedHandset], medium: Path
) -> None:
    device = open_device(replaced(media=Media(offers=True, remembered_count=2)))
    digests = []
    for number in range(3):
        fill(medium, EDITOR, by_maker, version=f'"{number}"')
        digests.append(hashlib.sha256((medium / NAME).read_bytes()).hexdigest())
        device.plug(medium)
    kept = json.loads(device.records.db.meta("offers-taken") or "{}")
    assert list(kept) == digests[1:]
