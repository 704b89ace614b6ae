# SPDX-License-Identifier: Apache-2.0
"""What flatpak printed, recorded from a named version, and what it means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_facts, flatpak_output

VECTORS = Path(__file__).parents[2] / "vectors/tool_output/flatpak"
CASES = {
    f"{path.parent.name}/{path.stem}": json.loads(path.read_text())
    for path in sorted(VECTORS.glob("*/*.json"))
}
FAILURES = {name: case for name, case in CASES.items() if case["reason"]}


def said(name: str) -> str:
    return str(CASES[f"1.14/{name}"]["stdout"])


@pytest.mark.parametrize("name", FAILURES)
def test_every_recorded_failure_has_its_reason_and_few_words(name: str) -> None:
    case = FAILURES[name]
    assert flatpak_output.reason_of(case["stderr"]) == case["reason"]
    detail = flatpak_output.detail_of(case["stderr"])
    assert detail.lower().startswith("error: ")
    assert "\n" not in detail
    assert len(detail) <= 400
    assert case["rc"] != 0


def test_a_warning_is_no_reason() -> None:
    assert flatpak_output.reason_of("F: Warning: No space left on device\n") is Reason.INTERNAL
    assert flatpak_output.detail_of("F: Warning: x\n") == "no explanation given"


def test_the_list_has_kinds_and_versions() -> None:
    rows = {row.id: row for row in flatpak_output.parse_list(said("list"))}
    assert rows.keys() == {"org.scomo.Hello:stable", "org.scomo.Platform:1"}
    hello, platform = rows["org.scomo.Hello:stable"], rows["org.scomo.Platform:1"]
    assert (hello.version, hello.ref) == ("4.0", "app/org.scomo.Hello/x86_64/stable")
    assert (platform.version, platform.ref) == (
        platform.commit,
        "runtime/org.scomo.Platform/x86_64/1",
    )


def test_without_a_version_the_commit_is_it() -> None:
    for row in flatpak_output.parse_list(said("list-without-version")):
        assert row.version == row.commit
        assert len(row.commit) == flatpak_output.COMMIT_DIGITS


@pytest.mark.parametrize(
    ("name", "told"),
    [("fetch", [0, 50, 51, 74, 79, 81, 83, 88, 90, 95, 97, 100]), ("fetch-file", [0, 50]),
     ("fetch-one", [0, 3, 84, 92, 100]), ("install", []), ("uninstall", []),
     ("update-nothing", [])],
)  # fmt: skip
def test_a_recorded_fetch_tells_how_far_it_is(name: str, told: list[int]) -> None:
    fractions = [flatpak_output.progress_of(line) for line in said(name).splitlines()]
    found = [int(each * 100) for each in fractions if each is not None]
    assert found == sorted(found)
    assert sorted(set(found)) == told


@pytest.mark.parametrize(
    ("line", "told"),
    [("Updating… ██▏   12%  5.2\u00a0MB/s  01:07", 0.12), ("Installing 0/2… 10%", None),
     ("Installing 3/2… 10%", None), ("Installing 1/0… 10%", None), ("Installing… 101%", None),
     ("Installing 1/2…", None), ("Installing 10%", None), ("", None)],
)  # fmt: skip
def test_only_what_can_be_a_fraction_is_told(line: str, told: float | None) -> None:
    assert flatpak_output.progress_of(line) == told


@pytest.mark.parametrize(
    "line",
    ["", "no row", "-all\t\tstable\tx86_64\t0123456789ab",
     "org.scomo.Hello\t\t../x\tx86_64\t0123456789ab",
     "org.scomo.Hello\t\tstable\tx86_64\tnocommit"],
)  # fmt: skip
def test_lines_of_another_shape_are_skipped(line: str) -> None:
    assert flatpak_output.parse_list(line) == []


CONFIG = """
[core]
repo_version=1

[remote "hello-origin"]
url=
xa.noenumerate=true
gpg-verify-summary=false
gpg-verify=false

[remote "flathub"]
url=https://dl.flathub.org/repo/
gpg-verify=true
gpg-verify-summary=true

[remote "my-origin"]
url=https://example.org/
xa.noenumerate=true
xa.disable=true
"""


def test_remotes_are_told_apart_by_who_made_them() -> None:
    made, flathub, own = flatpak_output.parse_remotes(CONFIG)
    assert [each.is_bundle_origin for each in (made, flathub, own)] == [True, False, False]
    assert [each.is_verified for each in (made, flathub, own)] == [False, True, True]
    assert (flathub.url, own.is_disabled) == ("https://dl.flathub.org/repo/", True)


def test_only_what_has_a_process_in_its_sandbox_runs() -> None:
    (row,) = (row for row in flatpak_output.parse_list(said("list")) if row.kind == "app")
    ours = f"{row.name}\t{row.architecture}\t{row.branch}"
    text = (
        f"1\t{ours}\t77\n2\t{ours}\t0\n3\t{ours}\n5\t{ours}\t?\n"
        f"4\torg.scomo.Other\t{row.architecture}\t{row.branch}\t78\n\n"
    )
    assert flatpak_output.parse_ps(text, row) == {"1": 77}


@pytest.mark.parametrize(
    "ref",
    ["", "app/org.scomo.Hello/x86_64", "app/hello/x86_64/stable", "app/org.a.b/x86_64/../x",
     "x/org.a.b/x86_64/1", "app/org.a.b/x86_64/1/2", "app/org.a.b/X y/1", "app/-o.a.b/x86_64/1"],
)  # fmt: skip
def test_impossible_refs_are_malformed(ref: str) -> None:
    with pytest.raises(InstallerError) as caught:
        flatpak_output.split_ref(ref)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("version", "known_as"), [("1.0~b", "1.0~b"), ("", "0123456789ab"), ("1 0", "0123456789ab")]
)
def test_what_cannot_be_a_version_is_none(version: str, known_as: str) -> None:
    assert flatpak_output.version_of(version, "0123456789abcdef") == known_as


def test_the_latest_release_is_the_version_wherever_it_stands() -> None:
    one, other = (
        '<release version="1.1" timestamp="1500000000"/>',
        "<release timestamp='1600000000' version='2.2'></release>",
    )
    assert flatpak_facts.newest_version(f"<releases>{one}{other}</releases>") == "2.2"
    assert flatpak_facts.newest_version(f"<releases>{other}{one}</releases>") == "2.2"
    assert flatpak_facts.newest_version("<releases></releases>") == ""
