# SPDX-License-Identifier: Apache-2.0
"""When a daemon leaves, what it says before, and what it leaves to its next life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from scomod.agenda import Due
from scomod.handover import Handover
from scomod.idling import FILE, LONGEST_S, Idling
from scomod.settings import Daemon, Session
from scomod.wishes import Wish, Wishes
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from scomod.confirm import Confirmations
    from scomod.records import Records
    from scomod.scheduler import Scheduler

POLICY = Daemon(idle_exit_s=0.1, min_absence_s=20.0)


class House:
    """What a daemon has to do, and whether that is at work."""

    def __init__(self, *dues_s: float, is_held: bool = False) -> None:
        self.clock = FakeClock()
        self.dues = [Due(at_s=at_s, what="poll", why="") for at_s in dues_s]
        self.is_held = is_held
        self.idling = Idling(
            POLICY, self.clock, dues=lambda: self.dues, is_held=lambda: self.is_held
        )


async def is_quiet(house: House, within_s: float = 0.5) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await house.idling.until_quiet(POLICY.idle_exit_s)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    ("house", "leaves"),
    [
        (lambda: House(), True),
        (lambda: House(3600.0), True),
        (lambda: House(20.1), True),
        (lambda: House(19.9), False),
        (lambda: House(-5.0), False),
        (lambda: House(is_held=True), False),
        (lambda: House(3600.0, is_held=True), False),
    ],
    ids=["nothing", "later", "just late enough", "soon", "overdue", "held", "held and later"],
)
def test_it_leaves_when_nothing_is_at_work_or_due_soon(house: Any, leaves: bool) -> None:
    async def story() -> bool:
        return await is_quiet(house())

    assert asyncio.run(story()) is leaves


def test_what_was_at_work_and_is_over_lets_it_leave_once_somebody_rings() -> None:
    async def story() -> None:
        house = House(is_held=True)
        leaving = asyncio.create_task(is_quiet(house, 5.0))
        await asyncio.sleep(0.05)
        house.is_held = False
        await asyncio.sleep(0.2)
        assert not leaving.done(), "it looks only when somebody rings"
        house.idling.ring()
        assert await leaving

    asyncio.run(story())


def test_what_rings_meanwhile_begins_the_quiet_anew() -> None:
    async def story() -> None:
        house = House()
        leaving = asyncio.create_task(is_quiet(house, 5.0))
        for _ in range(6):
            await asyncio.sleep(0.05)
            house.idling.ring()
        assert not leaving.done()
        assert await leaving

    asyncio.run(story())


def test_it_stays_for_work_that_nobody_else_knows_of() -> None:
    async def story() -> None:
        house, end = House(), asyncio.Event()

        async def work() -> None:
            await end.wait()

        working = asyncio.create_task(house.idling.during(work()))
        await asyncio.sleep(0)
        assert not await is_quiet(house, 0.3)
        end.set()
        assert await is_quiet(house, 5.0)
        await working

    asyncio.run(story())


def test_at_the_very_end_it_waits_for_what_is_at_work_and_not_for_what_is_due() -> None:
    async def story() -> None:
        house = House(1.0)
        await house.idling.until_free()
        house.is_held = True
        leaving = asyncio.create_task(house.idling.until_free())
        await asyncio.sleep(0.05)
        assert not leaving.done()
        house.clock.advance(100)  # too long, whatever it is
        house.idling.ring()
        await leaving

    asyncio.run(story())


@pytest.mark.parametrize(
    ("dues_s", "text"),
    [
        ((), None),
        ((90.0, 50.2), "51\n"),
        ((0.2,), "1\n"),
        ((-7.0,), "1\n"),
        ((1e12,), f"{LONGEST_S}\n"),
    ],
)
def test_when_it_must_be_back_is_one_number(
    tmp_path: Path, dues_s: tuple[float, ...], text: str | None
) -> None:
    folder = tmp_path / "run/scomod"
    House(60.0).idling.say_when(folder)
    House(*sorted(dues_s)).idling.say_when(folder)
    file = folder / FILE
    assert (file.read_text() if file.exists() else None) == text
    assert [path.name for path in folder.iterdir()] == ([FILE] if text else [])


# -- what the next life is left --------------------------------------------------


class Life:
    """A life's wishes and untold ends, over the facts that all lives share."""

    def __init__(self, facts: dict[str, str], clock: FakeClock, boot: str = "b1") -> None:
        self.clock = clock
        self.wishes = Wishes(Session(), lambda: 1.0, lambda _: False)
        self.facts = facts
        self.told: list[int] = []
        self.writes = 0
        self.meta = facts.get
        self.handover = Handover(
            cast("Records", self), clock, boot, cast("Scheduler", self), cast("Confirmations", self)
        )

    # as Records, Database, Journal
    @property
    def db(self) -> Life:
        return self

    journal = db

    def transaction(self) -> Life:
        self.writes += 1
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def set_meta(self, key: str, value: str) -> None:
        self.facts[key] = value

    def load(self, number: int) -> int | None:
        return number if number < 100 else None

    # as Scheduler, Confirmations
    def kept(self) -> dict[str, Any]:
        return self.wishes.kept(self.clock.now_s)

    def take_up(self, kept: dict[str, Any], since_s: float) -> None:
        self.wishes.take_up(kept, self.clock.now_s - since_s)

    def untold(self) -> list[int]:
        return self.told

    def tell(self, record: dict[str, Any]) -> None:
        self.told.append(record["id"])

    def take(self) -> None:
        self.handover.take(lambda operation: {"id": cast("Any", operation)})


