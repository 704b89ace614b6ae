# SPDX-License-Identifier: Apache-2.0
"""The conformance page says what the tests show, and every row is shown or owned up to."""

import re

import pytest

from tests.support.conformance_report import PAGE, gaps, markdown, rows, shown

IDS = [f"R-{n:02d}" for n in range(1, 35)] + [f"T-{n:02d}" for n in range(1, 46)]


def test_the_list_is_complete() -> None:
    assert list(rows()) == IDS


@pytest.mark.parametrize("row", IDS)
def test_a_row_has_a_test_or_an_honest_gap(row: str) -> None:
    assert row in gaps() or any(each.row == row for each in shown())


def test_a_test_is_named_after_its_row() -> None:
    for each in shown():
        assert each.row in IDS, each.name
        named = re.match(r"test_([rt])(\d\d)_", each.name)
        assert named, each.name
        assert each.row == f"{named[1].upper()}-{named[2]}", each.name


def test_gaps_are_known_rows_with_a_reason() -> None:
    for row, why in gaps().items():
        assert row in IDS
        assert len(why.split()) > 3


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == markdown(), "python -m tests.support.conformance_report"
