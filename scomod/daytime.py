# SPDX-License-Identifier: Apache-2.0
"""Local time: when it is some minute of some day, maintenance windows, "tonight".

The time now comes in; this asks no clock, only the rules of the time zone.  A time that
the change to summer leaves out is the one an hour later; of one that comes twice the
C library chooses.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.facade import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY: Final = frozenset(range(len(DAYS)))
DAY_MINUTES: Final = 24 * 60
SECONDS: Final[Mapping[str, float]] = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
TONIGHT: Final = "tonight"
_AFTER: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
WORDS: Final = "say tonight, a time such as 22:00, or a while such as 30m, 1h or 2d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time of the day, in minutes, on some days of the week (0 is Monday).

    One that ends where or before it begins ends on the next day.
    """

    days: frozenset[int]
    start: int
    end: int


def window(text: str) -> Window:
    """Read a window of the configuration, whose shape was checked: "Mon-Fri 22:00-04:00"."""
    days, _, span = text.rpartition(" ")
    start, end = (_minute(each) for each in span.split("-"))
    return Window(days=_days(days), start=start, end=end + DAY_MINUTES * (end <= start))


def opens_in_s(windows: Collection[Window], now_s: float, delay_s: float = 0.0) -> float:
    """Return the seconds until one of the windows is open, 0 if one is or there are none.

    Each opens by `delay_s` later, but no later than half of it.
    """
    if not windows:
        return 0.0
    found = spans(windows, now_s, delay_s)
    return min(max(0.0, start_s - now_s) for start_s, end_s in found if end_s > max(start_s, now_s))


def closes_in_s(windows: Iterable[Window], now_s: float, delay_s: float = 0.0) -> float:
    """Return the seconds until none of the windows that are open now is, 0 if none is."""
    found = spans(windows, now_s, delay_s)
    return max((end_s - now_s for start_s, end_s in found if start_s <= now_s < end_s), default=0.0)


def spans(
    windows: Iterable[Window], now_s: float, delay_s: float = 0.0
) -> Iterator[tuple[float, float]]:
    """Give begin and end of the windows of the last week and of two weeks from now on."""
    weekday = time.localtime(now_s).tm_wday
    for each in windows:
        for day in range(-1 - len(DAYS), 2 * len(DAYS)):
            if (weekday + day) % len(DAYS) in each.days:
                start_s, end_s = at_s(now_s, day, each.start), at_s(now_s, day, each.end)
                yield start_s + min(delay_s, max(0.0, end_s - start_s) / 2), end_s


def at_s(now_s: float, day: int, minute: int) -> float:
    """Return when it is some minute of the day, so many days after today."""
    today = time.localtime(now_s)
    parts = (today.tm_year, today.tm_mon, today.tm_mday + day, 0, minute, 0, 0, 0, -1)
    return time.mktime(parts)


def until_s(when: str, now_s: float, tonight: str) -> float:
    """Return the moment that a person means: "tonight", "22:00", "30m", "1h".

    A time of the day is the next one there is.  Raises `Refused` with what may be said.
    """
    text = tonight if when.strip().lower() == TONIGHT else when.strip().lower()
    if after := _AFTER.fullmatch(text):
        return now_s + int(after[1]) * SECONDS[after[2]]
    if not _CLOCK.fullmatch(text):
        raise Refused(f"{when!r:.40} is no time: {WORDS}")
    return next(at for day in (0, 1, 2) if (at := at_s(now_s, day, _minute(text))) > now_s)


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _days(text: str) -> frozenset[int]:
    """Read "Mon-Fri,Sun"; a span may go over the end of the week."""
    if not text:
        return EVERY_DAY
    days: set[int] = set()
    for span in text.split(","):
        first, _, last = span.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days.update((start + step) % len(DAYS) for step in range((end - start) % len(DAYS) + 1))
    return frozenset(days)
