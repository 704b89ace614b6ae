# SPDX-License-Identifier: Apache-2.0
"""The octets of a day: of the calendar, or since the device was started while it has no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.allowance import Allowance
from scomod.db import Database

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86400.0
NOON_S = 1_800_057_600.0 + DAY_S / 2


class Device:
    """Has a wall clock that may be wrong, and one that counts since it was started."""

    def __init__(self, path: Path, wall_s: float) -> None:
        self.db = Database.open(path / "day.db")
        self.now_s = wall_s
        self.up_s = 0.0
        self.boot = "first"

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.up_s

    def go_on(self, seconds: float) -> None:
        self.now_s += seconds
        self.up_s += seconds

    def reboot(self, name: str) -> None:
        self.boot, self.up_s = name, 0.0

    def allowance(self, limit_bytes: int = 100) -> Allowance:
        """Begin a new life of the daemon."""
        return Allowance(self.db, self, lambda: self.boot, limit_bytes)


def test_day_of_the_calendar_is_the_same_after_a_reboot(tmp_path: Path) -> None:
    device = Device(tmp_path, NOON_S)
    device.allowance().spend(70)
    device.reboot("second")
    device.allowance().spend(20)
    assert device.allowance().left_bytes() == 10
    device.allowance().spend(20)
    assert device.allowance().left_bytes() == 0
    device.go_on(device.allowance().over_in_s())
    assert device.allowance().left_bytes() == 100


def test_without_a_clock_a_day_is_one_since_the_device_was_started(tmp_path: Path) -> None:
    device = Device(tmp_path, 0.0)
    device.go_on(1000)
    device.allowance().spend(100)
    assert device.allowance().left_bytes() == 0
    assert device.allowance().over_in_s() == DAY_S - 1000
    device.go_on(DAY_S - 1000)
    assert device.allowance().left_bytes() == 100
    device.allowance().spend(100)
    device.reboot("second")
    assert device.allowance().left_bytes() == 100


def test_what_was_fetched_before_the_clock_was_set_counts_for_that_day_only(
    tmp_path: Path,
) -> None:
    device = Device(tmp_path, 0.0)
    device.allowance().spend(60)
    device.now_s = NOON_S
    assert device.allowance().left_bytes() == 40
    device.reboot("second")
    assert device.allowance().left_bytes() == 40
    device.go_on(DAY_S)
    assert device.allowance().left_bytes() == 100


@pytest.mark.parametrize(("limit_bytes", "octets"), [(0, 50), (100, 0)])
def test_nothing_is_written_where_there_is_nothing_to_count(
    tmp_path: Path, limit_bytes: int, octets: int
) -> None:
    device = Device(tmp_path, NOON_S)
    allowance = device.allowance(limit_bytes)
    allowance.spend(octets)
    assert device.db.meta("download-day") is None
    assert allowance.left_bytes() == (limit_bytes or None)
