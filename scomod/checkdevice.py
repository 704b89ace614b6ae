# SPDX-License-Identifier: Apache-2.0
"""Looks at what of a device can be seen without its daemon: files, tools, configuration.

Looks only, and opens no database: that is its daemon's.  What an ordinary user may not see
is said to be so.  What only a daemon knows is `checkup`.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from scomod import checkimage, config
from scomod.clifmt import moment, size
from scomod.download.part import free_bytes
from scomod.errors import InstallerError, ScomodError
from scomod.expiry import expiries
from scomod.findings import Finding, finding
from scomod.installers import jobfile, proc, registry
from scomod.installers.kinds import Place
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.settings import Paths, Settings

ORDER_OLD_S: Final = 300.0  # a helper that is there takes an order within seconds
TOOL_TIMEOUT_S: Final = 10.0
OPEN_TO_OTHERS: Final = 0o077
WRITABLE_BY_OTHERS: Final = 0o022
WANTED: Final = "etc/systemd/system/paths.target.wants"
POLICIES: Final = ("etc/dbus-1/system.d", "usr/share/dbus-1/system.d")
POLICY: Final = "org.scomod1.conf"
ENDS: Final = {True: "certificate ends", False: "certificate ended"}
PATH_UNIT: Final = "scomod-install.path"
# backend: what says its version
VERSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "dpkg": ("dpkg", "--version"),
    "flatpak": ("flatpak", "--version"),
}


def _loose(settings: Settings) -> Iterator[tuple[str, str]]:
    """Give the settings that take a guard away: what follows, and the key."""
    if settings.verify.signature == "optional":
        yield "Packages need not be signed", "verify.signature"
    if settings.transport.allow_http:
        yield "Servers may be called without TLS", "transport.allow_http"
    if settings.bootstrap.unsigned == "accept":
        yield "Bootstrap documents without a seal make accounts", "bootstrap.unsigned"
    if settings.log.trace == "full":
        yield "What is said in sessions is written down in full", "log.trace"
    if settings.media.offers:
        yield "Removable media may offer packages", "media.offers"


@frozen
class Device:
    """Looks at one device; it cannot be earlier than `floor_s` (wall time)."""

    settings: Settings
    paths: Paths
    clock: Clock
    floor_s: float

    def look(self) -> Iterator[Finding]:
        """Look at everything; works in files and runs tools, so belongs into a thread."""
        looks = (
            *(self._configuration, self._disk, self._directories, self._certificates),
            *(self._tools, self._helper, self._policy, self._put_aside),
            lambda: checkimage.look(self.settings, self.paths),
        )
        for each in looks:
            yield from self._seen(each)

    def _seen(self, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        """Give what a look finds, or that the user may not have it."""
        try:
            yield from look()
        except PermissionError as error:
            yield finding("not allowed", path=error.filename)

    def _configuration(self) -> Iterator[Finding]:
        files = dict.fromkeys(map(str, config.origins(self.paths).values()))
        yield finding("configuration", files=", ".join(files) or "the defaults alone")
        for what, key in _loose(self.settings):
            yield finding("loose", what=what, key=key)

    def _disk(self) -> Iterator[Finding]:
        path, reserve = self.paths.state_dir, self.settings.download.reserve_bytes
        while not path.exists():
            path = path.parent
        free = free_bytes(path)
        spool = self.paths.spool_dir
        held = sum(each.stat().st_size for each in spool.iterdir()) if spool.is_dir() else 0
        facts = {"free": size(free), "reserve": size(reserve), "spool": size(held), "path": path}
        yield finding("disk" if free >= reserve else "disk full", **facts)

    def size_of_database(self) -> int | None:
        """Return the octets of the database with its log, None where there is none."""
        path = self.paths.database
        if not path.exists():
            return None
        files = (path, path.with_name(f"{path.name}-wal"))
        return sum(each.stat().st_size for each in files if each.exists())

    def _put_aside(self) -> Iterator[Finding]:
        for path in sorted(self.paths.state_dir.glob(f"{self.paths.database.name}.damaged-*[0-9]")):
            yield finding("database aside", path=path)

    def _directories(self) -> Iterator[Finding]:
        paths, below = self.paths, self.paths.below_root
        ours = {paths.state_dir: OPEN_TO_OTHERS, paths.spool_dir: OPEN_TO_OTHERS}
        trusted = (paths.config_dir, below(self.settings.verify.trust_dir))
        guarded = {**ours, **dict.fromkeys((*trusted, paths.install_dir), WRITABLE_BY_OTHERS)}
        for path, forbidden in guarded.items():
            if path.exists():
                mode = stat.S_IMODE(path.stat().st_mode)
                words = {"path": path, "mode": f"{mode:04o}", "wanted": f"{mode & ~forbidden:04o}"}
                yield finding("directory open" if mode & forbidden else "directory", **words)

    def _certificates(self) -> Iterator[Finding]:
        now_s = max(self.clock.wall_s(), self.floor_s)
        found = expiries(self.settings, self.paths)
        for each in found:
            name = f"{each.file} ({each.what})"
            if each.problem:
                yield finding("certificate unreadable", name=name, how=each.problem)
                continue
            left_s = each.ends_s - now_s
            word = "certificate" if left_s >= self.settings.time.warn_expiry_s else ENDS[left_s > 0]
            yield finding(word, name=name, until=moment(each.ends_s))
        if not found:
            yield finding("no certificates")

    # -- what installs ---------------------------------------------------------------

    def _tools(self) -> Iterator[Finding]:
        place = Place(root=self.paths.root, settings=self.settings.install, clock=self.clock)
        found = 0
        for kind in registry.kinds(self.settings.install, self.paths):
            try:
                backend = kind.make(place)
                version = "" if backend is None else _version(kind.name, self.settings)
            except ScomodError:
                version = ""
            found += bool(version)
            facts = {"name": kind.name, "version": version}
            yield finding("backend" if version else "no tool", **facts)
        if not found:
            yield finding("no backend")

    def _helper(self) -> Iterator[Finding]:
        if self.settings.install.runner == "direct":
            yield finding("direct")
            return
        yield self._unit()
        yield from self._orders()

    def _unit(self) -> Finding:
        folders = [self.paths.root / folder for folder in checkimage.UNITS]
        if not any(folder.is_dir() for folder in folders):
            return finding("helper elsewhere")
        units = [folder / PATH_UNIT for folder in folders if (folder / PATH_UNIT).exists()]
        if not units:
            return finding("helper missing", path=self.paths.jobs_dir)
        wanted = self.paths.root / WANTED / PATH_UNIT
        is_enabled = wanted.is_symlink() or wanted.exists()
        return finding("helper", path=units[0]) if is_enabled else finding("helper off")

    def _orders(self) -> Iterator[Finding]:
        orders = list(self.paths.jobs_dir.glob(f"*{jobfile.SUFFIX}"))
        times_s = sorted(each.stat().st_mtime for each in orders)
        old = [at_s for at_s in times_s if self.clock.wall_s() - at_s > ORDER_OLD_S]
        if old:
            yield finding("orders wait", count=len(old), since=moment(old[0]))

    def _policy(self) -> Iterator[Finding]:
        places = [self.paths.root / folder / POLICY for folder in POLICIES]
        found = next((path for path in places if path.exists()), None)
        folder = places[-1].parent
        yield finding("policy", path=found) if found else finding("no policy", path=folder)


def _version(backend: str, settings: Settings) -> str:
    """Return the first line that the tool of a backend says of itself, "" where there is none."""
    from scomod.installers.opkg import program_of  # noqa: PLC0415 - it has two names

    opkg = program_of(settings.install.opkg)
    command = VERSIONS.get(backend) or ((opkg, "--version") if backend == "opkg" else None)
    if command is None:
        return "a program of somebody else"
    try:
        done = proc.run(command, timeout_s=TOOL_TIMEOUT_S)
    except InstallerError:
        return ""
    return done.stdout.strip().partition("\n")[0].strip(".") if done.rc == 0 else ""
