# SPDX-License-Identifier: Apache-2.0
"""The life of a device that has our package and nothing else, from its first boot to the purge.

In the order of the file, each goes on where the one before ended.  The daemon leaves and comes
as it is shipped.  What each part does in trouble is in the other files of this folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod import __version__
from scomod.codes import ResultCode
from scomod.lab import push
from tests.support import own_package
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.image_device import DAEMON, HELPER

if TYPE_CHECKING:
    from scomod.lab.devices import Order
    from tests.support.image_device import ImageDevice

pytestmark = pytest.mark.story

IS_RESIDENT = False
MORE = '[confirm]\ndefault = "ask"\n'
STAYS = "touch /var/stays; until [ -e /var/goes ]; do sleep 0.1; done"
APPLICATION = "./SCOMO/Inventory/Deployed/hello/Operations/Remove"
# What is of ours by its name, wherever; not what a running system shows of itself.
NAMED = ("find", "/", "-xdev", "-iname", "*scomod*", "-not", "-path", "/tmp/*")
OWNED = ("find", "/", "-xdev", "-user", "scomod")
KEPT = {"/etc/scomod", "/etc/scomod/scomod.toml", "/var/lib/scomod", "/var/lib/scomod/scomod.db"}


def called(device: ImageDevice) -> None:
    """Have the server call the device, which is all that it can do by itself."""
    datagram = push.push_of(device.account, device.account.next_session_id())
    push.send(datagram, "127.0.0.1", push.PORT)


def ended(device: ImageDevice, order: Order) -> None:
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert len(device.reports(order)) == 1
    assert device.dpkg_audit() == ""


def found(device: ImageDevice, *words: str) -> set[str]:
    return set(device.container.says(*words).splitlines())


def test_package_brings_all_that_runs_it(device: ImageDevice) -> None:
    failed = device.container.says("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert failed == ""
    assert device.status()["version"] == __version__
    assert [each["server_id"] for each in device.status()["servers"]] == [device.account.server_id]
    assert "A session with" in device.container.says("journalctl", "--list-catalog")


def test_push_brings_an_order_and_the_person_agrees(device: ImageDevice) -> None:
    order = device.order_install(deb_of(device, Deb(scripts={"postinst": STAYS})))
    called(device)
    device.until(lambda: device.prompts(), "the question")
    agent = device.start_agent("yes")
    device.until((device.root / "var/stays").exists, "the script of the package")
    device.kill(agent)
    assert order.result is None


def test_reboot_in_the_middle_of_the_installation(device: ImageDevice) -> None:
    (order,) = device.account.orders
    device.container.cut_power()
    (device.root / "var/goes").touch()
    device.boot()
    ended(device, order)
    assert device.dpkg_state("hello") == "ii 1.0"


def test_scomod_upgrades_itself(device: ImageDevice) -> None:
    package = own_package.build("2.0", device.bench.packages.directory)
    order = device.order_install(device.signed(package, "scomod", "2.0"))
    agent = device.start_agent("yes")
    called(device)
    ended(device, order)
    device.kill(agent)
    assert device.status()["version"] == "2.0"
    assert device.dpkg_state("scomod") == "ii 2.0"


def test_server_removes_what_it_installed(device: ImageDevice) -> None:
    order = device.order("exec", uri=APPLICATION)
    agent = device.start_agent("yes")
    called(device)
    ended(device, order)
    device.kill(agent)
    assert device.dpkg_state("hello") == ""


def test_removal_leaves_state_and_configuration_only(device: ImageDevice) -> None:
    device.container.run("dpkg", "--remove", "scomod")
    for listing in ("list-unit-files", "list-units"):
        words = ("systemctl", listing, "--all", "--no-legend", "scomod*")
        assert device.container.run(*words, is_checked=False).stdout == ""
    assert [device.container.processes(unit) for unit in (DAEMON, HELPER)] == [{}, {}]
    left = found(device, *NAMED) | found(device, *OWNED)
    outside = {path for path in left if not path.startswith(("/etc/scomod", "/var/lib/scomod"))}
    assert {path for path in outside if not path.startswith("/var/lib/dpkg/info/scomod.")} == set()
    assert left >= KEPT
    assert "scomod" not in device.container.says("journalctl", "--list-catalog")
    assert not (device.container.seen / "run/scomod").exists()
    call = ("busctl", "call", "org.scomod1", "/", "org.freedesktop.DBus.Peer", "Ping")
    assert device.container.run(*call, is_checked=False).returncode != 0


def test_purge_leaves_the_account_without_a_file(device: ImageDevice) -> None:
    device.container.run("dpkg", "--purge", "scomod")
    assert found(device, *NAMED) | found(device, *OWNED) == set()
    account = device.container.says("getent", "passwd", "scomod")
    assert account.endswith(":/usr/sbin/nologin")
    state = device.container.run("systemctl", "is-system-running", is_checked=False)
    assert state.stdout.strip() == "running"
