# SPDX-License-Identifier: Apache-2.0
"""What a person is told of every operation there is: before it, and after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scomod import question
from scomod.errors import Reason
from scomod.operation import (
    PLANS,
    Branch,
    Extra,
    Operation,
    Phase,
    Primitive,
    StepKind,
    Subject,
    plan_for,
)

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
        url="https://h/x",
        install_params="size=1024",
    ),
)


def test_prompt_says_what_it_implies() -> None:
    prompt = question.prompt_of(OPERATION, server_name="Example", units=("hello.service",))
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
        "url": "https://h/x",
        "units": ["hello.service"],
        "reboot": False,
        "reversible": True,
        "permissions": None,
        "vendor": None,
        "info_url": None,
        "icon_url": None,
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
    assert question.name_of(replace(OPERATION, subject=subject)) == name
