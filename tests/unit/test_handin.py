# SPDX-License-Identifier: Apache-2.0
"""What becomes of a package file that somebody hands in: an operation of its server, or nothing."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.facade import Refused
from scomod.handin import user_of
from scomod.operation import Phase, StepKind
from scomod.settings import Confirm, Download
from tests.support.clocks import FakeClock
from tests.support.handing import HandInHandset, signed
from tests.support.handset import settings_of
from tests.support.media import by_stranger
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.operation import Operation

EDITOR = package("editor", "2.1")
NOTHING: dict[str, list[str]] = {"spool": [], "delivered": [], "work": []}


@pytest.fixture
def open_device(tmp_path: Path) -> Iterator[Callable[..., HandInHandset]]:
    opened: list[HandInHandset] = []

    def opener(**settings: object) -> HandInHandset:
        while opened:
            opened.pop().close()
        changed = replace(settings_of(), **settings)  # type: ignore[arg-type]
        device = HandInHandset(tmp_path / "device", Shelf(), FakeClock(), settings=changed)
        opened.append(device)
        return device

    yield opener
    while opened:
        opened.pop().close()


@pytest.fixture
def device(open_device: Callable[..., HandInHandset]) -> HandInHandset:
    return open_device()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "editor_2.1.deb"
    path.write_bytes(EDITOR)
    return path


def only(device: HandInHandset) -> Operation:
    (operation,) = device.records.journal.all()
    return operation


def refusal(device: HandInHandset, file: Path, signature: bytes, **more: str) -> str:
    """Hand in what is refused; gives the sentence, and looks that nothing is left."""
    with pytest.raises(Refused) as refused:
        device.bring(file, signature, **more)
    assert device.records.journal.all() == []
    assert device.children("./SCOMO/Download") == []
    assert device.leftovers() == NOTHING
    return str(refused.value)


def test_signed_file_is_installed_and_reported_to_its_server(
    device: HandInHandset, file: Path
) -> None:
    number = device.bring(file, signed(EDITOR))
    assert only(device).id == number
    assert only(device).phase is Phase.SUCCEEDED
    assert [(item.id, item.version) for item in device.stock()] == [("editor", "2.1")]
    ((_, alert),) = device.reports("srv")
    assert alert.items
    assert device.children("./SCOMO/Download") == []
    assert device.children("./SCOMO/Inventory/Deployed") == ["editor"]
    assert device.leftovers() == NOTHING


def test_person_is_asked_by_the_same_rules_and_told_who_brought_it(
    open_device: Callable[..., HandInHandset], file: Path
) -> None:
    device = open_device(confirm=Confirm(default="ask"))
    number = device.bring(file, signed(EDITOR))
    (prompt,) = device.confirmations.prompts()
    assert prompt["what"] == "install from a file of this device"
    assert "handed in by root" in prompt["effect"]
    assert (prompt["name"], prompt["version"]) == ("editor", "2.1")
    assert (prompt["server"], prompt["size"]) == ("srv", len(EDITOR))
    device.answer(number, is_accepted=False)
    device.settle()
    assert only(device).reason is Reason.CANCELLED
    assert device.stock() == []
    assert device.leftovers() == NOTHING


def test_file_that_is_gone_after_it_was_handed_in_is_installed_all_the_same(
    open_device: Callable[..., HandInHandset], file: Path
) -> None:
    number = open_device(confirm=Confirm(default="ask")).bring(file, signed(EDITOR))
    file.unlink()
    device = open_device(confirm=Confirm(default="ask"))  # and after a restart
    device.settle()
    device.answer(number, is_accepted=True)
    device.settle()
    assert only(device).phase is Phase.SUCCEEDED


def test_same_file_is_taken_again_once_it_is_over(device: HandInHandset, file: Path) -> None:
    assert device.bring(file, signed(EDITOR)) != device.bring(file, signed(EDITOR))
    assert {each.phase for each in device.records.journal.all()} == {Phase.SUCCEEDED}


def test_same_file_is_not_taken_twice_at_once(
    open_device: Callable[..., HandInHandset], file: Path
) -> None:
    device = open_device(confirm=Confirm(default="ask"))
    number = device.bring(file, signed(EDITOR))
    with pytest.raises(Refused, match=f"operation {number} is still at work"):
        device.bring(file, signed(EDITOR))
    assert only(device).step is StepKind.CONSENT
    device.answer(number, is_accepted=True)
    device.settle()
    assert only(device).phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (b"", "it is not signed: editor_2.1.deb.sig is missing or empty"),
        (signed(EDITOR, by_stranger), "the signature fits none of the 1 keys"),
        (signed(b"another package"), "the signature fits none of the 1 keys"),
        (b"-----BEGIN nonsense", "holds no signature"),
    ],
    ids=["nothing", "a stranger", "of another package", "nonsense"],
)
def test_only_what_somebody_trusted_signed_is_taken(
    device: HandInHandset, file: Path, signature: bytes, why: str
) -> None:
    assert why in refusal(device, file, signature)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"name": "editor.rpm"}, "no backend for 'rpm'"),
        ({"kind": "rpm"}, "no backend for 'rpm'"),
        ({"name": "editor"}, "name the kind"),
        ({"name": "a/b.deb"}, "no name of a file"),
        ({"name": "a\nb.deb"}, "characters that cannot be shown"),
        ({"name": "x" * 256}, "no name of a file"),
    ],
)
def test_name_must_say_what_it_is(
    device: HandInHandset, file: Path, more: dict[str, str], why: str
) -> None:
    assert why in refusal(device, file, signed(EDITOR), **more)


@pytest.mark.parametrize(
    ("caller", "name"),
    [
        (":1.5 of user 0", "root"),
        (":1.5 of user 4294967290", ":1.5 of user 4294967290"),
        ("x", "x"),
    ],
)
def test_person_reads_the_name_of_who_brought_it(caller: str, name: str) -> None:
    assert user_of(caller) == name


def test_kind_may_be_said(device: HandInHandset, file: Path) -> None:
    device.bring(file.rename(file.with_name("editor")), signed(EDITOR), kind="deb")
    assert only(device).phase is Phase.SUCCEEDED


def test_what_is_no_package_is_refused_though_it_is_signed(
    device: HandInHandset, file: Path
) -> None:
    file.write_bytes(b"no package")
    assert "is not taken" in refusal(device, file, signed(b"no package"))


def test_empty_file_is_refused(device: HandInHandset, file: Path) -> None:
    file.write_bytes(b"")
    assert "it is empty" in refusal(device, file, signed(b""))


def test_pipe_is_refused_and_does_not_hold_us_up(device: HandInHandset, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.deb")
    assert "no plain file" in refusal(device, tmp_path / "pipe.deb", signed(EDITOR))


def test_too_large_a_file_is_refused(open_device: Callable[..., HandInHandset], file: Path) -> None:
    device = open_device(download=Download(max_bytes=len(EDITOR) - 1, reserve_bytes=0))
    assert f"{len(EDITOR) - 1} are allowed" in refusal(device, file, signed(EDITOR))


def test_full_disk_is_a_refusal(open_device: Callable[..., HandInHandset], file: Path) -> None:
    device = open_device(download=Download(reserve_bytes=1 << 50))
    assert "octets to store" in refusal(device, file, signed(EDITOR))


def test_disk_that_fails_when_the_operation_is_made_leaves_neither(
    device: HandInHandset, file: Path
) -> None:
    def fail(boundary: str) -> None:
        if boundary == "queued":
            raise OSError(errno.ENOSPC, "No space left on device")

    device.hand_in = device.with_observer(fail)
    assert refusal(device, file, signed(EDITOR)).endswith("No space left on device")


def test_damaged_copy_is_a_named_failure(
    open_device: Callable[..., HandInHandset], file: Path
) -> None:
    device = open_device(confirm=Confirm(default="ask"))
    number = device.bring(file, signed(EDITOR))
    (device.paths.spool_dir / f"{number}.part").write_bytes(b"rot")
    device.answer(number, is_accepted=True)
    device.settle()
    assert (only(device).phase, only(device).reason) == (Phase.FAILED, Reason.REFUSED_BY_SERVER)
    assert device.leftovers() == NOTHING
