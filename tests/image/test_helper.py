# SPDX-License-Identifier: Apache-2.0
"""The installing side as systemd runs it: orders of a server, carried out by a real dpkg."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.image_device import DAEMON, HELPER, WATCH

if TYPE_CHECKING:
    from scomod.lab.devices import Order
    from tests.support.image_device import ImageDevice

MORE = "[install.dpkg]\nlock_wait_s = 10\ntimeout_s = 20\n"
MARK = "98765"
# Leaves its parent, its session and its process group.
HIDES = f"(setsid sleep {MARK} </dev/null >/dev/null 2>&1 &)"
STAYS = "touch /run/stays; until [ -e /run/goes ]; do sleep 0.1; done"
# Writes down what it hears from the bench, and from its own loopback.
CALLS = """python3 - <<END >/run/called 2>&1
import socket
for family, place in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_INET6, ("::1", {port}))):
    try:
        socket.socket(family).connect(place)
        print("heard")
    except OSError as error:
        print(error.strerror)
END
"""
LOOKS_S, STARTS_MOST = 20, 5


def install(device: ImageDevice, deb: Deb) -> Order:
    order = device.order_install(deb_of(device, deb))
    assert device.session()["outcome"] == "ok", device.logs()
    return order


def until_idle(device: ImageDevice) -> None:
    quiet = ("inactive", "failed")
    device.until(lambda: device.container.show(HELPER, "ActiveState") in quiet, "end of the helper")


def hidden(device: ImageDevice) -> str:
    look = f"grep -l -z -x {MARK} /proc/[0-9]*/cmdline"
    return device.container.run("sh", "-c", look, is_checked=False).stdout


def killed_by_systemd(device: ImageDevice) -> int:
    """Count what systemd itself had to kill when the helper had ended."""
    said = device.container.run(
        "journalctl", "--quiet", "--output=cat", f"UNIT={HELPER}", "--grep=with signal SIGKILL",
        is_checked=False,
    )  # fmt: skip
    return said.stdout.count("(sleep)")


def test_an_order_starts_it_and_it_ends(device: ImageDevice) -> None:
    before = device.helper_starts()
    order = install(device, Deb(name="first"))
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert device.dpkg_state("first") == "ii 1.0"
    assert len(device.reports(order)) == 1
    until_idle(device)
    started = device.helper_starts() - before
    assert 1 <= started <= 2
    time.sleep(5)
    assert device.helper_starts() - before == started
    assert device.container.show(HELPER, "Result") == "success"
    assert device.container.show(WATCH, "ActiveState") == "active"


@pytest.mark.story
def test_scripts_of_packages_reach_no_network(device: ImageDevice) -> None:
    port = device.bench.base_url.rpartition(":")[2]
    calls = CALLS.format(port=port)
    device.container.run("sh", "-c", calls)
    assert device.container.root_of("run/called").splitlines()[0] == "heard"
    order = install(device, Deb(name="calling", scripts={"postinst": calls}))
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    said = device.container.root_of("run/called").splitlines()
    assert said == ["Address family not supported by protocol"] * 2
    device.until_reported()


def test_what_hides_is_killed_at_the_deadline_by_the_helper(device: ImageDevice) -> None:
    before = killed_by_systemd(device)
    scripts = {"postinst": f"{HIDES}\nsleep 1000"}
    order = install(device, Deb(name="late", scripts=scripts))
    assert device.result_of(order) not in (None, ResultCode.SUCCESSFUL)
    device.until_reported()
    assert "20 s" in device.operations()[-1]["detail"]
    until_idle(device)
    assert hidden(device) == ""
    assert killed_by_systemd(device) == before, "nothing was left for systemd"
    assert device.dpkg_state("late") == ""
    assert device.dpkg_audit() == ""


def test_what_hides_in_an_order_that_goes_well_ends_with_the_unit(device: ImageDevice) -> None:
    before = killed_by_systemd(device)
    order = install(device, Deb(name="hiding", scripts={"postinst": HIDES}))
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    until_idle(device)
    assert killed_by_systemd(device) == before + 1
    assert hidden(device) == ""
    assert device.container.processes(HELPER) == {}


def test_killed_in_the_middle_it_is_started_anew_and_the_order_ends_well(
    device: ImageDevice,
) -> None:
    order = install(device, Deb(name="staying", scripts={"postinst": STAYS}))
    stays = device.root_run("stays")
    device.until(stays.exists, "the script")
    before = device.helper_starts()
    stays.unlink()
    device.container.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", HELPER)
    device.until(stays.exists, "the script again")
    device.root_run("goes").touch()
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert len(device.reports(order)) == 1
    assert device.dpkg_state("staying") == "ii 1.0"
    assert device.dpkg_audit() == ""
    assert device.helper_starts() == before + 1
    until_idle(device)


def test_a_disk_that_takes_no_answer_is_tried_again_now_and_then(device: ImageDevice) -> None:
    results = "/var/lib/scomod-install/results"
    device.container.run("mount", "--bind", results, results)
    device.container.run("mount", "-o", "remount,bind,ro", results)
    before = device.helper_starts()
    order = install(device, Deb(name="unanswered"))
    device.until(lambda: device.helper_starts() > before, "the helper")
    time.sleep(LOOKS_S)
    assert 1 <= device.helper_starts() - before <= STARTS_MOST
    device.container.run("umount", results)
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert device.dpkg_state("unanswered") == "ii 1.0"


def test_a_configuration_that_cannot_be_used_is_said_once(device: ImageDevice) -> None:
    device.override("[install]\nrunner = 7\n")
    try:
        before = device.helper_starts()
        for unit in (HELPER, DAEMON):
            device.container.run("systemctl", "restart", unit, is_checked=False)
        time.sleep(8)
        assert device.helper_starts() == before + 1
        for unit in (HELPER, DAEMON):
            properties = ("ActiveState", "ExecMainStatus", "NRestarts")
            found = [device.container.show(unit, each) for each in properties]
            assert found == ["failed", "78", "0"]
    finally:
        device.override(MORE)
    for unit in (HELPER, DAEMON):
        device.container.run("systemctl", "start", unit)
    device.until_up()
