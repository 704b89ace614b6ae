# SPDX-License-Identifier: Apache-2.0
"""What servers may call a package is said alike by the table and by the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from scomod.errors import Reason
from scomod.installers import answers, thirdparty
from scomod.installers.kinds import BUNDLES, KINDS
from scomod.installers.program import with_abilities
from scomod.settings import Install

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "backends.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n{title}\n")[2].partition("\n#")[0]


def words(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_the_table_of_kinds_says_what_the_code_says() -> None:
    rows = [line.split("|")[1:4] for line in section("## Kinds of packages").splitlines()]
    found = [tuple(map(words, row)) for row in rows if row and "`" in row[1]]
    ours = [((kind.name,), kind.environments, kind.content_types) for kind in KINDS.values()]
    assert found == [*ours, ((), BUNDLES.environments, BUNDLES.content_types)]


def test_every_media_type_of_a_package_in_the_documentation_is_one_of_a_kind() -> None:
    known = {each for kind in (*KINDS.values(), BUNDLES) for each in kind.content_types}
    pattern = re.compile(r"application/(?:x-|vnd\.(?:debian|flatpak|scomod))[a-z.+-]*[a-z]")
    for page in ("backends.md", "scomo.md"):
        assert set(pattern.findall((DOCS / page).read_text())) <= known, page


def test_every_kind_of_ours_is_taken_where_nobody_says_otherwise() -> None:
    assert Install().backends == tuple(KINDS)


def test_the_protocol_of_programs_is_told_as_it_is() -> None:
    page = section("### As a program")
    keys = {row[0] for line in page.splitlines() if (row := words(line.partition(" | ")[0]))}
    assert {"protocol", "environments", "watched", "content_types", "abilities", "sandbox"} <= keys
    for ability in thirdparty.ABILITIES:
        assert f"`{ability}`" in page
        verbs = set(vars(with_abilities([ability]).__mro__[1])) - {"__module__", "__doc__"}
        for verb in (name for name in verbs if not name.startswith("_")):
            assert f"`{verb.replace('_', '-')}`" in page, verb
    told = re.findall(r"`([a-z ]+)`", next(row for row in page.splitlines() if row[:4] == "| 1 "))
    assert {Reason(each) for each in told} == set(answers.REASONS)
