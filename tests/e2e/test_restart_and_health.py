# SPDX-License-Identifier: Apache-2.0
"""Restarts, health and second thoughts, on a device with dpkg: what was there comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.lab.packages import Recipe
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Order

pytestmark = pytest.mark.timeout(600)

POLICY = """
[scomo]
version = "1.1"
[health]
time_s = 0.3
[reboot]
program = ["{program}"]
"""


class Device:
    """A device whose restarts are a new boot id and a killed daemon."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.restarts = rig.root / "restarts"
        program = rig.root / "restart"
        boot = rig.root / "run/scomod/boot-id"
        boot.parent.mkdir(parents=True, exist_ok=True)
        boot.write_text("boot-0\n")
        program.write_text(
            f"#!/bin/sh\necho restart >> {self.restarts}\ncp /proc/sys/kernel/random/uuid {boot}\n"
        )
        program.chmod(0o755)
        self.restarts.write_text("")
        rig.override(POLICY.format(program=program))
        rig.bootstrap()
        rig.start_helper()
        self.daemon = rig.start_daemon()
        rig.until_up()

    def feels(self, *, well: bool) -> None:
        """Say what the check program of the component finds."""
        check = self.rig.root / "usr/lib/scomod/checks/watched"
        check.parent.mkdir(parents=True, exist_ok=True)
        check.write_text(f"#!/bin/sh\n{'true' if well else 'echo it fell over; false'}\n")
        check.chmod(0o755)

    def order(self, version: str) -> Order:
        recipe = Recipe(
            name="watched", version=version, summary="a text", files={"usr/share/watched": version}
        )
        order = self.rig.order_install(self.rig.payload(recipe), reboot="after")
        assert self.rig.session()["outcome"] == "ok"
        return order

    def until_restarting(self, times: int) -> None:
        """Wait until the restart was ordered; nothing is reported before it."""
        rig = self.rig

        def is_ordered() -> bool:
            record = rig.operations()[-1]
            return record["step"] == "reboot" and len(self.restarts.read_text().split()) == times

        rig.until(is_ordered, "the restart")
        rig.until(lambda: rig.operations()[-1]["phase"] == "waiting", "the wait")

    def comes_back(self) -> None:
        self.rig.kill(self.daemon)
        self.daemon = self.rig.start_daemon()
        self.rig.until_up()


@pytest.mark.spec("scomo 6.2")
def test_report_comes_after_the_restart_and_what_is_not_well_or_not_wanted_goes_back(
    tmp_path: Path,
) -> None:
    with Rig(tmp_path) as rig:
        device = Device(rig)
        device.feels(well=True)
        good = device.order("1.0")
        device.until_restarting(1)
        assert rig.reports(good) == []
        device.comes_back()
        assert rig.result_of(good) == 1200, rig.logs()
        rig.until_reported()
        assert rig.dpkg_state("watched") == "ii 1.0"

        device.feels(well=False)
        bad = device.order("2.0")
        device.until_restarting(2)
        assert rig.dpkg_state("watched") == "ii 2.0"
        device.comes_back()
        assert rig.result_of(bad) == 1405, rig.logs()
        rig.until_reported()
        assert "it fell over" in rig.operations()[-1]["detail"]
        assert rig.dpkg_state("watched") == "ii 1.0"

        unwanted = device.order("3.0")
        device.until_restarting(3)
        number = rig.operations()[-1]["id"]
        assert rig.scomoctl("operations", "cancel", str(number))["cancel"] == "undone"
        assert rig.result_of(unwanted) == 1401, rig.logs()
        rig.until_reported()
        assert rig.operations()[-1]["detail"].startswith("cancelled by ")
        assert rig.dpkg_state("watched") == "ii 1.0"
        assert device.restarts.read_text().split() == ["restart"] * 3
        assert [len(rig.reports(order)) for order in (good, bad, unwanted)] == [1, 1, 1]
