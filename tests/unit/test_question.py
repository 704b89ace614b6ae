# SPDX-License-Identifier: Apache-2.0
"""What a person is told of every operation there is: before it, and after it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod import question
from scomod.errors import Reason
from scomod.language import Tongue
from scomod.operation import (
    PLANS,
    Branch,
    Extra,
    Operation,
    Phase,
    Primitive,
    StepKind,
    Subject,
    name_of,
    plan_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATION = Operation(
    id=7,
    branch=Branch.DOWNLOAD,
    primitive=Primitive.DOWNLOAD_INSTALL,
    node="x",
    exec_uri="",
    server_id="srv",
    subject=Subject(
        pkg_id="org.hello",
        name="Hello",
        version="1.2",
        description="says hello",
        url="https://h/x?signed=1",
        install_params="size=1024",
    ),
)


def test_prompt_says_what_it_implies() -> None:
    prompt = question.prompt_of(
        OPERATION,
        server_name="Example",
        units=("hello.service",),
        is_metered=True,
        windows=("Mon-Fri 02:00-04:00",),
    )
    assert prompt == {
        "operation": 7,
        "primitive": "DownloadInstall",
        "what": "download and install",
        "effect": "It is fetched, checked and installed, and can be used at once.",
        "name": "Hello",
        "description": "says hello",
        "version": "1.2",
        "size": 1024,
        "server": "srv",
        "server_name": "Example",
        "url": "https://h/x?***",
        "units": ["hello.service"],
        "reboot": False,
        "reversible": True,
        "permissions": None,
        "vendor": None,
        "info_url": None,
        "icon_url": None,
        "metered": True,
        "summary": "Example asks to download and install Hello 1.2.",
        "text": "It is fetched, checked and installed, and can be used at once.\n"
        "1.0 KiB are downloaded.\n"
        "The network in use now costs by volume.\n"
        "This service stops, at least for a moment: hello.service.\n"
        "It begins only at these times: Mon-Fri 02:00-04:00.\n"
        "The device does not restart for it, as far as is known.\n"
        "It can be undone on this device.",
    }


def test_prompt_says_that_the_device_restarts() -> None:
    steps = plan_for(OPERATION.branch, OPERATION.primitive, frozenset({Extra.REBOOT_AFTER}))
    assert question.prompt_of(replace(OPERATION, steps=steps), server_name="")["reboot"] is True


def disclosing(step: StepKind) -> Operation:
    """Return the operation at a step of a plan with two questions; the package is there."""
    steps = plan_for(OPERATION.branch, OPERATION.primitive, frozenset({Extra.DISCLOSE}))
    return replace(OPERATION, steps=steps, cursor=steps.index(step), data={"size": 2048})


def test_first_of_two_questions_says_that_permissions_are_told_later() -> None:
    prompt = question.prompt_of(disclosing(StepKind.CONSENT), server_name="")
    assert prompt["effect"].endswith(
        " Permissions that it asks for are told before it is installed."
    )
    assert prompt["permissions"] is None


def test_second_question_says_what_is_there_already_and_what_it_asks_for() -> None:
    asked = ("It may use the network.",)
    prompt = question.prompt_of(disclosing(StepKind.DISCLOSE), server_name="", permissions=asked)
    assert prompt["permissions"] == ["It may use the network."]
    assert prompt["what"] == "go on and install what asks for permissions"
    assert "downloaded" in prompt["effect"]
    assert prompt["size"] == 2048, "the size it really has"


@pytest.mark.parametrize(("branch", "primitive"), PLANS)
@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_every_operation_has_its_words(branch: Branch, primitive: Primitive, phase: Phase) -> None:
    operation = replace(
        OPERATION, branch=branch, primitive=primitive, phase=phase, reason=Reason.NO_SPACE
    )
    prompt = question.prompt_of(operation, server_name="", units=("a.service",))
    assert prompt["effect"].endswith(".")
    is_stopped = primitive not in (Primitive.DOWNLOAD, Primitive.ACTIVATE, Primitive.START)
    assert bool(prompt["units"]) is is_stopped
    text = question.sentence(operation)
    assert text.startswith("Hello 1.2 is " if phase is Phase.SUCCEEDED else "Hello 1.2 could not")
    assert (": there is not enough room." in text) is (phase is Phase.FAILED)


# What every prompt must say: who asks, what happens, what it costs, what is undone.
DUTIES = (
    ("who asks", "summary", r"\bExample\b"),
    ("about what", "summary", r"\bHello 1\.2\b"),
    ("what happens", "text", r"^(It|The package) .*\.$"),
    ("what comes over the network", "text", r"^(Nothing is|1\.0 KiB are|How much is) downloaded"),
    ("whether it restarts", "text", r"^The device (does not restart|restarts) for it"),
    ("what is undone", "text", r"^It (can|cannot) be undone on this device"),
)
LONGEST_WORDS = 26  # of a sentence: who listens has to keep it in mind
GERMAN = Tongue("de")


def _prompts(branch: Branch, primitive: Primitive) -> Iterator[dict[str, Any]]:
    operation = replace(OPERATION, branch=branch, primitive=primitive)
    yield question.prompt_of(operation, server_name="Example", units=("a.service", "b.service"))
    steps = plan_for(branch, primitive, frozenset({Extra.REBOOT_AFTER}))
    yield question.prompt_of(replace(operation, steps=steps), server_name="Example")


@pytest.mark.parametrize(("branch", "primitive"), PLANS)
def test_every_prompt_says_who_asks_what_happens_what_it_costs_and_what_is_undone(
    branch: Branch, primitive: Primitive
) -> None:
    for prompt in _prompts(branch, primitive):
        for duty, key, pattern in DUTIES:
            assert re.search(pattern, prompt[key], re.MULTILINE), f"{duty}: {prompt[key]}"
        is_fetched = branch is Branch.DOWNLOAD
        assert ("costs by volume" in prompt["text"]) is is_fetched
        for sentence in re.split(r"(?<=[.:;]) |\n", prompt["text"]):
            assert len(sentence.split()) <= LONGEST_WORDS, sentence
            assert re.fullmatch(r"[A-Z0-9a-z-].*[.:;]", sentence), f"no sentence: {sentence}"
        assert prompt["text"].isascii(), "nothing is said by a symbol"


@pytest.mark.parametrize(("branch", "primitive"), PLANS)
def test_every_prompt_and_every_end_is_said_in_german(branch: Branch, primitive: Primitive) -> None:
    for prompt in _prompts(branch, primitive):
        said = GERMAN.spoken(prompt)
        english, german = prompt["text"].split("\n"), said["text"].split("\n")
        assert len(german) == len(english)
        for one, other in zip(english, german, strict=True):
            assert one != other, f"not translated: {one}"
        for key in ("summary", "what"):
            assert said[key] != prompt[key]
        for key in ("name", "version", "server_name", "description", "url", "primitive"):
            assert said[key] == prompt[key], "what a server wrote stands as it was written"
    for phase in (Phase.SUCCEEDED, Phase.FAILED):
        ended = replace(
            OPERATION, branch=branch, primitive=primitive, phase=phase, reason=Reason.NO_SPACE
        )
        assert GERMAN(question.sentence(ended)) != question.sentence(ended)


@pytest.mark.parametrize(
    ("is_metered", "text"),
    [
        (True, "costs by volume."),
        (False, "does not cost by volume."),
        (None, "costs by volume is not known."),
    ],
)
def test_prompt_says_what_the_network_costs(is_metered: bool | None, text: str) -> None:
    prompt = question.prompt_of(OPERATION, server_name="Example", is_metered=is_metered)
    assert any(line.endswith(text) for line in prompt["text"].split("\n"))
    assert prompt["metered"] is is_metered


def test_what_is_on_the_device_already_costs_nothing_over_the_network() -> None:
    second = question.prompt_of(
        disclosing(StepKind.DISCLOSE), server_name="", permissions=("x",), is_metered=True
    )
    assert "Nothing is downloaded." in second["text"].split("\n")
    assert second["metered"] is None


def test_permissions_stand_in_the_text_one_on_each_line() -> None:
    prompt = question.prompt_of(
        disclosing(StepKind.DISCLOSE), server_name="", permissions=("It may print.", "It may x.")
    )
    lines = prompt["text"].split("\n")
    at = lines.index("It asks for what it may not do now:")
    assert lines[at + 1 : at + 3] == ["- It may print.", "- It may x."]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_sentence(reason: Reason) -> None:
    text = question.sentence(replace(OPERATION, phase=Phase.FAILED, reason=reason))
    assert text.startswith("Hello 1.2 could not be installed: ")
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (Subject(pkg_id="p", component_id="c"), "p"),
        (Subject(component_id="c"), "c"),
        (Subject(), "x"),
    ],
)
def test_software_without_a_name_is_called_by_what_there_is(subject: Subject, name: str) -> None:
    assert name_of(replace(OPERATION, subject=subject)) == name
