# SPDX-License-Identifier: Apache-2.0
"""How far an order is: once a second, within its part, and nothing but a number."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from scomod.installers import gauge
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def test_parts_are_shares_of_the_whole_and_told_once_a_second() -> None:
    clock, told = FakeClock(), list[float]()
    meter = gauge.Gauge(clock)
    meter.tell(0.5)
    meter.listener = told.append
    meter.tell(0.5)
    assert told == [], "outside of any part"
    with meter.part(0.0, 0.5):
        meter.tell(0.5)
        meter.tell(0.6)
        clock.advance(1.0)
        meter.tell(7.0)
    with meter.part(0.5, 1.0):
        clock.advance(0.9)
        meter.tell(0.1)
        clock.advance(0.1)
        meter.tell(-1.0)
    assert told == [0.25, 0.5, 0.5]


def test_a_note_is_for_everybody_to_read_and_about_one_order(tmp_path: Path) -> None:
    path = tmp_path / "run/side/progress.json"
    gauge.write(path, "7-a", 0.25)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert gauge.read(path, "7-a") == 0.25
    assert gauge.read(path, "7-b") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"job": "7-a"}',
        '{"job": "7-a", "fraction": "0.5"}',
        '{"job": "7-a", "fraction": 1.5}',
        '{"job": "7-a", "fraction": -1}',
        '{"job": "7-a", "fraction": NaN}',
        '{"job": "7-a", "fraction": 0.5}' + " " * 512,
    ],
)
def test_what_is_no_share_of_it_is_not_believed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "progress.json"
    path.write_text(text)
    assert gauge.read(path, "7-a") is None


def test_no_place_for_a_note_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    gauge.write(tmp_path / "run/progress.json", "7-a", 0.5)
    assert gauge.read(tmp_path / "run/progress.json", "7-a") is None
    link = tmp_path / "link"
    link.symlink_to("/etc/passwd")
    assert gauge.read(link, "7-a") is None
