# SPDX-License-Identifier: Apache-2.0
"""A device killed while a file is handed in: one whole operation, or nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.operation import Phase
from tests.support.clocks import FakeClock
from tests.support.handing import HandInHandset, signed
from tests.support.mortal import live
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EDITOR = package("editor", "2.1")
BEFORE = ("file copied", "file judged", "announced", "queued")


@pytest.mark.parametrize("boundary", [*BEFORE, "file taken"])
def test_killed_hand_in_leaves_all_or_nothing(tmp_path: Path, boundary: str) -> None:
    file = tmp_path / "editor.deb"
    file.write_bytes(EDITOR)
    open_at(tmp_path / "device").close()

    def play(observer: Callable[[str], None]) -> None:
        open_at(tmp_path / "device", observer).bring(file, signed(EDITOR))

    assert live(play, {boundary}).killed_at == boundary
    file.unlink()
    device = open_at(tmp_path / "device")
    device.settle()
    if boundary in BEFORE:
        assert device.records.journal.all() == []
        assert device.stock() == []
        assert device.children("./SCOMO/Download") == []
    else:
        assert [each.phase for each in device.records.journal.all()] == [Phase.SUCCEEDED]
        assert [item.id for item in device.stock()] == ["editor"]
    assert device.leftovers() == {"spool": [], "delivered": [], "work": []}
    device.close()


def open_at(root: Path, observer: Callable[[str], None] = lambda _: None) -> HandInHandset:
    return HandInHandset(root, Shelf(), FakeClock(), observer=observer)
