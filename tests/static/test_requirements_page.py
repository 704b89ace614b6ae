# SPDX-License-Identifier: Apache-2.0
"""docs/reference/requirements.md names tests that exist, for every label and every id."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/requirements.md").read_text()
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[([^\]]+)\])?`")
LABELS = [
    *(f"HLFR-{n}" for n in range(1, 10)),
    *(f"ADC-{n}" for n in range(1, 4)),
    *(f"SEC-0{n}" for n in range(1, 4)),
    *(f"USA-{n}" for n in range(1, 6)),
    *(f"Device-0{n}" for n in range(1, 8)),
    *(f"DMS-0{n}" for n in range(1, 7)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"P{n}" for n in range(1, 10)),
    *(f"N{n}" for n in range(1, 11)),
    "C1",
]


@pytest.mark.parametrize("label", LABELS)
def test_a_label_has_one_row_that_names_a_test(label: str) -> None:
    rows = re.findall(rf"^\| {label} \|(.*)$", PAGE, re.MULTILINE)
    assert len(rows) == 1
    assert REFERENCE.search(rows[0])


@pytest.mark.parametrize("reference", sorted(set(REFERENCE.findall(PAGE))), ids="::".join)
def test_a_test_that_is_named_exists(reference: tuple[str, str, str]) -> None:
    path, name, row = reference
    text = (ROOT / path).read_text()
    assert re.search(rf"def {name}\(", text)
    assert not row or re.search(rf'"(?:[^"\n]* )?{re.escape(row)}[ "]', text)


def test_every_reference_is_understood() -> None:
    assert PAGE.count("`tests/") == len(REFERENCE.findall(PAGE)) + 1  # one is this file
