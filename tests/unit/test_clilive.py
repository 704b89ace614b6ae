# SPDX-License-Identifier: Apache-2.0
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
    assert line.endswith("50 %  500 of 1000 B")


def test_what_is_fetched_has_a_rate_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = iter([0.0, 0.0, 5.0, 5.0])
    screen = Screen(style=Style(is_coloured=False), width=100, is_json=False)
    board = Board(screen, lambda: next(now_s))
    board.learn({**OPERATION, "step": "acquire"})
    board.show("Progress", {"id": 7, "done": 0, "total": 1000})
    board.show("Progress", PROGRESS)
    line = capsys.readouterr().out.rpartition(CLEAR_LINE)[2]
    assert line.endswith("50 %  500 of 1000 B  100 B/s  5 s left")


@pytest.mark.parametrize("step", ["install", "activate"])
def test_a_bar_of_what_is_installed_has_percent_alone(
    capsys: pytest.CaptureFixture[str], step: str
) -> None:
    line = shown(capsys, step)
    assert "##" in line
    assert line.endswith("50 %")


def test_without_a_terminal_there_is_a_line_for_each_step_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = Board(Screen(style=Style(is_coloured=False), width=None, is_json=False))
    board.learn({**OPERATION, "step": "acquire"})
    board.show("Progress", PROGRESS)
    assert capsys.readouterr().out == ""
