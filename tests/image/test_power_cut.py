# SPDX-License-Identifier: Apache-2.0
"""The whole device is killed in the middle of an installation and boots again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.codes import ResultCode
from tests.support.debs import Deb
from tests.support.failing import deb_of

if TYPE_CHECKING:
    from tests.support.image_device import ImageDevice

STAYS = "touch /var/stays; until [ -e /var/goes ]; do sleep 0.1; done"


def test_an_installation_goes_on_after_the_next_boot(device: ImageDevice) -> None:
    order = device.order_install(deb_of(device, Deb(scripts={"postinst": STAYS})))
    assert device.session()["outcome"] == "ok", device.logs()
    device.until((device.root / "var/stays").exists, "the script")
    assert device.dpkg_state("hello").startswith("iF")
    device.container.cut_power()
    (device.root / "var/goes").touch()
    device.boot()
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert device.dpkg_state("hello") == "ii 1.0"
    assert device.dpkg_audit() == ""
    assert len(device.reports(order)) == 1
    device.check_well()
