# SPDX-License-Identifier: Apache-2.0
"""What apt-get printed, recorded from a named version, and what it means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scomod.installers import apt

VECTORS = Path(__file__).parents[2] / "vectors/tool_output/apt/2.6"
CASES = {path.stem: json.loads(path.read_text()) for path in VECTORS.glob("*.json")}


def test_all_addresses_that_an_update_would_fetch_are_found() -> None:
    found = apt.sources_in(CASES["print-uris"]["stdout"])
    assert len(found) == 7
    assert {each.split("/")[0] for each in found} == {"file:", "http:"}


@pytest.mark.parametrize(
    ("name", "unmet"),
    [("unmet", "lib1 : Depends: gone1"), ("unmet-unpacked", "app : Depends: lib1")],
)
def test_a_failure_is_told_with_what_is_unmet(name: str, unmet: str) -> None:
    text = apt.explanation(CASES[name]["stdout"], CASES[name]["stderr"])
    assert text.startswith("E: Unable to correct problems")
    assert f"{unmet} but it is not installable" in text


def test_much_is_cut_and_nothing_is_said_to_be_so() -> None:
    assert apt.explanation("", "") == "no explanation given"
    assert len(apt.explanation("", "E: x\n" * 1000)) == 400
