# SPDX-License-Identifier: Apache-2.0
"""Several components are all or nothing, and what an order did can be taken back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.errors import Reason
from scomod.installers.base import BUNDLE, Action
from tests.support.bundles import pack
from tests.support.workbench import Killed, Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Job, JobResult

OWNER = "com.example.dm"


class Bed(Workbench):
    """Shortcuts to what is on the device."""

    def bundle(self, action: Action = Action.INSTALL, **values: object) -> Job:
        """Order a bundle of fake archives; `parts` are {id: version}, `fails` the id that does."""
        parts, fails = values.pop("parts"), values.pop("fails", "")
        scope = str(values.pop("scope", "whole"))
        assert isinstance(parts, dict)
        archives = [
            self.fake_archive(
                id=name,
                version=version,
                **({"fails": "script failed", "leaves": "partial"} if name == fails else {}),
            )
            for name, version in parts.items()
        ]
        packed = pack(self.root / "bundle", archives, environment="json", scope=scope)
        given = {"package_id": "app", "owner": OWNER, "backend": BUNDLE}
        return self.order(action, packed, **{**given, **values})

    def state(self) -> dict[str, str]:
        """What works on the device."""
        return {item.id: item.version for item in self.fake.inventory()}

    def index(self) -> dict[str, tuple[str, bool]]:
        return {entry.id: (entry.version, entry.is_active) for entry in self.entries()}

    def undo(self, job: Job) -> JobResult:
        return self.perform(self.order(Action.UNDO, undoes=job.id, id=f"{job.id}-undo"))

    def install(self, parts: dict[str, str], **values: Any) -> None:
        job = self.bundle(parts=parts, **values)
        result = self.perform(job)
        assert result.is_ok, result.detail
        self.forget(job.id)


OLD = {"lib": "1", "app": "1", "gone": "1"}
NEW = {"new": "2", "lib": "2", "app": "2"}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path, backend="fake")


def active(parts: dict[str, str]) -> dict[str, tuple[str, bool]]:
    return {name: (version, True) for name, version in parts.items()}


# -- bundles ---------------------------------------------------------------------


def test_components_are_installed_and_reported_in_their_order(bed: Bed) -> None:
    result = bed.perform(bed.bundle(parts=NEW))
    assert result.is_ok
    assert [(item.id, item.version) for item in result.components] == list(NEW.items())
    assert {(item.package_id, item.owner) for item in result.components} == {("app", OWNER)}
    assert bed.state() == NEW
    assert len(bed.store()) == 3
    assert list((bed.paths.install_dir / "work").iterdir()) == []


def test_a_whole_package_takes_away_what_it_has_no_more(bed: Bed) -> None:
    bed.install(OLD)
    bed.install({"other": "1"}, package_id="another")
    result = bed.perform(bed.bundle(parts=NEW))
    assert [item.id for item in result.components] == list(NEW)
    assert bed.state() == NEW | {"other": "1"}
    assert bed.index() == active(NEW | {"other": "1"})


def test_a_part_of_a_package_leaves_the_others(bed: Bed) -> None:
    bed.install(OLD)
    bed.install({"app": "2"}, scope="part")
    assert bed.state() == OLD | {"app": "2"}


def test_a_bundle_can_be_installed_inactive(bed: Bed) -> None:
    bed.install(OLD, action=Action.INSTALL_INACTIVE)
    assert bed.state() == {}
    assert bed.index() == {name: (version, False) for name, version in OLD.items()}
    assert bed.do(Action.ACTIVATE, component_id="lib").is_ok
    assert bed.state() == {"lib": "1"}
    again = bed.perform(bed.bundle(Action.INSTALL_INACTIVE, parts={"app": "2"}))
    assert (again.is_ok, again.reason) == (False, Reason.CONFLICT)


@pytest.mark.parametrize("fails", list(NEW))
def test_one_that_fails_takes_all_back(bed: Bed, fails: str) -> None:
    bed.install(OLD)
    store = bed.store()
    job = bed.bundle(parts=NEW, fails=fails)
    result = bed.perform(job)
    assert (result.is_ok, result.reason, result.detail) == (
        False,
        Reason.SCRIPT_FAILED,
        "as ordered",
    )
    assert bed.state() == OLD
    assert bed.index() == active(OLD)
    assert bed.store() == store
    assert bed.perform(job) == result


def test_a_bundle_with_something_else_in_it_changes_nothing(bed: Bed) -> None:
    bed.install(OLD)
    junk = bed.root / "junk"
    junk.write_text("junk")
    good = bed.fake_archive(id="app", version="2")
    for archives, environment in (([good, junk], "json"), ([good], "rpm")):
        packed = pack(bed.root / "bundle", archives, environment=environment)
        result = bed.do(Action.INSTALL, packed, backend=BUNDLE)
        assert not result.is_ok
        assert bed.state() == OLD
        assert len(bed.store()) == 3


def test_a_bundle_is_checked_as_a_whole(bed: Bed) -> None:
    result = bed.perform(replace(bed.bundle(parts=NEW), digest="0" * 64))
    assert (result.reason, bed.state(), bed.store()) == (Reason.DIGEST, {}, set())


def copy_of(bed: Bed, root: Path) -> Bed:
    """Give a device that is as another one."""
    shutil.copytree(bed.root, root)
    return Bed(root, backend="fake")


def killed_at(bed: Bed, job: Job, number: int) -> bool:
    """Perform an order that dies at its boundary of that number; False if it has fewer."""
    left = number

    def observer(_boundary: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    try:
        bed.workshop(observer).perform(job)
    except Killed:
        return True
    return False


# Few, as every kill is a device of its own: one goes, one is replaced, one is new.
FEW = {"lib": "1", "gone": "1"}
OTHERS = {"new": "2", "lib": "2"}


@pytest.mark.parametrize("fails", ["", "lib"])
def test_a_bundle_killed_anywhere_ends_as_if_it_was_not(tmp_path: Path, fails: str) -> None:
    template = Bed(tmp_path / "template", backend="fake")
    template.install(FEW)
    number = 0
    was_killed = True
    while was_killed:
        number += 1
        bed = copy_of(template, tmp_path / str(number))
        job = bed.bundle(parts=OTHERS, fails=fails)
        was_killed = killed_at(bed, job, number)
        result = bed.perform(job)
        assert result.is_ok is not bool(fails), number
        assert bed.state() == (FEW if fails else OTHERS), number
        assert bed.index() == active(FEW if fails else OTHERS), number
        bed.forget(job.id)
        assert len(bed.store()) == 2, number
    assert number > 10


# -- undo ------------------------------------------------------------------------


def test_an_update_brings_the_old_version_back(bed: Bed) -> None:
    bed.install(OLD)
    job = bed.bundle(parts=NEW)
    assert bed.perform(job).is_ok
    assert {item.id for item in bed.undo(job).components} == set(OLD)
    assert bed.state() == OLD
    assert bed.index() == active(OLD)
    assert bed.undo(job).is_ok
    bed.forget(job.id)
    assert len(bed.store()) == 3


def test_a_first_installation_is_removed(bed: Bed) -> None:
    job = bed.order(Action.INSTALL, bed.fake_archive())
    assert bed.perform(job).is_ok
    assert bed.undo(job).components == ()
    assert (bed.state(), bed.index(), bed.store()) == ({}, {}, set())


@pytest.mark.parametrize(
    ("first", "action", "is_active"),
    [
        (Action.INSTALL_INACTIVE, Action.ACTIVATE, False),
        (Action.INSTALL, Action.DEACTIVATE, True),
    ],
)
def test_a_switch_is_put_back(bed: Bed, first: Action, action: Action, *, is_active: bool) -> None:
    bed.do(first, bed.fake_archive())
    job = bed.order(action)
    assert bed.perform(job).is_ok
    assert [item.is_active for item in bed.undo(job).components] == [is_active]
    assert bed.state() == ({"hello": "1.0"} if is_active else {})


def test_what_was_removed_or_let_go_cannot_be_brought_back(bed: Bed) -> None:
    bed.do(Action.INSTALL, bed.fake_archive())
    removal = bed.order(Action.REMOVE)
    assert bed.perform(removal).is_ok
    for job in (removal, replace(removal, id="unknown"), replace(removal, id="../x")):
        result = bed.undo(job)
        assert (result.is_ok, result.reason) == (False, Reason.NOT_PRESENT)


def test_a_factory_version_is_not_brought_back_and_that_is_said(bed: Bed) -> None:
    factory = bed.fake_archive()
    bed.fake.install(factory, bed.fake.inspect(factory))
    job = bed.order(Action.INSTALL, bed.fake_archive(version="2.0"))
    assert bed.perform(job).is_ok
    result = bed.undo(job)
    assert (result.is_ok, result.reason) == (False, Reason.NOT_PRESENT)
    assert "no archive of hello 1.0 is kept: no order brought it" in result.detail
    assert bed.state() == {"hello": "2.0"}
    assert bed.index() == {"hello": ("2.0", True)}


def test_what_somebody_else_installed_since_stays(bed: Bed) -> None:
    bed.do(Action.INSTALL, bed.fake_archive())
    job = bed.order(Action.INSTALL, bed.fake_archive(version="2.0"))
    assert bed.perform(job).is_ok
    newest = bed.fake_archive(version="3.0")
    bed.fake.install(newest, bed.fake.inspect(newest))
    assert bed.undo(job).reason == Reason.CONFLICT
    assert bed.state() == {"hello": "3.0"}


def test_an_undo_killed_anywhere_is_finished_by_the_next_run(tmp_path: Path) -> None:
    template = Bed(tmp_path / "template", backend="fake")
    template.install(FEW)
    number = 0
    was_killed = True
    while was_killed:
        number += 1
        bed = copy_of(template, tmp_path / str(number))
        job = bed.bundle(parts=OTHERS)
        assert bed.perform(job).is_ok
        undo = bed.order(Action.UNDO, undoes=job.id, id="undo")
        was_killed = killed_at(bed, undo, number)
        assert bed.perform(undo).is_ok, number
        assert (bed.state(), bed.index()) == (FEW, active(FEW)), number
    assert number > 8


def test_an_order_that_is_given_up_is_taken_back(bed: Bed) -> None:
    bed.install(OLD)
    job = bed.bundle(parts=NEW)
    assert killed_at(bed, job, 12)
    assert bed.state() != OLD
    result = bed.workshop().give_up(job, "too often")
    assert (result.reason, result.detail) == (Reason.CRASH_LOOP, "too often")
    assert (bed.state(), bed.index()) == (OLD, active(OLD))


def test_a_damaged_plan_counts_as_none(bed: Bed) -> None:
    job = bed.order(Action.INSTALL, bed.fake_archive())
    assert bed.perform(job).is_ok
    plan = bed.paths.install_dir / f"plans/{job.id}.json"
    for text in ("", "{}", '{"changes": 1}', plan.read_text().replace('"version"', '"x"')):
        plan.write_text(text)
        assert bed.undo(job).reason == Reason.NOT_PRESENT


# -- owners ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "touches", "is_ok"),
    [
        (OWNER, (), True),
        ("b", (), False),
        ("b", ("",), False),
        ("b", ("", OWNER), True),
        ("b", ("*",), True),
    ],
)
def test_who_may_change_a_component(
    bed: Bed, owner: str, touches: tuple[str, ...], *, is_ok: bool
) -> None:
    bed.install({"hello": "1.0", "other": "1.0"})
    who: dict[str, Any] = {"owner": owner, "touches": touches}
    job = bed.bundle(parts={"fresh": "1", "hello": "2.0"}, package_id="mine", **who)
    results = [bed.perform(job)]
    if not is_ok:
        assert bed.state() == {"hello": "1.0", "other": "1.0"}
    results += [bed.do(action, **who) for action in (Action.DEACTIVATE, Action.REMOVE)]
    assert [(each.is_ok, each.reason) for each in results] == (
        [(is_ok, "" if is_ok else Reason.POLICY)] * 3
    )
    assert ("hello" in bed.state()) is not is_ok


@pytest.mark.parametrize(("touches", "is_ok"), [((), False), (("",), True)])
def test_who_may_change_software_of_the_factory(
    bed: Bed, touches: tuple[str, ...], *, is_ok: bool
) -> None:
    factory = bed.fake_archive()
    bed.fake.install(factory, bed.fake.inspect(factory))
    newer = bed.fake_archive(version="2.0")
    assert bed.do(Action.INSTALL, newer, owner=OWNER, touches=touches).is_ok is is_ok
    assert bed.state() == {"hello": "2.0" if is_ok else "1.0"}


def test_software_that_a_person_took_away_belongs_to_nobody(bed: Bed) -> None:
    assert bed.do(Action.INSTALL, bed.fake_archive(), owner=OWNER, touches=()).is_ok
    bed.fake.remove("hello")
    job = bed.order(Action.INSTALL, bed.fake_archive(version="2.0"), owner="b", touches=())
    assert bed.perform(job).is_ok
    assert bed.state() == {"hello": "2.0"}
    assert bed.undo(job).is_ok
    assert bed.state() == {}, "what the other server had brought does not come back"


def test_software_that_is_only_switched_off_stays_its_owners(bed: Bed) -> None:
    assert bed.do(Action.INSTALL_INACTIVE, bed.fake_archive(), owner=OWNER, touches=()).is_ok
    result = bed.do(Action.INSTALL, bed.fake_archive(version="2.0"), owner="b", touches=())
    assert result.reason == Reason.POLICY


def test_a_new_component_belongs_to_who_brought_it_and_stays_theirs(bed: Bed) -> None:
    bed.do(Action.INSTALL, bed.fake_archive(), owner=OWNER, touches=())
    assert bed.do(Action.DEACTIVATE, owner="b", touches=("*",)).is_ok
    assert [entry.owner for entry in bed.entries()] == [OWNER]
