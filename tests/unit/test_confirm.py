# SPDX-License-Identifier: Apache-2.0
"""Policy and the conversation with agents that come and go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.confirm import Answer, Confirmations, Pending, Verdict, kept
from scomod.errors import OperationError, Reason
from scomod.facade import AgentGone, Deferred, Refused, Unknown
from scomod.operation import CONFIRMED, Branch, Operation, Phase, Primitive, Subject
from scomod.settings import Confirm, Rule
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PROMPT = {"operation": 1, "what": "DownloadInstall", "name": "editor", "server": "srv"}
ORDER = Operation(
    id=1,
    branch=Branch.DOWNLOAD,
    primitive=Primitive.DOWNLOAD_INSTALL,
    node="x",
    exec_uri="",
    server_id="srv",
    subject=Subject(pkg_id="editor"),
)
GRANTED = Answer(verdict=Verdict.GRANTED, by="agent")
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
TODAY_S = 1_800_000_000.0


class Person:
    """An agent with somebody behind it; `answers` are given one a prompt."""

    def __init__(self, *answers: bool | Exception, name: str = "agent") -> None:
        self.answers = list(answers)
        self.name = name
        self.is_here = True
        self.asked: list[Mapping[str, Any]] = []
        self.withdrawn: list[int] = []
        self.told: list[Mapping[str, Any]] = []
        self.completions: list[Mapping[str, Any]] = []

    def is_present(self) -> bool:
        return self.is_here

    def identity(self) -> str:
        return self.name

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        self.asked.append(prompt)
        if not self.answers:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.withdrawn.append(prompt["operation"])
                raise
        answer = self.answers.pop(0)
        if isinstance(answer, AgentGone):
            self.is_here = False
        if isinstance(answer, Exception):
            raise answer
        return answer

    def inform(self, prompt: Mapping[str, Any]) -> None:
        self.told.append(prompt)

    def completed(self, operation: Mapping[str, Any]) -> None:
        self.completions.append(operation)


class Room:
    """Confirmations with everything they tell written down; `order` is what the journal has."""

    def __init__(self, tasks: asyncio.TaskGroup, policy: Confirm) -> None:
        self.answers: list[Answer] = []
        self.shown: list[Mapping[str, Any]] = []
        self.clock = FakeClock()
        self.clock.now_s = TODAY_S
        self.order = ORDER
        self._tasks = tasks
        self.policy = policy
        self.begin_life()

    def begin_life(self) -> None:
        """Start as a new process would; the clock went on, what was open is forgotten."""
        self.confirmations = Confirmations(
            self.policy,
            self.clock,
            start=self._tasks.create_task,
            on_answer=lambda _, answer: self.answers.append(answer),
            on_prompt=self.shown.append,
        )

    def decide(self) -> Pending | Answer:
        """Do the consent step, and keep what it wants kept."""
        answer = self.confirmations.decide(self.order, PROMPT)
        if isinstance(answer, Pending):
            self.order = replace(self.order, data={**self.order.data, **answer.data})
        return answer

    def defer(self, when: str) -> float:
        until_s = self.confirmations.defer(1, when, by="ctl")
        known = kept(self.order, self.answers[-1], self.clock.wall_s())
        self.order = replace(self.order, data={**self.order.data, **known})
        return until_s

    @property
    def prompt(self) -> Mapping[str, Any]:
        (prompt,) = self.confirmations.prompts()
        return prompt


def in_room(policy: Confirm, story: Callable[[Room], Awaitable[None]]) -> Room:
    async def play() -> Room:
        async with asyncio.TaskGroup() as tasks:
            room = Room(tasks, policy)
            await story(room)
            room.confirmations.withdraw(1)
        return room

    return asyncio.run(play())


async def a_moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("policy", "by", "how"),
    [
        (Confirm(default="silent"), "default", "silent"),
        (Confirm(default="inform"), "default", "inform"),
        (Confirm(no_agent="accept"), "default, no agent", "silent"),
        (Confirm(rule=(Rule(component="edit*", mode="silent"),)), "rule 1", "silent"),
    ],
)
def test_policy_lets_it_pass_without_a_person(policy: Confirm, by: str, how: str) -> None:
    async def story(room: Room) -> None:
        assert room.decide() == Answer(verdict=Verdict.GRANTED, by=by, how=how)

    assert in_room(policy, story).shown == []


@pytest.mark.parametrize(
    ("policy", "by"),
    [
        (Confirm(default="refuse"), "default"),
        (Confirm(no_agent="decline"), "default, no agent"),
        (Confirm(rule=(Rule(server="other"), Rule(mode="refuse"))), "rule 2"),
    ],
)
def test_policy_declines_without_a_person_and_says_what_did(policy: Confirm, by: str) -> None:
    async def story(room: Room) -> None:
        with pytest.raises(OperationError) as caught:
            room.decide()
        assert caught.value.reason is Reason.CANCELLED
        assert caught.value.data == {
            "consent": {"verdict": "refused", "by": by, "how": "refuse", "at": TODAY_S}
        }

    in_room(policy, story)


@pytest.mark.parametrize(("answer", "verdict"), [(True, "granted"), (False, "refused")])
def test_person_is_asked_and_heard(answer: bool, verdict: str) -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = Person(answer)
        assert room.decide() == Pending(data={"asked_s": TODAY_S})
        assert room.prompt["name"] == "editor"
        assert room.decide() == Pending(), "looking again does not ask again"
        await a_moment()

    room = in_room(Confirm(), story)
    assert room.answers == [Answer(verdict=Verdict(verdict), by="agent")]
    assert (room.shown[-1]["verdict"], room.shown[-1]["by"]) == (verdict, "agent")
    assert len(room.shown) == 2


def test_prompt_waits_for_an_agent_when_there_is_none() -> None:
    async def story(room: Room) -> None:
        room.decide()
        await a_moment()
        assert room.answers == []
        room.confirmations.agent = Person(True)
        room.confirmations.agent_changed()
        await a_moment()

    assert in_room(Confirm(), story).answers == [GRANTED]


def test_prompt_is_asked_again_when_the_agent_leaves() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = first = Person(AgentGone("left"))
        room.decide()
        await a_moment()
        assert len(first.asked) == 1
        room.confirmations.agent = Person(False, name="second")
        room.confirmations.agent_changed()
        await a_moment()

    assert in_room(Confirm(), story).answers == [Answer(verdict=Verdict.REFUSED, by="second")]


def test_newer_agent_takes_over_a_question_at_once() -> None:
    async def story(room: Room) -> None:
        newer = Person(True, name="newer")

        class Replaced(Person):
            async def ask(self, prompt: Mapping[str, Any]) -> bool:
                room.confirmations.agent = newer
                room.confirmations.agent_changed()
                return await super().ask(prompt)

        room.confirmations.agent = Replaced(AgentGone("replaced"))
        room.decide()
        await a_moment()

    assert in_room(Confirm(), story).answers == [Answer(verdict=Verdict.GRANTED, by="newer")]


@pytest.mark.parametrize(
    ("at_deadline", "verdict"), [("decline", "unanswered"), ("accept", "granted")]
)
def test_nobody_answering_in_time_is_decided_by_policy(at_deadline: str, verdict: str) -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = person = Person()
        room.decide()
        await asyncio.sleep(0.2)
        assert person.withdrawn == [1]

    room = in_room(Confirm(deadline_s=0.1, at_deadline=at_deadline), story)
    assert room.answers == [Answer(verdict=Verdict(verdict), by="policy", how="deadline")]


def test_answer_from_the_command_line_closes_the_prompt_also_at_the_agent() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = person = Person()
        room.decide()
        await a_moment()
        room.confirmations.answer(1, is_accepted=True, by="ctl")
        assert room.confirmations.prompts() == []
        with pytest.raises(Unknown):
            room.confirmations.answer(1, is_accepted=True, by="ctl")
        await a_moment()
        assert person.withdrawn == [1]

    assert in_room(Confirm(), story).answers == [Answer(verdict=Verdict.GRANTED, by="ctl")]


def test_prompt_that_is_withdrawn_disappears_and_has_no_answer() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = person = Person()
        room.decide()
        await a_moment()
        room.confirmations.withdraw(1)
        await a_moment()
        assert person.withdrawn == [1]
        assert room.confirmations.prompts() == []

    room = in_room(Confirm(), story)
    assert (room.answers, room.shown[-1]["verdict"]) == ([], "withdrawn")


def test_inform_tells_the_person_before_it_goes_on() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = person = Person()
        assert isinstance(room.decide(), Answer)
        assert person.told == [PROMPT]

    in_room(Confirm(default="inform"), story)


@pytest.mark.parametrize(("setting", "is_asked"), [("counts", False), ("ignore", True)])
def test_yes_that_the_server_got_may_count(setting: str, is_asked: bool) -> None:
    async def story(room: Room) -> None:
        room.order = replace(ORDER, data={CONFIRMED: True})
        answer = room.decide()
        assert isinstance(answer, Pending) is is_asked
        if not is_asked:
            assert answer == Answer(verdict=Verdict.GRANTED, by="srv", how="server")

    in_room(Confirm(server_confirmation=setting), story)


# -- deferral ------------------------------------------------------------------


def test_deferred_prompt_comes_again_after_the_time_also_over_a_restart() -> None:
    async def story(room: Room) -> None:
        room.decide()
        assert room.prompt["deferrals_left"] == 3
        assert room.defer("1h") == TODAY_S + HOUR_S
        assert room.confirmations.prompts() == []
        assert room.decide() == Pending(again_s=HOUR_S)
        room.clock.advance(1000)
        room.begin_life()
        assert room.decide() == Pending(again_s=2600)
        room.clock.advance(2600)
        assert room.decide() == Pending(data={"asked_s": TODAY_S})
        assert room.prompt["deferrals_left"] == 2
        assert room.prompt["deadline"] == TODAY_S + 7 * DAY_S

    room = in_room(Confirm(), story)
    assert room.answers == [Answer(verdict=Verdict.DEFERRED, by="ctl", until_s=TODAY_S + HOUR_S)]


def test_person_at_the_agent_may_defer() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = Person(Deferred("30m"))
        room.decide()
        await a_moment()

    (answer,) = in_room(Confirm(), story).answers
    assert answer == Answer(verdict=Verdict.DEFERRED, by="agent", until_s=TODAY_S + 1800)


def test_agent_that_defers_what_cannot_be_is_not_asked_again_but_another_is() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = first = Person(Deferred("1h"), True)
        room.decide()
        await a_moment()
        assert (len(first.asked), room.answers) == (1, [])
        room.confirmations.agent = Person(True, name="second")
        room.confirmations.agent_changed()
        await a_moment()

    answers = in_room(Confirm(max_deferrals_count=0), story).answers
    assert answers == [Answer(verdict=Verdict.GRANTED, by="second")]


def test_deferrals_are_counted_and_end() -> None:
    async def story(room: Room) -> None:
        for _ in range(2):
            room.decide()
            room.defer("1h")
            room.clock.advance(HOUR_S)
        room.decide()
        assert room.prompt["deferrals_left"] == 0
        with pytest.raises(Refused, match="cannot be deferred any more"):
            room.confirmations.defer(1, "1h", by="ctl")
        assert room.prompt["operation"] == 1, "it is still open"

    in_room(Confirm(max_deferrals_count=2), story)


def test_deferral_in_words_nobody_knows_leaves_the_prompt_open() -> None:
    async def story(room: Room) -> None:
        room.decide()
        with pytest.raises(Refused, match="say tonight"):
            room.confirmations.defer(1, "soon", by="ctl")
        assert room.prompt["deferrals_left"] == 3

    in_room(Confirm(), story)


@pytest.mark.parametrize("at_deadline", ["decline", "accept"])
def test_all_deferrals_together_end_at_the_deadline(at_deadline: str) -> None:
    async def story(room: Room) -> None:
        room.decide()
        assert room.defer("2d") == TODAY_S + DAY_S, "not after the deadline"
        assert room.decide() == Pending(again_s=DAY_S)
        room.clock.advance(DAY_S)
        room.begin_life()
        if at_deadline == "accept":
            answer = Answer(verdict=Verdict.GRANTED, by="policy", how="deadline")
            assert room.decide() == answer
            return
        with pytest.raises(OperationError, match="nobody answered in time") as caught:
            room.decide()
        assert caught.value.reason is Reason.CANCELLED

    in_room(Confirm(deadline_s=DAY_S, at_deadline=at_deadline), story)


class TwoClocks(FakeClock):
    """A wall clock that can be set, beside one that cannot."""

    wall_ahead_s = 0.0

    def wall_s(self) -> float:
        return self.now_s + self.wall_ahead_s


@pytest.mark.parametrize("jump_s", [-1000 * DAY_S, 1000 * DAY_S])
def test_setting_the_clock_neither_ends_nor_prolongs_what_waits(jump_s: float) -> None:
    async def story(room: Room) -> None:
        room.clock = clock = TwoClocks()
        clock.now_s = TODAY_S
        room.begin_life()
        room.decide()
        room.defer("1h")
        assert room.decide() == Pending(again_s=HOUR_S)
        clock.wall_ahead_s = jump_s
        clock.advance(HOUR_S - 10)
        assert room.decide() == Pending(again_s=10)
        clock.advance(10)
        room.decide()
        assert room.prompt["deadline"] == clock.wall_s() + 7 * DAY_S - HOUR_S

    in_room(Confirm(), story)


def test_what_was_asked_before_the_clock_was_set_counts_anew() -> None:
    async def story(room: Room) -> None:
        room.clock.now_s = 100.0
        room.decide()
        assert room.order.data["asked_s"] == 100.0
        room.confirmations.withdraw(1)
        room.clock.now_s = TODAY_S
        room.begin_life()
        room.decide()
        assert room.prompt["deadline"] == TODAY_S + 7 * DAY_S

    in_room(Confirm(), story)


# -- completion ----------------------------------------------------------------


def ended(how: str | None) -> Operation:
    data = {} if how is None else {"consent": {"by": "x", "how": how}}
    return replace(ORDER, phase=Phase.SUCCEEDED, data=data)


@pytest.mark.parametrize(
    ("tell", "how", "is_told"),
    [
        ("asked", "person", True),
        ("asked", "server", True),
        ("asked", "deadline", True),
        ("asked", "inform", True),
        ("asked", "silent", False),
        ("asked", "refuse", False),
        ("asked", None, False),
        ("always", "silent", True),
        ("always", None, True),
        ("never", "person", False),
    ],
)
def test_person_is_told_how_it_ended(tell: str, how: str | None, is_told: bool) -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = person = Person()
        room.confirmations.finished(ended(how), {"id": 1})
        assert person.completions == ([{"id": 1}] if is_told else [])

    in_room(Confirm(tell=tell), story)


def test_end_that_nobody_saw_is_told_to_the_next_agent_once() -> None:
    async def story(room: Room) -> None:
        for number in range(30):
            room.confirmations.finished(ended("person"), {"id": number})
        for person in (Person(), Person()):
            room.confirmations.agent = person
            room.confirmations.agent_changed()
        assert person.completions == []

    in_room(Confirm(), story)


def test_ends_that_nobody_saw_are_kept_up_to_a_number() -> None:
    async def story(room: Room) -> None:
        for number in range(30):
            room.confirmations.finished(ended("person"), {"id": number})
        room.confirmations.agent = person = Person()
        room.confirmations.agent_changed()
        assert [record["id"] for record in person.completions] == list(range(10, 30))

    in_room(Confirm(), story)
