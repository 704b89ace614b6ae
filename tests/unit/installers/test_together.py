# SPDX-License-Identifier: Apache-2.0
"""Neighbours in a plan that go through one run of their tool, and what gets ready only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.installers.base import BUNDLE, Action
from tests.support.backends import FakeBackend, PreparingBackend, TogetherBackend
from tests.support.bundles import pack
from tests.support.workbench import Killed, Workbench, equipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.installers.base import Facts, Job
    from scomod.installers.work import Workshop

CYCLE = {"app": "lib", "lib": "app"}
CHAIN = {"top": "app", "app": "lib", "lib": ""}


class Bed(Workbench):
    """A device with one backend, whose calls are noted."""

    kind: type[FakeBackend] = TogetherBackend

    def workshop(self, observer: Callable[[str], None] = lambda _: None) -> Workshop:
        self.tool = self.kind(self.root / "fake.json")
        return equipped(super().workshop(observer), {"fake": self.tool})

    def bundle(self, needs: dict[str, str], version: str = "1", **values: object) -> Job:
        """Order a bundle of components that need each other; `fails` names one that does."""
        fails = values.pop("fails", "")
        archives = []
        for name, needed in needs.items():
            archive = self.root / f"{name}.{version}"
            wrong = {"fails": "script failed", "leaves": "partial"} if name == fails else {}
            content = {"id": name, "version": version, "needs": needed, **wrong}
            archive.write_text(json.dumps(content))
            archives.append(archive)
        packed = pack(self.root / "bundle", archives, environment="json")
        given = {"package_id": "app", "owner": "srv", "backend": BUNDLE, "id": version}
        return self.order(Action.INSTALL, packed, **{**given, **values})

    def state(self) -> dict[str, str]:
        return {item.id: item.version for item in self.fake.inventory()}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path, backend="fake")


@pytest.mark.parametrize("needs", [CYCLE, CHAIN])
def test_what_needs_each_other_is_installed_and_taken_off_together(
    bed: Bed, needs: dict[str, str]
) -> None:
    job = bed.bundle(needs)
    assert bed.perform(job).is_ok
    assert bed.state() == dict.fromkeys(needs, "1")
    assert bed.tool.calls[0] == f"together {' '.join(needs)}"
    assert bed.perform(bed.order(Action.UNDO, undoes=job.id, id="undo")).is_ok
    assert (bed.state(), bed.entries()) == ({}, [])


@pytest.mark.parametrize("needs", [CYCLE, CHAIN])
def test_what_a_package_has_no_more_goes_together(bed: Bed, needs: dict[str, str]) -> None:
    assert bed.perform(bed.bundle(needs)).is_ok
    bed.forget("1")
    assert bed.perform(bed.bundle({"other": ""}, "2")).is_ok
    assert bed.state() == {"other": "2"}
    bed.forget("2")
    assert len(bed.store()) == 1


def test_one_that_fails_takes_back_those_that_came_through(bed: Bed) -> None:
    assert bed.perform(bed.bundle(CHAIN)).is_ok
    bed.forget("1")
    store = bed.store()
    result = bed.perform(bed.bundle({"new": "lib", **CYCLE}, "2", fails="app"))
    assert (result.is_ok, result.reason, result.detail) == (
        False, Reason.SCRIPT_FAILED, "as ordered",
    )  # fmt: skip
    assert bed.state() == dict.fromkeys(CHAIN, "1")
    assert {entry.id for entry in bed.entries()} == set(CHAIN)
    assert bed.store() == store


def test_the_way_back_brings_every_one_that_can_come(bed: Bed) -> None:
    assert bed.perform(bed.bundle(CHAIN)).is_ok
    bed.forget("1")
    lib = next(entry for entry in bed.entries() if entry.id == "lib")
    (bed.paths.install_dir / "store" / lib.archive).write_text("rot")
    result = bed.perform(bed.bundle({"top": "", "app": "", "lib": ""}, "2", fails="top"))
    assert result.reason == Reason.SCRIPT_FAILED
    assert result.detail.count("going back") == 1
    assert "the kept archive of lib is damaged" in result.detail
    assert bed.state() == {"top": "1", "app": "1", "lib": "2"}


@pytest.mark.parametrize("fails", ["", "new"])
def test_a_run_killed_anywhere_ends_as_if_it_was_not(tmp_path: Path, fails: str) -> None:
    number, was_killed = 0, True
    while was_killed:
        number += 1
        (tmp_path / str(number)).mkdir()
        bed = Bed(tmp_path / str(number), backend="fake")
        assert bed.perform(bed.bundle({"gone": "app", **CYCLE})).is_ok
        bed.forget("1")
        job = bed.bundle({"new": "app", **CYCLE}, "2", fails=fails)
        left = number

        def observer(_boundary: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        try:
            bed.workshop(observer).perform(job)
            was_killed = False
        except Killed:
            pass
        assert bed.perform(job).is_ok is not bool(fails), number
        before, after = {"gone": "app", **CYCLE}, {"new": "app", **CYCLE}
        wanted = dict.fromkeys(before, "1") if fails else dict.fromkeys(after, "2")
        assert bed.state() == wanted, number
        assert {entry.id: entry.version for entry in bed.entries()} == wanted, number
        bed.forget(job.id)
        assert len(bed.store()) == 3, number
    assert number > 10


def test_what_is_installed_inactive_gets_ready_and_what_was_active_does_not(bed: Bed) -> None:
    bed.kind = PreparingBackend
    assert bed.do(Action.INSTALL_INACTIVE, bed.fake_archive()).is_ok
    job = bed.order(Action.INSTALL_INACTIVE, bed.fake_archive(version="2.0"), id="2")
    assert bed.perform(job).is_ok
    assert bed.tool.calls == ["prepare 2.0"]
    bed.forget(job.id)
    for action in (Action.ACTIVATE, Action.DEACTIVATE):
        job = bed.order(action, id=action)
        assert bed.perform(job).is_ok
        assert not any(call.startswith("prepare") for call in bed.tool.calls)


def test_what_cannot_get_ready_is_not_kept(bed: Bed) -> None:
    bed.kind = PreparingBackend
    result = bed.do(Action.INSTALL_INACTIVE, bed.fake_archive(fails="dependency"))
    assert (result.is_ok, result.reason) == (False, Reason.DEPENDENCY)
    assert (bed.entries(), bed.store()) == ([], set())


def test_each_run_is_its_share_of_the_order(bed: Bed) -> None:
    class Telling(FakeBackend):
        """Says that it is half done with each."""

        def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
            shop.mover.gauge.tell(0.5)
            super().install(payload, facts, may_downgrade=may_downgrade)

    bed.kind = Telling
    shop = bed.workshop()
    told: list[float] = []
    shop.mover.gauge.listener = told.append
    assert shop.perform(bed.bundle({"a": "", "b": ""})).is_ok
    assert told[0] == 0.25
