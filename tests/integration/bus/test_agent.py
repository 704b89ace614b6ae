# SPDX-License-Identifier: Apache-2.0
"""The agent on a real bus: who is it, what reaches it, what happens when it goes."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from scomod.busaddress import (
    AGENT_PATH,
    CONTROL_INTERFACE,
    ERROR_UNKNOWN,
    RemoteError,
)
from scomod.busclient import Client
from scomod.facade import AgentGone, Record
from scomod.wording import worded
from tests.support.fake_daemon import PROMPT, RunningDaemon, running_daemon
from tests.support.private_bus import PrivateBus, private_bus


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
def running(bus: PrivateBus) -> Iterator[RunningDaemon]:
    with running_daemon(bus.address) as started:
        yield started


class Person:
    """Answers as told and remembers what it saw; leaves a question open if told nothing."""

    def __init__(self, verdict: bool | None) -> None:
        self.verdict = verdict
        self.asked: list[Record] = []
        self.informed: list[Record] = []
        self.ready = asyncio.Event()
        self.seen = asyncio.Event()

    async def ask(self, prompt: Record) -> bool:
        self.asked.append(prompt)
        self.seen.set()
        if self.verdict is None:
            await asyncio.Event().wait()
        return bool(self.verdict)

    def inform(self, prompt: Record) -> None:
        self.informed.append(prompt)
        self.seen.set()

    async def serve(self, address: str) -> None:
        async with await Client.connect(address) as client:
            await client.serve_agent(self.ask, self.inform, self.ready.set)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110 - the other side lives in a thread
            await asyncio.sleep(0.005)


async def with_person(person: Person, address: str, work: Callable[[], Any]) -> Any:
    """Run `work` while the person is registered; it ends the agent's connection after."""
    serving = asyncio.ensure_future(person.serve(address))
    try:
        async with asyncio.timeout(100):
            await person.ready.wait()
            return await work()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize("verdict", [True, False])
def test_question_is_carried_to_the_agent_and_back(
    bus: PrivateBus, running: RunningDaemon, verdict: bool
) -> None:
    async def work() -> tuple[bool, Person]:
        person = Person(verdict)

        async def ask() -> bool:
            return await asyncio.wrap_future(running.ask(PROMPT))

        return await with_person(person, bus.address, ask), person

    answer, person = asyncio.run(work())
    assert answer is verdict
    assert person.asked == [PROMPT]


def test_agent_is_told_without_being_asked(bus: PrivateBus, running: RunningDaemon) -> None:
    async def work() -> Person:
        person = Person(None)

        async def inform() -> None:
            running.do(lambda: running.bus.inform(PROMPT))
            await person.seen.wait()

        await with_person(person, bus.address, inform)
        return person

    person = asyncio.run(work())
    assert (person.informed, person.asked) == ([PROMPT], [])


def test_coming_and_leaving_is_noticed(bus: PrivateBus, running: RunningDaemon) -> None:
    changes: list[bool] = []
    running.bus.on_agent_change.append(lambda: changes.append(running.bus.is_present()))

    async def work() -> None:
        async def nothing() -> None:
            assert running.bus.is_present()
            assert running.daemon.status()["agent"] is True

        await with_person(Person(True), bus.address, nothing)
        await until(lambda: len(changes) == 2)

    asyncio.run(work())
    assert changes == [True, False]


def test_question_without_an_agent_fails(running: RunningDaemon) -> None:
    with pytest.raises(AgentGone, match="no agent"):
        running.ask(PROMPT).result(timeout=100)
    running.do(lambda: running.bus.inform(PROMPT))  # telling nobody is no failure


def test_open_question_fails_when_the_agent_leaves(bus: PrivateBus, running: RunningDaemon) -> None:
    async def work() -> Future[bool]:
        person = Person(None)

        async def ask() -> Future[bool]:
            asked = running.ask(PROMPT)
            await person.seen.wait()
            return asked

        return await with_person(person, bus.address, ask)  # type: ignore[no-any-return]

    asked = asyncio.run(work())
    with pytest.raises(AgentGone):
        asked.result(timeout=100)
    assert not running.bus.is_present()


