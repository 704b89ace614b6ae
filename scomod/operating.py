"""What operations need, put together: imported when the first one is at work.

A part of the composition root (`daemon.py`) in a room of its own, as a waiting daemon
has no memory for it (I16).  Nothing is decided here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from scomod.acquiring import Acquiring
from scomod.admission import Admission
from scomod.bootid import boot_id
from scomod.consent import Consent
from scomod.extras import NEVER
from scomod.health import Watch
from scomod.mo.ownership import touches
from scomod.orders import Orders
from scomod.permissions import Permissions
from scomod.restart import Restart
from scomod.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from scomod.admission import Surroundings
    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.download.job import Fetcher
    from scomod.download.spool import Spool
    from scomod.installers.base import Runner
    from scomod.settings import Paths, Settings


def make_steps(
    settings: Settings,
    paths: Paths,
    clock: Clock,
    *,
    spool: Spool,
    runner: Runner,
    confirmations: Confirmations,
    surroundings: Surroundings,
    open_fetcher: Callable[[], Fetcher],
    on_progress: Callable[[int, int, int | None], None],
    server_name: Callable[[str], str],
    ask_for_restart: Callable[[Mapping[str, Any]], None],
) -> Steps:
    """Put the steps of operations together."""
    boot = partial(boot_id, paths.root)
    orders = Orders(
        paths=paths,
        spool=spool,
        runner=runner,
        touches=partial(touches, settings),
        may_reboot=settings.reboot.by != NEVER,
        on_progress=on_progress,
    )
    return Steps(
        settings=settings,
        paths=paths,
        clock=clock,
        acquiring=Acquiring(
            settings=settings,
            paths=paths,
            open_fetcher=open_fetcher,
            spool=spool,
            on_progress=on_progress,
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
        ),
        admission=Admission(settings.admission, clock, surroundings),
    )
