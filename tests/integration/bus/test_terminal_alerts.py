# SPDX-License-Identifier: Apache-2.0
"""`scomoctl agent` at a real terminal: what a person sees of alerts and prompts and can type."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from scomod import clialert
from scomod.clicall import Screen
from scomod.clifmt import Style
from scomod.facade import Cancelled, Deferred, NotShown, Record
from scomod.language import Tongue
from tests.support.at_terminal import END, INTERRUPT, Terminal, scomoctl_at_terminal
from tests.support.fake_daemon import PROMPT, RunningDaemon, running_daemon
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 100.0
ALERT: Record = {
    "id": 1, "server": "srv1", "server_name": "Example", "deadline": 1_700_000_000.0,
    "text": "Line one\nLine\x1b[2J two",
}  # fmt: skip
INPUT: Record = {
    **ALERT, "input_type": "alphanumeric", "form": "one line of text", "max_length": 10,
    "is_hidden": False, "default_text": "",
}  # fmt: skip
CHOOSE: Record = {**ALERT, "choices": ["red", "green", "blue"], "is_multiple": False}
ENGLISH = Tongue("C")
SILENT = Screen(is_json=True, style=Style(is_coloured=False), width=None)
MANY: Record = {**CHOOSE, "is_multiple": True}


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture(scope="module")
def running(bus: PrivateBus) -> Iterator[RunningDaemon]:
    with running_daemon(bus.address) as started:
        yield started


@pytest.fixture(scope="module")
def terminal(bus: PrivateBus, running: RunningDaemon) -> Iterator[Terminal]:
    """One agent for all tests: each begins and ends with nothing asked."""
    with scomoctl_at_terminal(bus.address, "agent") as started:
        started.until("Ctrl-C ends")
        assert running.bus.is_present()
        yield started
        started.type(INTERRUPT)
        assert started.process.wait(PATIENCE_S) == 0, "outside of a question Ctrl-C ends it"


class Dialogue:
    def __init__(self, running: RunningDaemon, terminal: Terminal) -> None:
        self._running = running
        self.terminal = terminal
        self.shown = ""

    def answer(self, method: str, alert: Record, *typed: str) -> Any:
        """Type something after each question; returns the answer to the alert."""
        asked = self._running.show(method, alert)
        self.shown = ""
        for text in typed:
            self.shown += self.terminal.until(" cancels")
            self.terminal.type(text)
        return asked.result(PATIENCE_S)


@pytest.fixture
def person(running: RunningDaemon, terminal: Terminal) -> Dialogue:
    return Dialogue(running, terminal)


def test_alert_is_shown_with_who_asks_and_cannot_drive_the_terminal(person: Dialogue) -> None:
    assert person.answer("Confirm", ALERT, "y\n") is True
    assert "Example (answer until" in person.shown
    assert "  Line one\r\n  Line\ufffd[2J two\r\n" in person.shown
    assert "\x1b" not in person.shown


def test_display_needs_no_answer(person: Dialogue) -> None:
    assert person.answer("Display", {**ALERT, "text": "just so"}) is None
    assert "just so" in person.terminal.until("just so")


@pytest.mark.parametrize(
    ("preset", "typed", "verdict"),
    [
        (None, ("y\n",), True),
        (None, ("No\n",), False),
        (None, ("\n", "perhaps\n", "n\n"), False),
        (True, ("\n",), True),
        (False, ("\n",), False),
        (False, ("yes\n",), True),
    ],
)
def test_confirmation_takes_yes_no_or_what_is_preset(
    person: Dialogue, preset: bool | None, typed: tuple[str, ...], verdict: bool
) -> None:
    assert person.answer("Confirm", {**ALERT, "default_yes": preset}, *typed) is verdict


@pytest.mark.parametrize("method", ["Confirm", "Input", "Choose"])
@pytest.mark.parametrize("typed", [INTERRUPT, END])
def test_interrupt_and_end_of_input_cancel_any_question(
    person: Dialogue, method: str, typed: str
) -> None:
    with pytest.raises(Cancelled):
        person.answer(method, {**INPUT, **CHOOSE}, typed)


@pytest.mark.parametrize(("method", "alert"), [("Confirm", ALERT), ("Choose", CHOOSE)])
def test_c_cancels_where_it_is_no_answer(person: Dialogue, method: str, alert: Record) -> None:
    with pytest.raises(Cancelled):
        person.answer(method, alert, "c\n")


@pytest.mark.parametrize(
    ("preset", "typed", "text"),
    [("", "Ada L\n", "Ada L"), ("", "\n", ""), ("Bob", "\n", "Bob"), ("Bob", "c\n", "c")],
)
def test_text_is_taken_as_typed_or_preset(
    person: Dialogue, preset: str, typed: str, text: str
) -> None:
    assert person.answer("Input", {**INPUT, "default_text": preset}, typed) == text


def test_hidden_text_is_not_echoed_and_its_preset_not_shown(person: Dialogue) -> None:
    alert = {**INPUT, "is_hidden": True, "default_text": "hunter2", "form": "one secret"}
    assert person.answer("Input", alert, "s3cret\n") == "s3cret"
    after = person.answer("Confirm", ALERT, "y\n"), person.shown
    assert after[0] is True
    assert "s3cret" not in after[1]
    assert "hunter2" not in after[1]
    assert person.terminal.is_echoing()


def test_problem_with_the_last_answer_is_shown(person: Dialogue) -> None:
    alert = {**INPUT, "problem": "a date as DDMMYYYY"}
    person.answer("Input", alert, "x\n")
    assert "That cannot be taken. Needed: a date as DDMMYYYY" in person.shown


@pytest.mark.parametrize(
    ("alert", "typed", "chosen"),
    [
        (CHOOSE, ("2\n",), [2]),
        (CHOOSE, ("\n", "4\n", "0\n", "1 2\n", "blue\n", "3\n"), [3]),
        ({**CHOOSE, "default_choices": [2]}, ("\n",), [2]),
        (MANY, ("3, 1 3\n",), [3, 1]),
        (MANY, ("\n", "0\n"), []),
        ({**MANY, "default_choices": [1, 3]}, ("\n",), [1, 3]),
    ],
)
def test_choices_are_numbered_and_chosen_by_number(
    person: Dialogue, alert: Record, typed: tuple[str, ...], chosen: list[int]
) -> None:
    assert person.answer("Choose", alert, *typed) == chosen
    assert "    1  red\r\n    2  green\r\n    3  blue\r\n" in person.shown


def test_question_taken_back_leaves_the_terminal_as_it_was(
    running: RunningDaemon, person: Dialogue
) -> None:
    asked = running.show("Input", {**INPUT, "is_hidden": True})
    person.terminal.until(" cancels")
    asked.cancel()
    person.terminal.until("not asked any longer")
    assert person.terminal.is_echoing()
    assert person.answer("Confirm", ALERT, "y\n") is True


# -- prompts -----------------------------------------------------------------------


class Prompts:
    """Questions about operations, at the same terminal."""

    def __init__(self, running: RunningDaemon, terminal: Terminal) -> None:
        self.running = running
        self.terminal = terminal
        self.shown = ""

    def answer(self, prompt: Record, *typed: str) -> bool:
        asked = self.running.ask(prompt)
        for text in typed:
            self.shown += self.terminal.until("] ")
            self.terminal.type(text)
        return asked.result(PATIENCE_S)


@pytest.fixture
def prompts(running: RunningDaemon, terminal: Terminal) -> Prompts:
    return Prompts(running, terminal)


LATER: Record = {**PROMPT, "deferrals_left": 2, "tonight": "22:00"}


def test_prompt_says_what_it_implies(prompts: Prompts) -> None:
    text = ("It is fetched.", "It asks for what it may not do now:", "- It may print.")
    assert prompts.answer({**LATER, "text": "\n".join(text)}, "y\n") is True
    for line in (
        "Example asks to install Hello 1.2",
        "It can be put off 2 times; tonight is 22:00.",
        *text,
        "It comes from https://pkg.example.org/hello.deb.",
    ):
        assert line in prompts.shown


def test_prompt_is_deferred_by_a_time_and_asked_again_after_nonsense(prompts: Prompts) -> None:
    with pytest.raises(Deferred) as caught:
        prompts.answer(LATER, "soon\n", " Tonight\n")
    assert caught.value.when == "tonight"
    assert "'soon' is no time: say tonight" in prompts.shown


@pytest.mark.parametrize(("typed", "verdict"), [("\n", False), ("n\n", False), ("yes\n", True)])
def test_prompt_that_could_be_deferred_is_answered(
    prompts: Prompts, typed: str, verdict: bool
) -> None:
    assert prompts.answer(LATER, typed) is verdict


def test_prompt_that_cannot_be_deferred_is_declined_by_anything_but_yes(prompts: Prompts) -> None:
    assert prompts.answer({**LATER, "deferrals_left": 0}, "1h\n") is False
    assert "later" not in prompts.shown


def test_prompt_taken_back_is_not_asked_any_longer(prompts: Prompts) -> None:
    asked = prompts.running.ask(LATER)
    prompts.terminal.until("] ")
    asked.cancel()
    prompts.terminal.until("not asked any longer")
    assert prompts.answer(LATER, "y\n") is True


def test_end_of_an_operation_is_told(prompts: Prompts) -> None:
    record = {"id": 7, "phase": "succeeded", "text": "Hello 1.2 is\x1b installed."}
    prompts.running.do(lambda: prompts.running.bus.completed(record))
    assert "Hello 1.2 is\ufffd installed." in prompts.terminal.until("installed.")


# -- without a person ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "alert", "answer"),
    [
        ("Display", ALERT, None),
        ("Confirm", ALERT, True),
        ("Input", {**INPUT, "default_text": "Bob"}, "Bob"),
        ("Input", INPUT, NotShown),
        ("Choose", {**MANY, "default_choices": [3, 1]}, [3, 1]),
        ("Choose", CHOOSE, NotShown),
    ],
)
def test_unattended_yes_is_what_is_preset(method: str, alert: Record, answer: Any) -> None:
    if answer is NotShown:
        with pytest.raises(NotShown):
            asyncio.run(clialert.show(SILENT, ENGLISH, "yes", method, alert))
    else:
        assert asyncio.run(clialert.show(SILENT, ENGLISH, "yes", method, alert)) == answer


@pytest.mark.parametrize(
    ("method", "answer"),
    [("Display", None), ("Confirm", False), ("Input", Cancelled), ("Choose", Cancelled)],
)
def test_unattended_no_is_no_or_cancel(method: str, answer: Any) -> None:
    alert = {**INPUT, **CHOOSE, "default_text": "Bob", "default_choices": [1]}
    if answer is Cancelled:
        with pytest.raises(Cancelled):
            asyncio.run(clialert.show(SILENT, ENGLISH, "no", method, alert))
    else:
        assert asyncio.run(clialert.show(SILENT, ENGLISH, "no", method, alert)) is answer


def test_alert_is_a_document_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(clialert.show(SILENT, ENGLISH, "yes", "Confirm", ALERT))
    assert json.loads(capsys.readouterr().out) == {"event": "alert", "method": "Confirm", **ALERT}
