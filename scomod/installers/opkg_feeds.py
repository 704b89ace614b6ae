"""Whether opkg may take what a package needs besides from its feeds.

opkg itself finds out what is missing and where it is; here is said what it may do.
The feeds are those of opkg's own configuration; none is added or changed.
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
class Feeds:
    """The feeds of the device below `root`; `use` is what the configuration says of them."""

    root: Path
    use: str
    may_use_network: Callable[[], bool]

    def addresses(self) -> tuple[str, ...]:
        """Return what opkg is configured with."""
        etc = self.root / "etc"
        files = [etc / "opkg.conf", *sorted((etc / "opkg").glob("*.conf"))]
        texts = (file.read_text("utf-8", "replace") for file in files if file.is_file())
        return tuple(feed for text in texts for feed in opkg_output.feeds_in(text))

    def allow(self, component_id: str, needed: frozenset[str]) -> None:
        """Let opkg take `needed` (empty: what it could not find) from the feeds.

        Raises `InstallerError`: DEPENDENCY where feeds are not used, POLICY where one is
        not on the device and the policy of the device has no network for tools.
        """
        what = ", ".join(sorted(needed)) or "more than is installed"
        if self.use == "off":
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
