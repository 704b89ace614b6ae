# SPDX-License-Identifier: Apache-2.0
"""User alerts on a real bus: daemon's interview, agent's desk, and what a missing answer means.

omadm §1.4; docs/dbus.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.bus import BusServer
from scomod.busaddress import (
    AGENT_INTERFACE,
    AGENT_PATH,
    CONTROL_INTERFACE,
    ERROR_UNKNOWN_METHOD,
    RemoteError,
)
from scomod.busclient import Client
from scomod.clock import SystemClock
from scomod.codes import AlertCode
from scomod.dmclient.useralert import InputType, UserAlert, UserAnswer, Verdict
from scomod.facade import Cancelled, NotShown, Record
from scomod.interview import Interview
from scomod.settings import Session
from tests.support.fake_daemon import FakeDaemon
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

PATIENCE_S = 100.0
SESSION = Session(user_alert_timeout_s=PATIENCE_S, user_alert_attempts_count=3)
DISPLAY = UserAlert(code=AlertCode.DISPLAY, text="Hello", min_s=5)
CONFIRM = UserAlert(code=AlertCode.CONFIRM_OR_REJECT, text="Really?", default_yes=False)
INPUT = UserAlert(
    code=AlertCode.TEXT_INPUT,
    text="PIN?",
    max_count=8,
    input_type=InputType.NUMERIC,
    is_hidden=True,
    default_text="1234",
)
ONE = UserAlert(code=AlertCode.SINGLE_CHOICE, text="Which?", choices=("red", "blue"))
MANY = replace(ONE, code=AlertCode.MULTIPLE_CHOICE, default_choices=(2, 1))
DONE = UserAnswer(verdict=Verdict.DONE)


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


class Person:
    """Gives scripted answers in turn: a value, an exception, or nothing at all (None)."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.seen: list[tuple[str, Record]] = []
        self.asked = asyncio.Event()
        self.ended: list[str] = []

    async def show(self, method: str, alert: Record) -> Any:
        self.seen.append((method, alert))
        self.asked.set()
        said = self.script.pop(0)
        if isinstance(said, Exception):
            raise said
        if said is None and method != "Display":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.ended.append(method)
                raise
        return said


@contextlib.asynccontextmanager
async def daemon(bus: PrivateBus, settings: Session = SESSION) -> AsyncIterator[Interview]:
    """The daemon's part: a service on the bus and the interview that asks through it."""
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        facade = FakeDaemon()
        server = BusServer(facade, tasks, SystemClock())
        facade.has_agent = server.is_present
        await server.connect(bus.address)
        interview = Interview(settings, SystemClock())
        interview.agent = server
        try:
            yield interview
        finally:
            await server.close()


@contextlib.asynccontextmanager
async def agent(bus: PrivateBus, person: Person, **more: Any) -> AsyncIterator[Client]:
    ready = asyncio.Event()

    async def ask(_: Record) -> bool:
        return True

    async with await Client.connect(bus.address) as client:
        show = more.get("show", person.show)
        inform = more.get("inform", lambda _: None)
        serving = asyncio.ensure_future(
            client.serve_agent(ask, inform, ready.set, *([show] if show else []))
        )
        try:
            await ready.wait()
            yield client
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def ask(interview: Interview, alert: UserAlert) -> UserAnswer:
    return await interview.ask(alert, server_id="srv1", server_name="Example")


def asked(bus: PrivateBus, person: Person, *alerts: UserAlert) -> list[UserAnswer]:
    """Have a person asked these alerts, one after the other."""

    async def work() -> list[UserAnswer]:
        async with daemon(bus) as interview, agent(bus, person):
            return [await ask(interview, alert) for alert in alerts]

    return asyncio.run(work())


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


# -- every kind ---------------------------------------------------------------------


def test_every_kind_of_alert_is_answered_in_order(bus: PrivateBus) -> None:
    person = Person(None, True, False, "-12.5", [2], [2, 1], [])
    answers = asked(bus, person, DISPLAY, CONFIRM, CONFIRM, INPUT, ONE, MANY, MANY)
    assert answers == [
        DONE,
        DONE,
        UserAnswer(verdict=Verdict.NO),
        UserAnswer(verdict=Verdict.DONE, text="-12.5"),
        UserAnswer(verdict=Verdict.DONE, chosen=(2,)),
        UserAnswer(verdict=Verdict.DONE, chosen=(2, 1)),
        DONE,
    ]
    methods = ["Display", "Confirm", "Confirm", "Input", "Choose", "Choose", "Choose"]
    assert [method for method, _ in person.seen] == methods
    assert [alert["id"] for _, alert in person.seen] == [1, 2, 3, 4, 5, 6, 7]


