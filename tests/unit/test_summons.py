# SPDX-License-Identifier: Apache-2.0
"""What servers ask for by notification: who at the device hears of it, and what outlives a life."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from scomod.codes import AlertCode
from scomod.facade import Cancelled, NotShown
from scomod.settings import Notification, Server, Settings
from tests.support.clocks import FakeClock
from tests.support.ringing import PUSH_HEAD, Hall, Person, called, notification, trigger
from tests.support.scripted import SERVER_ID, Device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNSPECIFIED, BACKGROUND, INFORMATIVE, INTERACTION = range(4)
SET_S = 1_800_000_000.0  # the clock of a device that knows the time
KEEP_S, RESYNC_WAIT_S = 1000.0, 100.0


class Clock(FakeClock):
    """One whose wall time somebody may set."""

    jump_s = 0.0

    def wall_s(self) -> float:
        return self.now_s + self.jump_s


class Door:
    """A device whose lives come one after the other."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.clock = Clock()
        self.clock.now_s = SET_S
        self.limits: dict[str, Any] = {"keep_s": KEEP_S, "resync_wait_s": RESYNC_WAIT_S}
        self._device: Device | None = None
        self._halls: list[Hall] = []

    def life(self, person: Person | None = None, **limits: Any) -> Hall:
        """Begin a life; the one before it was ended by a power cut."""
        self.limits |= limits
        if self._device is None:
            policy = Notification(**self.limits)
            servers = {SERVER_ID: Server(nonce_resync=True)}
            self._device = Device(self._root, Settings(notification=policy, servers=servers))
        else:
            self._device.restart()
        self._halls.append(Hall(self._device, self.clock, person))
        return self._halls[-1]

    @contextmanager
    def flash_that_takes_nothing(self) -> Iterator[None]:
        """Let nothing be written for a while."""
        assert self._device is not None
        self._device.records.db.execute("PRAGMA query_only=1")
        yield
        self._device.records.db.execute("PRAGMA query_only=0")

    def forget_account(self) -> None:
        """Let the device lose the account of the server."""
        assert self._device is not None
        records = self._device.records
        with records.db.transaction():
            records.tree.drop(f"./DMAcc/{self._device.account.key}")

    def close(self) -> None:
        for hall in self._halls:
            hall.end()
        if self._device is not None:
            self._device.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.close()


def methods(person: Person) -> list[str]:
    return [method for method, _ in person.shown]


@pytest.mark.spec("omadm 10.2")
@pytest.mark.parametrize(
    ("ui_mode", "unspecified", "shown"),
    [
        (BACKGROUND, "ask", []),
        (INFORMATIVE, "silent", ["Display"]),
        (INTERACTION, "silent", ["Confirm"]),
        (UNSPECIFIED, "silent", []),
        (UNSPECIFIED, "inform", ["Display"]),
        (UNSPECIFIED, "ask", ["Confirm"]),
    ],
)
def test_each_ui_mode_does_what_it_says(
    door: Door, ui_mode: int, unspecified: str, shown: list[str]
) -> None:
    person = Person()
    hall = door.life(person, unspecified=unspecified)
    hall.hear(called(ui_mode=ui_mode))
    (wish,) = hall.wishes
    assert (wish.server_id, wish.session_id) == (SERVER_ID, "1234")
    assert (wish.trigger, wish.is_kept) == (AlertCode.SERVER_INITIATED_MANAGEMENT, True)
    assert methods(person) == shown


@pytest.mark.parametrize("initiator", [0, 1])
def test_the_person_reads_who_asks_and_who_began_it(door: Door, initiator: int) -> None:
    person = Person(None)
    hall = door.life(person)
    hall.hear(called(ui_mode=INTERACTION, initiator=initiator))
    ((_, alert),) = person.shown
    assert (alert["server"], alert["deadline"]) == (SERVER_ID, SET_S + KEEP_S)
    assert ("wants to manage" in alert["text"]) == bool(initiator)
    assert hall.wishes == []


@pytest.mark.parametrize("says", [False, Cancelled("no")])
def test_a_person_who_declines_hears_no_more_of_it(door: Door, says: object) -> None:
    hall = door.life(Person(says))
    hall.hear(called(ui_mode=INTERACTION))
    hall.look()
    again = door.life(Person())
    again.look()
    assert hall.wishes + again.wishes == []


