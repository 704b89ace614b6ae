# SPDX-License-Identifier: Apache-2.0
"""What the bench says of its numbers; the numbers themselves are no matter for tests."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import measure, verdict
from bench.run import CASES
from bench.verdict import Bound, Budget, Kind, Row

IO_FILE = "rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n"


def budget(limit: float, bound: Bound = Bound.MOST) -> Budget:
    return Budget(
        name="a/b", measures="something", limit=limit, unit="ms", kind=Kind.MS, bound=bound
    )


def row(value: float, unit: str = "ms") -> Row:
    return Row(name="a/b", value=value, unit=unit)


def test_budgets_have_known_units_and_names_of_cases() -> None:
    budgets = verdict.load()
    assert len({one.name for one in budgets}) == len(budgets) > 5
    for one in budgets:
        assert one.unit in verdict.DIGITS
        assert one.measures
    documented = (Path(__file__).parents[2] / "docs/bench.md").read_text()
    for name in {one.name.partition("/")[0] for one in budgets} | set(CASES):
        assert f"`{name}" in documented


@pytest.mark.parametrize(
    ("bound", "value", "is_broken"),
    [
        (Bound.MOST, 10, False),
        (Bound.MOST, 10.1, True),
        (Bound.LEAST, 10, False),
        (Bound.LEAST, 9.9, True),
    ],
)
def test_the_limit_itself_is_kept(bound: Bound, value: float, is_broken: bool) -> None:
    (found,) = verdict.judge([budget(10, bound)], [row(value)])
    assert found.is_broken is is_broken
    assert found.text.startswith("BROKEN" if is_broken else "kept")


def test_what_was_not_measured_is_not_broken() -> None:
    (found,) = verdict.judge([budget(10)], [])
    assert not found.is_broken
    assert found.text == "not run  a/b: at most 10 ms"


def test_a_time_is_not_judged_on_a_machine_that_is_too_slow() -> None:
    promise = replace(budget(10), yardstick="bare", yardstick_limit=3)
    slow, fast = (Row(name="bare", value=value, unit="ms") for value in (4, 3))
    (unfair,) = verdict.judge([promise], [row(11), slow])
    (fair,) = verdict.judge([promise], [row(11), fast])
    assert (unfair.is_broken, fair.is_broken) == (False, True)
    assert unfair.text.startswith("unjudged")


def test_a_budget_in_another_unit_than_its_row_is_refused() -> None:
    with pytest.raises(ValueError, match="measured in MiB, not ms"):
        verdict.judge([budget(10)], [row(1, "MiB")])


@pytest.mark.parametrize("line", ['kind = "feet"', 'kind = "ms"\nheight = 3'])
def test_a_budget_with_a_word_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "budgets.toml"
    text = f'[[budget]]\nname = "a"\nmeasures = "b"\nlimit = 1\nunit = "ms"\n{line}\n'
    file.write_text(text)
    with pytest.raises(ValueError, match=r"feet|height"):
        verdict.load(file)


def test_table_has_values_in_one_column() -> None:
    rows = [row(5), Row(name="longer name", value=12345.6, unit="bytes", note="why")]
    assert verdict.table(rows) == [
        "a/b                  5 ms",
        "longer name  12,346 bytes  why",
    ]


def test_writes_are_read_from_the_line_of_that_name() -> None:
    assert measure.written_of(IO_FILE) == 4096


def test_memory_of_a_process_is_in_mib() -> None:
    found = measure.memory(os.getpid())
    assert 1 < found["Pss"] <= found["Rss"] < 4096
