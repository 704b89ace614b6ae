"""A flatpak that the server starts runs as the user that the device names, in its sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from tests.support.flatpaks import RUNTIME, Bundle
from tests.support.image_device import HELPER
from tests.support.sleeper import SLEEPER

if TYPE_CHECKING:
    from scomod.lab.devices import Order
    from tests.support.image_device import ImageDevice

# Else /proc is covered in part, and the kernel lets nobody in a user namespace mount another.
VARIABLES = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"}
MORE = """
[install.flatpak]
run_as = "anna"
"""
APP = Bundle(files={"bin/hello": SLEEPER})
TYPE = "application/vnd.flatpak"


def install(device: ImageDevice, bundle: Bundle) -> None:
    archive = bundle.build(device.bench.packages.directory)
    payload = device.signed(archive, bundle.name)
    order = device.order_install(payload, env_type="flatpak", pkg_type=TYPE)
    done(device, order)


def done(device: ImageDevice, order: Order) -> None:
    assert device.session()["outcome"] == "ok", device.logs()
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()


def running(device: ImageDevice, *session: str) -> dict[str, str]:
    """Give what runs of anna's, as flatpak says: number and name."""
    listing = ("flatpak", "ps", "--columns=pid,application")
    words = ("env", "HOME=/home/anna", *session, *listing)
    said = device.container.run(*words, user="anna").stdout
    return dict(line.split() for line in said.splitlines())


def control(device: ImageDevice) -> str:
    """Find where the server starts and stops it."""
    deployed = "./SCOMO/Inventory/Deployed"
    for name in device.ask("tree_children", deployed):
        if device.ask("tree_node", f"{deployed}/{name}/ID")["value"].startswith(APP.name):
            return f"{deployed}/{name}/Operations/Ext"
    raise AssertionError(device.logs())


@pytest.fixture(scope="module")
def anna(device: ImageDevice) -> str:
    """Make the user, and have the application installed; gives the user's number."""
    device.container.run("useradd", "--create-home", "anna")
    install(device, RUNTIME)
    install(device, APP)
    return device.container.says("id", "-u", "anna")


def start_and_stop(device: ImageDevice, anna: str, *session: str) -> None:
    done(device, device.order("exec", uri=f"{control(device)}/Start"))
    found = running(device, *session)
    assert list(found.values()) == [APP.name]
    (number,) = found
    assert device.container.says("stat", "--format=%u", f"/proc/{number}") == anna
    assert HELPER not in device.container.root_of(f"proc/{number}/cgroup"), "it outlives the helper"
    assert device.container.show(HELPER, "ActiveState") == "inactive"
    done(device, device.order("exec", uri=f"{control(device)}/Stop"))
    assert running(device, *session) == {}


def test_it_runs_as_a_user_who_is_not_there(device: ImageDevice, anna: str) -> None:
    assert not (device.root_run("user") / anna).exists()
    start_and_stop(device, anna)


def test_it_runs_as_a_user_who_is_there(device: ImageDevice, anna: str) -> None:
    device.container.run("loginctl", "enable-linger", "anna")
    place = device.root_run("user") / anna
    device.until((place / "bus").exists, "anna's own systemd")
    start_and_stop(
        device, anna, f"XDG_RUNTIME_DIR=/run/user/{anna}",
        f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{anna}/bus",
    )  # fmt: skip
