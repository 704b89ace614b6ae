# SPDX-License-Identifier: Apache-2.0
"""What opkg is configured with: what machines' packages it takes, and from which feeds.

opkg itself finds out what a package needs besides and where that is; here is said
whether it may have it.  Nothing of the configuration is added or changed, and where
it says nothing opkg's own defaults are not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import opkg_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOCAL: Final = "file:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The files of the device below `root`; `feeds` is our setting: off, lists or update."""

    root: Path
    feeds: str
    may_use_network: Callable[[], bool]

    def architectures(self) -> frozenset[str]:
        """Return the architectures that are named; none where opkg's defaults hold."""
        return opkg_output.parse_architectures(self._text())

    def addresses(self) -> tuple[str, ...]:
        """Return where the feeds are."""
        return opkg_output.feeds_in(self._text())

    def allow(self, component_id: str, needed: frozenset[str]) -> None:
        """Let opkg take `needed` (empty: what it could not find) from the feeds.

        Raises `InstallerError`: DEPENDENCY where feeds are not used, POLICY where one is
        not on the device and the policy of the device has no network for tools.
        """
        what = ", ".join(sorted(needed)) or "more than is installed"
        if self.feeds == "off":
            raise InstallerError(
                Reason.DEPENDENCY, f"{component_id} needs {what}, and [install.opkg] feeds is off"
            )
        far = [feed for feed in self.addresses() if not feed.startswith(_LOCAL)]
        if far and not self.may_use_network():
            raise InstallerError(
                Reason.POLICY,
                f"{component_id} needs {what}; {far[0]:.200} needs the network, and allow_network"
                " is not set in install-policy.toml",
            )

    def _text(self) -> str:
        etc = self.root / "etc"
        files = [etc / "opkg.conf", *sorted((etc / "opkg").glob("*.conf"))]
        return "\n".join(file.read_text("utf-8", "replace") for file in files if file.is_file())
