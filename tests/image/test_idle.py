# SPDX-License-Identifier: Apache-2.0
"""A daemon that leaves when nothing is to do, and all by which systemd brings it back."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from scomod import __version__
from scomod.codes import AlertCode, ResultCode
from scomod.lab import profile, push
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.image_device import DAEMON

if TYPE_CHECKING:
    from tests.support.image_device import ImageDevice

IS_RESIDENT = False
INTERVAL_S = 3000
MORE = f"""
[daemon]
idle_exit_s = 8
min_absence_s = 3
[poll]
interval_s = {INTERVAL_S}
min_interval_s = 1
spread_s = 0
at_boot = "never"
on_network = false
[confirm]
default = "ask"
deadline_s = 40000
[health]
time_s = 30
[modem]
service = "off"
"""
TIMER, SOCKET, PATH = "scomod.timer", "scomod.socket", "scomod.path"
UNITS_S = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def is_gone(device: ImageDevice) -> bool:
    return device.container.show(DAEMON, "ActiveState") in ("inactive", "failed")


def until_gone(device: ImageDevice) -> None:
    device.until(lambda: is_gone(device), "the daemon to leave")
    assert device.container.show(DAEMON, "Result") == "success"


def life(device: ImageDevice) -> str:
    """Name the life that is or was last, without a call that would begin one."""
    return device.container.show(DAEMON, "InvocationID")


def until_another(device: ImageDevice, before: str) -> None:
    device.until(lambda: life(device) != before, "another life of the daemon")


def timer_s(device: ImageDevice) -> float | None:
    """Return the seconds until the timer starts the daemon, None where there is none."""
    if device.container.show(TIMER, "ActiveState") != "active":
        return None
    text = device.container.show(TIMER, "NextElapseUSecMonotonic")
    parts = re.findall(r"([0-9.]+)([a-z]+)", text)
    at_s = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    return at_s - time.clock_gettime(time.CLOCK_MONOTONIC)


def begun(device: ImageDevice) -> int:
    """Count the sessions that the device began because its server called."""
    found = [each for each in device.account.records if each["what"] == "start"]
    return sum(each["code"] == int(AlertCode.SERVER_INITIATED_MANAGEMENT) for each in found)


def prompt(device: ImageDevice) -> Any:
    return device.until(lambda: device.prompts(), "the question")[0]


def test_it_begins_with_the_device_and_leaves_when_nothing_is_to_do(device: ImageDevice) -> None:
    assert device.session()["outcome"] == "ok"
    until_gone(device)
    for unit in (SOCKET, PATH):
        assert device.container.show(unit, "ActiveState") == "active"
    assert device.container.processes(DAEMON) == {}
    failed = device.container.says("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert failed == ""


def test_the_timer_is_that_of_the_next_call(device: ImageDevice) -> None:
    left_s = timer_s(device)
    assert left_s is not None
    assert INTERVAL_S - 120 < left_s <= INTERVAL_S + 60
    assert device.container.show(TIMER, "WakeSystem") == "no"


def test_call_on_the_bus_starts_it_and_takes_the_timer_away(device: ImageDevice) -> None:
    before = life(device)
    assert device.status()["version"] == __version__
    assert life(device) != before
    assert timer_s(device) is None
    assert not device.root_run("scomod/next-start").exists()
    until_gone(device)
    assert timer_s(device) is not None


def test_datagram_that_starts_it_is_not_lost(device: ImageDevice) -> None:
    before, sessions = life(device), begun(device)
    datagram = push.push_of(device.account, device.account.next_session_id())
    push.send(datagram, "127.0.0.1", push.PORT)
    until_another(device, before)
    device.until(lambda: begun(device) > sessions, "the session that the server asked for")
    until_gone(device)


def test_document_that_appears_starts_it_and_is_taken(device: ImageDevice) -> None:
    other = device.bench.register.add("device-2")
    text = profile.profile_of(other, device.bench.dm_url).replace(device.account.server_id, "other")
    before = life(device)
    folder = device.container.seen / "etc/scomod/bootstrap.d"
    folder.mkdir(exist_ok=True)
    (folder / "50-other.xml").write_text(text)
    until_another(device, before)
    until_gone(device)
    servers = {each["server_id"] for each in device.status()["servers"]}
    assert servers == {device.account.server_id, "other"}
    (folder / "50-other.xml").unlink()


def test_order_outlives_each_absence_and_is_reported_once(device: ImageDevice) -> None:
    until_gone(device)
    lives = {life(device)}
    order = device.order_install(deb_of(device, Deb(name="patient")))
    assert device.session()["outcome"] == "ok", device.logs()
    number = prompt(device)["operation"]
    lives.add(life(device))
    until_gone(device)
    left_s = timer_s(device)
    assert left_s is not None
    assert left_s < INTERVAL_S + 60

    device.ask("defer", prompt(device)["operation"], "40s")  # a call brings the question back
    lives.add(life(device))
    until_gone(device)
    left_s = timer_s(device)
    assert left_s is not None
    assert left_s <= 40
    before = life(device)
    until_another(device, before)  # the timer
    assert prompt(device)["operation"] == number
    lives.add(life(device))
    until_gone(device)

    device.ask("answer", number, is_accepted=True)
    before = life(device)
    lives.add(before)
    until_gone(device)  # while it is watched whether what was installed stays well
    left_s = timer_s(device)
    assert left_s is not None
    assert left_s <= 30
    until_another(device, before)
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert device.dpkg_state("patient") == "ii 1.0"
    until_gone(device)
    assert len(device.reports(order)) == 1
    assert len(lives) == 5


def test_daemon_that_was_killed_comes_at_once_and_one_that_was_stopped_does_not(
    device: ImageDevice,
) -> None:
    device.status()
    before = life(device)
    device.container.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", DAEMON)
    until_another(device, before)
    device.until_up()
    device.container.run("systemctl", "stop", DAEMON)
    assert (is_gone(device), timer_s(device)) == (True, None)
    time.sleep(3)
    assert is_gone(device)


@pytest.mark.parametrize("content", ["rubbish", "99999999999"])
def test_rubbish_where_the_number_should_be_is_a_failure_and_starts_the_daemon(
    device: ImageDevice, content: str
) -> None:
    device.status()
    before = life(device)
    # the daemon's own folder: what it could write itself when it is not itself any more
    device.root_run("scomod/next-start").write_text(content)
    device.container.run("systemctl", "stop", DAEMON)
    assert life(device) == before
    assert device.container.show(DAEMON, "Result") == "exit-code"
    assert timer_s(device) is None
    device.container.run("systemctl", "reset-failed", DAEMON)


def test_boot_starts_it_again_without_any_timer(device: ImageDevice) -> None:
    before = device.container.says("journalctl", "--boot", "--no-pager", "-n", "1")
    device.container.cut_power()
    device.container.boot()
    device.bus_address = device.container.bus_address
    assert device.container.says("journalctl", "--boot", "--no-pager", "-n", "1") != before
    assert life(device) != ""
    until_gone(device)
    assert timer_s(device) is not None
