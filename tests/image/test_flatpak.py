"""A flatpak that the server starts runs as the user that the device names, in its sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.codes import ResultCode
from tests.support.flatpaks import RUNTIME, Bundle
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


def running(device: ImageDevice) -> list[tuple[str, str]]:
    """Give user and name of each application that flatpak says runs, for anna."""
    listing = ("flatpak", "ps", "--columns=pid,application")
    said = device.container.run("env", "HOME=/home/anna", *listing, user="anna").stdout
    found = (line.split() for line in said.splitlines())
    owner = "%U"
    return [
        (device.container.says("stat", f"--format={owner}", f"/proc/{number}"), name)
        for number, name in found
    ]


def test_it_runs_as_the_user_until_it_is_stopped(device: ImageDevice) -> None:
    device.container.run("useradd", "--create-home", "anna")
    install(device, RUNTIME)
    install(device, APP)
    deployed = "./SCOMO/Inventory/Deployed"
    (node,) = (
        name
        for name in device.ask("tree_children", deployed)
        if device.ask("tree_node", f"{deployed}/{name}/ID")["value"].startswith(APP.name)
    )
    control = f"{deployed}/{node}/Operations/Ext"
    done(device, device.order("exec", uri=f"{control}/Start"))
    assert running(device) == [("anna", APP.name)]
    done(device, device.order("exec", uri=f"{control}/Stop"))
    assert running(device) == []
