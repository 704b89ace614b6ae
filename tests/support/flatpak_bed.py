# SPDX-License-Identifier: Apache-2.0
"""A device in a directory with the flatpak backend, and the bare flatpak beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import InstallerError, Reason
from scomod.installers.flatpak import make
from scomod.installers.kinds import KINDS, Place
from scomod.settings import Flatpak, Install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.installers.base import Facts
    from tests.support.flatpaks import Bundle


class Bed:
    """A device in a directory, its backend, and the bare tool beside it."""

    def __init__(
        self,
        folder: Path,
        installation: str = "system",
        *,
        may_use_network: bool = False,
        signature: str = "required",
        run_as: str = "",
        run_wait_s: float = 30.0,
    ) -> None:
        self.folder = folder
        self.dir = folder / "root/var/lib/flatpak"
        self.installation = installation
        settings = Flatpak(
            timeout_s=60.0,
            installation=installation,
            signature=signature,
            run_as=run_as,
            run_wait_s=run_wait_s,
        )
        place = Place(
            root=folder / "root",
            settings=Install(flatpak=settings),
            clock=SystemClock(),
            may_use_network=lambda: may_use_network,
        )
        self.place = place
        self.backend = make(place)

    def mark(self) -> str:
        return KINDS["flatpak"].mark(self.place.root, self.place.settings)

    def install(self, bundle: Bundle, *, may_downgrade: bool = False) -> Path:
        archive = bundle.build(self.folder)
        self.install_file(archive, may_downgrade=may_downgrade)
        return archive

    def install_file(self, archive: Path, *, may_downgrade: bool = False) -> Facts:
        facts = self.backend.inspect(archive)
        self.backend.install(archive, facts, may_downgrade=may_downgrade)
        return facts

    def failure(self, action: Callable[[], object]) -> Reason:
        with pytest.raises(InstallerError) as caught:
            action()
        assert str(caught.value)
        return caught.value.reason

    def argv(self, *arguments: str | Path) -> tuple[list[str], dict[str, str]]:
        place = f"FLATPAK_{self.installation.upper()}_DIR"
        environment = {**os.environ, place: str(self.dir), "LC_ALL": "C.UTF-8"}
        return ["flatpak", f"--{self.installation}", *map(str, arguments)], environment

    def tool(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the bare tool, past our backend."""
        argv, environment = self.argv(*arguments)
        return subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)

    def killed(self, delay_s: float, *arguments: str | Path) -> None:
        argv, environment = self.argv(*arguments)
        child = subprocess.Popen(
            argv,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        time.sleep(delay_s)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def deployed(self, name: str = "org.scomo.Hello") -> str:
        """Ask flatpak itself for the commit, not our parser."""
        return self.tool("info", "--show-commit", name).stdout.strip()

    def remotes(self) -> str:
        return self.tool("remotes", "--show-disabled", "--columns=name").stdout

    @property
    def branch_dir(self) -> Path:
        (found,) = (self.dir / "app/org.scomo.Hello").glob("*/stable")
        return found
