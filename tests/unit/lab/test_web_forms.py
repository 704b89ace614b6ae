# SPDX-License-Identifier: Apache-2.0
"""The forms of the console know every order, and the one that sends a command as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.lab import scomo
from scomod.lab.commands import OrderError
from scomod.lab.devices import Phase
from scomod.lab.webconsole import FILES, FOLDER
from scomod.lab.webforms import FORMS, described

if TYPE_CHECKING:
    from tests.support.lab_stand import Stand

DOCUMENT = (Path(__file__).parents[3] / "docs/lab.md").read_text()


def test_every_order_has_a_form_with_what_it_cannot_do_without() -> None:
    assert set(FORMS) == set(scomo.ORDERS) == set(described()["orders"])
    for kind, form in FORMS.items():
        asked = {field.name for field in form.fields}
        filled = {"data"} if "file" in asked else set()
        assert set(scomo.PARAMETERS[kind]) <= asked | filled, kind


def test_every_order_is_documented() -> None:
    for kind in scomo.ORDERS:
        assert f"`{kind}`" in DOCUMENT, kind


def test_the_pages_are_there_and_load_nothing_from_elsewhere() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {name for name, _ in FILES.values()}
    for name in ("index.html", "console.css", "console.js"):
        text = (FOLDER / name).read_text()
        assert "https://" not in text, name
        assert "style=" not in text
        assert "innerHTML" not in text


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({"verb": "Get", "uri": "./A/b"}, "answered with 200 1"),
        ({"verb": "Get", "uri": "./None"}, "answered with 404"),
        ({"verb": "Add", "uri": "./A/c", "value": "2"}, "answered with 200"),
        ({"verb": "Add", "uri": "./A/b", "value": "2"}, "answered with 418"),
        ({"verb": "Replace", "uri": "./A/b", "value": "3"}, "answered with 200"),
        ({"verb": "Delete", "uri": "./A/b"}, "answered with 200"),
        ({"verb": "Exec", "uri": "./A/b"}, "answered with 202"),
    ],
)
def test_a_command_goes_out_as_it_stands(stand: Stand, params: dict[str, str], detail: str) -> None:
    stand.device.tree = {"./A/b": b"1"}
    order = stand.order("command", **params)
    stand.device.run()
    assert (order.phase.is_due, order.detail) == (False, detail)
    assert order.phase is (Phase.ACCEPTED if params["verb"] == "Exec" else Phase.DONE)


def test_a_command_that_is_none_is_refused() -> None:
    with pytest.raises(OrderError, match="verb is one of Get, Add"):
        scomo.check("command", {"verb": "Copy", "uri": "./A"})
