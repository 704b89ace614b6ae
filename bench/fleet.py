# SPDX-License-Identifier: Apache-2.0
"""A fleet that polls one server every day, and an hour in which that server is down.

`python -m bench.fleet` plays it and draws the picture in docs; `script/bench --only fleet`
measures.  No network, no loop: each device has the very queue that decides in the daemon
when a session runs (`scomod.wishes`), fed with virtual time; only the worker around it
(`scomod.scheduler`) is left out.  A session takes no time, and one that a server refuses
fails at once.

There is no poll timer in the product yet.  Here a device polls at its own moment of the
day (`pace.phase_s`), and a poll waits in its outbox until the server has taken it, as
a request of `scomod.updaterequest` does.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from bench.verdict import Row
from scomod import pace
from scomod.dmclient.client import SessionReport
from scomod.settings import Session
from scomod.wishes import Wish, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.ground import Ground

SERVER: Final = "server"
DAY_S: Final = 86400.0
HOUR_S: Final = 3600.0
PICTURES: Final = Path(__file__).parents[1] / "docs/pictures"
SERVED: Final = SessionReport(server=SERVER, outcome="ok")
DOWN: Final = SessionReport(server=SERVER, outcome="failed", is_retryable=True)
# In a minute as many of so many devices come as in a longer time of fewer: then chance
# scatters a small fleet's numbers as it does those of the large one.
MINUTE_S: Final = 60.0
DEVICES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is played: a morning without trouble, an outage, and a day and a half after."""

    devices_count: int = DEVICES
    seed: int = 1
    down_from_s: float = 0.5 * DAY_S
    down_for_s: float = HOUR_S
    lasts_s: float = 2 * DAY_S
    limits: Session = field(default_factory=Session)

    @property
    def up_again_s(self) -> float:
        """When the server is back."""
        return self.down_from_s + self.down_for_s

    @property
    def bin_s(self) -> float:
        """How long arrivals are counted together."""
        return MINUTE_S * DEVICES / self.devices_count

    @property
    def mean(self) -> float:
        """How many sessions a bin has when all goes well."""
        return self.devices_count * self.bin_s / DAY_S

    @property
    def bound_s(self) -> float:
        """How long a device waits at most, by the configuration.

        Its last try before the server is back is followed by another within the longest span.
        """
        limits = self.limits
        return self.down_for_s + max(limits.poll_retry_wait_s, limits.retry_wait_max_s)


class Device:
    """One device: its queue, and the poll that waits to be taken."""

    __slots__ = ("due_s", "wishes")

    def __init__(self, limits: Session, random: Callable[[], float]) -> None:
        self.due_s: float | None = None
        self.wishes = Wishes(limits, random, lambda _server_id: self.due_s is not None)

    def poll(self, now_s: float) -> None:
        """Want a session, for what waits from now on."""
        self.due_s = now_s if self.due_s is None else self.due_s
        self.wishes.add(Wish(server_id=SERVER, is_kept=True, is_poll=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a story: arrivals and polls that waited by bin, the waits in the end."""

    story: Story
    arrivals: list[int]
    waiting: list[int]
    longest_wait_s: float
    unserved_count: int

    @property
    def peak(self) -> int:
        """The most arrivals of a bin that lies wholly after the outage."""
        first = int(-(-self.story.up_again_s // self.story.bin_s))
        return max(self.arrivals[first:])


def play(story: Story) -> Outcome:
    """Play a story; the same one always comes to the same."""
    random = Random(story.seed).random  # noqa: S311 - the same story each time
    fleet = [Device(story.limits, random) for _ in range(story.devices_count)]
    events = [
        (pace.phase_s(f"urn:fleet:{number}", DAY_S), number, True)
        for number in range(story.devices_count)
    ]
    heapify(events)
    bins = int(story.lasts_s / story.bin_s)
    arrivals, changes, longest_s = [0] * bins, [0] * (bins + 1), 0.0
    while events and events[0][0] < bins * story.bin_s:
        now_s, number, is_poll = heappop(events)
        device, index = fleet[number], int(now_s / story.bin_s)
        if is_poll:
            changes[index] += device.due_s is None
            device.poll(now_s)
            heappush(events, (now_s + DAY_S, number, True))
        wish = device.wishes.take(now_s)
        if wish is None:
            continue
        arrivals[index] += 1
        report = DOWN if story.down_from_s <= now_s < story.up_again_s else SERVED
        if report is SERVED and device.due_s is not None:
            longest_s, device.due_s = max(longest_s, now_s - device.due_s), None
            changes[index] -= 1
        again_s = device.wishes.over(wish, report, now_s)
        if again_s is not None:
            heappush(events, (again_s, number, False))
    return Outcome(
        story=story,
        arrivals=arrivals,
        waiting=_sums(changes[:bins]),
        longest_wait_s=longest_s,
        unserved_count=sum(device.due_s is not None for device in fleet),
    )


def _sums(changes: Sequence[int]) -> list[int]:
    total = 0
    return [total := total + change for change in changes]


async def fleet(ground: Ground) -> list[Row]:
    """Play the story: how much comes at once when the server is back, and how late at worst."""
    began_s = time.monotonic()
    outcome = play(Story(devices_count=DEVICES // 50 if ground.is_quick else DEVICES))
    return rows(outcome, took_s=time.monotonic() - began_s)


def rows(outcome: Outcome, *, took_s: float) -> list[Row]:
    """Say what is judged."""
    story = outcome.story
    bin_note = f"arrivals in {story.bin_s:.0f} s, after {story.down_for_s / HOUR_S:g} h of outage"
    mean_note = f"{story.devices_count:,} devices, a session a day"
    late_note = f"longest wait {outcome.longest_wait_s:,.0f} s"
    return [
        Row(name="fleet/mean", value=story.mean, unit="count", note=mean_note),
        Row(name="fleet/peak", value=outcome.peak, unit="count", note=bin_note),
        Row(name="fleet/peak:mean", value=outcome.peak / story.mean, unit="ratio"),
        Row(
            name="fleet/longest wait:bound",
            value=outcome.longest_wait_s / story.bound_s,
            unit="ratio",
            note=f"{late_note}, bound {story.bound_s:,.0f} s",
        ),
        Row(name="fleet/not served", value=outcome.unserved_count, unit="count"),
        Row(name="fleet/playing", value=took_s, unit="s"),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Play a story and draw it; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--devices", type=int, default=DEVICES, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outage", type=float, default=HOUR_S, metavar="SECONDS")
    parser.add_argument("--to", type=Path, default=PICTURES, metavar="FOLDER", help="for fleet.svg")
    options = parser.parse_args(argv)
    from bench import fleet_picture, verdict  # noqa: PLC0415 - drawing takes more than the bench has

    story = Story(devices_count=options.devices, seed=options.seed, down_for_s=options.outage)
    began_s = time.monotonic()
    outcome = play(story)
    print("\n".join(verdict.table(rows(outcome, took_s=time.monotonic() - began_s))))
    options.to.mkdir(parents=True, exist_ok=True)
    for path in fleet_picture.draw(outcome, options.to):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
