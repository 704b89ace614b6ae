# SPDX-License-Identifier: Apache-2.0
"""Bundles, updates and undo with the real dpkg, in long stories."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.installers.base import BUNDLE, Action
from tests.support.bundles import pack
from tests.support.debs import Deb
from tests.support.services import SystemManager
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.installers.base import Job, JobResult

UNIT = "usr/lib/systemd/system/app.service"
LIB = Deb(name="lib1")
APP = Deb(name="app", depends="lib1", files={UNIT: "[Service]\n", "usr/share/app/v": "1.0"})
PLUGIN = Deb(name="plugin", depends="app", conffiles={"etc/plugin.conf": "default\n"})


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "root")


def ordered(bench: Workbench, *debs: Deb, **values: object) -> Job:
    folder = bench.root / "debs"
    folder.mkdir(exist_ok=True)
    packed = pack(folder / "bundle", [deb.build(folder) for deb in debs])
    given = {"backend": BUNDLE, "package_id": "suite", "id": "1"}
    return bench.order(Action.INSTALL, packed, **{**given, **values})


def taken_back(bench: Workbench, job: Job) -> JobResult:
    return bench.perform(bench.order(Action.UNDO, undoes=job.id, id=f"{job.id}-undo"))


def installed(bench: Workbench) -> dict[str, str]:
    """Say what the database has, after it was found sound."""
    audit = subprocess.run(
        ["dpkg", f"--root={bench.root}", "--audit"], check=True, capture_output=True, text=True
    )
    assert audit.stdout == ""
    items = bench.workshop().mover.backends["dpkg"].inventory()
    return {item.id: item.version for item in items}


def newer(deb: Deb, **changes: object) -> Deb:
    return replace(deb, version="2.0", **changes)  # type: ignore[arg-type]  # fields by name


def test_a_suite_is_installed_updated_and_brought_back(bench: Workbench) -> None:
    first = ordered(bench, LIB, APP, PLUGIN)
    result = bench.perform(first)
    assert [item.id for item in result.components] == ["lib1", "app", "plugin"], result.detail
    assert [item.units for item in result.components] == [(), ("app.service",), ()]
    old = installed(bench)
    bench.forget(first.id)
    (bench.root / "etc/plugin.conf").write_text("mine\n")

    failing = newer(PLUGIN, scripts={"postinst": "test $1 != configure"})
    job = ordered(bench, newer(LIB), newer(APP), failing, id="2")
    result = bench.perform(job)
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert "going back" not in result.detail
    assert installed(bench) == old
    assert len(bench.store()) == 3

    job = ordered(bench, newer(LIB), newer(APP), id="3")
    assert bench.perform(job).is_ok
    assert installed(bench) == {"lib1": "2.0", "app": "2.0"}
    assert not (bench.root / "etc/plugin.conf").exists()
    assert taken_back(bench, job).is_ok
    assert installed(bench) == old
    assert [entry.version for entry in bench.entries()] == ["1.0"] * 3
    assert (bench.root / "usr/share/app/v").read_text() == "1.0"


def test_a_suite_that_nothing_knew_leaves_nothing(bench: Workbench) -> None:
    wish = 'mkdir -p "$DPKG_ROOT/run"; echo lib1 > "$DPKG_ROOT/run/reboot-required.pkgs"'
    asking = replace(LIB, scripts={"postinst": wish})
    job = ordered(bench, asking, APP)
    result = bench.perform(job)
    assert (result.is_ok, result.wants_reboot) == (True, True)
    assert taken_back(bench, job).components == ()
    assert (installed(bench), bench.entries(), bench.store()) == ({}, [], set())
    job = ordered(bench, APP, PLUGIN, id="2")
    assert bench.perform(job).reason == Reason.DEPENDENCY
    assert (installed(bench), bench.entries(), bench.store()) == ({}, [], set())


def test_a_suite_may_name_its_packages_in_any_order_and_in_a_circle(bench: Workbench) -> None:
    early = Deb(name="early", extra_fields="Pre-Depends: lib1\n")
    job = ordered(bench, early, PLUGIN, replace(APP, depends="lib1, plugin"), LIB)
    result = bench.perform(job)
    assert result.is_ok, result.detail
    assert [item.id for item in result.components] == ["early", "plugin", "app", "lib1"]
    old = installed(bench)
    assert set(old) == {"early", "plugin", "app", "lib1"}
    bench.forget(job.id)

    strict = newer(APP, depends="lib1 (= 2.0), plugin (= 2.0)")
    plugin = newer(PLUGIN, depends="app (= 2.0)", extra_fields="Breaks: lib1 (<< 2.0)\n")
    failing = Deb(name="failing", depends="app", scripts={"postinst": "exit 3"})
    result = bench.perform(ordered(bench, plugin, strict, newer(LIB), failing, id="2"))
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert "going back" not in result.detail
    assert installed(bench) == old
    assert [entry.version for entry in bench.entries()] == ["1.0"] * 4

    job = ordered(bench, Deb(name="other"), id="3")
    assert bench.perform(job).is_ok
    assert installed(bench) == {"other": "1.0"}
    assert taken_back(bench, job).is_ok
    assert installed(bench) == old


def test_of_a_circle_that_fails_nothing_stays(bench: Workbench) -> None:
    one = Deb(name="one", depends="two", scripts={"postinst": "exit 3"})
    two = Deb(name="two", depends="one", conffiles={"etc/two.conf": "x"})
    assert bench.perform(ordered(bench, one, two)).reason == Reason.SCRIPT_FAILED
    assert (installed(bench), bench.entries(), bench.store()) == ({}, [], set())
    assert not (bench.root / "etc/two.conf").exists()


def test_a_removal_that_fails_halfway_is_taken_back(bench: Workbench) -> None:
    stubborn = replace(LIB, scripts={"postrm": 'test "$1" != remove'})
    assert bench.do(Action.INSTALL, stubborn.build(bench.root)).is_ok
    result = bench.do(Action.REMOVE, component_id="lib1")
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert installed(bench) == {"lib1": "1.0"}
    assert [entry.id for entry in bench.entries()] == ["lib1"]


def test_services_of_an_installed_package_are_started(bench: Workbench) -> None:
    manager = SystemManager(bench.root)
    manager.put("app.service")
    app = replace(APP, depends="").build(bench.root)
    assert bench.do(Action.INSTALL, app).is_ok
    assert bench.do(Action.START, component_id="app").is_ok
    assert manager.state("app.service") == "active"
    assert bench.do(Action.INSTALL, LIB.build(bench.root)).is_ok
    result = bench.do(Action.START, component_id="lib1")
    assert (result.is_ok, result.reason) == (False, Reason.NOT_IMPLEMENTED)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "x", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_an_update_that_finds_the_disk_full_keeps_the_old_suite(bench: Workbench) -> None:
    with small_disk(bench.root / "opt/app", "256k"):
        app = replace(APP, files={"opt/app/data": "x" * 1000})
        assert bench.perform(ordered(bench, LIB, app)).is_ok
        bench.forget("1")
        large = newer(app, files={"opt/app/data": "x" * 1_000_000})
        result = bench.perform(ordered(bench, newer(LIB), large, id="2"))
        assert (result.is_ok, result.reason) == (False, Reason.NO_SPACE)
        assert installed(bench) == {"lib1": "1.0", "app": "1.0"}
        assert (bench.root / "opt/app/data").read_text() == "x" * 1000
