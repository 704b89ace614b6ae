# SPDX-License-Identifier: Apache-2.0
"""Back-off with full jitter, and the moment of a device."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest

from scomod import pace


@dataclass(frozen=True)
class Limits:
    retry_wait_s: float = 10.0
    retry_wait_max_s: float = 100.0
    retry_after_max_s: float = 500.0


def most(failures: int, limits: Limits = Limits(), asked_s: float = 0.0) -> float:
    return pace.wait_s(failures, limits, lambda: 1.0, asked_s)


def test_span_doubles_until_the_longest() -> None:
    assert [most(n) for n in (1, 2, 3, 4, 5, 6)] == [10.0, 20.0, 40.0, 80.0, 100.0, 100.0]
    assert most(10**9) == 100.0


def test_span_that_begins_above_the_longest_stays() -> None:
    patient = Limits(retry_wait_s=3000.0)
    assert most(1, patient) == most(9, patient) == 3000.0


def test_try_comes_anywhere_in_the_span() -> None:
    rng, count = Random(1), 2000  # noqa: S311 - a test
    tries = sorted(pace.wait_s(4, Limits(), rng.random) for _ in range(count))
    assert 0.0 <= tries[0] < 1.0
    assert 79.0 < tries[-1] < 80.0
    farthest = max(abs(at_s - 80.0 * i / count) for i, at_s in enumerate(tries))
    assert farthest < 80.0 * 1.95 / count**0.5, "Kolmogorov and Smirnov, one in a thousand"


@pytest.mark.parametrize(("asked_s", "least_s"), [(0.0, 0.0), (45.0, 45.0), (9e9, 500.0)])
def test_try_never_comes_before_the_server_asked_nor_all_at_that_moment(
    asked_s: float, least_s: float
) -> None:
    assert pace.wait_s(2, Limits(), lambda: 0.0, asked_s) == least_s
    assert most(2, asked_s=asked_s) == least_s + 20.0


def test_device_has_its_own_moment_and_keeps_it() -> None:
    assert pace.phase_s("IMEI:490154203237518", 86400.0) == pytest.approx(31265.152, abs=0.001)
    assert pace.phase_s("IMEI:490154203237518", 0.0) == 0.0


def test_numbered_devices_are_spread_evenly_over_the_day() -> None:
    count, hours = 12_000, [0] * 24
    for number in range(count):
        hours[int(pace.phase_s(f"IMEI:{490154203237518 + number}", 24.0))] += 1
    expected = count / len(hours)
    chi_square = sum((each - expected) ** 2 for each in hours) / expected
    assert chi_square < 49.7, "one in a thousand, 23 degrees of freedom"
