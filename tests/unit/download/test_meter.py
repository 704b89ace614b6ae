# SPDX-License-Identifier: Apache-2.0
"""How long and how slow a fetch may be; time is what the test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scomod.download.meter import MIN_PIECE_BYTES, Meter
from scomod.errors import DownloadError, Reason
from tests.support.fetching import request_for


class Clock:
    """Stands still until it is set."""

    now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        raise AssertionError("wall time decides nothing")


class Told:
    """Notes progress; cancels when told to."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, int | None]] = []
        self.is_cancelled = False


def made(**limits: Any) -> tuple[Meter, Clock, Told]:
    clock, told = Clock(), Told()
    meter = Meter(
        clock=clock,
        request=request_for("", Path(), **limits),
        progress=lambda done, total: told.reports.append((done, total)),
        is_cancelled=lambda: told.is_cancelled,
    )
    meter.begin_body()
    return meter, clock, told


def reason(meter: Meter, piece_bytes: int = 0) -> Reason:
    with pytest.raises(DownloadError) as error:
        meter.count(piece_bytes, 0, None)
    return error.value.reason


def test_progress_is_told_ten_times_a_second_at_most() -> None:
    meter, clock, told = made()
    for number in range(100):
        clock.now_s = 100.0 + number / 100
        meter.count(1, number, 100)
    assert 9 <= len(told.reports) <= 11
    assert meter.fetched_bytes == 100


def test_a_fetch_ends_when_its_time_is_over_or_nobody_wants_it() -> None:
    meter, clock, told = made(total_timeout_s=10.0)
    clock.now_s = 110.0
    meter.count(1, 1, None)
    clock.now_s = 110.1
    assert reason(meter) is Reason.TIMEOUT
    told.is_cancelled = True
    assert reason(meter) is Reason.CANCELLED


def test_what_is_slow_is_given_up_and_what_is_slow_for_a_moment_is_not() -> None:
    meter, clock, _ = made(min_rate_bytes=100, stall_s=10.0)
    clock.now_s += 9.9
    meter.count(1, 1, None)
    clock.now_s += 0.2
    meter.count(1100, 1101, None)
    clock.now_s += 10.0
    assert reason(meter, 999) is Reason.TIMEOUT


def test_the_wait_for_the_first_octet_is_no_stall() -> None:
    meter, clock, _ = made(min_rate_bytes=100, stall_s=1.0)
    clock.now_s += 50.0
    meter.begin_body()
    meter.count(1, 1, None)


def test_pieces_are_small_where_the_rate_is() -> None:
    meter, _, _ = made(max_rate_bytes=100_000)
    assert meter.piece_bytes(262_144) == 10_000
    meter.limit_rate(0)
    assert meter.piece_bytes(262_144) == 10_000
    meter.limit_rate(1)
    assert meter.piece_bytes(262_144) == MIN_PIECE_BYTES
    assert made()[0].piece_bytes(262_144) == 262_144
