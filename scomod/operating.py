# SPDX-License-Identifier: Apache-2.0
"""What operations need, put together: imported when the first one is at work.

A part of the composition root (`daemon.py`) in a room of its own, as a waiting daemon
has no memory for it (I16).  Nothing is decided here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from scomod import net, pace
from scomod.acquiring import Acquiring
from scomod.admission import Admission, Surroundings
from scomod.allowance import Allowance
from scomod.bootid import boot_id
from scomod.consent import Consent, Network
from scomod.extras import NEVER
from scomod.fetchterms import FetchTerms
from scomod.health import Watch
from scomod.mo.ownership import touches
from scomod.orders import Orders
from scomod.patience import Patience
from scomod.permissions import Permissions
from scomod.restart import Restart
from scomod.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.db import Database
    from scomod.download.job import Fetcher
    from scomod.download.spool import Spool
    from scomod.installers.base import Runner
    from scomod.records import Records
    from scomod.settings import Paths, Settings
    from scomod.telling import Telling
    from scomod.vigil import Vigil


class Around(Surroundings, Network, Protocol):
    """What operations know of what is around the device."""


def make_telling(
    settings: Settings,
    paths: Paths,
    clock: Clock,
    *,
    db: Database,
    user_agent: str,
    random: Callable[[], float],
    observer: Callable[[str], None],
) -> Telling:
    """Put together what tells the servers of descriptors how operations ended."""
    from scomod.download.post import Poster  # noqa: PLC0415 - most come without descriptor
    from scomod.telling import Telling  # noqa: PLC0415 - the same

    access = net.package_access(settings, paths.below_root)
    return Telling(
        db,
        settings.download,
        clock,
        post=Poster(settings, access, user_agent).post,
        random=random,
        observer=observer,
    )


def make_steps(
    settings: Settings,
    paths: Paths,
    clock: Clock,
    *,
    store: Records,
    random: Callable[[], float],
    spool: Spool,
    runner: Runner,
    confirmations: Confirmations,
    surroundings: Callable[[Callable[[], None]], Around],
    nudge: Callable[[], None],
    open_fetcher: Callable[[], Fetcher],
    on_progress: Callable[[int, int, int | None], None],
    server_name: Callable[[str], str],
    ask_for_restart: Callable[[Mapping[str, Any]], None],
    vigil: Vigil,
) -> Steps:
    """Put the steps of operations together; `surroundings` opens them for who hears their news."""
    boot, unset = partial(boot_id, paths.root), partial(store.unset_clock, clock)
    around = surroundings(lambda: _look_again(steps, nudge))
    orders = _orders(settings, paths, spool, runner, on_progress)
    steps = Steps(
        settings=settings,
        paths=paths,
        clock=clock,
        acquiring=Acquiring(
            settings=settings,
            paths=paths,
            patience=Patience(
                settings.download, clock, random, *_terms(settings, clock, store, around, boot)
            ),
            open_fetcher=open_fetcher,
            spool=spool,
            on_progress=on_progress,
            unset=unset,
        ),
        spool=spool,
        runner=runner,
        orders=orders,
        restart=Restart(settings.reboot, clock, boot, orders, ask_for_restart),
        watch=Watch(settings.health, clock, boot, orders),
        confirmations=confirmations,
        consent=Consent(
            confirmations,
            clock,
            Permissions(paths, spool, runner, settings.install.bundle),
            server_name=server_name,
            installed=runner.inventory,
            network=around,
            windows=settings.admission.windows,
        ),
        admission=Admission(settings.admission, clock, around, _delay_s(settings, store)),
        vigil=vigil,
        unset=unset,
    )
    return steps


def _orders(
    settings: Settings,
    paths: Paths,
    spool: Spool,
    runner: Runner,
    on_progress: Callable[[int, int, int | None], None],
) -> Orders:
    return Orders(
        paths=paths,
        spool=spool,
        runner=runner,
        touches=partial(touches, settings),
        may_reboot=settings.reboot.by != NEVER,
        on_progress=on_progress,
    )


def make_fetcher(paths: Paths, clock: Clock, user_agent: str) -> Fetcher:
    """Return what fetches packages."""
    from scomod.download.mirrors import open_fetcher  # noqa: PLC0415 - most fetch nothing now

    return open_fetcher(clock=clock, boot_id=boot_id(paths.root), user_agent=user_agent)


def _look_again(steps: Steps, nudge: Callable[[], None]) -> None:
    """Ask again what may go on, of what runs and of what waits."""
    steps.reconsider()
    nudge()


def _terms(
    settings: Settings,
    clock: Clock,
    store: Records,
    surroundings: Surroundings,
    boot: Callable[[], str],
) -> tuple[FetchTerms, Allowance]:
    """Put together what says when packages are fetched, and how much a day."""
    allowance = Allowance(store.db, clock, boot, settings.download.day_max_bytes)
    terms = FetchTerms(
        settings.download,
        clock,
        surroundings,
        allowance,
        delay_s=_delay_s(settings, store),
        unknown_is_met=settings.admission.unknown == "met",
    )
    return terms, allowance


def _delay_s(settings: Settings, store: Records) -> float:
    """Return by how much later windows open on this device than the configuration says."""
    return pace.phase_s(store.device_id, settings.download.spread_s)
