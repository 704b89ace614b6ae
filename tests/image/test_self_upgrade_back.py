# SPDX-License-Identifier: Apache-2.0
"""scomod is upgraded by a server, to versions that do not work: the one before comes back.

In the order of the file: each begins with what the one before left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.codes import ResultCode
from tests.support import spoiled_package
from tests.support.image_device import DAEMON
from tests.support.spoiled_package import CRASHES, MUTE, NEWER_SCHEMA, NEXT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.lab.devices import Order
    from tests.support.image_device import ImageDevice

SHORT = "[self_update]\nreach_s = 30\n[session]\nretry_wait_s = 2\nretry_wait_max_s = 4\n"
LONG = SHORT.replace("30", "600")
MORE = SHORT
GUARD = "scomod-way-back.service"
FOLDER = "var/lib/scomod-install/way-back"
LONGEST_S = 600  # several packages are installed, and services started
WAITS = "touch /var/waits; until [ -e /var/goes ]; do sleep 0.2; done"


def order(
    device: ImageDevice,
    version: str,
    files: Mapping[str, str],
    scripts: Mapping[str, str] | None = None,
) -> Order:
    package = spoiled_package.build(version, device.bench.packages.directory, files, scripts)
    made = device.order_install(device.signed(package, "scomod", version))
    assert device.session()["outcome"] == "ok", device.logs()
    return made


def until_ended(device: ImageDevice, made: Order, result: int) -> None:
    assert device.result_of(made, LONGEST_S) == result, device.logs()
    device.until_up()
    device.until_reported()
    assert [report["result"] for report in device.reports(made)] == [result]
    folder = device.root / FOLDER
    device.until(lambda: not folder.exists(), "end of the guard", LONGEST_S)
    inactive = ("inactive", "failed")
    device.until(lambda: device.container.show(GUARD, "ActiveState") in inactive, "its process")
    assert device.container.root_of(f"etc/systemd/system/{GUARD}") == ""
    assert device.dpkg_audit() == ""


def assert_version(device: ImageDevice, version: str) -> None:
    assert device.status()["version"] == version
    assert device.dpkg_state("scomod") == f"ii {version}"
    deployed = device.inventory()["deployed"]
    found = {item["id"]: item["version"] for item in deployed}
    assert found["scomod"] == version


def test_daemon_that_crashes_as_it_starts(device: ImageDevice) -> None:
    was = device.status()["version"]
    made = order(device, "2.0", CRASHES)
    until_ended(device, made, ResultCode.INSTALL_FAILED)
    assert_version(device, was)
    detail = device.operations()[-1]["detail"]
    assert "scomod 2.0 reached no server" in detail
    assert f"{was} is back" in detail
    said = device.container.says("journalctl", "--quiet", "--output=cat", f"--unit={DAEMON}")
    assert f"2.0 did not stay; {was} is back" in said
    assert "may stay" not in said


def test_daemon_that_reaches_no_server_with_a_newer_schema(device: ImageDevice) -> None:
    was = device.status()["version"]
    made = order(device, "2.1", {**MUTE, **NEWER_SCHEMA})
    until_ended(device, made, ResultCode.INSTALL_FAILED)
    assert_version(device, was)
    kept = {path.name for path in (device.root / "var/lib/scomod").glob("scomod.db.*-*")}
    assert kept == {f"scomod.db.newer-{NEXT_SCHEMA}"}, device.logs()


def test_power_cut_in_the_middle_of_the_upgrade(device: ImageDevice) -> None:
    device.override(LONG)
    made = order(device, "3.0", {}, {"postinst": WAITS})
    device.until((device.root / "var/waits").exists, "the script", LONGEST_S)
    assert device.container.show(GUARD, "ActiveState") == "active"
    device.container.cut_power()
    (device.root / "var/goes").touch()
    device.boot()
    until_ended(device, made, ResultCode.SUCCESSFUL)
    assert_version(device, "3.0")


def test_power_cut_in_the_middle_of_the_way_back(device: ImageDevice) -> None:
    device.override(SHORT)
    for name in ("waits", "goes"):
        (device.root / "var" / name).unlink()
    made = order(device, "4.0", MUTE, {"prerm": WAITS})
    device.until((device.root / "var/waits").exists, "the way back", LONGEST_S)
    device.container.cut_power()
    (device.root / "var/goes").touch()
    device.boot()
    until_ended(device, made, ResultCode.INSTALL_FAILED)
    assert_version(device, "3.0")
    device.check_well()
