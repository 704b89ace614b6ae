# SPDX-License-Identifier: Apache-2.0
"""A device that is a booted container, and the bench it belongs to; see `tests/image`.

What is plain in `Rig` is the same here: orders, sessions, reports, scomoctl.  Daemon and
helper are not processes of the test but units of the container's systemd.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.container import Container
from tests.support.own_package import layer
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Mapping

RESIDENT = "[Service]\nExecStart=\nExecStart=/usr/bin/scomod --resident\n"
DAEMON, HELPER, WATCH = "scomod.service", "scomod-install.service", "scomod-install.path"


class ImageDevice(Rig):
    """Entered, it is booted and bootstrapped."""

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        more: str = "",
        variables: Mapping[str, str] | None = None,
        is_resident: bool = True,
    ) -> None:
        super().__init__(directory)
        self._more = more
        self._is_resident = is_resident
        base = Path(os.environ["SCOMOD_IMAGE_ROOT"])
        self.container = Container(name, [layer() / "upper", base], variables)
        self.root = self.container.root

    def __enter__(self) -> Self:
        self._thread.start()
        self._stack.callback(self.container.cut_power)
        self.bench = self.in_bench(self._open_bench())
        self.account = self.bench.register.add("device-1")
        self._furnish()
        self.override(self._more)
        if self._is_resident:
            folder = self.root / f"etc/systemd/system/{DAEMON}.d"
            folder.mkdir(parents=True)
            (folder / "resident.conf").write_text(RESIDENT)
        try:
            self.boot()
            self.bootstrap()
        except BaseException:
            self.container.cut_power()
            raise
        return self

    def boot(self) -> None:
        """Boot, and wait until the daemon can be asked."""
        self.container.boot()
        self.bus_address = self.container.bus_address
        self.until_up()

    def root_run(self, name: str) -> Path:
        """Give a file of the container's /run, which is no part of its root."""
        return self.container.seen / "run" / name

    def helper_starts(self) -> int:
        """Count how often systemd has started the helper since it booted."""
        said = self.container.run(
            "journalctl", "--quiet", "--output=cat", f"--unit={HELPER}", "--grep=^Starting ",
            "--boot", is_checked=False,
        )  # fmt: skip
        return len(said.stdout.splitlines())

    def logs(self) -> str:
        journal = self.container.run("journalctl", "--no-pager", "-n", "120", is_checked=False)
        return self.container.console.read_text()[-2000:] + journal.stdout[-12000:]
