# SPDX-License-Identifier: Apache-2.0
"""How long a download is tried: over bad links, restarts, windows, metered networks and days."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import DownloadError, Reason
from scomod.fetchterms import DAY, NETWORK, WINDOW
from scomod.operation import Operation, Phase, StepKind
from scomod.patience import ASKED, RETRY
from scomod.settings import Download
from scomod.stepresult import Begin, Wait
from scomod.tries import Tries
from tests.support.clocks import FakeClock
from tests.support.operations import an_operation
from tests.support.patient import Network, patience_of

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MIDNIGHT_S = 1_800_057_600.0  # a Saturday in UTC
MIB = 1 << 20
CUT = DownloadError(Reason.SERVER_UNAVAILABLE, "connection reset", is_retryable=True)

pytestmark = pytest.mark.usefixtures("utc")


@dataclass
class Car:
    """A device and its one download, driven as the engine drives the step.

    `fetch` is a try: it gets so many octets and then fails, is cut, or the device is.
    """

    path: Path
    limits: Download
    network: Network = field(default_factory=Network)
    delay_s: float = 0.0
    unknown_is_met: bool = True
    part_bytes: int = 0
    boots: int = 0
    operation: Operation = field(
        default_factory=lambda: an_operation(StepKind.ACQUIRE, phase=Phase.RUNNING)
    )

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.clock.now_s = MIDNIGHT_S
        self.begin_life()

    def begin_life(self) -> None:
        """Start the daemon; the engine asks what the life before had gained."""
        self.boots += 1
        self.patience = patience_of(
            self.path,
            self.limits,
            clock=self.clock,
            network=self.network,
            boot_id=f"boot{self.boots}",
            delay_s=self.delay_s,
            unknown_is_met=self.unknown_is_met,
        )
        if self.operation.phase is not Phase.WAITING:
            self.keep(self.patience.gained(self.operation, self.part_bytes))

    def keep(self, data: Any, phase: Phase = Phase.RUNNING) -> None:
        self.operation = replace(self.operation, data={**self.operation.data, **data}, phase=phase)

    @property
    def tries(self) -> Tries:
        return Tries.of(self.operation.data)

    def look(self) -> str:
        """Say what is waited for, "" when it may be fetched now."""
        result = self.patience.before(self.operation)
        if isinstance(result, Begin):
            self.keep(result.data)
            return self.look()
        if result is None:
            return ""
        self.keep(result.data, Phase.WAITING)
        self.again_s = result.again_s
        return self.tries.pause

    def fetch(
        self, octets: int, *, error: DownloadError = CUT, total: int = 0, for_s: float = 0.0
    ) -> Wait:
        """Have a try; it ends when its leash does, else with the error."""

        async def once() -> Wait:
            leash = self.patience.leash(self.operation, self.part_bytes)
            self.clock.advance(for_s)
            for _ in range(10):
                self.part_bytes += octets // 10
                leash.progress(self.part_bytes, total or None)
                await asyncio.sleep(0)  # what the thread told arrives in the loop
            ended = DownloadError(Reason.CANCELLED, "cancelled") if leash.is_over() else error
            try:
                return self.patience.after(
                    self.operation, leash, ended, part_bytes=self.part_bytes, is_wanted=True
                )
            finally:
                self.patience.ended(self.operation, leash, is_counted=True)

        assert self.look() == ""
        wait = asyncio.run(once())
        self.keep(wait.data, Phase.WAITING)
        return wait

    def wait_out(self) -> None:
        """Let the pause pass."""
        while self.look():
            assert self.again_s is not None
            self.clock.advance(self.again_s)


def test_large_package_arrives_over_a_link_that_drops_every_five_mib(tmp_path: Path) -> None:
    car = Car(tmp_path, Download())
    began_s = car.clock.now_s
    while car.part_bytes < 495 * MIB:
        car.wait_out()
        car.fetch(5 * MIB, total=500 * MIB)
    assert car.tries.count == 99
    assert car.tries.vain_count == 0
    assert car.tries.fetched_bytes == car.part_bytes
    assert car.clock.now_s - began_s <= 99 * car.limits.retry_wait_s


def test_lives_that_were_cut_short_are_counted_only_if_they_brought_nothing(
    tmp_path: Path,
) -> None:
    car = Car(tmp_path, Download())
    for drive in range(1, 21):
        car.part_bytes += MIB
        car.begin_life()
        assert (car.tries.count, car.tries.fetched_bytes) == (drive, drive * MIB)
    car.begin_life()
    assert car.tries.count == 20


def test_what_a_server_asked_for_is_waited_for_also_by_the_next_life(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(retry_wait_s=10.0, retry_after_max_s=900.0))
    busy = DownloadError(Reason.SERVER_UNAVAILABLE, "503", is_retryable=True, retry_after_s=600)
    assert car.fetch(0, error=busy).again_s == 610.0
    car.clock.advance(400.0)
    car.begin_life()
    assert (car.look(), car.again_s) == (ASKED, 210.0)
    kept = car.operation
    car.clock.advance(200.0)
    assert (car.look(), car.again_s) == (ASKED, 10.0)
    assert car.operation == kept, "looking again writes nothing"
    car.clock.advance(10.0)
    assert car.look() == ""


@pytest.mark.parametrize(("jump_s", "left_s"), [(-300 * DAY_S, 910.0), (300 * DAY_S, 0.0)])
def test_clock_that_was_set_while_off_does_not_prolong_a_pause_beyond_the_longest(
    tmp_path: Path, jump_s: float, left_s: float
) -> None:
    limits = Download(
        retry_wait_s=10.0, retry_wait_max_s=10.0, retry_after_max_s=900.0, give_up_s=365 * DAY_S
    )
    car = Car(tmp_path, limits)
    car.fetch(0)
    car.clock.advance(jump_s)
    car.begin_life()
    assert (car.look(), car.again_s if left_s else 0.0) == (RETRY if left_s else "", left_s)


def test_download_that_takes_too_long_is_given_up_also_over_restarts(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(give_up_s=DAY_S))
    car.fetch(MIB)
    car.clock.advance(DAY_S / 2)
    car.begin_life()
    car.fetch(MIB, for_s=DAY_S / 3)
    car.clock.advance(DAY_S / 3)
    with pytest.raises(DownloadError, match="not complete 86400 s after it began: connection"):
        car.look()


def test_running_fetch_ends_when_the_time_of_the_download_is_over(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(give_up_s=DAY_S))
    assert car.fetch(MIB, for_s=DAY_S + 1).again_s == 0.0
    with pytest.raises(DownloadError) as error:
        car.look()
    assert error.value.reason is Reason.TIMEOUT


def test_tries_that_bring_nothing_end_with_what_failed(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(attempts_count=3))
    for _ in range(2):
        car.fetch(0)
        car.wait_out()
    with pytest.raises(DownloadError, match="connection reset; 3 tries in a row brought") as error:
        car.fetch(0)
    assert error.value.reason is Reason.SERVER_UNAVAILABLE


def test_window_that_closes_interrupts_and_the_next_one_goes_on(tmp_path: Path) -> None:
    limits = Download(windows=("02:00-04:00",), attempts_count=1)
    car = Car(tmp_path, limits, delay_s=600.0)
    assert (car.look(), car.again_s) == (WINDOW, 2 * HOUR_S + 600)
    car.wait_out()
    car.fetch(MIB, for_s=2 * HOUR_S - 599, total=2 * MIB)
    assert (car.look(), car.again_s) == (WINDOW, 22 * HOUR_S + 599)
    car.begin_life()
    car.wait_out()
    assert (car.tries.count, car.tries.vain_count, car.part_bytes) == (1, 0, MIB // 10 * 10)


def test_metered_link_is_waited_for_without_asking_again(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(on_unmetered_network=True), Network(is_unmetered=False))
    assert car.look() == NETWORK
    assert car.again_s == car.limits.give_up_s
    assert car.network.is_watched
    car.network.facts = Network(is_unmetered=True).facts
    assert car.look() == ""
    car.patience.forget(car.operation.id)
    assert not car.network.is_watched


@pytest.mark.parametrize("unknown_is_met", [True, False])
def test_link_that_nobody_knows_counts_as_configured(tmp_path: Path, unknown_is_met: bool) -> None:
    limits, network = Download(on_unmetered_network=True), Network(is_unmetered=None)
    car = Car(tmp_path, limits, network, unknown_is_met=unknown_is_met)
    assert car.look() == ("" if unknown_is_met else NETWORK)
    network.facts = None
    assert car.look() == NETWORK, "the facts are on their way"


def test_link_that_becomes_metered_interrupts_a_large_package(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(on_unmetered_network=True, metered_max_bytes=MIB))

    async def story() -> bool:
        leash = car.patience.leash(car.operation, 0)
        leash.progress(10, 100 * MIB)
        await asyncio.sleep(0)
        assert not leash.is_over()
        car.network.facts = Network(is_unmetered=False).facts
        car.patience.reconsider()
        return leash.is_over()

    assert car.look() == ""
    assert asyncio.run(story())


def test_package_turns_out_to_be_too_large_for_a_metered_link(tmp_path: Path) -> None:
    limits = Download(on_unmetered_network=True, metered_max_bytes=MIB)
    car = Car(tmp_path, limits, Network(is_unmetered=False))
    car.fetch(1000, total=MIB)
    car.wait_out()
    car.fetch(1000, total=MIB + 1)
    assert car.look() == NETWORK
    assert car.tries.vain_count == 0


def test_octets_of_a_day_are_bounded_over_restarts(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(day_max_bytes=10 * MIB, spread_s=0.0), delay_s=300.0)
    for _ in range(3):
        car.fetch(4 * MIB, total=100 * MIB)
        car.begin_life()
        if car.look() == DAY:
            break
        car.wait_out()
    assert 10 * MIB <= car.part_bytes <= 12 * MIB
    assert car.again_s == pytest.approx(DAY_S - car.clock.now_s % DAY_S + 300)
    car.wait_out()
    assert car.clock.now_s > MIDNIGHT_S + DAY_S
    car.fetch(4 * MIB)
    assert car.look() == RETRY


def test_octets_of_a_life_that_was_killed_are_of_the_day_too(tmp_path: Path) -> None:
    car = Car(tmp_path, Download(day_max_bytes=10 * MIB))
    car.part_bytes = 11 * MIB
    car.begin_life()
    assert car.look() == DAY
