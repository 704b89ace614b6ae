# SPDX-License-Identifier: Apache-2.0
"""When sessions run: one at a time, coalesced, failures backed off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scomod.codes import AlertCode
from scomod.dmclient.client import SessionReport
from scomod.facade import Unknown
from scomod.scheduler import Scheduler
from scomod.settings import Session
from scomod.wishes import Wish
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIMITS = Session(
    retry_count=2,
    retry_wait_s=10.0,
    retry_wait_max_s=40.0,
    poll_retry_wait_s=600.0,
    retry_after_max_s=500.0,
)


class Bench:
    """A scheduler whose sessions end as told; `outcomes` run out into "ok".

    "later 300" is a server that is busy and asks to be left alone for 300 s.
    """

    def __init__(self, *outcomes: str) -> None:
        self.clock = FakeClock()
        self.outcomes = list(outcomes)
        self.granted: list[Wish] = []
        self.now_running = 0
        self.reports_for: set[str] = set()
        self.overs = 0
        self.scheduler = Scheduler(
            LIMITS,
            self.clock,
            self.run_session,
            lambda: 1.0,
            on_over=self.count_over,
            has_reports=lambda server_id: server_id in self.reports_for,
        )

    def count_over(self) -> None:
        assert not self.scheduler.running
        self.overs += 1

    async def run_session(self, wish: Wish) -> SessionReport:
        self.now_running += 1
        assert self.now_running == 1, "one session at a time"
        self.granted.append(wish)
        await asyncio.sleep(0)
        self.now_running -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else "ok"
        if outcome == "unknown":
            raise Unknown("no account")
        return SessionReport(
            server=wish.server_id, outcome="ok" if outcome == "ok" else "failed",
            is_retryable=outcome.startswith(("busy", "later")),
            retry_after_s=float(outcome.removeprefix("later ")) if "later" in outcome else 0.0,
        )  # fmt: skip


def play(bench: Bench, story: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(bench.scheduler.run())
            await story(bench)
            await asyncio.sleep(0.01)
            worker.cancel()

    asyncio.run(run())


def test_wishes_for_one_server_become_one_session() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(5):
            bench.scheduler.want(Wish(server_id="a"))
        bench.scheduler.want(Wish(server_id="b"))

    bench = Bench()
    play(bench, story)
    assert [wish.server_id for wish in bench.granted] == ["a", "b"]


def test_notification_gives_its_session_id_to_a_waiting_wish() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True))
        code = AlertCode.SERVER_INITIATED_MANAGEMENT
        bench.scheduler.want(Wish(server_id="a", trigger=code, session_id="1F"))

    bench = Bench()
    play(bench, story)
    (wish,) = bench.granted
    assert (wish.session_id, int(wish.trigger), wish.is_kept) == ("1F", 1200, True)


def test_everybody_who_waits_gets_the_report() -> None:
    async def story(bench: Bench) -> None:
        one, two = await asyncio.gather(bench.scheduler.run_now("a"), bench.scheduler.run_now("a"))
        assert one is two
        assert one.outcome == "ok"

    bench = Bench()
    play(bench, story)
    assert len(bench.granted) == 1


def test_kept_wish_is_tried_again_later_and_later_then_given_up() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True))
        for seconds, expected in ((0, 1), (9, 1), (2, 2), (19, 2), (2, 3), (1000, 3)):
            bench.clock.advance(seconds)
            bench.scheduler.want(Wish(server_id="other"))
            await asyncio.sleep(0.01)
            tries = [wish for wish in bench.granted if wish.server_id == "a"]
            assert len(tries) == expected

    class Busy(Bench):
        async def run_session(self, wish: Wish) -> SessionReport:
            if wish.server_id == "a":
                self.outcomes = ["busy"]
            return await super().run_session(wish)

    play(Busy(), story)


@pytest.mark.parametrize("is_hurried", [False, True])
def test_poll_has_time_to_be_tried_again_unless_something_else_is_wanted_too(
    is_hurried: bool,
) -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True, is_poll=True))
        if is_hurried:
            bench.scheduler.want(Wish(server_id="a", is_kept=True))
        for seconds, expected in ((0, 1), (11, 1 + is_hurried), (600, 2)):
            bench.clock.advance(seconds)
            bench.scheduler.want(Wish(server_id="b"))
            await asyncio.sleep(0.01)
            assert granted_to_a(bench) == expected

    play(Bench("busy"), story)


@pytest.mark.parametrize("outcome", ["refused", "busy"])
def test_wish_that_is_not_kept_is_tried_once(outcome: str) -> None:
    async def story(bench: Bench) -> None:
        report = await bench.scheduler.run_now("a")
        assert report.outcome == "failed"
        bench.clock.advance(10_000)
        bench.scheduler.want(Wish(server_id="b"))

    bench = Bench(outcome)
    play(bench, story)
    assert [wish.server_id for wish in bench.granted] == ["a", "b"]


def test_failure_that_time_does_not_heal_is_not_repeated() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True))
        await asyncio.sleep(0.01)
        bench.clock.advance(10_000)
        bench.scheduler.want(Wish(server_id="b"))

    bench = Bench("refused")
    play(bench, story)
    assert [wish.server_id for wish in bench.granted] == ["a", "b"]


def test_report_is_tried_for_ever_at_the_longest_wait() -> None:
    async def story(bench: Bench) -> None:
        bench.reports_for = {"a"}
        bench.scheduler.want(Wish(server_id="a"))
        for _ in range(20):
            await asyncio.sleep(0.005)
            bench.clock.advance(41)
            bench.scheduler.want(Wish(server_id="b"))

    bench = Bench(*["refused"] * 100)
    play(bench, story)
    assert [wish.server_id for wish in bench.granted].count("a") >= 19


def test_end_of_a_session_is_told() -> None:
    async def story(bench: Bench) -> None:
        await bench.scheduler.run_now("a")

    bench = Bench()
    play(bench, story)
    assert bench.overs == 1


def test_waiter_learns_of_an_unknown_server() -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(Unknown):
            await bench.scheduler.run_now("nobody")

    play(Bench("unknown"), story)


def granted_to_a(bench: Bench) -> int:
    return [wish.server_id for wish in bench.granted].count("a")


@pytest.mark.parametrize(("asked_s", "kept_away_s"), [(300, 300), (1_000_000, 500)])
def test_busy_server_is_left_alone_as_long_as_it_asks_but_not_for_ever(
    asked_s: int, kept_away_s: int
) -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True))
        # the first wait of our own, with full jitter, comes on top
        for seconds, expected in ((0, 1), (kept_away_s + 9, 1), (2, 2)):
            bench.clock.advance(seconds)
            bench.scheduler.want(Wish(server_id="b"))
            await asyncio.sleep(0.01)
            assert granted_to_a(bench) == expected

    play(Bench(f"later {asked_s}"), story)


@pytest.mark.parametrize(("outcome", "tries"), [("busy", 2), ("later 300", 1)])
def test_what_failed_is_tried_at_once_when_the_network_comes_but_for_a_server_that_wants_rest(
    outcome: str, tries: int
) -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True))
        await asyncio.sleep(0.01)
        assert granted_to_a(bench) == 1
        bench.scheduler.hurry()
        await asyncio.sleep(0.01)
        assert granted_to_a(bench) == tries

    play(Bench(outcome), story)


def test_wish_of_our_own_waits_for_a_busy_server_even_if_nothing_is_tried_again() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a"))
        for seconds, expected in ((0, 1), (299, 1), (2, 2)):
            bench.clock.advance(seconds)
            bench.scheduler.want(Wish(server_id="a"))
            bench.scheduler.want(Wish(server_id="b"))
            await asyncio.sleep(0.01)
            assert granted_to_a(bench) == expected

    play(Bench("later 300"), story)


@pytest.mark.parametrize("who", ["person", "server"])
def test_busy_server_is_asked_at_once_for_a_person_and_when_it_calls(who: str) -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", is_kept=True))
        await asyncio.sleep(0.01)
        if who == "person":
            await bench.scheduler.run_now("a")
        else:
            bench.scheduler.want(Wish(server_id="a", session_id="1F"))
            await asyncio.sleep(0.01)
        assert granted_to_a(bench) == 2

    play(Bench("later 300"), story)


def test_wait_is_kept_by_the_new_try_of_a_notification() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.want(Wish(server_id="a", session_id="1F", is_kept=True))
        for seconds, expected in ((0, 1), (299, 1), (11, 2)):
            bench.clock.advance(seconds)
            bench.scheduler.want(Wish(server_id="a"))
            await asyncio.sleep(0.01)
            assert granted_to_a(bench) == expected
        assert bench.granted[-1].session_id == "1F"

    play(Bench("later 300"), story)


def test_report_that_a_session_did_not_bring_home_is_tried_again_after_a_wait() -> None:
    async def story(bench: Bench) -> None:
        bench.reports_for = {"a"}
        bench.scheduler.want(Wish(server_id="a"))
        for seconds, expected in ((0, 1), (9, 1), (2, 2), (19, 2), (2, 3)):
            bench.clock.advance(seconds)
            bench.scheduler.want(Wish(server_id="b"))
            await asyncio.sleep(0.01)
            assert granted_to_a(bench) == expected
        bench.reports_for = set()
        bench.clock.advance(1000)
        bench.scheduler.want(Wish(server_id="b"))
        await asyncio.sleep(0.01)
        bench.clock.advance(10_000)
        bench.scheduler.want(Wish(server_id="b"))
        await asyncio.sleep(0.01)
        assert granted_to_a(bench) == 4

    play(Bench(), story)
