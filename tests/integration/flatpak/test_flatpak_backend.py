# SPDX-License-Identifier: Apache-2.0
"""The flatpak backend against the real flatpak in a scratch installation: docs/backends.md."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.installers import flatpak_bundle
from scomod.installers.base import InstalledItem, Presence
from tests.support.flatpak_bed import Bed
from tests.support.flatpaks import HELLO, NEW, OLD, PLATFORM, RUNTIME, Bundle

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_DELAY_S = 0.1


# -- install ---------------------------------------------------------------------


def test_install_deploys_the_commit_of_the_bundle(bed: Bed) -> None:
    archive = bed.install(OLD)
    commit = flatpak_bundle.read(archive).commit
    assert bed.deployed() == commit
    assert (bed.branch_dir / "active/files/share/content").read_text() == "old"
    assert bed.backend.version(HELLO) == commit[:12]
    assert bed.backend.probe(HELLO, commit[:12]) is Presence.ACTIVE
    assert bed.backend.probe(HELLO, "") is Presence.ACTIVE
    assert bed.backend.probe(HELLO, "000000000000") is Presence.ABSENT


def test_installing_again_is_a_success_that_flatpak_calls_an_error(bed: Bed) -> None:
    archive = bed.install(OLD)
    again = bed.tool("install", "-y", "--noninteractive", "--bundle", archive)
    assert (again.returncode, "already installed" in again.stderr) == (1, True)
    bed.install(OLD)
    assert bed.deployed() == flatpak_bundle.read(archive).commit


def test_a_version_of_appstream_is_the_version(bed: Bed) -> None:
    bed.install(Bundle(version="2.0.0"))
    assert bed.backend.version(HELLO) == "2.0.0"
    bed.install(Bundle(version="10.0.0"))
    assert bed.backend.version(HELLO) == "10.0.0"


def test_a_newer_bundle_replaces_an_older_one(bed: Bed) -> None:
    bed.install(OLD)
    archive = bed.install(NEW)
    assert bed.deployed() == flatpak_bundle.read(archive).commit


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (NEW, OLD),
        (Bundle(version="10.0"), Bundle(version="9.0")),
        (Bundle(version="10.0", day="2024-01-01"), Bundle(version="9.0", day="2024-03-03")),
    ],
    ids=["by the time of the commit", "by version", "by version against the time"],
)
def test_an_older_bundle_is_refused_unless_allowed(bed: Bed, newer: Bundle, older: Bundle) -> None:
    there = flatpak_bundle.read(bed.install(newer)).commit
    assert bed.failure(lambda: bed.install(older)) is Reason.POLICY
    assert bed.deployed() == there
    archive = bed.install(older, may_downgrade=True)
    assert bed.deployed() == flatpak_bundle.read(archive).commit


def test_flatpak_alone_would_downgrade_and_say_0(bed: Bed) -> None:
    bed.install(NEW)
    archive = OLD.build(bed.folder)
    done = bed.tool("install", "-y", "--noninteractive", "--bundle", archive)
    assert done.returncode == 0
    assert bed.deployed() == flatpak_bundle.read(archive).commit


def test_a_missing_runtime_is_a_dependency_and_nothing_stays(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    assert bed.failure(lambda: bed.install(OLD)) is Reason.DEPENDENCY
    assert bed.backend.probe(HELLO, "") is Presence.ABSENT
    assert bed.remotes().split() == []


def test_a_bundle_for_another_machine_is_refused_though_flatpak_would_take_it(bed: Bed) -> None:
    foreign = Bundle(architecture="riscv64", is_runtime=True)
    assert bed.failure(lambda: bed.install(foreign)) is Reason.UNSUPPORTED_ENV
    archive = foreign.build(bed.folder)
    assert bed.tool("install", "-y", "--noninteractive", "--bundle", archive).returncode == 0


def test_no_bundle_is_malformed(bed: Bed) -> None:
    archive = bed.folder / "junk.flatpak"
    for content in (b"", b"junk", os.urandom(5000)):
        archive.write_bytes(content)
        assert bed.failure(lambda: bed.backend.inspect(archive)) is Reason.MALFORMED


def test_a_bundle_that_is_damaged_behind_its_head_leaves_nothing(bed: Bed) -> None:
    archive = Bundle(files={"share/big": os.urandom(50_000)}).build(bed.folder)
    facts = bed.backend.inspect(archive)
    content = bytearray(archive.read_bytes())
    content[20_000:21_000] = bytes(1000)
    archive.write_bytes(content)
    assert bed.failure(lambda: bed.backend.install(archive, facts)) is Reason.MALFORMED
    assert bed.backend.probe(HELLO, "") is Presence.ABSENT
    assert bed.remotes().split() == ["platform-origin"]


def test_a_bundle_cut_short_anywhere_is_malformed(bed: Bed) -> None:
    archive = OLD.build(bed.folder)
    content = archive.read_bytes()
    for size in range(0, len(content), 37):
        archive.write_bytes(content[:size])
        assert bed.failure(lambda: bed.backend.inspect(archive)) is Reason.MALFORMED


# -- removal -----------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["remove", "withdraw"])
def test_what_is_taken_off_is_gone_with_its_origin_and_may_be_taken_off_again(
    bed: Bed, verb: str
) -> None:
    archive = bed.install(OLD)
    for _ in range(2):
        getattr(bed.backend, verb)(HELLO)
        assert bed.backend.probe(HELLO, "") is Presence.ABSENT
        assert bed.deployed() == ""
        assert bed.remotes().split() == ["platform-origin"]
    bed.backend.install(archive, bed.backend.inspect(archive))
    assert bed.backend.probe(HELLO, "") is Presence.ACTIVE


def test_a_runtime_in_use_stays(bed: Bed) -> None:
    bed.install(OLD)
    assert bed.failure(lambda: bed.backend.remove(PLATFORM)) is Reason.DEPENDENCY
    assert bed.backend.probe(PLATFORM, "") is Presence.ACTIVE
    bed.backend.remove(HELLO)
    bed.backend.remove(PLATFORM)
    assert bed.backend.inventory() == []


@pytest.mark.parametrize("name", ["--all", "hello", "org.scomo.Hello:../..", "org.scomo.Hello"])
def test_what_cannot_be_the_name_of_a_flatpak_is_no_argument(bed: Bed, name: str) -> None:
    assert bed.failure(lambda: bed.backend.remove(name)) is Reason.POLICY


# -- what a kill leaves --------------------------------------------------------------


def test_a_half_deployed_ref_is_partial_and_healed_though_flatpak_heals_nothing(bed: Bed) -> None:
    archive = bed.install(OLD)
    (bed.branch_dir / "active").unlink()
    assert bed.backend.probe(HELLO, "") is Presence.PARTIAL
    assert bed.tool("repair").returncode == 0
    assert bed.backend.probe(HELLO, "") is Presence.PARTIAL
    assert bed.tool("uninstall", "-y", "--noninteractive", "org.scomo.Hello").returncode == 1
    bed.install(OLD)
    assert bed.deployed() == flatpak_bundle.read(archive).commit


def test_a_half_deployed_ref_can_be_removed(bed: Bed) -> None:
    bed.install(OLD)
    (bed.branch_dir / "active").unlink()
    bed.backend.remove(HELLO)
    assert bed.backend.probe(HELLO, "") is Presence.ABSENT
    assert bed.remotes().split() == ["platform-origin"]


def test_a_commit_that_was_not_made_active_in_time_is_deployed_anew(bed: Bed) -> None:
    bed.install(OLD)
    old, archive = bed.deployed(), NEW.build(bed.folder)
    commit = flatpak_bundle.read(archive).commit
    for name in (commit, f".{commit}-ABC123", f".{old}-ABC123"):
        shutil.copytree(bed.branch_dir / old, bed.branch_dir / name)
    again = bed.tool("install", "-y", "--noninteractive", "--bundle", archive)
    assert (again.returncode, "already installed" in again.stderr) == (1, True)
    bed.install(NEW)
    assert bed.deployed() == commit
    assert (bed.branch_dir / "active/files/share/content").read_text() == "new"
    assert {path.name for path in bed.branch_dir.iterdir()} == {"active", commit}
    assert list((bed.dir / ".removed").iterdir()) == [], "flatpak deletes what does not run"


def test_an_earlier_commit_that_was_not_taken_off_in_time_goes(bed: Bed) -> None:
    bed.install(OLD)
    old = bed.deployed()
    kept = shutil.copytree(bed.branch_dir / old, bed.folder / "kept", symlinks=True)
    bed.install(NEW)
    kept.rename(bed.branch_dir / old)
    (bed.branch_dir / ".active-ABCD").symlink_to(old)
    bed.install(NEW)
    assert {path.name for path in bed.branch_dir.iterdir()} == {"active", bed.deployed()}


@pytest.mark.parametrize("is_first", [True, False])
def test_what_people_start_it_by_is_made_where_a_kill_came_before(bed: Bed, is_first: bool) -> None:
    launcher = "share/applications/org.scomo.Hello.desktop"
    entry = b"[Desktop Entry]\nType=Application\nName=Hello\nExec=hello\n"
    bundle = replace(OLD, files={f"../export/{launcher}": entry, "bin/hello": b"#!/bin/sh\n"})
    bed.install(bundle)
    shutil.rmtree(bed.dir / "exports/share/applications")
    if is_first:
        (bed.dir / "app/org.scomo.Hello/current").unlink()
    bed.install(bundle)
    assert "Name=Hello" in (bed.dir / "exports" / launcher).read_text()


def test_another_branch_that_was_made_current_stays_it(bed: Bed) -> None:
    bed.install(OLD)
    bed.install(replace(OLD, branch="beta"))
    bed.install(OLD)
    current = bed.dir / "app/org.scomo.Hello/current"
    assert str(current.readlink()).endswith("/beta")


@pytest.mark.parametrize("kind", ["install", "upgrade", "remove"])
def test_the_same_order_after_a_killed_flatpak_ends_right(bed: Bed, kind: str) -> None:
    delays = random.Random(kind)  # noqa: S311 - a seed
    old, new = OLD.build(bed.folder), NEW.build(bed.folder)
    for _ in range(3):
        bed.backend.remove(HELLO)
        if kind != "install":
            bed.backend.install(old, bed.backend.inspect(old))
        deed = ["uninstall"] if kind == "remove" else ["install", "--bundle"]
        what = "org.scomo.Hello" if kind == "remove" else new
        bed.killed(delays.uniform(0, LONGEST_DELAY_S), *deed, "-y", "--noninteractive", what)
        if kind == "remove":
            bed.backend.remove(HELLO)
            assert bed.backend.probe(HELLO, "") is Presence.ABSENT
        else:
            bed.backend.install(new, bed.backend.inspect(new))
            commit = flatpak_bundle.read(new).commit
            assert bed.deployed() == commit
            assert (bed.branch_dir / "active/files/share/content").read_text() == "new"
            assert {path.name for path in bed.branch_dir.iterdir()} == {"active", commit}


# -- looking -------------------------------------------------------------------------


def test_inventory_has_applications_and_runtimes_of_the_named_installation(bed: Bed) -> None:
    bed.install(Bundle(version="2.0.0"))
    items = {item.id: item for item in bed.backend.inventory()}
    assert items.keys() == {HELLO, PLATFORM}
    assert items[HELLO] == InstalledItem(
        id=HELLO,
        name="Hello",
        version="2.0.0",
        environment="flatpak",
        description="Says hello",
        is_startable=True,
    )
    assert bed.backend.units(HELLO) == ()


def test_a_device_without_an_installation_has_nothing(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    assert bed.backend.inventory() == []
    assert bed.backend.version(HELLO) == ""
    assert not bed.dir.exists()


def test_the_mark_moves_with_every_change_and_with_nothing_else(bed: Bed) -> None:
    marks = [bed.mark()]
    bed.install(OLD)
    marks.append(bed.mark())
    bed.backend.inventory()
    assert bed.mark() == marks[-1]
    bed.install(NEW)
    marks.append(bed.mark())
    bed.backend.remove(HELLO)
    marks.append(bed.mark())
    assert len(set(marks)) == len(marks)


def test_an_installation_of_a_user_is_served_when_it_is_named(tmp_path: Path) -> None:
    bed = Bed(tmp_path, "user")
    bed.install(RUNTIME)
    archive = bed.install(OLD)
    assert bed.deployed() == flatpak_bundle.read(archive).commit
    bed.backend.remove(HELLO)
    assert bed.deployed() == ""


def test_copies_in_both_installations_are_told_apart_by_name(bed: Bed) -> None:
    bed.install(OLD)
    user = Bed(bed.folder / "user", "user")
    shutil.copytree(bed.dir, user.dir, symlinks=True)
    both = {**user.argv()[1], **bed.argv()[1]}
    unnamed = ["flatpak", "uninstall", "-y", "--noninteractive", OLD.name]
    assert subprocess.run(unnamed, check=False, capture_output=True, env=both).returncode == 1
    user.backend.remove(HELLO)
    assert user.deployed() == ""
    assert bed.backend.probe(HELLO, "") is Presence.ACTIVE


def test_permissions_are_told_before_anything_is_installed_and_afterwards(bed: Bed) -> None:
    archive = Bundle(version="1.0", context="[Context]\nshared=network;\n").build(bed.folder)
    facts = bed.backend.inspect(archive)
    assert facts.description == "Says hello"
    assert facts.permissions == ("It may use the network.",)
    assert bed.deployed() == ""
    bed.backend.install(archive, facts)
    assert {item.id: item.permissions for item in bed.backend.inventory()} == {
        HELLO: facts.permissions,
        PLATFORM: (),
    }
