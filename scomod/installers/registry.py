"""Which backend serves which environment, and how the parts fit together.

The only module that knows all backends.

The environment is what a server writes into EnvType, the content type what it
writes into PkgType (scomo §2.2): both are matched without regard to case, and an
absent one matches anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.archive import Archives
from scomod.installers.base import BUNDLE
from scomod.installers.dpkg import DpkgBackend
from scomod.installers.flatpak import FlatpakBackend
from scomod.installers.opkg import OpkgBackend, program_of
from scomod.installers.stock import Stock, shown_by
from scomod.trust import trust_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.installers.base import Backend
    from scomod.installers.installpolicy import InstallPolicy
    from scomod.installers.reboot import Reboot
    from scomod.installers.services import Services
    from scomod.installers.work import Workshop
    from scomod.settings import Install, Paths, Settings

_ENVIRONMENTS: Final[Mapping[str, str]] = {
    "deb": "dpkg",
    "dpkg": "dpkg",
    "debian": "dpkg",
    "flatpak": "flatpak",
    "ipk": "opkg",
    "opkg": "opkg",
    "bundle": BUNDLE,
}
_CONTENT_TYPES: Final[Mapping[str, str]] = {
    "application/vnd.debian.binary-package": "dpkg",
    "application/x-debian-package": "dpkg",
    "application/x-deb": "dpkg",
    "application/vnd.flatpak": "flatpak",
    "application/x-ipk": "opkg",
    "application/x-opkg": "opkg",
    "application/vnd.scomod.bundle+tar": BUNDLE,
}
# What a server writes that does not care or does not know.
_ANY_CONTENT: Final = frozenset({"", "application/octet-stream"})
_DEFAULT: Final = "dpkg"


def backends(
    settings: Install,
    root: Path,
    clock: Clock,
    may_remove_essential: Callable[[], bool] = lambda: False,
) -> dict[str, Backend]:
    """Make every backend that there is a tool for, by name, for the device below `root`."""
    made: list[Backend] = [
        DpkgBackend(
            root=root,
            settings=settings.dpkg,
            clock=clock,
            may_remove_essential=may_remove_essential,
        ),
        FlatpakBackend(root=root, settings=settings.flatpak),
    ]
    if program_of(settings.opkg):
        made.append(OpkgBackend(root=root, settings=settings.opkg, clock=clock))
    return {backend.name: backend for backend in made}


def backend_name(environment: str, content_type: str = "") -> str:
    """Choose the backend for what a server said of a package.

    Raises `InstallerError(UNSUPPORTED_ENV)` where one of the two is not known.
    """
    named = environment.strip().lower()
    content = content_type.partition(";")[0].strip().lower()
    by_environment = _ENVIRONMENTS.get(named) if named else ""
    by_content = "" if content in _ANY_CONTENT else _CONTENT_TYPES.get(content)
    if by_environment is None or by_content is None:
        raise InstallerError(
            Reason.UNSUPPORTED_ENV, f"no backend for {environment!r:.80}, {content_type!r:.80}"
        )
    return by_environment or by_content or _DEFAULT


def stock(settings: Settings, paths: Paths, clock: Clock) -> Stock:
    """Make the reader of the inventory."""
    return Stock(
        backends=backends(settings.install, paths.root, clock).values(),
        archives=Archives(paths.install_dir),
        is_shown=shown_by(settings),
    )


def workshop(
    settings: Settings, paths: Paths, clock: Clock, observer: Callable[[str], None]
) -> Workshop:
    """Make what carries out orders, for the helper and for a runner in this process."""
    # The daemon that only orders needs none of it.
    from scomod.installers import installpolicy  # noqa: PLC0415 - as said
    from scomod.installers.attendance import Attendance  # noqa: PLC0415 - as said
    from scomod.installers.layout import Layout  # noqa: PLC0415 - as said
    from scomod.installers.mover import Mover  # noqa: PLC0415 - as said
    from scomod.installers.owners import Owners  # noqa: PLC0415 - as said
    from scomod.installers.payload import Payloads  # noqa: PLC0415 - as said
    from scomod.installers.plan import Plans  # noqa: PLC0415 - as said
    from scomod.installers.planner import Planner, SignaturePolicy  # noqa: PLC0415 - as said
    from scomod.installers.work import Workshop  # noqa: PLC0415 - as said

    layout, archives = Layout(paths.install_dir), Archives(paths.install_dir)

    def house() -> InstallPolicy:
        return installpolicy.load(paths)

    made = backends(settings.install, paths.root, clock, lambda: house().allow_essential_removal)
    owners = Owners(archives=archives, backends=made)
    payloads = Payloads(
        paths=paths, work_dir=layout.work_dir, max_bytes=settings.download.max_bytes
    )
    policy = SignaturePolicy(
        is_required=settings.verify.signature == "required",
        trust=trust_of(settings.verify, paths, clock),
    )
    return Workshop(
        layout=layout,
        archives=archives,
        payloads=payloads,
        plans=Plans(layout.plans_dir),
        planner=Planner(
            archives=archives,
            payloads=payloads,
            backends=made,
            owners=owners,
            policy=policy,
            house=house,
            limits=settings.install.bundle,
            observer=observer,
        ),
        mover=Mover(archives=archives, backends=made, observer=observer),
        attendance=Attendance(
            archives=archives,
            backends=made,
            owners=owners,
            services=_services(settings, paths),
        ),
        reboot=_reboot(settings, paths),
        downgrade=settings.install.allow_downgrade,
        observer=observer,
    )


def _services(settings: Settings, paths: Paths) -> Services:
    from scomod.installers.services import Services  # noqa: PLC0415 - as in `workshop`

    return Services(
        root=paths.root,
        command=settings.install.systemd.command,
        timeout_s=settings.install.systemd.timeout_s,
        checks_dir=paths.below_root(settings.health.checks_dir),
        check_timeout_s=settings.health.check_timeout_s,
    )


def _reboot(settings: Settings, paths: Paths) -> Reboot:
    from scomod.installers.reboot import Reboot  # noqa: PLC0415 - as in `workshop`

    return Reboot(
        root=paths.root,
        program=settings.reboot.program,
        timeout_s=settings.install.systemd.timeout_s,
    )
