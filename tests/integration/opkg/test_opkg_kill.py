# SPDX-License-Identifier: Apache-2.0
"""An opkg killed at each of its writes: what was in work is PARTIAL, and the next order repairs it.

`noted` is what the backend writes down before it runs opkg; the fork of a stand-in is
killed as if the helper had died with it.
"""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from scomod.installers.base import Presence
from scomod.installers.opkg_database import NOTE, Database
from scomod.paths import Paths
from tests.support.ipks import Ipk
from tests.support.opkg_bed import LEDE, YOCTO, Bed, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES: Final = {"usr/share/hello/version": "1.0-r1\n" * 9}
OLD: Final = Ipk(files=FILES)
NEW: Final = replace(OLD, version="1.1-r0", files={"usr/share/hello/version": "1.1-r0\n" * 9})
KILLED: Final = -9
# Files and the status file are written in two halves; fewer kills would hit nothing.
LEAST_WRITES: Final = {"install": 6, "upgrade": 9, "remove": 5}
# Both flavours write alike, so what each repairs of four kills stands for the other too.
REPAIRS: Final = {YOCTO: 0, LEDE: 2}
ALTERNATELY: Final = pytest.mark.parametrize(
    ("bed", "kind"), [(YOCTO, "install"), (LEDE, "upgrade"), (YOCTO, "remove")], indirect=["bed"]
)


@pytest.fixture(params=[YOCTO, LEDE])
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> Bed:
    return Bed(tmp_path, request.param)


class Change:
    """One kind of change, from the same beginning as often as it is asked for."""

    def __init__(self, bed: Bed, kind: str) -> None:
        self.bed = bed
        self.kind = kind
        self.archive = (NEW if kind == "upgrade" else OLD).build(bed.folder)
        self.words = ("remove", "hello") if kind == "remove" else ("install", str(self.archive))
        bed.put(Ipk(name="other"), *(() if kind == "install" else (OLD,)))
        shutil.copytree(bed.root, bed.folder / "before")

    def begin(self, how: str) -> None:
        shutil.rmtree(self.bed.root)
        shutil.copytree(self.bed.folder / "before", self.bed.root)
        (self.bed.root / "die").write_text(how)

    def perform(self) -> None:
        if self.kind == "remove":
            self.bed.backend.remove("hello")
        else:
            install(self.bed.backend, self.archive)

    def kills(self) -> Iterator[int]:
        """Kill opkg at each of its writes in turn, noted as the backend does; gives the number."""
        number, rc = 1, KILLED
        while rc == KILLED:
            self.begin(str(number))
            database = Database(root=self.bed.root, status_file="", sleep=lambda _seconds: None)
            is_fresh = self.kind == "install"
            database.begin("hello", FILES if is_fresh else ())
            rc, _ = self.bed.opkg(*self.words)
            yield number
            number += 1

    def assert_done(self) -> None:
        bed = self.bed
        assert not (Paths(bed.root).install_dir / NOTE).exists()
        if self.kind == "remove":
            assert bed.backend.probe("hello", "") is Presence.ABSENT
            assert (bed.names(), sorted(bed.files())) == ({"other"}, ["other/version"])
            return
        wanted = NEW if self.kind == "upgrade" else OLD
        assert bed.backend.version("hello") == wanted.version
        assert bed.names() == {"hello", "other"}
        assert {name: bed.file(name) for name in wanted.files} == wanted.files


@pytest.mark.parametrize("kind", sorted(LEAST_WRITES))
def test_what_a_killed_opkg_worked_on_is_partial_until_the_next_order_repairs_it(
    bed: Bed, kind: str
) -> None:
    change = Change(bed, kind)
    number = 0
    for number in change.kills():
        assert bed.backend.probe("hello", "") is Presence.PARTIAL
        assert bed.backend.version("hello") == ""
        assert bed.names() == {"other"}, "the database of the others is never lost"
        if number % 4 == REPAIRS[bed.flavour]:
            change.perform()
            change.assert_done()
    assert number > LEAST_WRITES[kind]


def test_an_installation_that_was_killed_can_be_removed_with_all_it_brought(bed: Bed) -> None:
    change = Change(bed, "install")
    for number in change.kills():
        if number % 4 != REPAIRS[bed.flavour] + 1:
            continue
        bed.backend.remove("hello")
        assert bed.backend.probe("hello", "") is Presence.ABSENT
        assert (bed.names(), sorted(bed.files())) == ({"other"}, ["other/version"])


@ALTERNATELY
def test_helper_and_opkg_killed_at_once_leave_what_the_next_order_repairs(
    bed: Bed, kind: str
) -> None:
    change = Change(bed, kind)
    number = random.Random(f"{kind} {bed.flavour}").randint(1, LEAST_WRITES[kind])  # noqa: S311 - a seed
    change.begin(f"{number} parent")
    child = os.fork()
    if not child:
        try:
            change.perform()
        finally:
            os._exit(0)  # nothing may go on being the tests
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    assert bed.names() == {"other"}
    change.perform()
    change.assert_done()


@ALTERNATELY
def test_an_opkg_that_was_killed_is_run_once_more_at_once(bed: Bed, kind: str) -> None:
    change = Change(bed, kind)
    change.begin("4")
    change.perform()
    assert not (bed.root / "die").exists()
    change.assert_done()


def test_the_mark_changes_with_what_is_unfinished(bed: Bed) -> None:
    change = Change(bed, "upgrade")
    change.begin("1")
    before = bed.mark()
    kills = change.kills()
    next(kills)
    partial = bed.mark()
    change.perform()
    assert len({before, partial, bed.mark()}) == 3


def test_an_upgrade_killed_in_the_hands_of_somebody_else_is_partial_once_its_notes_are_gone(
    bed: Bed,
) -> None:
    change = Change(bed, "upgrade")
    found = []
    for number in range(1, 10):
        change.begin(str(number))
        assert bed.opkg(*change.words)[0] == KILLED
        if bed.status() and not bed.file(_control(bed)):
            found.append(bed.backend.probe("hello", ""))
    assert found
    assert set(found) == {Presence.PARTIAL}


def _control(bed: Bed) -> str:
    return str((bed.status_file().parent / "info/hello.control").relative_to(bed.root))
