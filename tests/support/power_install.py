# SPDX-License-Identifier: Apache-2.0
"""An installation, an upgrade and a removal by the real helper and the real dpkg.

The daemon's side is what it does towards the helper: a payload that is flushed in the spool,
an order, an answer that is taken over.  What is told: an order that is written, an answer
that is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.installers import durable
from tests.support.helper_device import HelperDevice
from tests.support.instants import CONFIG
from tests.support.toolbeds import NEW, OLD, DpkgBed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.power_story import Facts, Tell

VERSIONS: Final = (OLD, NEW, "")  # "": removed


@dataclass(frozen=True, slots=True)
class Installing:
    """The story (`power_story.Story`); `bed` has the archives, outside of the disk.

    `weaken` is called in the process that plays, before it begins.
    """

    bed: DpkgBed
    weaken: Callable[[], None] = lambda: None
    size_mib: int = 32

    def play(self, root: Path, tell: Tell) -> None:
        self.weaken()
        device = HelperDevice(root / "device")
        device.configure(CONFIG)
        os.sync()
        for number, version in enumerate(VERSIONS, start=1):
            name = str(number)
            job = self.bed.order(device, version, name)
            if job.payload:
                flushed(device.paths.spool_dir)
            device.order_file(job)
            tell("ordered", name)
            assert device.run_helper() == 0
            result = device.result(name)
            assert result is not None
            assert result.is_ok, result.detail
            tell("answered", name)

    def recover(self, root: Path, facts: Facts) -> None:
        device = HelperDevice(root / "device")
        assert device.run_helper() == 0
        answered = [name for name in map(str, range(1, 4)) if device.result(name) is not None]
        promised = facts.seen("ordered")
        assert answered[: len(promised)] == promised, f"answers {answered}, orders {promised}"
        assert len(answered) <= len(promised) + 1
        for name in answered:
            result = device.result(name)
            assert result is not None
            assert result.is_ok, result.detail
        self.check_device(device, VERSIONS[len(answered) - 1] if answered else "")

    def check_device(self, device: HelperDevice, version: str) -> None:
        """The tool, the files and our own notes agree, and no order is half done."""
        self.bed.check_database(device.root)
        assert self.bed.installed(device.root) == version
        assert device.pending() == []
        assert device.names("taken") == device.names("work") == []
        assert [entry.version for entry in device.entries()] == [version] * bool(version)


def flushed(folder: Path) -> None:
    """Flush what lies in a folder, as the daemon does with a payload before it orders."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    durable.sync_dir(folder)
