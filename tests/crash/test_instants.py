# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the helper, of the package tool, of both, at any instant of an order.

The database of the tool is consistent then, the old or the new version is there as a whole,
and the answer agrees.  This is a slice, as each tool is killed in tests of its own too;
`script/crash` plays twenty instants of each.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.flatpaks import INSTALLS_AS
from tests.support.instants import DEEDS, VICTIMS, Case, Ground, cases
from tests.support.toolbeds import BEDS

if TYPE_CHECKING:
    from pathlib import Path

SEED = 5


@pytest.mark.parametrize(
    ("bed", "deeds"),
    [
        ("dpkg-several", ("upgrade", "remove")),
        ("opkg-lede", ("upgrade",)),
        pytest.param(
            "flatpak",
            ("upgrade",),
            marks=pytest.mark.skipif(os.getuid() != 0, reason=INSTALLS_AS),
        ),
    ],
)
@pytest.mark.timeout(600)  # real tools, several times over
def test_whatever_dies_whenever_the_answer_is_what_is_there(
    tmp_path: Path, bed: str, deeds: tuple[str, ...]
) -> None:
    ground = Ground(tmp_path)
    # Each deed once, each with another victim.
    chosen = list(cases(SEED, 1, (bed,)))[:: len(VICTIMS) + 1]
    assert {case.victim for case in chosen} == set(VICTIMS)
    for case in chosen:
        if case.deed in deeds:
            ground.play(case)


def test_a_campaign_draws_every_part_of_a_run_and_can_be_repeated() -> None:
    drawn = list(cases(SEED, 20))
    assert drawn == list(cases(SEED, 20))
    assert drawn != list(cases(SEED + 1, 20))
    assert len(drawn) == len(set(drawn)) == len(BEDS) * len(DEEDS) * len(VICTIMS) * 20
    parts = [int(case.at * 20) for case in drawn[:20]]
    assert parts == list(range(20))
    assert [Case.of(str(case)) for case in drawn] == drawn
