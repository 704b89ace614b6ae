# SPDX-License-Identifier: Apache-2.0
"""scomod is upgraded by an order that scomod carries out: a package with the name scomod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.codes import ResultCode
from tests.support import own_package
from tests.support.image_device import DAEMON

if TYPE_CHECKING:
    from tests.support.image_device import ImageDevice


def test_the_new_version_answers_and_the_report_says_success(device: ImageDevice) -> None:
    number = device.container.show(DAEMON, "MainPID")
    assert device.status()["version"] == "1.0"
    package = own_package.build("2.0", device.bench.packages.directory)
    order = device.order_install(device.signed(package, "scomod", "2.0"))
    assert device.session()["outcome"] == "ok", device.logs()
    assert device.result_of(order) == ResultCode.SUCCESSFUL, device.logs()
    device.until_reported()
    assert device.status()["version"] == "2.0"
    assert device.container.show(DAEMON, "MainPID") != number
    assert device.container.says("scomod", "--version").split()[-1] == "2.0"
    assert device.dpkg_state("scomod") == "ii 2.0"
    assert device.dpkg_audit() == ""
    assert [report["result"] for report in device.reports(order)] == [ResultCode.SUCCESSFUL]
    # And it works: the new helper too.
    device.check_well()
