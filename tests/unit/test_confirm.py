"""Policy and the conversation with agents that come and go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scomod.confirm import Confirmations, Pending, Verdict
from scomod.errors import OperationError, Reason
from scomod.facade import AgentGone, Unknown
from scomod.settings import Confirm
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PROMPT = {"what": "DownloadInstall", "name": "editor", "server": "srv"}


class Person:
    """An agent with somebody behind it; `answers` are given one a prompt."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.is_here = True
        self.asked: list[Mapping[str, Any]] = []
        self.told: list[Mapping[str, Any]] = []

    def is_present(self) -> bool:
        return self.is_here

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        self.asked.append(prompt)
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.is_here = False
            raise answer
        return answer

    def inform(self, prompt: Mapping[str, Any]) -> None:
        self.told.append(prompt)


class Room:
    """Confirmations with everything they tell written down."""

    def __init__(self, tasks: asyncio.TaskGroup, policy: Confirm) -> None:
        self.verdicts: list[tuple[int, Verdict]] = []
        self.shown: list[Mapping[str, Any]] = []
        self.confirmations = Confirmations(
            policy,
            FakeClock(),
            start=tasks.create_task,
            on_answer=lambda key, answer: self.verdicts.append((key, answer.verdict)),
            on_prompt=self.shown.append,
        )


def in_room(policy: Confirm, story: Callable[[Room], Awaitable[None]]) -> Room:
    async def play() -> Room:
        async with asyncio.TaskGroup() as tasks:
            room = Room(tasks, policy)
            await story(room)
        return room

    return asyncio.run(play())


@pytest.mark.parametrize(
    ("default", "no_agent"), [("silent", "defer"), ("inform", "defer"), ("ask", "accept")]
)
def test_policy_lets_it_pass_without_a_person(default: str, no_agent: str) -> None:
    async def story(room: Room) -> None:
        assert room.confirmations.decide(1, PROMPT) is None

    room = in_room(Confirm(default=default, no_agent=no_agent), story)
    assert room.shown == []


@pytest.mark.parametrize(("default", "no_agent"), [("refuse", "defer"), ("ask", "decline")])
def test_policy_declines_without_a_person(default: str, no_agent: str) -> None:
    async def story(room: Room) -> None:
        with pytest.raises(OperationError) as caught:
            room.confirmations.decide(1, PROMPT)
        assert caught.value.reason is Reason.CANCELLED

    in_room(Confirm(default=default, no_agent=no_agent), story)


@pytest.mark.parametrize(("answer", "verdict"), [(True, "granted"), (False, "refused")])
def test_person_is_asked_and_heard(answer: bool, verdict: str) -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = Person(answer)
        assert room.confirmations.decide(1, PROMPT) == Pending()
        assert [p["name"] for p in room.confirmations.prompts()] == ["editor"]

    room = in_room(Confirm(), story)
    assert room.verdicts == [(1, Verdict(verdict))]
    assert room.shown[-1]["verdict"] == verdict


def test_prompt_waits_for_an_agent_when_there_is_none() -> None:
    async def story(room: Room) -> None:
        assert room.confirmations.decide(1, PROMPT) == Pending()
        await asyncio.sleep(0.01)
        assert room.verdicts == []
        room.confirmations.agent = Person(True)
        room.confirmations.agent_changed()

    assert in_room(Confirm(), story).verdicts == [(1, Verdict.GRANTED)]


def test_prompt_is_asked_again_when_the_agent_leaves() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = first = Person(AgentGone("left"))
        assert room.confirmations.decide(1, PROMPT) == Pending()
        await asyncio.sleep(0.01)
        assert len(first.asked) == 1
        room.confirmations.agent = Person(False)
        room.confirmations.agent_changed()

    assert in_room(Confirm(), story).verdicts == [(1, Verdict.REFUSED)]


def test_newer_agent_takes_over_a_question_at_once() -> None:
    async def story(room: Room) -> None:
        newer = Person(True)

        class Replaced(Person):
            async def ask(self, prompt: Mapping[str, Any]) -> bool:
                room.confirmations.agent = newer
                room.confirmations.agent_changed()
                return await super().ask(prompt)

        room.confirmations.agent = Replaced(AgentGone("replaced"))
        assert room.confirmations.decide(1, PROMPT) == Pending()

    assert in_room(Confirm(timeout_s=2), story).verdicts == [(1, Verdict.GRANTED)]


def test_nobody_answering_in_time_is_a_verdict_of_its_own() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = Person()
        assert room.confirmations.decide(1, PROMPT) == Pending()

    assert in_room(Confirm(timeout_s=0.1), story).verdicts == [(1, Verdict.UNANSWERED)]


def test_answer_from_the_command_line_closes_the_prompt() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = Person()
        assert room.confirmations.decide(1, PROMPT) == Pending()
        await asyncio.sleep(0.01)
        room.confirmations.answer(1, is_accepted=True)
        assert room.confirmations.prompts() == []
        with pytest.raises(Unknown):
            room.confirmations.answer(1, is_accepted=True)

    assert in_room(Confirm(), story).verdicts == [(1, Verdict.GRANTED)]


def test_inform_tells_the_person_and_goes_on() -> None:
    async def story(room: Room) -> None:
        room.confirmations.agent = person = Person()
        assert room.confirmations.decide(1, PROMPT) is None
        assert person.told == [PROMPT]

    in_room(Confirm(default="inform"), story)
