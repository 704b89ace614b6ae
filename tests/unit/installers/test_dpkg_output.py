# SPDX-License-Identifier: Apache-2.0
"""What dpkg printed, recorded from a named version, and what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output
from scomod.installers.base import Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

VECTORS = Path(__file__).parents[2] / "vectors/tool_output/dpkg"
CASES = {
    f"{path.parent.name}/{path.stem}": json.loads(path.read_text())
    for path in sorted(VECTORS.glob("*/*.json"))
}
FAILURES = {name: case for name, case in CASES.items() if case.get("reason")}
GOOD_FIELDS = "Package: hello\nVersion: 1:2.0-1~a+b\nArchitecture: all\n"


def query(name: str = "query-all") -> dict[str, dpkg_output.Row]:
    return {row.name: row for row in dpkg_output.parse_query(CASES[f"1.21/{name}"]["stdout"])}


@pytest.mark.parametrize("name", FAILURES)
def test_every_recorded_failure_has_its_reason(name: str) -> None:
    case: dict[str, Any] = FAILURES[name]
    assert dpkg_output.reason_of(case["stderr"]) == case["reason"]
    assert case["rc"] != 0


@pytest.mark.parametrize("name", FAILURES)
def test_every_recorded_failure_is_explained_in_few_words(name: str) -> None:
    detail = dpkg_output.detail_of(FAILURES[name]["stderr"])
    assert "dpkg" in detail
    assert "\n" not in detail
    assert len(detail) <= 400


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("status-together", [5, 10, 30, 35, 40, 60, 65, 80, 85, 100]),
        ("status-upgrade", [5, 10, 30, 35, 40, 60, 65, 80, 85, 100]),
        ("status-foreign", [5, 10, 30, 35, 50]),
    ],
)
def test_recorded_status_lines_are_shares_that_only_grow(name: str, shares: list[int]) -> None:
    known: Mapping[str, float] = dict.fromkeys(("app", "lib1"), 0.0)
    if name == "status-foreign":
        known = {"arch1": 0.0, "other": 0.0}
    told = [0]
    for line in CASES[f"1.21/{name}"]["stdout"].splitlines():
        known = dpkg_output.advanced(known, line)
        told.append(round(100 * sum(known.values()) / len(known)))
    assert sorted(set(told)) == [0, *shares]
    assert told == sorted(told)


@pytest.mark.parametrize(
    "line",
    [
        "status: app: half-configured",
        "status: app : error : it did not work",
        "status: other: installed",
        "status: app: unpacked",
        "status: app: installed and more",
        "processing: trigproc: app",
        "pmstatus:app:50:words of apt",
        "",
    ],
)
def test_lines_that_tell_nothing_of_it_change_nothing(line: str) -> None:
    assert dpkg_output.advanced({"app": 0.0}, line) == {"app": 0.0}


def test_words_of_a_script_are_not_taken_for_those_of_dpkg() -> None:
    said = "No space left on device\ndpkgish: dependency problems\n"
    assert dpkg_output.reason_of(said) is Reason.INTERNAL


@pytest.mark.parametrize(
    ("package", "presence"),
    [
        ("user", Presence.ACTIVE),
        ("hello", Presence.ACTIVE),  # want is deinstall after a refused removal
        ("conf", Presence.ABSENT),  # config-files
        ("needs", Presence.PARTIAL),  # unpacked
        ("postinst", Presence.PARTIAL),  # half-configured
        ("postrm", Presence.PARTIAL),  # half-installed
    ],
)
def test_recorded_states_have_their_presence(package: str, presence: Presence) -> None:
    assert query()[package].presence("") is presence


def test_a_refused_removal_leaves_want_deinstall_on_an_installed_package() -> None:
    row = query()["hello"]
    assert (row.want, row.state, row.is_installed) == ("deinstall", "installed", True)


def test_another_version_is_not_the_wanted_one() -> None:
    row = query()["user"]
    assert row.presence("1.0") is Presence.ACTIVE
    assert row.presence("2.0") is Presence.ABSENT


def test_reinstreq_is_partial_whatever_the_state() -> None:
    line = "hello\t1.0\tall\tinstall installed reinstreq\thello\t\tthe hello\n"
    assert dpkg_output.parse_query(line)[0].presence("") is Presence.PARTIAL


def test_a_summary_may_hold_tabs_and_odd_lines_are_skipped() -> None:
    text = "no row\nhello\t1.0\tall\tinstall installed ok\thello\t\ta\tb\n\t\t\t\t\t\t\n"
    assert [row.summary for row in dpkg_output.parse_query(text)] == ["a\tb"]


def test_recorded_fields_become_facts() -> None:
    facts = dpkg_output.parse_fields(CASES["1.21/fields"]["stdout"], "amd64")
    assert (facts.id, facts.version, facts.architecture) == ("hello", "2.0", "all")
    assert facts.description == "the hello of the tests"
    assert facts.installed_bytes == 12 * 1024


def test_a_foreign_architecture_is_part_of_the_name() -> None:
    text = GOOD_FIELDS.replace("all", "armhf")
    assert dpkg_output.parse_fields(text, "amd64").id == "hello:armhf"
    assert dpkg_output.parse_fields(text, "armhf").id == "hello"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("hello", "--force-all"),
        ("hello", "../../etc/passwd"),
        ("hello", "Hello"),
        ("hello", "h"),
        ("hello", "a" * 101),
        ("hello", "hello\u0661"),
        ("hello", ""),
        ("1:2.0-1~a+b", "-rf"),
        ("1:2.0-1~a+b", "1.0/../../x"),
        ("1:2.0-1~a+b", "1.0 2"),
        ("1:2.0-1~a+b", ""),
        ("all", "../x"),
    ],
)
def test_impossible_names_are_malformed(good: str, bad: str) -> None:
    with pytest.raises(InstallerError) as caught:
        dpkg_output.parse_fields(GOOD_FIELDS.replace(good, bad), "amd64")
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("text", ["hello", "lib++2.0-x", "hello:armhf", "0ad"])
def test_names_of_packages_are_known(text: str) -> None:
    assert dpkg_output.is_component_id(text)


@pytest.mark.parametrize(
    "text", ["", "-r", "hello:", "hello:../x", "a b", "hello:a:b", "*", "h?llo"]
)
def test_other_texts_are_no_names(text: str) -> None:
    assert not dpkg_output.is_component_id(text)
