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


def named(folder: Path) -> WayBackDevice:
    return WayBackDevice(folder / "root")


# All kills take minutes: SCOMOD_ALL_CUTS=1 script/test tests/integration/helper/test_way_back.py
ALL = "SCOMOD_ALL_CUTS" in os.environ


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay devices out once: with version 1.0, and with 2.0 whose answer waits."""
    folder = tmp_path_factory.mktemp("laid")
    made = named(folder)
    made.prepare()
    copy(made.root, folder / "installed")
    upgraded(made)
    copy(made.root, folder / "upgraded")
    return folder


@pytest.fixture
def device(laid: Path) -> WayBackDevice:
    """Give the device with version 1.0."""
    return again(laid, "installed")


@pytest.fixture
def armed(laid: Path) -> WayBackDevice:
    """Give the device with version 2.0."""
    return again(laid, "upgraded")


def again(folder: Path, name: str) -> WayBackDevice:
    device = named(folder)
    subprocess.run(["rm", "-rf", device.root], check=True)
    copy(folder / name, device.root)
    return device


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)


def upgraded(device: WayBackDevice, order: str = "7") -> None:
    device.upgrade(order=order)
    assert device.run_helper() == 0
    assert device.folder.exists()
    assert device.result(order) is None, "its answer waits"
    assert device.pending() == []
    device.set_order(LOOK_S=1)


def assert_stays(device: WayBackDevice) -> None:
    result = device.result("7")
    assert result is not None
    assert result.is_ok, result.detail
    assert device.installed() == "2.0"
    assert [entry.version for entry in device.entries()] == ["2.0"]
    assert wayback.last(device.paths) == ("7", "1.0", "2.0", "stays")
    assert_disarmed(device)


def assert_back(device: WayBackDevice, detail: str = "reached no server") -> None:
    result = device.result("7")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.UNHEALTHY)
    assert detail in result.detail
    assert device.installed() == "1.0"
    assert (device.root / "usr/share/hello/version").read_text() == "1.0\n"
    assert wayback.last(device.paths) == ("7", "1.0", "2.0", "returned")
    assert_disarmed(device)


def assert_disarmed(device: WayBackDevice) -> None:
    assert not device.folder.exists()
    assert device.run_helper() == 0
    left = [path.name for path in device.paths.install_dir.glob("way-back*")]
    assert left == ["way-back.last"]
    assert not (device.paths.state_dir / wayback.SAID).exists()


def test_new_version_that_reached_a_server_stays(armed: WayBackDevice) -> None:
    armed.say_reached()
    assert armed.guard().returncode == 0
    assert_stays(armed)


def test_order_that_comes_again_is_not_answered_meanwhile(armed: WayBackDevice) -> None:
    armed.upgrade()
    assert armed.run_helper() == 0
    assert (armed.result("7"), armed.pending(), armed.installed()) == (None, [], "2.0")


@pytest.mark.parametrize("is_ours", [True, False], ids=["of an order", "of the image"])
def test_silent_version_is_replaced_by_the_one_before(tmp_path: Path, is_ours: bool) -> None:
    device = WayBackDevice(tmp_path / "root")
    device.prepare(is_ours=is_ours)
    upgraded(device)
    done = device.guard()
    assert "hello 2.0 did not stay; 1.0 is back" in done.stderr
    assert_back(device)
    assert [entry.version for entry in device.entries()] == (["1.0"] if is_ours else [])
    assert (device.root / "etc/hello.conf").read_text() == "of 1.0\n"
    audit = ["dpkg", f"--root={device.root}", "--audit"]
    assert subprocess.run(audit, check=True, capture_output=True).stdout == b""


@pytest.mark.parametrize("is_ours", [True, False], ids=["of an order", "of the image"])
@pytest.mark.parametrize("text", ["of 1.0\n", "of a person\n", None])
def test_configuration_is_what_a_person_made_of_it_also_after_the_next_upgrade(
    tmp_path: Path, text: str | None, is_ours: bool
) -> None:
    device = WayBackDevice(tmp_path / "root")
    device.prepare(is_ours=is_ours)
    file = device.root / "etc/hello.conf"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    for order in ("7", "8"):  # what was made again is made again once more
        upgraded(device, order)
        device.guard()
        assert device.installed() == "1.0"
        assert (file.read_text() if file.exists() else None) == text
    device.install("3.0")
    expected = "of 3.0\n" if text == "of 1.0\n" else text
    assert (file.read_text() if file.exists() else None) == expected
    device.purge()
    assert not file.exists()


# Each note of the guard is made by three: sync, mv, sync.
NOTE, NOTED = 3, 2


def verdict(device: WayBackDevice) -> str:
    """Let the guard decide, now that the time is over, and cut the power when it is written."""
    device.set_order(REACH_S=0)
    assert device.guard(("after", NOTED)).returncode == -9
    return (device.folder / "state").read_text().strip()


def test_word_of_this_upgrade_and_this_boot_counts_also_at_the_last_moment(
    armed: WayBackDevice,
) -> None:
    armed.say_reached()
    assert verdict(armed) == "stays"


@pytest.mark.parametrize(
    "other", [{"job_id": "6"}, {"after": "1.0"}, {"nonce": "0" * 32}, {"boot": "boot-0"}], ids=str
)
def test_what_is_of_another_upgrade_or_boot_does_not_count(
    armed: WayBackDevice, other: dict[str, str]
) -> None:
    armed.say_reached(**other)
    assert verdict(armed) == "back"


def test_links_do_not_count(armed: WayBackDevice) -> None:
    armed.say_reached()
    said = armed.paths.state_dir / wayback.SAID
    said.symlink_to(said.rename(said.with_name("elsewhere")))
    assert verdict(armed) == "back"


def test_nothing_counts_before_the_tool_is_through(device: WayBackDevice) -> None:
    device.upgrade()
    assert device.dies_at("before-tool")
    device.say_reached()
    assert verdict(device) == "back"


def test_version_whose_helper_does_not_work_goes(armed: WayBackDevice) -> None:
    program = armed.root / "usr/bin/scomod-install"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    armed.say_reached()
    assert verdict(armed) == "back"


def test_starts_are_counted_besides_the_time(armed: WayBackDevice) -> None:
    armed.set_order(REACH_S=1000)
    for name in ("boot-2", "boot-3"):
        assert not (armed.folder / "state").exists()
        armed.new_boot(name)
        armed.guard(("after", NOTED if name == "boot-2" else NOTE + NOTED))
    assert (armed.folder / "state").read_text() == "back\n"


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


def test_undo_of_it_is_the_way_back(armed: WayBackDevice) -> None:
    armed.set_order(REACH_S=1000)
    undo = armed.order(Action.UNDO, id="7-undo", undoes="7")
    armed.order_file(undo)
    assert armed.run_helper() == 0
    assert armed.result("7-undo") is None
    armed.guard()
    assert_back(armed)
    assert armed.answered(undo).is_ok
    assert armed.installed() == "1.0"


def test_second_upgrade_waits_until_the_first_is_through(armed: WayBackDevice) -> None:
    armed.order_file(armed.order(Action.INSTALL, armed.deb("3.0"), id="8"))
    assert armed.run_helper() == 0
    result = armed.result("8")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.BUSY)
    assert armed.installed() == "2.0"


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


def test_previous_version_that_cannot_come_back_is_said_so(armed: WayBackDevice) -> None:
    (armed.folder / "package.deb").write_bytes(b"rotten")
    (armed.folder / "tries").write_text("19\n")
    armed.decide("back")
    armed.guard()
    result = armed.result("7")
    assert result is not None
    assert "could not be brought back" in result.detail
    assert wayback.last(armed.paths)[-1] == "stuck"
    assert armed.installed() == "2.0"
    assert (armed.paths.install_dir / "way-back.left/package.deb").exists()


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
    assert any(word.startswith("--no-block start scomod.service ") for word in words)


# -- kills ---------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES if ALL else ("prepared",))
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


@pytest.mark.parametrize("boundary", ("armed", "before-tool", "after-tool") if ALL else ("armed",))
def test_helper_that_never_works_again_is_taken_back(device: WayBackDevice, boundary: str) -> None:
    device.upgrade()
    assert device.dies_at(boundary)
    device.set_order(LOOK_S=1)
    device.guard()
    assert_back(device)


def chosen(count: int) -> range:
    """Choose the tools at which the power is cut: one in the middle, or all if that is wished."""
    return range(1, count + 1) if ALL else range(count // 2, count // 2 + 1)


@pytest.mark.parametrize("word", ("stays", "back") if ALL else ("back",))
def test_guard_killed_at_every_tool_comes_to_the_same_end(armed: WayBackDevice, word: str) -> None:
    armed.set_order(LOOK_S=0)
    armed.decide(word)
    kept = armed.root.with_name(f"kept-{word}")
    subprocess.run(["cp", "-a", armed.root, kept], check=True)
    assert armed.guard().returncode == 0
    ends = assert_stays if word == "stays" else assert_back
    ends(armed)
    for number in chosen(armed.tool_runs):
        for side in ("before", "after"):
            subprocess.run(["rm", "-rf", armed.root], check=True)
            subprocess.run(["cp", "-a", kept, armed.root], check=True)
            assert armed.guard((side, number)).returncode == -9, (side, number)
            if armed.folder.exists():
                assert armed.guard().returncode == 0, (side, number)
            ends(armed)


def test_shell_checkers_find_nothing_in_the_guard() -> None:
    done = subprocess.run(["shellcheck", arming.GUARD], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_ends_are_results_that_the_daemon_reads(armed: WayBackDevice) -> None:
    for name in ("returned.json", "stuck.json", "answer.json"):
        assert json.loads((armed.folder / name).read_text())["id"] == "7"