def test_newest_agent_wins_and_the_older_ones_question_fails(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    async def work() -> None:
        old, new = Person(None), Person(True)

        async def replace() -> None:
            asked = running.ask(PROMPT)
            await old.seen.wait()

            async def ask_again() -> bool:
                with pytest.raises(AgentGone):
                    await asyncio.wrap_future(asked)
                return await asyncio.wrap_future(running.ask(PROMPT))

            assert await with_person(new, bus.address, ask_again) is True

        await with_person(old, bus.address, replace)
        assert old.asked == new.asked == [PROMPT]

    asyncio.run(work())


def test_agent_that_gives_no_answer_is_forgotten(bus: PrivateBus, running: RunningDaemon) -> None:
    class Broken(Person):
        async def ask(self, prompt: Record) -> bool:
            raise AgentGone(f"nobody at home for {prompt['name']}")

    async def work() -> None:
        async def ask() -> None:
            with pytest.raises(AgentGone):
                await asyncio.wrap_future(running.ask(PROMPT))
            assert not running.bus.is_present()

        await with_person(Broken(None), bus.address, ask)

    asyncio.run(work())


def test_agent_that_knows_nothing_of_agents_is_forgotten(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    async def work() -> None:
        async with await Client.connect(bus.address) as client:
            await client._call(CONTROL_INTERFACE, "RegisterAgent", "o", "/not/served")
            with pytest.raises(AgentGone):
                await asyncio.wrap_future(running.ask(PROMPT))
            assert not running.bus.is_present()

    asyncio.run(work())


def test_cancelled_question_leaves_the_agent_in_place(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    async def work() -> None:
        person = Person(None)

        async def ask() -> None:
            asked = running.ask(PROMPT)
            await person.seen.wait()
            asked.cancel()
            await asyncio.sleep(0.05)
            assert running.bus.is_present()

        await with_person(person, bus.address, ask)

    asyncio.run(work())


def test_agent_unregisters_itself_and_nobody_else(bus: PrivateBus, running: RunningDaemon) -> None:
    async def work() -> None:
        async with await Client.connect(bus.address) as client:
            register = (CONTROL_INTERFACE, "RegisterAgent", "o", AGENT_PATH)
            unregister = (CONTROL_INTERFACE, "UnregisterAgent", "o", AGENT_PATH)
            await client._call(*register)
            async with await Client.connect(bus.address) as stranger:
                with pytest.raises(RemoteError) as caught:
                    await stranger._call(*unregister)
            assert caught.value.name == ERROR_UNKNOWN
            assert running.bus.is_present()
            await client._call(*unregister)
            assert not running.bus.is_present()

    asyncio.run(work())


def test_agent_that_registers_again_keeps_its_questions_and_is_heard_of_when_it_leaves(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    async def work() -> None:
        may_answer = asyncio.Event()

        async def ask(_prompt: Record) -> bool:
            await may_answer.wait()
            return True

        async with await Client.connect(bus.address) as client:
            ready = asyncio.Event()
            serving = asyncio.ensure_future(
                client.serve_agent(ask, lambda _prompt: None, ready.set, language="en")
            )
            await ready.wait()
            answer = running.ask(PROMPT)
            await client.register_agent("de")
            may_answer.set()
            async with asyncio.timeout(100):
                assert await asyncio.wrap_future(answer) is True
            assert running.bus.agents._agent is not None
            assert running.bus.agents._agent.language == "de"
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await until(lambda: not running.bus.is_present())

    asyncio.run(work())


def test_agent_registers_again_when_the_daemon_comes_back(bus: PrivateBus) -> None:
    async def work() -> None:
        person = Person(True)
        with running_daemon(bus.address) as first:
            serving = asyncio.ensure_future(person.serve(bus.address))
            await person.ready.wait()
            assert first.bus.is_present()
        person.ready.clear()
        with running_daemon(bus.address) as second:
            async with asyncio.timeout(100):
                await person.ready.wait()
                assert await asyncio.wrap_future(second.ask(PROMPT)) is True
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(work())


def test_strangers_cannot_ask_the_person(bus: PrivateBus, running: RunningDaemon) -> None:
    async def work() -> Person:
        person = Person(True)

        async def intrude() -> None:
            agent = running.bus.agents._agent
            assert agent is not None
            async with await Client.connect(bus.address) as stranger:
                question = agent.message("Ask", {"what": "trust me"})
                with pytest.raises(RemoteError):
                    await stranger._bus.invoke(question)

        await with_person(person, bus.address, intrude)
        return person

    assert asyncio.run(work()).asked == []


def test_agent_is_known_by_its_name_and_user(bus: PrivateBus, running: RunningDaemon) -> None:
    async def work() -> str:
        async def look() -> str:
            return str(running.do(running.bus.identity))

        return str(await with_person(Person(True), bus.address, look))

    assert re.fullmatch(rf":\d+\.\d+ of user {os.geteuid()}", asyncio.run(work()))


def test_prompt_and_alert_of_one_number_are_taken_back_each_for_itself(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    """Both are numbered from one."""

    class Slow(Person):
        def __init__(self) -> None:
            super().__init__(None)
            self.is_withdrawn = asyncio.Event()

        async def ask(self, prompt: Record) -> bool:
            try:
                return await super().ask(prompt)
            except asyncio.CancelledError:
                self.is_withdrawn.set()
                raise

        async def show(self, method: str, _alert: Record) -> bool:
            return method == "Confirm"

        async def serve(self, address: str) -> None:
            async with await Client.connect(address) as client:
                await client.serve_agent(self.ask, self.inform, self.ready.set, self.show)

    async def work() -> bool:
        person = Slow()

        async def story() -> bool:
            prompt = running.ask({**PROMPT, "operation": 1})
            await person.seen.wait()
            alert = running.show("Confirm", {"id": 1, "text": "now?", "deadline": 0.0})
            prompt.cancel()
            await person.is_withdrawn.wait()
            return bool(await asyncio.wrap_future(alert))

        return bool(await with_person(person, bus.address, story))

    assert asyncio.run(work())


@pytest.mark.parametrize(
    ("language", "what"),
    [("de_AT.UTF-8", "installieren"), ("C", "install"), ("xx", "install"), ("", "install")],
)
def test_same_prompt_reaches_each_agent_in_its_language(
    bus: PrivateBus,
    running: RunningDaemon,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    what: str,
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    asked: list[Record] = []

    async def ask(prompt: Record) -> bool:
        asked.append(prompt)
        return True

    async def story() -> None:
        async with await Client.connect(bus.address) as client:
            ready = asyncio.Event()
            work = client.serve_agent(ask, lambda _: None, ready.set, language=language)
            serving = asyncio.ensure_future(work)
            await ready.wait()
            await asyncio.wrap_future(running.ask({**PROMPT, "what": worded("install")}))
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(story())
    assert asked == [{**PROMPT, "what": what}], "and what a server wrote is as it was"


def test_who_only_looks_reads_the_language_of_the_device(
    bus: PrivateBus, running: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")

    async def prompts() -> list[Record]:
        async with await Client.connect(bus.address) as client:
            return await client.prompts()

    running.daemon.waiting[7]["what"] = worded("install")
    assert asyncio.run(prompts())[0]["what"] == "install"
    running.bus._language = "de"
    assert asyncio.run(prompts())[0]["what"] == "installieren"


def test_question_does_not_wait_for_another_where_the_agent_wants_that(
    bus: PrivateBus, running: RunningDaemon
) -> None:
    async def story() -> list[bool]:
        both = asyncio.Event()
        asked: list[int] = []

        async def ask(prompt: Record) -> bool:
            asked.append(prompt["operation"])
            if len(asked) == 2:
                both.set()
            await both.wait()
            return True

        async with await Client.connect(bus.address) as client, asyncio.TaskGroup() as tasks:
            ready = asyncio.Event()
            work = client.serve_agent(ask, lambda _: None, ready.set, start=tasks.create_task)
            serving = tasks.create_task(work)
            await ready.wait()
            futures = [running.ask({**PROMPT, "operation": number}) for number in (7, 8)]
            answers = [await asyncio.wrap_future(each) for each in futures]
            serving.cancel()
            return answers

    assert asyncio.run(story()) == [True, True]
