# SPDX-License-Identifier: Apache-2.0
"""Rate and remaining time: smooth while it flows, honest about stalls."""

from __future__ import annotations

import pytest

from scomod.meter import SPAN_S, STALL_S, Meter, Meters

KIB = 1024


def flowing(meter: Meter, from_s: float, to_s: float, done: int, rate: int = KIB) -> int:
    """Let octets come ten times a second."""
    for step in range(int((to_s - from_s) * 10) + 1):
        meter.take(done + step * rate // 10, from_s + step / 10)
    return done + int((to_s - from_s) * rate)


def test_rate_and_remaining_time_of_what_flows() -> None:
    meter = Meter()
    done = flowing(meter, 100.0, 130.0, 0)
    assert meter.rate(130.0) == pytest.approx(KIB, rel=0.02)
    assert meter.remaining_s(done + 60 * KIB, 130.0) == pytest.approx(60.0, rel=0.02)


def test_nothing_is_said_before_anything_is_known() -> None:
    meter = Meter()
    assert (meter.rate(1.0), meter.remaining_s(10, 1.0), meter.stalled_s(99.0)) == (0.0, None, 0.0)
    meter.take(5, 1.0)
    assert (meter.rate(1.0), meter.remaining_s(10, 1.0)) == (0.0, None)


def test_stall_lowers_the_rate_while_it_lasts_and_is_told_for_what_it_is() -> None:
    meter = Meter()
    flowing(meter, 0.0, 30.0, 0)
    rates = [meter.rate(30.0 + silent_s) for silent_s in (0, 5, 20, 60)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < KIB / 5
    assert meter.stalled_s(30.0 + STALL_S - 0.1) == 0.0
    assert meter.stalled_s(90.0) == pytest.approx(60.0)
    assert meter.remaining_s(10**6, 90.0) is None


def test_after_a_stall_the_rate_counts_it_for_a_while_and_then_no_more() -> None:
    meter = Meter()
    done = flowing(meter, 0.0, 30.0, 0)
    done = flowing(meter, 90.0, 92.0, done)
    assert meter.rate(92.0) < KIB / 10
    flowing(meter, 92.1, 92.1 + SPAN_S, done)
    assert meter.rate(92.1 + SPAN_S) == pytest.approx(KIB, rel=0.1)


def test_what_begins_anew_is_measured_anew() -> None:
    meter = Meter()
    flowing(meter, 0.0, 30.0, 10**9)
    flowing(meter, 30.5, 40.5, 0)
    assert meter.rate(40.5) == pytest.approx(KIB, rel=0.02)


def test_figures_are_those_of_the_operation_and_are_forgotten_with_it() -> None:
    now_s = [0.0]
    meters = Meters(lambda: now_s[0])
    for now_s[0] in (0.0, 1.0, 2.0):
        meters.take(7, int(now_s[0]) * KIB, 4 * KIB)
    assert meters.figures(7) == {"done": 2 * KIB, "total": 4 * KIB, "rate": KIB, "remaining": 2.0}
    meters.take(8, 5, 0)
    assert "remaining" not in meters.figures(8)
    meters.forget(7)
    assert meters.figures(7) == {}
