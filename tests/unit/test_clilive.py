"""What `scomoctl watch` shows of how far an operation is."""

from __future__ import annotations

import pytest

from scomod.clicall import Screen
from scomod.clifmt import Style
from scomod.clilive import CLEAR_LINE, Board

PROGRESS = {"id": 7, "done": 500, "total": 1000}
OPERATION = {"id": 7, "name": "editor", "phase": "running", "primitive": "DownloadInstall"}


def shown(capsys: pytest.CaptureFixture[str], step: str) -> str:
    board = Board(Screen(style=Style(is_coloured=False), width=80, is_json=False))
    board.learn({**OPERATION, "step": step})
    board.show("Progress", PROGRESS)
    return capsys.readouterr().out.removeprefix(CLEAR_LINE)


def test_a_bar_of_what_is_fetched_has_octets(capsys: pytest.CaptureFixture[str]) -> None:
    line = shown(capsys, "acquire")
    assert line.startswith("operation 7 editor")
    assert line.endswith("50 %  500 B")


@pytest.mark.parametrize("step", ["install", "activate"])
def test_a_bar_of_what_is_installed_has_percent_alone(
    capsys: pytest.CaptureFixture[str], step: str
) -> None:
    line = shown(capsys, step)
    assert "##" in line
    assert line.endswith("50 %")