def test_agent_learns_all_that_the_server_wants(bus: PrivateBus) -> None:
    person = Person(None, True, "1", [1], [])
    asked(bus, person, DISPLAY, CONFIRM, INPUT, ONE, MANY)
    records = [record for _, record in person.seen]
    for record in records:
        assert record.pop("deadline") > 1.7e9
        assert record.pop("id")
        assert (record.pop("server"), record.pop("server_name")) == ("srv1", "Example")
    assert records == [
        {"text": "Hello", "min_s": 5},
        {"text": "Really?", "default_yes": False},
        {
            "text": "PIN?",
            "default_text": "1234",
            "input_type": "numeric",
            "form": "a number, such as -12.5",
            "max_length": 8,
            "is_hidden": True,
        },
        {"text": "Which?", "choices": ["red", "blue"], "is_multiple": False},
        {
            "text": "Which?",
            "choices": ["red", "blue"],
            "is_multiple": True,
            "default_choices": [2, 1],
        },
    ]


# -- answers that are none ------------------------------------------------------------


@pytest.mark.parametrize("alert", [CONFIRM, INPUT, ONE, MANY])
def test_person_may_cancel(bus: PrivateBus, alert: UserAlert) -> None:
    (answer,) = asked(bus, Person(Cancelled("no time")), alert)
    assert answer == UserAnswer(verdict=Verdict.CANCELLED)


def test_display_has_nothing_to_cancel(bus: PrivateBus) -> None:
    assert asked(bus, Person(Cancelled("away")), DISPLAY) == [DONE]


def test_agent_may_have_no_means_and_stays_the_agent(bus: PrivateBus) -> None:
    person = Person(NotShown("no keyboard"), True)
    answers = asked(bus, person, INPUT, CONFIRM)
    assert answers == [UserAnswer(verdict=Verdict.NOT_SHOWN), DONE]


def test_agent_for_prompts_only_shows_nothing_and_stays_the_agent(bus: PrivateBus) -> None:
    async def work() -> None:
        async with daemon(bus) as interview, agent(bus, Person(), show=None):
            assert (await ask(interview, CONFIRM)).verdict is Verdict.NOT_SHOWN
            server: Any = interview.agent
            assert await server.ask({"operation": 1}) is True

    run(work)


def test_agent_without_these_methods_shows_nothing(bus: PrivateBus) -> None:
    async def work() -> None:
        async with daemon(bus) as interview, agent(bus, Person()) as client:
            assert interview.agent is not None
            with pytest.raises(NotShown):
                await interview.agent.show("Sing", {"id": 1})
            assert interview.agent.is_present()
            assert client

    run(work)


@pytest.mark.parametrize("alert", [DISPLAY, CONFIRM])
def test_without_an_agent_nothing_is_shown(bus: PrivateBus, alert: UserAlert) -> None:
    async def work() -> None:
        async with daemon(bus) as interview:
            assert (await ask(interview, alert)).verdict is Verdict.NOT_SHOWN
        assert (await ask(Interview(SESSION, SystemClock()), alert)).verdict is Verdict.NOT_SHOWN

    run(work)


@pytest.mark.parametrize(
    ("alert", "bad", "good"),
    [
        (INPUT, ["twelve", "123456789"], "12"),
        (ONE, [[], [1, 2]], [2]),
        (MANY, [[3], [1, 1]], [1, 2]),
    ],
)
def test_answer_that_does_not_fit_is_asked_for_again(
    bus: PrivateBus, alert: UserAlert, bad: list[Any], good: Any
) -> None:
    person = Person(*bad, good)
    (answer,) = asked(bus, person, alert)
    assert good in (answer.text, list(answer.chosen))
    problems = [record.get("problem") for _, record in person.seen]
    assert problems[0] is None
    assert all(problems[1:])
    assert len({record["id"] for _, record in person.seen}) == 1


def test_person_who_never_types_what_is_asked_has_cancelled(bus: PrivateBus) -> None:
    person = Person("a", "b", "c", "d")
    assert asked(bus, person, INPUT) == [UserAnswer(verdict=Verdict.CANCELLED)]
    assert len(person.seen) == SESSION.user_alert_attempts_count


def test_agent_that_answers_with_other_types_is_forgotten(bus: PrivateBus) -> None:
    async def work() -> None:
        async with daemon(bus) as interview, await Client.connect(bus.address) as client:

            def lie(call: Any) -> Any:
                if call.interface == AGENT_INTERFACE:
                    return type(call).new_method_return(call, "s", ["perhaps"])
                return None

            client._bus.add_message_handler(lie)
            await client._call(CONTROL_INTERFACE, "RegisterAgent", "o", AGENT_PATH)
            assert (await ask(interview, CONFIRM)).verdict is Verdict.TIMED_OUT
            assert (await ask(interview, CONFIRM)).verdict is Verdict.NOT_SHOWN

    run(work)