@pytest.mark.parametrize(
    ("no_agent", "sessions", "later"),
    [("wait", [], ["1234"]), ("accept", ["1234"], ["1234"]), ("decline", [], [])],
)
@pytest.mark.parametrize("is_here", [False, True])
def test_where_nobody_can_be_asked_policy_decides(
    door: Door, no_agent: str, sessions: list[str], later: list[str], is_here: bool
) -> None:
    person = Person(NotShown("a light only"), is_here=is_here)
    hall = door.life(person, no_agent=no_agent)
    hall.hear(called(ui_mode=INTERACTION))
    assert hall.sessions == sessions
    person.is_here, person.says = True, True
    hall.look()
    assert hall.sessions == later


def test_who_is_informed_need_not_be_there(door: Door) -> None:
    hall = door.life(no_agent="decline")
    hall.hear(called(ui_mode=INFORMATIVE))
    assert hall.sessions == ["1234"]


def test_one_question_for_all_that_a_server_asks_for_meanwhile(door: Door) -> None:
    person = Person(None)
    hall = door.life(person)
    hall.hear(called(ui_mode=INTERACTION), called(ui_mode=INTERACTION))
    hall.hear(called(ui_mode=INTERACTION, session=9))
    hall.look()
    assert methods(person) == ["Confirm"]
    person.answer(True)
    hall.settle()
    assert hall.sessions == ["9"]


def test_what_needs_no_person_takes_the_question_off_the_screen(door: Door) -> None:
    person = Person(None)
    hall = door.life(person)
    hall.hear(called(ui_mode=INTERACTION), called(ui_mode=BACKGROUND, session=9))
    assert hall.sessions == ["9"]
    assert person.is_dismissed


def test_an_agent_that_leaves_is_followed_by_the_next_one(door: Door) -> None:
    person = Person(None)
    hall = door.life(person)
    hall.hear(called(ui_mode=INTERACTION))
    person.leave()
    hall.look()
    assert hall.wishes == []
    person.is_here, person.says = True, True
    hall.look()
    assert hall.sessions == ["1234"]


def test_nobody_answers_in_time(door: Door) -> None:
    person = Person(None)
    hall = door.life(person)
    hall.hear(called(ui_mode=INTERACTION))
    door.clock.advance(KEEP_S)
    hall.settle()
    assert person.is_dismissed
    assert hall.wishes == []
    again = door.life(Person())
    again.look()
    assert again.wishes == []


# -- lives ------------------------------------------------------------------------------------


def test_a_question_is_put_again_in_the_next_life(door: Door) -> None:
    door.life(Person(None)).hear(called(ui_mode=INTERACTION))
    person = Person()
    hall = door.life(person)
    hall.look()
    assert (methods(person), hall.sessions) == (["Confirm"], ["1234"])
    hall.look()
    assert methods(person) == ["Confirm"]


def test_a_yes_is_not_asked_for_again(door: Door) -> None:
    first = door.life(Person())
    first.hear(called(ui_mode=INTERACTION))
    person = Person(False)
    second = door.life(person)
    second.look()
    assert (first.sessions, second.sessions, person.shown) == (["1234"], ["1234"], [])


@contextmanager
def power_cut(hall: Hall, place: str) -> Iterator[None]:
    """Let the life end at a place."""

    def die(*_: object) -> None:
        raise SystemExit

    name = "keep" if place == "before the write" else "go_on"
    setattr(hall.summonses, name, die)
    with pytest.raises(SystemExit):
        yield


@pytest.mark.parametrize("place", ["before the write", "after the write"])
def test_a_notification_counts_once_wherever_the_power_is_cut(door: Door, place: str) -> None:
    """What was not taken may be sent again; what was is done, and a replay is refused."""
    first = door.life()
    with power_cut(first, place):
        first.hear(called())
    second = door.life()
    second.look()
    second.hear(called())
    assert (first.sessions, second.sessions) == ([], ["1234"])


def test_a_session_is_wished_for_in_each_life_until_it_is_over(door: Door) -> None:
    door.life().hear(called())
    failing = door.life()
    failing.look()
    failing.over("1234", "failed")
    other = door.life()
    other.look()
    other.over("77")
    last = door.life()
    last.look()
    last.over("1234")
    over = door.life()
    over.look()
    assert [hall.sessions for hall in (failing, other, last, over)] == [["1234"]] * 3 + [[]]


