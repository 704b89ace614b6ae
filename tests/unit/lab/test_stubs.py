# SPDX-License-Identifier: Apache-2.0
"""Dependencies that look installed: dpkg itself is the judge."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scomod.lab import packages, stubs
from tests.support.debs import Deb

if TYPE_CHECKING:
    from pathlib import Path

DEPENDS = (
    "libc6 (>= 2.34), first | second, python3:any (>= 3.5~), old (<< 2), exact (= 1:2-3),"
    " newer (>> 4), upto (<= 5), twice (>= 1), twice (<< 9), plain"
)


def test_dpkg_finds_every_relation_satisfied(tmp_path: Path) -> None:
    archive = Deb(name="needy", depends=DEPENDS).build(tmp_path)
    root = tmp_path / "root"
    names = stubs.preinstall(root, archive, packages.native_architecture())
    assert names == [
        "exact", "first", "libc6", "newer", "old", "plain", "python3", "twice", "upto",
    ]  # fmt: skip
    for folder in ("updates", "triggers"):
        (root / "var/lib/dpkg" / folder).mkdir()
    (root / "var/lib/dpkg/available").touch()
    done = subprocess.run(
        ["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless",
         "--install", str(archive)],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_package_without_dependencies_needs_no_stubs(tmp_path: Path) -> None:
    archive = Deb().build(tmp_path)
    assert stubs.preinstall(tmp_path / "root", archive, "amd64") == []


@pytest.mark.parametrize(("given", "expected"), [({}, []), ({"etc/x": "1\n"}, ["etc/x"])])
def test_configuration_files_of_a_package_are_known(
    tmp_path: Path, given: dict[str, str], expected: list[str]
) -> None:
    assert packages.conffiles(Deb(conffiles=given).build(tmp_path)) == expected
