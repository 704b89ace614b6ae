# SPDX-License-Identifier: Apache-2.0
"""A device killed between seeing an offer on a medium and queueing it: one operation in the end."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.support.clocks import FakeClock
from tests.support.media import PluggedHandset, by_maker, fill
from tests.support.mortal import live
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUNDARIES = (
    "offer found",
    "offer judged",
    "offer announced",
    "offer queued",
    "offer taken",
)


def test_offer_becomes_one_operation_wherever_the_device_is_killed(tmp_path: Path) -> None:
    medium = fill(tmp_path / "medium", package("editor", "2.1"), by_maker)
    open_at(tmp_path / "new").close()

    def plugged(root: Path) -> Callable[[Callable[[str], None]], None]:
        def play(observer: Callable[[str], None]) -> None:
            open_at(root, observer).plug(medium)

        return play

    for boundary in BOUNDARIES:
        root = shutil.copytree(tmp_path / "new", tmp_path / boundary)
        assert live(plugged(root), {boundary}).killed_at == boundary
        device = open_at(root)
        device.plug(medium)
        (operation,) = device.records.journal.all()
        device.answer(operation.id, is_accepted=True)
        device.settle()
        assert [item.id for item in device.stock()] == ["editor"]
        device.close()


def open_at(root: Path, observer: Callable[[str], None] = lambda _: None) -> PluggedHandset:
    return PluggedHandset(root, Shelf(), FakeClock(), observer=observer)