def begins(life: Life) -> dict[str, float]:
    return {due.server_id: due.at_s for due in life.wishes.dues()}


def test_sessions_to_be_tried_again_are_not_forgotten_and_not_hurried() -> None:
    facts: dict[str, str] = {}
    clock = FakeClock()
    first = Life(facts, clock)
    first.wishes.add(Wish(server_id="srv", session_id="2A", failures=3, due_s=600.0, is_kept=True))
    first.handover.leave()
    clock.advance(200)
    second = Life(facts, clock)
    second.wishes.add(Wish(server_id="srv", is_kept=True))  # as every start wants it
    second.take()
    assert begins(second) == {"srv": 600.0}
    kept = second.wishes.of("srv")
    assert kept is not None
    assert (kept.failures, kept.session_id, kept.is_kept) == (3, "2A", True)


def test_server_that_asked_for_it_is_left_alone_by_the_next_life_too() -> None:
    facts: dict[str, str] = {}
    clock = FakeClock()
    first = Life(facts, clock)
    first.wishes.take_up({"free": {"srv": 900.0}, "wishes": []}, 0.0)
    first.handover.leave()
    clock.advance(100)
    second = Life(facts, clock)
    second.take()
    second.wishes.add(Wish(server_id="srv", is_kept=True))
    assert begins(second) == {"srv": 900.0}


@pytest.mark.parametrize(("wall_gone_s", "begins_s"), [(300.0, 300.0), (-4000.0, 600.0)])
def test_after_a_restart_of_the_device_the_wall_clock_says_how_long_it_was(
    wall_gone_s: float, begins_s: float
) -> None:
    facts: dict[str, str] = {}
    before, after = FakeClock(), FakeClock()
    before.now_s = 50_000.0
    first = Life(facts, before)
    first.wishes.add(Wish(server_id="srv", due_s=50_600.0, is_kept=True))
    first.handover.leave()
    second = Life(facts, after, boot="b2")
    after.now_s = 0.0
    after.wall_s = lambda: 50_000.0 + wall_gone_s  # type: ignore[method-assign]
    second.take()
    assert begins(second) == {"srv": begins_s}


def test_who_was_not_told_how_it_ended_is_told_in_the_next_life() -> None:
    facts: dict[str, str] = {}
    first = Life(facts, FakeClock())
    first.told = [3, 101]
    first.handover.leave()
    second = Life(facts, FakeClock())
    second.take()
    assert second.told == [3], "the other is not in the journal any more"


def test_who_has_nothing_to_leave_writes_nothing() -> None:
    facts: dict[str, str] = {}
    life = Life(facts, FakeClock())
    life.handover.leave()
    assert (life.writes, facts) == (0, {})
    life.wishes.add(Wish(server_id="srv", due_s=600.0))
    life.handover.leave()
    assert life.writes == 1
    after = Life(facts, FakeClock())
    after.take()
    after.wishes.take(1e9)
    after.handover.leave()
    assert (after.writes, after.facts) == (1, {"handover": ""})
    again = Life(facts, FakeClock())
    again.take()
    again.handover.leave()
    assert again.writes == 0
