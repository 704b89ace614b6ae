# SPDX-License-Identifier: Apache-2.0
"""Orders for a backend that is somebody's program: the example of the documentation."""

from __future__ import annotations

import tarfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import Reason
from scomod.installers import registry
from scomod.installers.base import Action
from scomod.settings import Install, Settings, Verify
from tests.support.programs import bring_example
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = Settings(
    verify=Verify(signature="optional"), install=Install(backends=("dpkg", "tarball"))
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bring_example(tmp_path)
    return Workbench(tmp_path, settings=SETTINGS, backend="tarball")


def tar(bench: Workbench, version: str) -> Path:
    path = bench.root / f"hello-{version}.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("package")
        text = f"hello {version}\n".encode()
        info.size = len(text)
        archive.addfile(info, BytesIO(text))
    return path


def stock(bench: Workbench) -> list[tuple[str, str, str, bool]]:
    items = registry.stock(SETTINGS, bench.paths, SystemClock()).items()
    return [(item.id, item.version, item.environment, item.is_active) for item in items]


def test_a_life_from_installing_to_removing(bench: Workbench) -> None:
    assert bench.do(Action.INSTALL, tar(bench, "1.0")).is_ok
    assert stock(bench) == [("hello", "1.0", "tarball", True)]
    assert bench.do(Action.INSTALL, tar(bench, "1.1")).is_ok
    assert bench.do(Action.DEACTIVATE).is_ok
    assert stock(bench) == [("hello", "1.1", "tarball", False)]
    assert bench.do(Action.ACTIVATE).is_ok
    assert stock(bench) == [("hello", "1.1", "tarball", True)]
    older = bench.do(Action.INSTALL, tar(bench, "1.0"))
    assert (older.is_ok, older.reason) == (False, Reason.POLICY)
    assert stock(bench) == [("hello", "1.1", "tarball", True)]
    assert bench.do(Action.REMOVE).is_ok
    assert stock(bench) == []


def test_a_program_that_dies_fails_the_order_and_the_next_one_repairs_what_it_left(
    bench: Workbench,
) -> None:
    bench.do(Action.INSTALL, tar(bench, "1.0"))
    program = bench.root / "usr/lib/scomod/backends/tarball"
    text = program.read_text()
    program.write_text(text.replace("if ! tar -xf", "exit 3; if ! tar -xf"))
    crashed = bench.do(Action.INSTALL, tar(bench, "1.1"))
    assert (crashed.is_ok, crashed.reason) == (False, Reason.INTERNAL)
    assert "ended with 3" in crashed.detail
    program.write_text(text)
    assert bench.do(Action.INSTALL, tar(bench, "1.1"), id="2").is_ok
    assert stock(bench) == [("hello", "1.1", "tarball", True)]


def test_the_policy_of_root_forbids_it_by_its_name(bench: Workbench) -> None:
    bench.paths.config_dir.mkdir(parents=True, exist_ok=True)
    policy = bench.paths.config_dir / "install-policy.toml"
    policy.write_text('backends = ["dpkg"]\n')
    refused = bench.do(Action.INSTALL, tar(bench, "1.0"))
    assert (refused.is_ok, refused.reason) == (False, Reason.POLICY)
    assert "packages of tarball are not allowed" in refused.detail
    policy.write_text('backends = ["dpkg", "tar*"]\nallow_scripts = false\n')
    assert bench.do(Action.INSTALL, tar(bench, "1.0"), id="2").is_ok
