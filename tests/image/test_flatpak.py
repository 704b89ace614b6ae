# SPDX-License-Identifier: Apache-2.0
"""A flatpak that the server starts runs as the user that the device names, in its sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def running(device: ImageDevice, which: str = "pid") -> dict[str, str]:
    """Give what runs of anna's, as flatpak says: number and name."""
    listing = ("flatpak", "ps", f"--columns={which},application")
    words = ("env", "HOME=/home/anna", *listing)
    said = device.container.run(*words, user="anna").stdout
    return dict(line.split() for line in said.splitlines())


def control(device: ImageDevice) -> str:
    """Find where the server starts and stops it."""
    deployed = "./SCOMO/Inventory/Deployed"
    (node,) = (n for n in device.ask("tree_children", deployed) if n.startswith(APP.name))
    return f"{deployed}/{node}/Operations/Ext"


def test_it_runs_as_the_user_until_it_is_stopped(device: ImageDevice) -> None:
    device.container.run("useradd", "--create-home", "anna")
    install(device, RUNTIME)
    install(device, APP)
    done(device, device.order("exec", uri=f"{control(device)}/Start"))
    found = running(device)
    assert list(found.values()) == [APP.name]
    (number,) = found
    (inner,) = running(device, "child-pid")
    assert device.container.says("stat", "--format=%U", f"/proc/{number}") == "anna"
    assert HELPER not in device.container.root_of(f"proc/{number}/cgroup"), "it outlives the helper"
    done(device, device.order("exec", uri=f"{control(device)}/Stop"))
    assert device.container.root_of(f"proc/{inner}/cmdline") == ""
    device.until(lambda: not running(device), "flatpak to see it, after three seconds")
