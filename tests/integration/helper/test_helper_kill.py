# SPDX-License-Identifier: Apache-2.0
"""The installing program killed anywhere: run again, it answers and everything agrees."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.installers.base import Action, Presence
from tests.support.debs import Deb, sha256
from tests.support.helper_device import HelperDevice

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Job

BOUNDARIES = (
    "taken", "payload", "verified", "before-tool", "after-tool", "indexed", "result", "uncounted",
)  # fmt: skip
SCRIPTS = dict.fromkeys(("preinst", "postinst", "prerm", "postrm"), "sleep 0.01")
FILES = {f"usr/share/hello/file{number}": f"{number}\n" * 50 for number in range(30)}


@pytest.fixture
def device(tmp_path: Path) -> HelperDevice:
    made = HelperDevice(tmp_path / "root")
    made.configure('[verify]\nsignature = "optional"\n')
    return made


def deb(tmp_path: Path, version: str) -> Path:
    return Deb(version=version, files=FILES, scripts=SCRIPTS).build(tmp_path)


def assert_answered(device: HelperDevice, job: Job) -> None:
    """Run once more and hold answer, database, index and store against one another."""
    assert device.run_helper() == 0
    result = device.result(job.id)
    assert result is not None
    assert result.is_ok, result.detail
    audit = subprocess.run(
        ["dpkg", f"--root={device.root}", "--audit"], check=True, capture_output=True, text=True
    )
    assert audit.stdout == ""
    assert device.pending() == []
    assert device.names("taken") == device.names("work") == []
    assert [entry.item() for entry in device.entries()] == list(result.components)
    device.forget(job.id)
    assert device.store() == {item.digest for item in result.components}
    backend = device.workshop().mover.backends["dpkg"]
    active = {item.id: item.version for item in result.components if item.is_active}
    assert {item.id: item.version for item in backend.inventory()} == active
    assert backend.probe("hello", "") is (Presence.ACTIVE if active else Presence.ABSENT)


@pytest.mark.parametrize(
    ("boundary", "keep_payload"),
    [*((name, False) for name in BOUNDARIES), ("payload", True), ("indexed", True)],
)
def test_an_upgrade_killed_at_a_boundary_is_finished(
    device: HelperDevice, tmp_path: Path, boundary: str, keep_payload: bool
) -> None:
    assert device.do(Action.INSTALL, deb(tmp_path, "1.0")).is_ok
    newer = deb(tmp_path, "2.0")
    job = device.order(Action.INSTALL, newer, id="2", keep_payload=keep_payload)
    device.order_file(job)
    assert device.dies_at(boundary)
    assert_answered(device, job)
    assert device.store() == {sha256(newer)}
    assert (device.paths.spool_dir / "part").exists() is keep_payload


@pytest.mark.parametrize("boundary", ["after-tool", "indexed"])
@pytest.mark.parametrize("action", [Action.ACTIVATE, Action.DEACTIVATE, Action.REMOVE])
def test_a_change_killed_at_a_boundary_is_finished(
    device: HelperDevice, tmp_path: Path, action: Action, boundary: str
) -> None:
    first = Action.INSTALL_INACTIVE if action is Action.ACTIVATE else Action.INSTALL
    assert device.do(first, deb(tmp_path, "1.0")).is_ok
    job = device.order(action, id="2")
    device.order_file(job)
    assert device.dies_at(boundary)
    assert_answered(device, job)


def test_a_tool_that_outlives_its_helper_is_waited_for(
    device: HelperDevice, tmp_path: Path
) -> None:
    script = 'echo once >> "$DPKG_ROOT/count"; sleep 0.5'
    job = device.order(Action.INSTALL, Deb(scripts={"postinst": script}).build(tmp_path))
    device.order_file(job)
    process = device.start_helper()
    while not (device.root / "count").exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert_answered(device, job)


def test_an_order_that_keeps_killing_us_is_given_up(device: HelperDevice, tmp_path: Path) -> None:
    job = device.order(Action.INSTALL, deb(tmp_path, "1.0"))
    device.order_file(job)
    for _ in range(5):
        assert device.dies_at("before-tool")
        assert device.pending() == ["1.json"]
    assert device.run_helper() == 0
    result = device.result(job.id)
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.CRASH_LOOP)
    assert device.pending() == []
    assert device.names("taken") == device.names("work") == []