# -- time -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["server", "device"])
def test_question_ends_in_time_and_is_taken_back(bus: PrivateBus, by: str) -> None:
    settings = SESSION if by == "server" else replace(SESSION, user_alert_timeout_s=0.1)
    alert = replace(CONFIRM, max_s=1 if by == "server" else 3600)

    async def work() -> None:
        person = Person(None, True)
        async with daemon(bus, settings) as interview, agent(bus, person):
            assert (await ask(interview, alert)).verdict is Verdict.TIMED_OUT
            again = Interview(SESSION, SystemClock())
            again.agent = interview.agent
            assert await ask(again, CONFIRM) == DONE, "the agent is free again"
            assert person.ended == ["Confirm"]

    run(work)


def test_question_that_waited_too_long_for_its_turn_is_never_shown(bus: PrivateBus) -> None:
    async def work() -> None:
        person, is_back, begun = Person(True, True), asyncio.Event(), asyncio.Event()
        told = asyncio.Event()

        async def slow(method: str, alert: Record) -> Any:
            begun.set()
            await is_back.wait()
            return await person.show(method, alert)

        inform: Callable[[Record], None] = lambda _: told.set()  # noqa: E731
        async with daemon(bus) as interview, agent(bus, person, show=slow, inform=inform):
            server: Any = interview.agent
            first = asyncio.ensure_future(ask(interview, CONFIRM))
            await begun.wait()
            late = await ask(interview, replace(INPUT, max_s=1))
            assert late.verdict is Verdict.TIMED_OUT
            server.inform({})
            await told.wait()  # and with it, the withdrawal that was sent before
            is_back.set()
            assert await first == DONE
            assert await ask(interview, CONFIRM) == DONE
        assert [method for method, _ in person.seen] == ["Confirm", "Confirm"]

    run(work)


def test_display_without_an_end_is_shown_as_long_as_it_may_be(bus: PrivateBus) -> None:
    async def work() -> None:
        async def forever(_method: str, _alert: Record) -> Any:
            await asyncio.Event().wait()

        async with daemon(bus) as interview, agent(bus, Person(), show=forever):
            assert await ask(interview, replace(DISPLAY, max_s=1)) == DONE

    run(work)


# -- agents that come and go ------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "verdict"), [(CONFIRM, Verdict.TIMED_OUT), (DISPLAY, Verdict.NOT_SHOWN)]
)
def test_agent_that_leaves_while_asked_is_nobody(
    bus: PrivateBus, alert: UserAlert, verdict: Verdict
) -> None:
    async def work() -> None:
        begun = asyncio.Event()

        async def never(_method: str, _alert: Record) -> Any:
            begun.set()
            await asyncio.Event().wait()

        async with daemon(bus) as interview:
            async with agent(bus, Person(), show=never) as client:
                answer = asyncio.ensure_future(ask(interview, alert))
                await begun.wait()
                await client.close()
                assert (await answer).verdict is verdict
            assert (await ask(interview, CONFIRM)).verdict is Verdict.NOT_SHOWN

    run(work)


def test_agent_that_takes_anothers_place_is_asked_instead(bus: PrivateBus) -> None:
    async def work() -> None:
        old, new = Person(None), Person(True)
        async with daemon(bus) as interview, agent(bus, old):
            answer = asyncio.ensure_future(ask(interview, CONFIRM))
            await old.asked.wait()
            async with agent(bus, new):
                assert await answer == DONE
                while not old.ended:  # noqa: ASYNC110 - the withdrawal is on its way
                    await asyncio.sleep(0.005)
        assert old.seen == new.seen

    run(work)


def test_other_calls_are_served_while_a_person_thinks(bus: PrivateBus) -> None:
    async def work() -> None:
        person = Person(None)
        async with daemon(bus) as interview, agent(bus, person):
            answer = asyncio.ensure_future(ask(interview, CONFIRM))
            await person.asked.wait()
            async with await Client.connect(bus.address) as client:
                assert (await client.status())["agent"] is True
            answer.cancel()

    run(work)


def test_desk_refuses_what_it_does_not_know(bus: PrivateBus) -> None:
    async def work() -> None:
        async with daemon(bus) as interview, agent(bus, Person()):
            server: Any = interview.agent
            registered = server.agents._agent
            for member in ("Sing", "Withdraw"):
                with pytest.raises(RemoteError) as caught:
                    await server._bus.invoke(registered.message(member, {}))
                assert caught.value.name == ERROR_UNKNOWN_METHOD

    run(work)
