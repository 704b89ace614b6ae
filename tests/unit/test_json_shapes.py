# SPDX-License-Identifier: Apache-2.0
"""docs/json.md and the schema: current, of every command, and true of what the daemon answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from scomod.clicommands import COMMANDS
from scomod.control import Control
from scomod.settings import Confirm
from tests.support import json_records, json_shapes
from tests.support.clocks import FakeClock
from tests.support.handing import HandInHandset, signed
from tests.support.handset import settings_of
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDITOR = package("editor", "2.1")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[HandInHandset]:
    device = HandInHandset(tmp_path / "device", Shelf(), FakeClock())
    yield device
    device.close()


def control_of(device: HandInHandset) -> Control:
    nobody: Any = None
    scheduler: Any = SimpleNamespace(running="")
    return Control(
        store=device.records,
        scheduler=scheduler,
        confirmations=device.confirmations,
        enrolment=nobody,
        traces=nobody,
        requests=nobody,
        cancel=nobody,
        entrance=nobody,
        baseline=nobody,
        insight=nobody,
        clock=device.clock,
        root="/",
    )


def carried(record: Any) -> Any:
    """What D-Bus leaves of a record: no key without a value."""
    if isinstance(record, dict):
        return {key: carried(value) for key, value in record.items() if value is not None}
    return [carried(each) for each in record] if isinstance(record, list) else record


def test_page_and_schema_are_those_of_the_table() -> None:
    text = json_shapes.PAGE.read_text().partition(json_shapes.BEGIN)[2]
    advice = "run: python -m tests.support.json_shapes"
    assert text == json_shapes.tables(), advice
    assert json_shapes.SCHEMA.read_text() == json_shapes.schema_text(), advice
    Draft202012Validator.check_schema(json_shapes.schema())


def test_every_command_says_what_it_prints() -> None:
    assert set(json_records.COMMANDS) == set(COMMANDS) - {"help"}


def test_real_records_are_as_said(device: HandInHandset, tmp_path: Path) -> None:
    file = tmp_path / "editor.deb"
    file.write_bytes(EDITOR)
    number = device.bring(file, signed(EDITOR))
    control = control_of(device)
    for command, record in {
        "status": control.status(),
        "inventory": control.inventory(),
        "operations": control.operations(),
        "install": control.one_operation(number),
        "history": control.history(),
        "get": control.tree_node("./SCOMO/Inventory/Deployed/editor/Name"),
    }.items():
        assert json_shapes.check(command, carried(record))


def test_real_prompt_is_as_said(tmp_path: Path) -> None:
    settings = settings_of("ask")
    assert settings.confirm == Confirm(default="ask")
    device = HandInHandset(tmp_path / "device", Shelf(), FakeClock(), settings=settings)
    file = tmp_path / "editor.deb"
    file.write_bytes(EDITOR)
    device.bring(file, signed(EDITOR))
    (prompt,) = control_of(device).prompts()
    json_shapes.check("watch", {"event": "PromptChanged", **carried(prompt)})
    json_shapes.check("operations", carried(control_of(device).operations()))
    device.close()


def test_key_that_nobody_has_described_is_an_error() -> None:
    with pytest.raises(ValidationError):
        json_shapes.check("tree", {"name": "a", "text": "", "children": [], "more": 1})
    with pytest.raises(ValidationError):
        json_shapes.check("tree", {"name": "a", "text": ""})
