# SPDX-License-Identifier: Apache-2.0
"""Restarting the device: what a package wants of it, and the restart itself.

Debian's packages ask for a restart with a file in `run` (`reboot-required`, and
their names in `reboot-required.pkgs`).  When a restart is due is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.bootid import boot_id
from scomod.errors import InstallerError, Reason
from scomod.installers import proc
from scomod.installers.base import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FOLDERS: Final = ("run", "var/run")
_WISH: Final = "reboot-required"
_NAMES: Final = "reboot-required.pkgs"
_NAMES_MAX_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """Wishes for a restart below `root`, and `program`, which restarts within `timeout_s`."""

    root: Path
    program: tuple[str, ...]
    timeout_s: float

    def mark(self) -> str:
        """Give a text that is another one after somebody asked for a restart."""
        return " ".join(stamp(self.root / folder / _WISH) for folder in _FOLDERS)

    def is_wanted(self, mark: str, components: Iterable[str]) -> bool:
        """Tell whether a restart was asked for since the mark, or by one of the components."""
        is_there = any((self.root / folder / _WISH).exists() for folder in _FOLDERS)
        names = {component.partition(":")[0] for component in components}
        return (is_there and mark != self.mark()) or not names.isdisjoint(self._names())

    def restart(self, boot: str) -> None:
        """Restart the device unless the boot of that name is over.

        Raises `InstallerError` when the program says that it cannot.
        """
        if boot and boot != boot_id(self.root):
            return
        done = proc.run(proc.below(self.root, self.program), timeout_s=self.timeout_s)
        if done.rc != 0:
            raise InstallerError(
                Reason.INTERNAL, f"{self.program[0]}: {done.rc}: {done.stderr.strip()[:400]}"
            )

    def _names(self) -> set[str]:
        found: set[str] = set()
        for folder in _FOLDERS:
            try:
                with (self.root / folder / _NAMES).open("rb") as file:
                    text = file.read(_NAMES_MAX_BYTES).decode("utf-8", "replace")
            except OSError:
                continue
            found.update(text.split())
        return found
