# SPDX-License-Identifier: Apache-2.0
"""Kept archives and their index survive, and hold nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError
from scomod.installers.archive import Archives, Entry

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "ab" * 32
ENTRY = Entry(
    id="lib++:armhf",
    version="1.0",
    digest=DIGEST,
    is_active=False,
    backend="dpkg",
    environment="deb",
    package_id="urn:x/y",
    description="a ü library",
    units=("lib.service",),
    permissions=("It may use the network.",),
)


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    made = Archives(tmp_path / "install")
    made.make_dirs()
    return made


def test_an_entry_comes_back_as_it_was(archives: Archives) -> None:
    archives.record(ENTRY)
    assert archives.entry(ENTRY.id) == ENTRY
    assert archives.entries() == [ENTRY]


def test_a_second_entry_replaces_the_first(archives: Archives) -> None:
    archives.record(ENTRY)
    active = Entry(
        id=ENTRY.id, version="2", digest=DIGEST, is_active=True, backend="b", environment="e"
    )
    archives.record(active)
    assert archives.entries() == [active]


def test_unknown_components_have_no_entry(archives: Archives) -> None:
    assert archives.entry("hello") is None
    archives.drop("hello")


def test_the_daemon_may_read_the_index_and_not_the_store(
    archives: Archives, tmp_path: Path
) -> None:
    archives.record(ENTRY)
    install = tmp_path / "install"
    modes = {path.name: path.stat().st_mode & 0o777 for path in install.rglob("*")}
    assert modes == {"store": 0o700, "index": 0o755, f"{ENTRY.id}.json": 0o644}


def test_a_reader_without_any_directory_finds_nothing(tmp_path: Path) -> None:
    assert Archives(tmp_path / "nowhere").entries() == []


def test_sweeping_keeps_what_an_entry_names(archives: Archives, tmp_path: Path) -> None:
    archives.record(ENTRY)
    places = []
    for digest in (DIGEST, "cd" * 32):
        payload = tmp_path / "payload"
        payload.write_text(digest)
        places.append(archives.keep(payload, digest, "deb"))
    archives.sweep()
    assert [place.exists() for place in places] == [True, False]


@pytest.mark.parametrize("text", ["{}", "no json", '{"id": "x"}', '{"is_active": "yes"}'])
def test_a_damaged_entry_counts_as_none(archives: Archives, tmp_path: Path, text: str) -> None:
    (tmp_path / "install/index/hello.json").write_text(text)
    assert archives.entry("hello") is None
    assert archives.entries() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 129, "a\n", "ü"])
def test_names_that_could_leave_the_index_are_refused(archives: Archives, name: str) -> None:
    with pytest.raises(InstallerError):
        archives.entry(name)
    with pytest.raises(InstallerError):
        archives.drop(name)


@pytest.mark.parametrize(("digest", "suffix"), [("../x", "deb"), ("", "deb"), (DIGEST, "../x")])
def test_names_that_could_leave_the_store_are_refused(
    archives: Archives, digest: str, suffix: str
) -> None:
    with pytest.raises(InstallerError):
        archives.path(digest, suffix)
