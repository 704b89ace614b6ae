# SPDX-License-Identifier: Apache-2.0
"""What an installer backend is: its protocol and the values it speaks in.

Backends raise `InstallerError` with a reason, never an OMA number (I12).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scomod.installers.kinds import Kind


# What an order says instead of a backend when its payload holds several components.
BUNDLE: Final = "bundle"


class Action(StrEnum):
    """What a job asks of a backend."""

    INSTALL = "install"
    INSTALL_INACTIVE = "install-inactive"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    REMOVE = "remove"
    START = "start"
    STOP = "stop"
    CHECK = "check"
    UNDO = "undo"
    REBOOT = "reboot"


class Presence(StrEnum):
    """What a probe found; PARTIAL is what a killed tool leaves behind."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ABSENT = "absent"
    PARTIAL = "partial"


@frozen
class InstalledItem:
    """One piece of software as the backend reports it, not yet mapped to a node.

    `id` is unique within the device ("hello"), `digest` the SHA-256 of the archive
    it came from, "" when unknown, `package_id` the PkgID it was delivered under,
    `owner` the server that brought it, "" for software of the factory, `units` the
    services of the system manager that it brought ("hello.service"), `permissions`
    what it may do outside of its sandbox, a sentence each ("It may use the network.");
    `is_startable` tells that its backend starts and stops it (`Attending`).
    """

    id: str
    version: str
    environment: str
    is_active: bool = True
    name: str = ""
    description: str = ""
    digest: str = ""
    package_id: str = ""
    owner: str = ""
    units: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    is_startable: bool = False


@frozen
class Facts:
    """What an archive says of itself, read without installing it.

    `permissions` are sentences, as in `InstalledItem`; () also where the system package
    runs without a sandbox, so may do anything.
    """

    id: str
    version: str
    architecture: str = ""
    description: str = ""
    installed_bytes: int = 0
    permissions: tuple[str, ...] = ()


@frozen
class Job:
    """One order to the installing side; the same job may be run twice (I6).

    `id` is stable over restarts.  `payload` is the archive for the two install
    actions; `digest` (SHA-256, hex) names it and is checked again by who installs.
    `signature` is base64 of one over the digest, `certificate` of the signer's certificates.
    `keep_payload` leaves the payload where it is (it stays Delivered).
    `owner` is the server that orders; besides its own components the job may change
    those of the owners in `touches` ("" is the factory, "*" everybody).
    `undoes` is the id of the job that UNDO takes back.  `params` is InstallParams,
    for CHECK the seconds for which all must have been well, for REBOOT the boot to end.
    """

    id: str
    backend: str
    action: Action
    component_id: str = ""
    package_id: str = ""
    payload: str = ""
    digest: str = ""
    signature: str = ""
    certificate: str = ""
    params: str = ""
    keep_payload: bool = False
    owner: str = ""
    touches: tuple[str, ...] = ("*",)
    undoes: str = ""


@frozen
class JobResult:
    """How a job ended; `reason` is a `Reason` value when `is_ok` is false.

    `components` are all that the job changed or looked at, in the order of their
    package; `wants_reboot` tells that the change takes effect at the next start.
    """

    id: str
    is_ok: bool
    reason: str = ""
    detail: str = ""
    components: tuple[InstalledItem, ...] = ()
    wants_reboot: bool = False


def ignore(boundary: str) -> None:
    """Observe nothing; what a real device does at the named boundaries."""
    del boundary


def unheard(fraction: float) -> None:
    """Hear nothing of how much is done."""
    del fraction


def stamp(path: Path) -> str:
    """Return what is another text after any write to a file or directory, "-" if it is not there.

    The tools replace their files by renaming, so that the inode tells too what the
    clock of a file system is too coarse for.
    """
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_ino}.{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}"


