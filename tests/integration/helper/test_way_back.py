# SPDX-License-Identifier: Apache-2.0
"""An upgrade of scomod itself: its answer waits for the guard, who knows a way back.

A real dpkg, a real shell; "hello" stands for the package that scomod is.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from scomod.errors import Reason
from scomod.installers import arming, wayback
from scomod.installers.base import Action
from tests.support.way_backs import WayBackDevice

if TYPE_CHECKING:
    from pathlib import Path

BOUNDARIES = ("planned", "prepared", "armed", "guarded", "before-tool", "after-tool", "indexed",
              "result", "uncounted")  # fmt: skip


@pytest.fixture
def device(tmp_path: Path) -> WayBackDevice:
    made = WayBackDevice(tmp_path / "root")
    made.prepare()
    return made


def upgraded(device: WayBackDevice, **scripts: str) -> None:
    device.upgrade(**scripts)
    assert device.run_helper() == 0
    assert device.folder.exists()
    assert device.result("7") is None, "its answer waits"
    assert device.pending() == []
    device.set_order(LOOK_S=1)


def assert_stays(device: WayBackDevice) -> None:
    result = device.result("7")
    assert result is not None
    assert result.is_ok, result.detail
    assert device.installed() == "2.0"
    assert [entry.version for entry in device.entries()] == ["2.0"]
    assert wayback.last(device.paths.install_dir) == ("7", "1.0", "2.0", "stays")
    assert_disarmed(device)


def assert_back(device: WayBackDevice, detail: str = "reached no server") -> None:
    result = device.result("7")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.UNHEALTHY)
    assert detail in result.detail
    assert device.installed() == "1.0"
    assert (device.root / "usr/share/hello/version").read_text() == "1.0\n"
    assert wayback.last(device.paths.install_dir) == ("7", "1.0", "2.0", "returned")
    assert_disarmed(device)


def assert_disarmed(device: WayBackDevice) -> None:
    assert not device.folder.exists()
    assert device.run_helper() == 0
    left = [path.name for path in device.paths.install_dir.glob("way-back*")]
    assert left == ["way-back.last"]
    assert not (device.paths.state_dir / wayback.SAID).exists()


def test_new_version_that_reached_a_server_stays(device: WayBackDevice) -> None:
    upgraded(device)
    device.say_reached()
    assert device.guard().returncode == 0
    assert_stays(device)


def test_order_that_comes_again_is_not_answered_meanwhile(device: WayBackDevice) -> None:
    upgraded(device)
    device.upgrade()
    assert device.run_helper() == 0
    assert (device.result("7"), device.pending(), device.installed()) == (None, [], "2.0")


@pytest.mark.parametrize("is_ours", [True, False], ids=["of an order", "of the image"])
def test_silent_version_is_replaced_by_the_one_before(tmp_path: Path, is_ours: bool) -> None:
    device = WayBackDevice(tmp_path / "root")
    device.prepare(is_ours=is_ours)
    (device.root / "etc/hello.conf").write_text("of a person\n")
    upgraded(device)
    done = device.guard()
    assert "hello 2.0 did not stay; 1.0 is back" in done.stderr
    assert_back(device)
    assert [entry.version for entry in device.entries()] == (["1.0"] if is_ours else [])
    assert (device.root / "etc/hello.conf").read_text() == "of a person\n"
    audit = ["dpkg", f"--root={device.root}", "--audit"]
    assert subprocess.run(audit, check=True, capture_output=True).stdout == b""


@pytest.mark.parametrize(
    "other", [{"job_id": "6"}, {"after": "1.0"}, {"nonce": "0" * 32}, {"boot": "boot-0"}], ids=str
)
def test_what_is_of_another_upgrade_or_boot_does_not_count(
    device: WayBackDevice, other: dict[str, str]
) -> None:
    upgraded(device)
    device.say_reached(**other)
    device.guard()
    assert_back(device)


def test_links_do_not_count(device: WayBackDevice) -> None:
    upgraded(device)
    device.say_reached()
    said = device.paths.state_dir / wayback.SAID
    said.symlink_to(said.rename(said.with_name("elsewhere")))
    device.guard()
    assert_back(device)


def test_nothing_counts_before_the_tool_is_through(device: WayBackDevice) -> None:
    device.upgrade()
    assert device.dies_at("before-tool")
    device.set_order(LOOK_S=1)
    device.say_reached()
    device.guard()
    assert device.installed() == "1.0"
    result = device.result("7")
    assert result is not None
    assert not result.is_ok


def test_version_whose_helper_does_not_work_goes(device: WayBackDevice) -> None:
    upgraded(device)
    program = device.root / "usr/bin/scomod-install"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    device.say_reached()
    device.guard()
    assert_back(device)


def test_starts_are_counted_besides_the_time(device: WayBackDevice) -> None:
    upgraded(device)
    device.set_order(REACH_S=1000)
    device.new_boot("boot-2")
    with pytest.raises(subprocess.TimeoutExpired):
        device.guard(timeout_s=2)
    assert device.installed() == "2.0"
    device.new_boot("boot-3")
    device.guard()
    assert_back(device)


def test_failure_of_the_tool_is_the_answer_and_nothing_waits_for_the_time(
    device: WayBackDevice,
) -> None:
    device.upgrade(postinst="exit 3")
    assert device.run_helper() == 0
    assert device.result("7") is None
    device.set_order(LOOK_S=1, REACH_S=1000)
    device.guard()
    result = device.result("7")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert device.installed() == "1.0"
    assert_disarmed(device)


def test_undo_of_it_is_the_way_back(device: WayBackDevice) -> None:
    upgraded(device)
    device.set_order(REACH_S=1000)
    undo = device.order(Action.UNDO, id="7-undo", undoes="7")
    device.order_file(undo)
    assert device.run_helper() == 0
    assert device.result("7-undo") is None
    device.guard()
    assert_back(device)
    assert device.answered(undo).is_ok
    assert device.installed() == "1.0"


def test_second_upgrade_waits_until_the_first_is_through(device: WayBackDevice) -> None:
    upgraded(device)
    device.order_file(device.order(Action.INSTALL, device.deb("3.0"), id="8"))
    assert device.run_helper() == 0
    result = device.result("8")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.BUSY)
    assert device.installed() == "2.0"


def test_other_packages_need_no_way_back(device: WayBackDevice) -> None:
    device.configure('[verify]\nsignature = "optional"\n')
    device.upgrade()
    assert device.run_helper() == 0
    assert device.result("7") is not None
    assert not device.folder.exists()


def test_without_a_guard_nothing_changes(device: WayBackDevice) -> None:
    text = (device.paths.config_dir / "scomod.toml").read_text()
    device.configure(text.replace("/bin/true", "/bin/false"))
    device.upgrade()
    assert device.run_helper() == 0
    result = device.result("7")
    assert result is not None
    assert "the way back is not guarded" in result.detail
    assert device.installed() == "1.0"
    assert not device.folder.exists()


def test_previous_version_that_cannot_come_back_is_said_so(device: WayBackDevice) -> None:
    upgraded(device)
    (device.folder / "package.deb").write_bytes(b"rotten")
    (device.folder / "tries").write_text("19\n")
    device.decide("back")
    device.guard()
    result = device.result("7")
    assert result is not None
    assert "could not be brought back" in result.detail
    assert wayback.last(device.paths.install_dir)[-1] == "stuck"
    assert device.installed() == "2.0"
    assert (device.paths.install_dir / "way-back.left/package.deb").exists()


def test_systemd_starts_the_guard_now_and_at_every_boot(device: WayBackDevice) -> None:
    text = (device.paths.config_dir / "scomod.toml").read_text()
    device.configure(text.replace("guard_program", "# guard_program"))
    (device.root / "run/systemd/system").mkdir(parents=True)
    program = device.root / "usr/bin/systemctl"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$*" >>{device.root}/called\n')
    program.chmod(0o755)
    upgraded(device)
    called = device.root / "called"
    start = f"--no-block start {wayback.UNIT}"
    assert called.read_text().splitlines() == ["daemon-reload", start]
    link, unit = wayback.units(device.root)
    assert link.resolve() == unit
    assert f"ExecStart=/bin/sh {device.folder}/guard watch" in unit.read_text()
    called.unlink()
    device.guard()
    assert_back(device)
    assert not link.is_symlink()
    assert not unit.exists()
    words = called.read_text().splitlines()
    assert words[0] == "stop scomod.service"
    assert "--no-block restart scomod.service" in words


# -- kills ---------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_helper_killed_anywhere_ends_in_one_of_two_states(
    device: WayBackDevice, boundary: str
) -> None:
    device.upgrade()
    assert device.dies_at(boundary)
    assert device.run_helper() == 0
    assert (device.result("7"), device.installed()) == (None, "2.0")
    device.set_order(LOOK_S=1)
    device.say_reached()
    device.guard()
    assert_stays(device)


@pytest.mark.parametrize("boundary", ["armed", "before-tool", "after-tool"])
def test_helper_that_never_works_again_is_taken_back(device: WayBackDevice, boundary: str) -> None:
    device.upgrade()
    assert device.dies_at(boundary)
    device.set_order(LOOK_S=1)
    device.guard()
    assert_back(device)


def chosen(count: int) -> range:
    """Choose the tools at which the power is cut: a few, or all where that is wished."""
    step = 1 if "SCOMOD_ALL_CUTS" in os.environ else max(1, count // 2)
    return range(1, count + 1, step)


@pytest.mark.parametrize("word", ["stays", "back"])
def test_guard_killed_at_every_tool_comes_to_the_same_end(device: WayBackDevice, word: str) -> None:
    upgraded(device)
    device.set_order(LOOK_S=0)
    device.decide(word)
    kept = device.root.with_name("kept")
    subprocess.run(["cp", "-a", device.root, kept], check=True)
    assert device.guard().returncode == 0
    ends = assert_stays if word == "stays" else assert_back
    ends(device)
    for number in chosen(device.tool_runs):
        for side in ("before", "after"):
            subprocess.run(["rm", "-rf", device.root], check=True)
            subprocess.run(["cp", "-a", kept, device.root], check=True)
            assert device.guard((side, number)).returncode == -9, (side, number)
            if device.folder.exists():
                assert device.guard().returncode == 0, (side, number)
            ends(device)


def test_shell_checkers_find_nothing_in_the_guard() -> None:
    done = subprocess.run(["shellcheck", arming.GUARD], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_ends_are_results_that_the_daemon_reads(device: WayBackDevice) -> None:
    upgraded(device)
    for name in ("returned.json", "stuck.json", "answer.json"):
        assert json.loads((device.folder / name).read_text())["id"] == "7"
