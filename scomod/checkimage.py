# SPDX-License-Identifier: Apache-2.0
"""Looks at what whoever makes an image has to put there: units, bus, polkit, and keys to trust.

Looks at files only.  What a device in use may lack is `checkdevice`'s affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.findings import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.settings import Paths, Settings

UNITS: Final = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
WANTS: Final = "etc/systemd/system/{}.wants"
# Units beside that of the helper: what wants them, and what is missed without them.
WANTED: Final = {
    "scomod.service": ("multi-user.target", "nothing calls a server after a start of the device"),
    "scomod.socket": ("sockets.target", "no notification by UDP starts the daemon"),
    "scomod.path": ("paths.target", "a document laid into bootstrap.d starts nothing"),
}
ACTIVATION: Final = "usr/share/dbus-1/system-services"
ACTIONS: Final = "usr/share/polkit-1/actions"


def look(settings: Settings, paths: Paths) -> Iterator[Finding]:
    """Give what is found below the root of a device, or of an image that is mounted there."""
    yield _keys(settings, paths)
    if any((paths.root / folder).is_dir() for folder in UNITS):
        yield from (_unit(paths, name) for name in WANTED)
        yield _file(paths, ACTIVATION, "org.scomod1.service", "activation")
    if (paths.root / ACTIONS).is_dir():
        yield _file(paths, ACTIONS, "org.scomod1.policy", "actions")


def _keys(settings: Settings, paths: Paths) -> Finding:
    """Look whether anybody is trusted to sign; whether each file is one says the signature."""
    policy = settings.verify
    folders = [paths.below_root(name) for name in (policy.trust_dir, policy.key_dir) if name]
    count = len({path for folder in folders for path in folder.glob("*.pem")})
    word = "keys" if count else "no keys" if policy.signature == "required" else "keys unneeded"
    return finding(word, count=count, path=folders[0] if folders else "trust_dir")


def _unit(paths: Paths, name: str) -> Finding:
    target, lack = WANTED[name]
    if not any((paths.root / folder / name).exists() for folder in UNITS):
        return finding("unit missing", name=name, lack=lack)
    link = paths.root / WANTS.format(target) / name
    is_enabled = link.is_symlink() or link.exists()
    return finding("unit" if is_enabled else "unit off", name=name, lack=lack)


def _file(paths: Paths, folder: str, name: str, word: str) -> Finding:
    place = paths.root / folder / name
    return finding(word if place.exists() else f"no {word}", path=place)
