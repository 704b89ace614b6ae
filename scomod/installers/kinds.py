# SPDX-License-Identifier: Apache-2.0
"""The kinds of system package that scomod knows by itself: data, no tool and no backend.

A kind says what servers call its packages, where the device notes that one of them
changed, and who makes its backend, whose module is imported only when it is used: a
daemon that waits, looks and finds nothing changed has none of them in memory.
What root or the configuration adds is `registry`'s business.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.base import BUNDLE, stamp
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.installers.base import Backend
    from scomod.settings import Install


def _never() -> bool:
    return False


def _unheard(fraction: float) -> None:
    del fraction


def _none(place: Place) -> None:
    del place


@frozen
class Place:
    """What a backend is made for: the device below `root`, and what it may do there.

    `may_remove_essential` and `may_use_network` ask the policy of the device at that moment.
    `progress` is told how much of the archive in work is done, 0 to 1.
    """

    root: Path
    settings: Install
    clock: Clock
    may_remove_essential: Callable[[], bool] = _never
    may_use_network: Callable[[], bool] = _never
    progress: Callable[[float], None] = _unheard


@frozen
class Kind:
    """One kind of package; a server may call it any of `environments` or `content_types`.

    `watched` are the files below the root whose stamps change with what is installed;
    "{opkg.status_file}" stands for that setting of [install].  `maker` is what makes the
    backend, or names it ("scomod.installers.dpkg:make").  `has_sandbox` tells that its
    software may do only what its permissions say.
    """

    name: str
    environments: tuple[str, ...]
    content_types: tuple[str, ...]
    watched: tuple[str, ...]
    maker: str | Callable[[Place], Backend | None]
    has_sandbox: bool = False

    def make(self, place: Place) -> Backend | None:
        """Make the backend; None where its tool is not on the device."""
        if not isinstance(self.maker, str):
            return self.maker(place)
        module, _, function = self.maker.partition(":")
        made: Backend | None = getattr(import_module(module), function)(place)
        return made

    def mark(self, root: Path, settings: Install) -> str:
        """Return what is another text after any change of what is installed; a few stats."""
        names = (
            each.format(dpkg=settings.dpkg, flatpak=settings.flatpak, opkg=settings.opkg)
            for each in self.watched
        )
        return " ".join(stamp(root / name.lstrip("/")) for name in names if name)


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="dpkg",
            environments=("deb", "dpkg", "debian"),
            content_types=(
                "application/vnd.debian.binary-package",
                "application/x-debian-package",
                "application/x-deb",
            ),
            # The second is where a killed dpkg leaves what it had not written yet.
            watched=("var/lib/dpkg/status", "var/lib/dpkg/updates"),
            maker="scomod.installers.dpkg:make",
        ),
        Kind(
            name="flatpak",
            environments=("flatpak",),
            content_types=("application/vnd.flatpak", "application/vnd.flatpak.ref"),
            # flatpak writes it anew with every change.
            watched=("{flatpak.dir}/.changed",),
            maker="scomod.installers.flatpak:make",
            has_sandbox=True,
        ),
        Kind(
            name="opkg",
            environments=("ipk", "opkg"),
            content_types=("application/x-ipk", "application/x-opkg"),
            # Where the two flavours keep their database if nobody says otherwise, and our
            # note of what a killed opkg did not end.
            watched=(
                "{opkg.status_file}",
                "usr/lib/opkg/status",
                "var/lib/opkg/status",
                "var/lib/scomod-install/opkg-unfinished.json",
            ),
            maker="scomod.installers.opkg:make",
        ),
    )
}
# What servers call a package of several components; it has no backend.
BUNDLES: Final = Kind(
    name=BUNDLE,
    environments=("bundle",),
    content_types=("application/vnd.scomod.bundle+tar",),
    watched=(),
    maker=_none,
)
# What a server writes that does not care or does not know.
_ANY_CONTENT: Final = ("", "application/octet-stream")


def backend_name(environment: str, content_type: str, known: Sequence[Kind]) -> str:
    """Choose the backend for what a server said of a package; the first where it said nothing.

    The environment is what a server writes into EnvType, the content type what it writes
    into PkgType (scomo §2.2); both are matched without regard to case.
    Raises `InstallerError(UNSUPPORTED_ENV)` where one of the two is not known.
    """
    kinds = (*known, BUNDLES)
    named = environment.strip().lower()
    content = content_type.partition(";")[0].strip().lower()
    by_environment = [kind for kind in kinds if named in ("", *kind.environments)]
    by_content = [kind for kind in kinds if content in (*_ANY_CONTENT, *kind.content_types)]
    if not by_environment or not by_content:
        raise InstallerError(
            Reason.UNSUPPORTED_ENV, f"no backend for {environment!r:.80}, {content_type!r:.80}"
        )
    return (by_environment if named else by_content)[0].name
