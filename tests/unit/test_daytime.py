# SPDX-License-Identifier: Apache-2.0
"""Local time in a zone with summer time: windows, "tonight", and what a person may say."""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scomod import daytime
from scomod.facade import Refused
from scomod.shapes import WINDOW_SHAPE

if TYPE_CHECKING:
    from collections.abc import Iterator

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True, scope="module")
def berlin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def shown(moment_s: float) -> str:
    return dt.datetime.fromtimestamp(moment_s, tz=BERLIN).strftime("%a %Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        ("02:00-04:00", "2026-11-18T03:00", "Wed 2026-11-18 03:00"),
        ("02:00-04:00", "2026-11-18T02:00", "Wed 2026-11-18 02:00"),
        ("02:00-04:00", "2026-11-18T04:00", "Thu 2026-11-19 02:00"),
        ("22:00-06:00", "2026-11-18T05:59", "Wed 2026-11-18 05:59"),
        ("22:00-06:00", "2026-11-18T06:00", "Wed 2026-11-18 22:00"),
        ("Sun 22:00-06:00", "2026-11-16T05:00", "Mon 2026-11-16 05:00"),
        ("Sun 22:00-06:00", "2026-11-17T05:00", "Sun 2026-11-22 22:00"),
        ("Mon-Fri 02:00-04:00", "2026-11-20T05:00", "Mon 2026-11-23 02:00"),
        ("Sat-Mon 02:00-04:00", "2026-11-20T05:00", "Sat 2026-11-21 02:00"),
        ("Mon,Wed 02:00-04:00", "2026-11-16T05:00", "Wed 2026-11-18 02:00"),
        ("Wed 02:00-04:00", "2026-11-18T05:00", "Wed 2026-11-25 02:00"),
        ("Sat 00:00-24:00", "2026-11-21T23:59", "Sat 2026-11-21 23:59"),
        ("12:00-12:00", "2026-11-18T11:59", "Wed 2026-11-18 11:59"),
        ("02:00-04:00;12:00-13:00", "2026-11-18T05:00", "Wed 2026-11-18 12:00"),
        ("03:00-04:00", "2026-03-28T12:00", "Sun 2026-03-29 03:00"),
        ("03:00-04:00", "2026-10-24T12:00", "Sun 2026-10-25 03:00"),
        ("02:30-04:00", "2026-03-28T12:00", "Sun 2026-03-29 03:30"),
    ],
)
def test_window_opens(windows: str, now: str, opens: str) -> None:
    parsed = [daytime.window(text) for text in windows.split(";")]
    assert shown(at(now) + daytime.opens_in_s(parsed, at(now))) == opens


minutes = st.integers(0, 24 * 60 - 1)


@given(
    moment_s=st.integers(1_700_000_000, 1_900_000_000),
    days=st.sampled_from(["", "Mon ", "Sat-Mon ", "Tue,Sun "]),
    start=minutes,
    end=minutes,
)
@settings(max_examples=60)
def test_any_window_opens_in_time_and_is_open_then(
    moment_s: int, days: str, start: int, end: int
) -> None:
    text = f"{days}{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    assert re.fullmatch(WINDOW_SHAPE, text)
    windows = [daytime.window(text)]
    wait_s = daytime.opens_in_s(windows, moment_s)
    assert 0 <= wait_s <= (15 if days else 3) * 86400
    assert daytime.opens_in_s(windows, moment_s + wait_s) == 0


@pytest.mark.parametrize(
    ("when", "until"),
    [
        ("tonight", "Wed 2026-11-18 22:00"),
        (" Tonight ", "Wed 2026-11-18 22:00"),
        ("22:00", "Wed 2026-11-18 22:00"),
        ("17:30", "Thu 2026-11-19 17:30"),
        ("18:00", "Thu 2026-11-19 18:00"),
        ("90s", "Wed 2026-11-18 18:01"),
        ("30m", "Wed 2026-11-18 18:30"),
        ("1h", "Wed 2026-11-18 19:00"),
        ("2D", "Fri 2026-11-20 18:00"),
    ],
)
def test_person_says_until_when(when: str, until: str) -> None:
    assert shown(daytime.until_s(when, at("2026-11-18T18:00"), "22:00")) == until


@pytest.mark.parametrize(
    "when", ["", "soon", "0h", "-1h", "1.5h", "1w", "24:00", "7:00", "1" * 9 + "d"]
)
def test_what_is_no_time_is_refused_with_what_may_be_said(when: str) -> None:
    with pytest.raises(Refused, match="say tonight, a time such as 22:00, or a while such as 30m"):
        daytime.until_s(when, 0.0, "22:00")
