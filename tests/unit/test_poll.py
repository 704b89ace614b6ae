# SPDX-License-Identifier: Apache-2.0
"""When a device calls by itself: weeks on clocks moved by hand, with real records."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from scomod.errors import BadFormat, PermissionDenied
from scomod.settings import Server, Session, Settings
from tests.support.calling import DAY_S, HOUR_S, SERVER, Caller, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NIGHT = ("02:00-04:00",)
MONDAY = "2026-03-23 12:00"  # in the night to Sunday the clocks of Berlin go forward
WEEK = [f"2026-03-{day}" for day in (24, 25, 26, 27, 28, 29, 30)]
INTERVAL = f"./DMAcc/{SERVER}/Ext/Poll/Interval"
WINDOWS = f"./DMAcc/{SERVER}/Ext/Poll/Windows"


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Caller]:
    def make(begin: str = MONDAY, settings: Settings | None = None, **poll: object) -> Caller:
        caller = Caller(tmp_path, begin, settings, **poll)
        caller.enrol()
        return caller

    return make


def put(caller: Caller, uri: str, value: str) -> None:
    """Set a leaf as the server of the account."""
    with caller.records.db.transaction():
        caller.records.tree.replace(uri, SERVER, format=None, type=None, value=value.encode())


def test_a_week_of_nights_has_one_call_each_at_the_own_moment(make: Callable[..., Caller]) -> None:
    caller = make(windows=NIGHT)
    caller.talk()
    caller.run_until("2026-03-30 12:00", exits=True)
    assert caller.days() == dict.fromkeys(WEEK, 1)
    times = caller.times()
    # the night of the change has no 02:00; all other calls are at the same minute
    assert len({each for day, each in zip(WEEK, times, strict=True) if day != "2026-03-29"}) == 1
    assert all("02:00" <= each < "04:00" for each in times)


def test_a_week_with_restarts_lies_and_jumps_of_the_clock(make: Callable[..., Caller]) -> None:
    """Each night one call: whatever the clock said by day, at night it is right."""
    caller = make(windows=NIGHT)
    caller.talk()
    caller.run_until("2026-03-24 12:00", exits=True)
    caller.restart(HOUR_S)  # a plain one
    caller.run_until("2026-03-25 12:00", exits=True)
    caller.restart(60.0, clock_says=0.0)  # without a battery; the network tells the time soon
    caller.run_until(caller.true_s + 5.0)
    caller.clock.set(caller.true_s)
    caller.run_until("2026-03-26 12:00")
    caller.clock.set(caller.true_s + 3 * 365 * DAY_S)  # a jump by years, and back in the evening
    caller.run_until("2026-03-26 18:00")
    caller.clock.set(caller.true_s)
    caller.crash()
    caller.run_until("2026-03-27 12:00")
    caller.clock.set(0.0)  # the same to the other side
    caller.run_until("2026-03-27 20:00")
    caller.clock.set(caller.true_s)
    caller.run_until("2026-03-30 12:00", exits=True)
    assert caller.days() == dict.fromkeys(WEEK, 1)
    assert all("02:00" <= each < "04:00" for each in caller.times())


def test_a_missed_window_waits_for_the_next(make: Callable[..., Caller]) -> None:
    caller = make(windows=NIGHT)
    caller.talk()
    caller.run_until("2026-03-24 01:00")
    caller.restart(8 * HOUR_S)
    [due] = caller.polls.dues()
    assert "missed" in due.why
    caller.run_until("2026-03-26 12:00")
    assert caller.days() == {"2026-03-25": 1, "2026-03-26": 1}


def test_days_without_windows_keep_the_minute(make: Callable[..., Caller]) -> None:
    caller = make()
    caller.talk()
    caller.run_until("2026-04-23 12:00", exits=True)
    assert len({round(call_s % DAY_S) for call_s in caller.calls}) == 1
    assert [round(b - a) for a, b in pairwise(caller.calls)] == [DAY_S] * (len(caller.calls) - 1)
    assert len(caller.calls) == 30


def test_devices_that_were_woken_together_call_apart(make: Callable[..., Caller]) -> None:
    caller = make(spread_s=HOUR_S)
    moments = []
    for number in range(20):
        caller.records.device_id = f"urn:test:{number}"
        caller.talk()
        [due] = caller.polls.dues()
        moments.append(due.at_s - caller.clock.up_s - DAY_S)
    assert 0 <= min(moments) <= max(moments) <= HOUR_S
    assert max(moments) - min(moments) > HOUR_S / 2


def test_a_session_for_another_reason_counts_as_a_call(make: Callable[..., Caller]) -> None:
    caller = make(spread_s=0)
    caller.talk()
    caller.run_until("2026-03-24 08:00")
    caller.talk()
    caller.run_until("2026-03-25 07:59")
    assert caller.calls == []
    caller.run_until("2026-03-25 08:01")
    assert caller.times() == ["08:00"]


@pytest.mark.parametrize("clock_says", [0.0, None], ids=["1970", "right"])
def test_within_a_boot_a_clock_that_is_set_changes_nothing(
    make: Callable[..., Caller], clock_says: float | None
) -> None:
    caller = make(spread_s=0)
    caller.talk()
    before_s = caller.next_s()
    caller.clock.set(0.0 if clock_says is None else clock_says)
    assert caller.next_s() == before_s
    caller.clock.set(caller.true_s + 50 * 365 * DAY_S)
    caller.start()
    assert caller.next_s() == before_s


def test_a_clock_that_says_1970_for_ever_calls_once_a_boot_and_every_day(
    make: Callable[..., Caller],
) -> None:
    caller = make(windows=NIGHT, spread_s=0)
    caller.clock.set(0.0)
    caller.restart(60.0, clock_says=0.0)
    [due] = caller.polls.dues()
    assert "not known" in due.why
    begun_s = caller.true_s
    caller.run_until(begun_s + 3.5 * DAY_S, exits=True)
    assert len(caller.calls) == 4
    assert caller.calls[0] - begun_s <= caller.settings.poll.boot_delay_s
    assert all(round(b - a) == DAY_S + 7 for a, b in [caller.calls[:2]])


def test_a_clock_that_was_ahead_before_a_restart_does_not_silence_the_device(
    make: Callable[..., Caller],
) -> None:
    caller = make(spread_s=0)
    caller.clock.set(caller.true_s + 9 * 365 * DAY_S)
    with caller.records.db.transaction():
        caller.polls.ended(
            {"server": SERVER, "outcome": "ok", "detail": "", "is_retryable": False,
             "retry_after_s": 0.0}
        )  # fmt: skip
    caller.restart(60.0)
    caller.run_until(caller.true_s + 400.0)
    assert len(caller.calls) == 1


@pytest.mark.parametrize(
    ("at_boot", "hours_off", "count"),
    [
        ("overdue", 1, 0), ("overdue", 30, 1), ("always", 1, 1), ("always", 30, 1),
        ("never", 1, 0), ("never", 30, 0),
    ],
)  # fmt: skip
def test_what_a_start_of_the_device_leads_to(
    make: Callable[..., Caller], at_boot: str, hours_off: int, count: int
) -> None:
    caller = make(at_boot=at_boot, spread_s=0)
    caller.talk()
    caller.restart(hours_off * HOUR_S)
    caller.run_until(caller.true_s + 301.0, exits=True)
    assert len(caller.calls) == count
    caller.run_until(caller.true_s + 25 * HOUR_S, exits=True)
    assert len(caller.calls) == count + 1


def test_a_new_process_finds_the_moment_after_the_start_again(make: Callable[..., Caller]) -> None:
    caller = make()
    caller.restart(0.0)
    [first] = caller.polls.dues()
    caller.start()
    assert list(caller.polls.dues()) == [first]
    assert first.at_s <= 300.0


def test_failures_are_tried_again_a_while_then_it_is_left_until_the_next_day(
    make: Callable[..., Caller],
) -> None:
    caller = make(spread_s=0)
    caller.talk()
    caller.outcome = "failed"
    caller.run_until("2026-03-26 11:00", exits=True)
    retries = Settings().session.retry_count
    gaps = [b - a for a, b in pairwise(caller.calls[: 1 + retries])]
    assert all(gap <= Settings().session.poll_retry_wait_s + 10 for gap in gaps)
    assert len(set(gaps)) == retries
    assert len(caller.calls) == 2 * (1 + retries)
    caller.outcome = "ok"
    caller.run_until("2026-03-28 11:00", exits=True)
    assert len(caller.calls) == 2 * (1 + retries) + 2


def test_a_late_success_keeps_the_time_of_the_day(make: Callable[..., Caller]) -> None:
    caller = make(spread_s=0)
    caller.talk()
    caller.outcome = "failed"
    caller.run_until("2026-03-24 12:05")
    assert len(caller.calls) == 1
    caller.outcome = "ok"
    caller.run_until("2026-03-25 12:05")
    assert caller.times()[::2] == ["12:00", "12:00"]


def test_what_no_waiting_helps_is_not_tried_until_the_next_day(make: Callable[..., Caller]) -> None:
    caller = make(spread_s=0)
    caller.outcome, caller.is_retryable = "failed", False
    caller.talk()
    caller.run_until("2026-03-24 23:00")
    assert caller.times() == ["12:00"]


def test_the_network_brings_a_failed_call_at_once_but_not_another(
    make: Callable[..., Caller],
) -> None:
    caller = make(spread_s=0)
    caller.talk()
    caller.polls.hurry()
    caller.run_until("2026-03-23 13:00")
    assert caller.calls == []
    caller.outcome = "failed"
    caller.run_until("2026-03-24 12:10")
    caller.outcome = "ok"
    caller.polls.hurry()
    caller.run_until(caller.true_s + 1.0)
    assert caller.times() == ["12:00", "12:10"]


def test_a_network_that_comes_and_goes_is_no_reason_to_call_ever_faster(
    make: Callable[..., Caller],
) -> None:
    caller = make(settings=Settings(session=Session(retry_wait_s=30.0)), spread_s=0)
    caller.talk()
    caller.outcome = "failed"
    caller.run_until("2026-03-24 12:01")
    for _ in range(60):
        caller.polls.hurry()
        caller.run_until(caller.true_s + 1.0)
    assert len(caller.calls) <= 4


def test_a_server_that_asks_for_rest_has_it_also_when_the_network_comes(
    make: Callable[..., Caller],
) -> None:
    caller = make(spread_s=0)
    caller.talk()
    caller.outcome, caller.retry_after_s = "failed", 1800.0
    caller.run_until("2026-03-24 12:01")
    caller.polls.hurry()
    caller.run_until("2026-03-24 12:30")
    assert len(caller.calls) == 1


def test_the_server_sets_its_interval_and_windows(make: Callable[..., Caller]) -> None:
    caller = make(spread_s=0)
    caller.talk()
    put(caller, INTERVAL, "21600")
    caller.run_until("2026-03-24 13:00", exits=True)
    assert caller.times() == ["18:00", "00:00", "06:00", "12:00"]
    put(caller, WINDOWS, "Wed-Fri 03:00-05:00; Sun 03:00-05:00")
    put(caller, INTERVAL, "86400")
    caller.calls.clear()
    caller.run_until("2026-03-30 13:00", exits=True)
    assert list(caller.days()) == ["2026-03-25", "2026-03-26", "2026-03-27", "2026-03-29"]
    put(caller, INTERVAL, "0")
    put(caller, WINDOWS, "")
    assert caller.polls.calling(SERVER).interval_s == DAY_S
    assert caller.polls.calling(SERVER).windows == ()


@pytest.mark.parametrize(
    ("uri", "value"),
    [
        (INTERVAL, "899"), (INTERVAL, "7776001"), (INTERVAL, "-1"),
        (WINDOWS, "at night"), (WINDOWS, "02:00-04:00," * 2), (WINDOWS, "02:00-04:00; " * 17),
    ],
)  # fmt: skip
def test_what_would_cut_the_device_off_or_means_nothing_is_refused(
    make: Callable[..., Caller], uri: str, value: str
) -> None:
    caller = make()
    with pytest.raises(BadFormat):
        put(caller, uri, value)
    assert caller.polls.calling(SERVER).interval_s == DAY_S


def test_only_the_server_of_the_account_sets_it_and_may_read_it(
    make: Callable[..., Caller],
) -> None:
    caller = make()
    caller.enrol("other")
    tree = caller.records.tree
    assert tree.get(INTERVAL, SERVER).value == b"0"
    with pytest.raises(PermissionDenied), caller.records.db.transaction():
        tree.replace(INTERVAL, "other", format=None, type=None, value=b"3600")


def test_an_account_of_an_earlier_version_gets_the_leaves_at_the_next_start(
    make: Callable[..., Caller],
) -> None:
    caller = make()
    with caller.records.db.transaction():
        caller.records.tree.drop(f"./DMAcc/{SERVER}/Ext")
    caller.crash()
    put(caller, INTERVAL, "3600")
    assert caller.polls.calling(SERVER).interval_s == HOUR_S


def test_the_administrator_has_the_last_word_on_never(make: Callable[..., Caller]) -> None:
    own = Settings(servers={SERVER: Server(poll_interval_s=0.0)})
    caller = make(settings=own)
    put(caller, INTERVAL, "3600")
    assert list(caller.polls.dues()) == []
    assert not Settings(poll=type(own.poll)(interval_s=0.0)).calls_by_itself
    assert Settings(servers={SERVER: Server(poll_interval_s=60.0)}).calls_by_itself


def test_a_server_has_keys_of_its_own(make: Callable[..., Caller]) -> None:
    own = Server(poll_interval_s=HOUR_S, poll_windows=NIGHT)
    caller = make(settings=Settings(servers={SERVER: own}), spread_s=0)
    caller.talk()
    caller.run_until("2026-03-25 12:00")
    assert caller.times() == ["02:00", "03:00"] * 2


def test_the_worker_calls_when_time_has_come_and_looks_again_when_something_was_written(
    make: Callable[..., Caller],
) -> None:
    caller = make(spread_s=0)
    caller.talk()

    async def live() -> None:
        worker = asyncio.create_task(caller.polls.run())
        await asyncio.sleep(0.02)
        assert not caller.wishes
        put(caller, INTERVAL, "900")
        caller.clock.up_s += 901.0
        put(caller, WINDOWS, "")
        await asyncio.sleep(0.05)
        worker.cancel()

    asyncio.run(live())
    wish = caller.wishes.take(caller.clock.up_s)
    assert wish is not None
    assert (wish.server_id, wish.is_poll) == (SERVER, True)
    assert list(caller.polls.dues()) == []


def test_moments_are_kept_in_the_one_write_of_a_session(make: Callable[..., Caller]) -> None:
    caller = make()
    before = caller.records.db.execute("PRAGMA data_version").fetchone()
    caller.talk()
    rows = caller.records.db.execute("SELECT key FROM meta WHERE key LIKE 'last-session:%'")
    assert [row[0] for row in rows] == [f"last-session:{SERVER}"]
    assert caller.records.db.execute("PRAGMA data_version").fetchone() == before
    assert stamp(MONDAY) < caller.known.floor_s()


class KilledError(Exception):
    """The process ends here."""


def die_noting(caller: Caller) -> None:
    """Come as far as the last octet before the end of a session is kept."""
    report = {"server": SERVER, "outcome": "ok", "detail": ""}
    with caller.records.db.transaction():
        caller.polls.ended({**report, "is_retryable": False, "retry_after_s": 0.0})
        raise KilledError


@pytest.mark.parametrize("where", ["before", "within"])
def test_a_device_that_dies_before_a_session_is_noted_calls_again(
    make: Callable[..., Caller], where: str
) -> None:
    caller = make(spread_s=0)
    caller.talk()
    caller.run_until("2026-03-24 11:59")
    caller.clock.up_s += 120.0
    caller.true_s += 120.0
    caller.polls.call()
    assert list(caller.polls.dues()) == []
    if where == "within":
        with pytest.raises(KilledError):
            die_noting(caller)
    caller.crash()
    [due] = caller.polls.dues()
    assert due.at_s <= caller.clock.up_s
