# SPDX-License-Identifier: Apache-2.0
"""Orders for opkg through the whole installing side, and in one bundle with dpkg's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from scomod.errors import Reason
from scomod.installers.base import BUNDLE, Action, Presence
from scomod.settings import Opkg
from tests.support.bundles import pack
from tests.support.debs import Deb, sha256
from tests.support.ipks import Ipk
from tests.support.opkg_bed import CONFIGURATION, LEDE, YOCTO, script, stand_in
from tests.support.workbench import UNSIGNED, Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import JobResult

OLD: Final = Ipk()
NEW: Final = script("postinst", "exit 3", version="1.1-r0")
DEB: Final = Deb(name="tool")


def bench_with(folder: Path, flavour: str) -> Workbench:
    root = folder / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/opkg.conf").write_text(CONFIGURATION)
    opkg = Opkg(program=str(stand_in(folder, flavour)), timeout_s=60.0)
    settings = replace(UNSIGNED, install=replace(UNSIGNED.install, opkg=opkg))
    return Workbench(root, settings, "opkg")


def installed(bench: Workbench) -> dict[str, str]:
    backends = bench.workshop().mover.backends
    items = [*backends["opkg"].inventory(), *backends["dpkg"].inventory()]
    return {item.id: item.version for item in items}


@pytest.mark.parametrize(("flavour", "container"), [(YOCTO, "ar"), (YOCTO, "tar"), (LEDE, "tar")])
def test_a_package_goes_through_its_whole_life(
    tmp_path: Path, flavour: str, container: str
) -> None:
    bench = bench_with(tmp_path, flavour)
    old = replace(OLD, container=container).build(tmp_path)
    result = bench.do(Action.INSTALL, old, id="1")
    assert [(item.id, item.version) for item in result.components] == [("hello", "1.0-r1")]
    result = bench.do(Action.INSTALL, replace(NEW, container=container).build(tmp_path), id="2")
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert "going back" not in result.detail
    assert (installed(bench), bench.store()) == ({"hello": "1.0-r1"}, {sha256(old)})
    assert (bench.root / "usr/share/hello/version").read_text() == "1.0-r1\n"
    assert bench.do(Action.DEACTIVATE, id="3").is_ok
    assert (installed(bench), bench.store()) == ({}, {sha256(old)})
    assert bench.do(Action.ACTIVATE, id="4").is_ok
    assert installed(bench) == {"hello": "1.0-r1"}
    assert bench.do(Action.REMOVE, id="5").is_ok
    assert (installed(bench), bench.store()) == ({}, set())


def bundled(bench: Workbench, folder: Path, ipk: Ipk, job_id: str) -> JobResult:
    archives = [DEB.build(folder), ipk.build(folder)]
    rows = [
        {"file": each.name, "environment": each.suffix[1:], "sha256": sha256(each)}
        for each in archives
    ]
    packed = pack(folder / "app.bundle", archives, components=rows)
    return bench.do(Action.INSTALL, packed, backend=BUNDLE, package_id="suite", id=job_id)


@pytest.mark.parametrize("flavour", [YOCTO, LEDE])
def test_a_bundle_of_both_kinds_is_installed_as_a_whole_or_not_at_all(
    tmp_path: Path, flavour: str
) -> None:
    bench = bench_with(tmp_path, flavour)
    result = bundled(bench, tmp_path, replace(NEW, name="app"), "1")
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert (installed(bench), bench.store()) == ({}, set())
    assert bench.workshop().mover.backends["opkg"].probe("app", "") is Presence.ABSENT
    result = bundled(bench, tmp_path, Ipk(name="app"), "2")
    assert [item.id for item in result.components] == ["tool", "app"], result.detail
    assert installed(bench) == {"app": "1.0-r1", "tool": "1.0"}