class Backend(Protocol):
    """One kind of system package.  Every verb may be called twice with the same end.

    `name` is what a job says ("dpkg"), `environment` what the server calls it ("deb").
    """

    name: str
    environment: str

    def inspect(self, payload: Path) -> Facts:
        """Read an archive; raises `InstallerError(MALFORMED)` or `(UNSUPPORTED_ENV)`."""

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        """Bring the archive's software to ACTIVE, repairing what a kill left behind.

        Raises `InstallerError(POLICY)` where a newer version is installed and the
        caller did not say that an older one may take its place.
        """

    def remove(self, component_id: str) -> None:
        """Take the software off, its configuration too."""

    def withdraw(self, component_id: str) -> None:
        """Take the software off, keep its configuration (the way to INACTIVE)."""

    def probe(self, component_id: str, version: str) -> Presence:
        """Say what is really there; "" as version means any."""

    def version(self, component_id: str) -> str:
        """Say which version is installed and works, "" where none does."""

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services that an installed component brought ("hello.service")."""

    def inventory(self) -> list[InstalledItem]:
        """List what is installed (the active items)."""


@runtime_checkable
class Discerning(Protocol):
    """What a backend may tell besides, so that the policy of a device can forbid it.

    Where the policy forbids downgrades or scripts, a backend that cannot tell is refused.
    """

    def is_older(self, version: str, than: str) -> bool:
        """Tell whether one version is older than another."""

    def is_essential(self, component_id: str) -> bool:
        """Tell whether the system does not work without an installed component."""

    def scripts(self, archive: Path) -> tuple[str, ...]:
        """Name the scripts that an archive would run with our rights."""


@runtime_checkable
class Attending(Protocol):
    """What a backend has whose software is started and stopped by its own tool, not as units.

    Success is that it runs, or does not, when it is looked at again.
    """

    def start(self, component_id: str) -> None:
        """Start an installed component; raises `InstallerError(UNHEALTHY)` when it does not."""

    def stop(self, component_id: str) -> None:
        """Stop all that runs of it; raises `InstallerError(UNHEALTHY)` when it goes on."""


@runtime_checkable
class Batching(Protocol):
    """What a backend has whose tool takes several at once, which may need each other then.

    Those that come through stay when others fail; which did is what the database says.
    """

    def install_all(self, archives: Sequence[tuple[Path, Facts]], *, may_downgrade: bool) -> None:
        """Do what `install` does, for several in one run, in whatever order they are given."""

    def withdraw_all(self, component_ids: Sequence[str]) -> None:
        """Do what `withdraw` does, for several in one run; removing them comes after it."""


@runtime_checkable
class Preparing(Protocol):
    """What a backend has whose archives only name what its tool fetches (the network is its own).

    Preparing an Inactive component fetches all it needs, so that activating it needs no network.
    """

    def prepare(self, payload: Path, facts: Facts) -> None:
        """Fetch what an archive names and deploy nothing; may be called twice."""


@runtime_checkable
class Returnable(Protocol):
    """What a backend has whose software can come back without us: by words that a shell runs.

    With it an upgrade of scomod itself has a way back (`arming`).
    """

    environment: str

    def owner_of(self, file: Path) -> str:
        """Name the installed component that has a file, "" where none has."""

    def repack(self, component_id: str, target: Path) -> None:
        """Make an archive of what is installed; raises `InstallerError` where that cannot be."""

    def restoring(self, archive: Path) -> tuple[str, ...]:
        """Give the program that installs an archive over whatever is there of its component."""

    def showing(self, component_id: str) -> tuple[str, ...]:
        """Give the program that prints what is installed, and whether it works."""


class Runner(Protocol):
    """How jobs reach a backend: in this process, or by the root helper."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of package that the device takes."""

    async def run(self, job: Job, told: Callable[[float], None] = unheard) -> JobResult:
        """Run a job to its end; a job already done gives its result again.

        `told` learns how much is done (0 to 1) while that is known, perhaps in a thread.
        """

    def inventory(self) -> list[InstalledItem]:
        """List active and inactive items of all backends, without privileges."""

    def inspect(self, backend: str, payload: Path) -> Facts:
        """Read an archive of ours without privileges; raises `InstallerError`."""

    def mark(self) -> str:
        """Return what is another text after any change of those items; costs a few stats."""

    def withdraw(self, job_id: str) -> bool:
        """Take an order back; True if it was there and nobody will carry it out.

        Whoever waits for its result gets one with CANCELLED.
        """

    def forget(self, job_id: str) -> None:
        """Drop the kept result of a job that the journal has taken over."""
