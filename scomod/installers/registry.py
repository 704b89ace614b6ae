# SPDX-License-Identifier: Apache-2.0
"""Which kinds of package a device knows, and how the parts of the installing side fit together.

No backend is made before it is asked something, nor is its module imported.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from scomod.errors import ConfigError
from scomod.installers.archive import Archives
from scomod.installers.kinds import KINDS, Place
from scomod.installers.stock import Stock, shown_by
from scomod.settings import Paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.installers.base import Backend
    from scomod.installers.gauge import Gauge
    from scomod.installers.installpolicy import InstallPolicy
    from scomod.installers.kinds import Kind
    from scomod.installers.reboot import Reboot
    from scomod.installers.services import Services
    from scomod.installers.work import Workshop
    from scomod.settings import Install, Settings


def kinds(settings: Install, paths: Paths) -> tuple[Kind, ...]:
    """Return the kinds of package that [install] names, in its order.

    Raises `ConfigError` naming file and key for one that nobody brings, or two that want
    the same packages.
    """
    names = dict.fromkeys(settings.backends)
    if names.keys() <= KINDS.keys():
        return tuple(KINDS[name] for name in names)
    from scomod.installers import thirdparty  # noqa: PLC0415 - few devices have any

    try:
        return thirdparty.kinds_of(tuple(names), settings, paths)
    except ConfigError as error:
        from scomod import config  # noqa: PLC0415 - as above

        file = config.origins(paths).get("install.backends")
        where = f"{file}: install.backends" if file else "install.backends"
        raise ConfigError(f"{where}: {error}") from error


def backends(place: Place) -> dict[str, Backend]:
    """Make every backend that is named and has its tool on the device, by name.

    Raises `ConfigError` like `kinds`, and for a program that others could have written.
    """
    made = (kind.make(place) for kind in kinds(place.settings, Paths(place.root)))
    return {backend.name: backend for backend in made if backend is not None}


def stock(settings: Settings, paths: Paths, clock: Clock) -> Stock:
    """Make the reader of the inventory."""

    def may_use_network() -> bool:
        from scomod.installers import installpolicy  # noqa: PLC0415 - few looks need the network

        return installpolicy.load(paths).allow_network

    place = Place(
        root=paths.root, settings=settings.install, clock=clock, may_use_network=may_use_network
    )
    known = kinds(settings.install, paths)
    return Stock(
        kinds=known,
        open_backends=cache(lambda: backends(place).values()),
        watch=lambda: (kind.mark(paths.root, settings.install) for kind in known),
        archives=Archives(paths.install_dir),
        is_shown=shown_by(settings),
    )


def _readers(settings: Settings, paths: Paths) -> int | None:
    """Return the group of the daemon, None where it is to read no kept archive."""
    if settings.download.delta == "never" or not paths.state_dir.exists():
        return None
    return paths.state_dir.stat().st_gid


def workshop(
    settings: Settings, paths: Paths, clock: Clock, observer: Callable[[str], None]
) -> Workshop:
    """Make what carries out orders, for the helper and for a runner in this process."""
    # The daemon that only orders needs none of it.
    from scomod.installers import installpolicy  # noqa: PLC0415 - as said
    from scomod.installers.attendance import Attendance  # noqa: PLC0415 - as said
    from scomod.installers.gauge import Gauge  # noqa: PLC0415 - as said
    from scomod.installers.layout import Layout  # noqa: PLC0415 - as said
    from scomod.installers.mover import Mover  # noqa: PLC0415 - as said
    from scomod.installers.owners import Owners  # noqa: PLC0415 - as said
    from scomod.installers.payload import Payloads  # noqa: PLC0415 - as said
    from scomod.installers.plan import Plans  # noqa: PLC0415 - as said
    from scomod.installers.planner import Planner, SignaturePolicy  # noqa: PLC0415 - as said
    from scomod.installers.work import Workshop  # noqa: PLC0415 - as said
    from scomod.trust import trust_of  # noqa: PLC0415 - as said

    layout = Layout(paths.install_dir)
    archives = Archives(paths.install_dir, readers=_readers(settings, paths))

    def house() -> InstallPolicy:
        return installpolicy.load(paths)

    gauge = Gauge(clock)
    made = backends(_working_place(settings, paths, clock, house, gauge))
    owners = Owners(archives=archives, backends=made)
    payloads = Payloads(
        paths=paths, work_dir=layout.work_dir, max_bytes=settings.download.max_bytes
    )
    policy = SignaturePolicy(
        is_required=settings.verify.signature == "required",
        trust=trust_of(settings, paths, clock),
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
        mover=Mover(archives=archives, backends=made, gauge=gauge, observer=observer),
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


def _working_place(
    settings: Settings,
    paths: Paths,
    clock: Clock,
    house: Callable[[], InstallPolicy],
    gauge: Gauge,
) -> Place:
    return Place(
        root=paths.root,
        settings=settings.install,
        clock=clock,
        may_remove_essential=lambda: house().allow_essential_removal,
        may_use_network=lambda: house().allow_network,
        progress=gauge.tell,
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
