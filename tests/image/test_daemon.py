# SPDX-License-Identifier: Apache-2.0
"""The daemon as systemd runs it: up, reachable, watched, and kept from what is not its own."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from scomod import __version__
from tests.support.image_device import DAEMON, HELPER, WATCH

if TYPE_CHECKING:
    from tests.support.image_device import ImageDevice

# Found with systemd 252: 1.1 and 4.5.
NETWORK_PART_MOST, HELPER_MOST = 1.3, 4.7
# What the installing side trusts or runs.
TRUSTED = (
    "/var/lib/scomod-install", "/var/lib/scomod-install/taken", "/var/lib/scomod-install/results",
    "/var/lib/scomod-install/index", "/var/lib/scomod-install/store", "/run/scomod-install",
    "/etc/scomod", "/etc/scomod/trust.d", "/etc/scomod/keys", "/usr/lib/scomod", "/usr/bin",
    "/usr/lib/python3/dist-packages/scomod", "/usr/lib/systemd/system", "/etc/systemd/system",
    "/var/lib/dpkg", "/var/lib/flatpak",
)  # fmt: skip
# Tells in which of the places it can make a file.
PROBE = 'for place; do if touch "$place/x" 2>/dev/null; then echo "$place"; fi; done'


def test_the_system_is_up_and_so_are_our_units(device: ImageDevice) -> None:
    failed = device.container.says("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    state = device.container.run("systemctl", "is-system-running", "--wait", is_checked=False)
    assert (state.stdout.strip(), failed) == ("running", "")
    states = [device.container.show(unit, "ActiveState") for unit in (DAEMON, WATCH, HELPER)]
    assert states == ["active", "active", "inactive"]


@pytest.mark.story
def test_the_daemon_has_no_rights(device: ImageDevice) -> None:
    number = device.container.show(DAEMON, "MainPID")
    found = dict(re.findall(r"(\w+):\s+(\S+)", device.container.root_of(f"proc/{number}/status")))
    own = device.container.says("id", "-u", "scomod")
    seen = {key: found[key] for key in ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
    none = "0" * 16
    assert seen == {
        "Uid": own, "CapEff": none, "CapBnd": none, "NoNewPrivs": "1", "Seccomp": "2",
    }  # fmt: skip


def test_the_name_on_the_bus_is_its(device: ImageDevice) -> None:
    number = device.container.show(DAEMON, "MainPID")
    said = device.container.says("busctl", "status", "org.scomod1")
    assert f"PID={number}" in said.split()


@pytest.fixture
def people(device: ImageDevice) -> tuple[str, str]:
    """Make a person who belongs to the group, and one who does not."""
    for name, more in (("friend", ("--groups", "scomod")), ("stranger", ())):
        device.container.run("useradd", "--create-home", *more, name, is_checked=False)
    return "friend", "stranger"


def test_who_may_look_and_who_may_act(device: ImageDevice, people: tuple[str, str]) -> None:
    friend, stranger = people
    for user in ("", friend, stranger):
        said = device.container.run("scomoctl", "--json", "status", user=user)
        assert json.loads(said.stdout)["version"] == __version__
    assert device.container.run("scomoctl", "session", user=friend).returncode == 0
    refused = device.container.run("scomoctl", "session", user=stranger, is_checked=False)
    assert refused.returncode != 0
    assert "in the group scomod" in refused.stderr
    looked_into = device.container.run("scomoctl", "tree", "ls", ".", user=friend, is_checked=False)
    assert looked_into.returncode != 0


@pytest.mark.story
def test_what_the_helper_trusts_cannot_be_written_by_the_daemon(device: ImageDevice) -> None:
    device.container.run("systemctl", "start", HELPER)  # which makes its directories
    words = ("sh", "-c", PROBE, "sh", *TRUSTED)
    assert device.container.run(*words, user="scomod").stdout == ""
    # The same places, with all the rights that there are, in the daemon's own view.
    number = device.container.show(DAEMON, "MainPID")
    sealed = device.container.says("nsenter", "-t", number, "-m", "--", *words)
    assert sealed == ""
    writable = device.container.says("sh", "-c", f"{PROBE}; rm $1/x", "sh", TRUSTED[0])
    assert writable == TRUSTED[0], "the probe can succeed"


def test_nobody_but_the_daemon_looks_into_its_state(
    device: ImageDevice, people: tuple[str, str]
) -> None:
    for user in people:
        done = device.container.run("ls", "/var/lib/scomod", user=user, is_checked=False)
        assert done.returncode != 0


@pytest.mark.parametrize(("unit", "most"), [(DAEMON, NETWORK_PART_MOST), (HELPER, HELPER_MOST)])
def test_exposure_that_systemd_finds(device: ImageDevice, unit: str, most: float) -> None:
    said = device.container.says("systemd-analyze", "security", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None, said
    print(unit, found[1])
    assert float(found[1]) <= most


@pytest.mark.story
def test_a_daemon_that_hangs_is_killed_and_comes_again(device: ImageDevice) -> None:
    folder = device.root / f"etc/systemd/system/{DAEMON}.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "short.conf").write_text("[Service]\nWatchdogSec=8s\nRestartSec=100ms\n")
    device.container.run("systemctl", "daemon-reload")
    device.container.run("systemctl", "restart", DAEMON)
    device.until_up()
    number = device.container.show(DAEMON, "MainPID")
    time.sleep(20)
    assert device.container.show(DAEMON, "MainPID") == number, "it says that it lives"
    device.container.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", DAEMON)
    device.until(lambda: device.container.show(DAEMON, "NRestarts") == "1", "a new daemon")
    device.until_up()
    assert device.container.show(DAEMON, "MainPID") != number
    assert "watchdog" in device.container.says("journalctl", "--unit", DAEMON, "-n", "50")
    assert device.session()["outcome"] == "ok"
    (folder / "short.conf").unlink()
    device.container.run("systemctl", "daemon-reload")