def test_a_session_that_cannot_go_well_is_not_wished_for_again(door: Door) -> None:
    first = door.life()
    first.hear(called())
    first.over("1234", "failed", is_retryable=False)
    second = door.life()
    second.look()
    assert second.wishes == []


def test_what_is_asked_for_ends_with_its_account(door: Door) -> None:
    door.life().hear(called())
    second = door.life()
    door.forget_account()
    second.look()
    assert second.wishes == []


@pytest.mark.parametrize(
    ("before_s", "after_s", "sessions"),
    [
        pytest.param(SET_S, SET_S + KEEP_S - 1, ["1234"], id="in time"),
        pytest.param(SET_S, SET_S + KEEP_S, [], id="too late"),
        pytest.param(SET_S, SET_S - 9 * KEEP_S, ["1234"], id="the clock was set back"),
        pytest.param(50.0, SET_S, ["1234"], id="the clock is set at last"),
    ],
)
def test_what_waits_counts_for_so_long(
    door: Door, before_s: float, after_s: float, sessions: list[str]
) -> None:
    door.clock.now_s = before_s
    door.life().hear(called())
    door.clock.now_s = after_s
    hall = door.life()
    hall.look()
    assert hall.sessions == sessions
    door.clock.advance(KEEP_S)
    late = door.life()
    late.look()
    assert late.wishes == []


def test_what_could_not_be_kept_may_be_sent_again(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    hall = door.life()
    with door.flash_that_takes_nothing():
        hall.hear(called(), zeros(2))
    assert hall.wishes == []
    assert "notification of server com.example.dm is not taken: " in caplog.text
    hall.hear(called(), zeros(2))
    assert hall.sessions == ["1234", "2"]


# -- a server that lost its nonce --------------------------------------------------------------


def zeros(session: int) -> bytes:
    return PUSH_HEAD + notification(bytes(4), trigger(session=session))


@pytest.mark.spec("omadm 10.4")
def test_zeros_are_taken_now_and_then_also_over_restarts(door: Door) -> None:
    first = door.life()
    first.hear(zeros(1), zeros(2))
    door.clock.advance(RESYNC_WAIT_S - 1)
    second = door.life()
    second.hear(zeros(3))
    door.clock.advance(1)
    second.hear(zeros(4))
    assert (first.sessions, second.sessions) == (["1"], ["4"])


def test_a_clock_that_jumps_forward_lets_no_zeros_in(door: Door) -> None:
    hall = door.life()
    hall.hear(zeros(1))
    door.clock.jump_s = 9 * RESYNC_WAIT_S
    hall.hear(zeros(2))
    assert hall.sessions == ["1"]


def test_a_clock_that_was_set_back_shuts_zeros_out_for_one_term_only(door: Door) -> None:
    door.life().hear(zeros(1))
    door.clock.now_s -= 365 * 86400.0
    refused = door.life()
    refused.hear(zeros(2))
    door.clock.advance(RESYNC_WAIT_S)
    taken = door.life()
    taken.hear(zeros(3))
    assert (refused.sessions, taken.sessions) == ([], ["3"])


# -- what carries them -------------------------------------------------------------------------


@pytest.mark.spec("omadm 10.5")
@pytest.mark.parametrize(
    "head",
    [
        pytest.param("000603d8af87", id="short"),
        pytest.param(
            "00062a" + b"application/vnd.syncml.dm.notification\0".hex() + "af87", id="text"
        ),
    ],
)
def test_the_type_of_dm_1_3_is_taken_where_the_content_is_1_2(door: Door, head: str) -> None:
    octets = bytes.fromhex(head)
    datagram = octets[:2] + bytes((len(octets) - 3,)) + octets[3:] + called()[len(PUSH_HEAD) :]
    hall = door.life()
    hall.hear(datagram)
    assert hall.sessions == ["1234"]


@pytest.mark.parametrize(
    "head", [pytest.param("000703c4af87", id="confirmed push"), pytest.param("", id="no push")]
)
def test_other_wrappings_are_tolerated(door: Door, head: str) -> None:
    hall = door.life()
    hall.hear(bytes.fromhex(head) + called()[len(PUSH_HEAD) :])
    assert hall.sessions == ["1234"]
