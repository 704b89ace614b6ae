# SPDX-License-Identifier: Apache-2.0
"""Scenario files: what is read, and what is said of a line that makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from scomod.lab.__main__ import main
from scomod.lab.scenario import WORDS, ScenarioError, read
from scomod.lab.scenariorun import Run

SHIPPED = sorted((Path(__file__).parents[3] / "docs/examples/scenarios").glob("*.scenario"))


def written(folder: Path, text: str) -> Path:
    path = folder / "s.scenario"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_can_be_read_and_has_a_title(path: Path) -> None:
    scenario = read(path)
    assert scenario.steps[0].word == "title"
    assert any(step.word.startswith("expect") for step in scenario.steps)


def test_every_word_is_shipped_or_tested_somewhere() -> None:
    used = {step.word for path in SHIPPED for step in read(path).steps}
    assert set(WORDS) - used == {"pause", "wait session", "expect no node"}


def test_every_word_is_played() -> None:
    assert all(hasattr(Run, "_do_" + word.replace(" ", "_")) for word in WORDS)


def test_comments_quotes_and_empty_lines(tmp_path: Path) -> None:
    path = written(tmp_path, '\n# nothing\norder ask alert=display text="two words" # shown\n')
    (step,) = read(path).steps
    assert (step.line, step.word) == (3, "order")
    assert step.rest == ("ask", "alert=display", "text=two words")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("instal x", "'instal x': allowed are title, say, deadline"),
        ("expect nothing", "allowed are expect result, expect order, expect status"),
        ("wait report", "allowed are wait session"),
        ('say "a', "No closing quotation"),
        ("pause 5", "'5' is no time: a number with ms, s, min"),
        ("deadline", "too few or too many words"),
        ("package hello", "package NAME VERSION [depends=NAME]: too few"),
        ("package hello 1 needs=x", "'needs' is not one of: depends"),
        ("order instal file=x", "no order 'instal'; there are: read, install"),
        ("order install node=x", "order install needs pkg_id"),
        ("order install hello", "'hello' is no KEY=VALUE"),
        ("push 127.0.0.1", "too few or too many words"),
        ("fault dm.status=200", "a number from 400 to 599"),
        ("fault dm.sleep=1", "there are: dm.status, dm.portal"),
        ("fault dm.lost=on count=0", "'count' is not one of"),
        ("expect result good", "'good' is no code"),
        ("expect order waiting", "'waiting' is not one of: accepted, done, failed"),
        ("expect status 200", "expect status CODE URI: too few"),
        ("expect alert results=1200", "'results' is not one of: code, type, result"),
        ("expect node ./A is b", "expect node URI [= VALUE]: too few"),
        ("expect component a b", "'b' is no KEY=VALUE"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_with_what_is_allowed(
    tmp_path: Path, text: str, says: str
) -> None:
    path = written(tmp_path, f"title x\n\n{text}\n")
    with pytest.raises(ScenarioError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert says in str(caught.value)


def test_a_file_without_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="says nothing"):
        read(written(tmp_path, "# nothing\n"))


def test_the_exit_code_tells_a_bad_file_from_a_missing_bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--dir", str(tmp_path), "run", "--device", "d"]
    assert main([*run, str(written(tmp_path, "nonsense\n"))]) == 2
    assert "s.scenario:1: 'nonsense': allowed are" in capsys.readouterr().err
    assert main([*run, str(written(tmp_path, "push\n"))]) == 1
    assert "no bench runs in" in capsys.readouterr().err
    assert main([*run, "--check", str(written(tmp_path, "push\n"))]) == 0
