# SPDX-License-Identifier: Apache-2.0
"""The database of a device and what lives in it: all that works without a running daemon."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from typing import TYPE_CHECKING

from scomod.clock import SystemClock
from scomod.db import Database
from scomod.enrolment import Enrolment
from scomod.extras import extras_for
from scomod.facade import Refused
from scomod.journal import Journal
from scomod.knowntime import KnownTime
from scomod.lastsession import LastSessions
from scomod.ledger import Ledger
from scomod.log import Event, announce
from scomod.mo import devdetail, devinfo, dmacc, inbox, leftovers
from scomod.mo.blob import BlobStore
from scomod.mo.components import Components
from scomod.mo.inventory import Inventory, policy_of
from scomod.mo.ownership import component_acl
from scomod.mo.registry import DMACC11_ROOT, DMACC_ROOT, INBOX_ROOT, Registry, load_ddf
from scomod.mo.scomo import Scomo
from scomod.mo.store import NodeStore
from scomod.mo.tree import Tree
from scomod.operation import Branch
from scomod.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.knowntime import UnsetClock
    from scomod.notices import Notice
    from scomod.operation import Operation
    from scomod.secret import Secret
    from scomod.settings import Paths, Settings

log = logging.getLogger(__name__)


class Records:
    """The database and what lives in it: all that works without a running daemon."""

    def __init__(
        self, settings: Settings, paths: Paths, on_queued: Callable[[], None] = lambda: None
    ) -> None:
        clock = SystemClock()
        self._settings = settings
        self.db = Database.open(paths.database)
        if self.db.recovered_from is not None:
            text = "the database was damaged and is kept as %s; bootstrap again"
            announce(log, Event.STORAGE_DAMAGED, text, self.db.recovered_from)
        if self.db.returned_from is not None:
            text = "the database of a newer version is kept as %s; that of before is used again"
            announce(log, Event.STORAGE_RETURNED, text, self.db.returned_from)
        registry = Registry()
        ddf = load_ddf(settings.scomo.root, settings.scomo.version)
        blobs = BlobStore(paths.values_dir, reserve_bytes=settings.session.reserve_bytes)
        nodes = NodeStore(self.db, blobs)
        self.tree = Tree(nodes, ddf, registry, devdetail.LIMITS, clock)
        self.journal = Journal(self.db, settings.history.keep_count)
        self.outbox = Outbox(self.db)
        self.sessions = LastSessions(self.db)
        self.known_time = KnownTime(self.db, clock)
        self.scomo = Scomo(
            self.tree,
            self.journal,
            clock,
            settings,
            extras_for=extras_for(
                settings,
                lambda each: _needs_admission(settings, each),
                lambda each: _may_disclose(settings, paths, each),
            ),
            on_queued=on_queued,
        )
        self.inventory = Inventory(
            self.tree,
            self.scomo,
            self.db,
            Components(self.db, f"{settings.scomo.root}/{Branch.DEPLOYED}"),
            acl_of=lambda item: component_acl(settings, item.owner),
            policy=policy_of(settings),
        )
        registry.register(settings.scomo.root, self.scomo)
        for root in (DMACC_ROOT, DMACC11_ROOT):
            registry.register(root, dmacc.DmAcc(self.tree, settings.poll.min_interval_s))
        registry.register(INBOX_ROOT, inbox.Inbox(self.tree))
        with self.db.transaction():
            self.device_id = self._device_id(settings)
            devinfo.install(self.tree, settings.device, self.device_id)
            devdetail.install(self.tree, settings.device)
            dmacc.install(self.tree, settings.bootstrap.account_servers)
            inbox.install(self.tree, settings.subtree.inbox_servers)
            self.scomo.install()
            left = leftovers.mend(nodes, self.tree, self.scomo.layout, self.journal.live())
        if left:
            log.warning("nothing works any more on: %s", ", ".join(left))

    def ledger(
        self, clock: Clock, on_change: Callable[[Operation], None] = lambda _: None
    ) -> Ledger:
        """Return what writes transitions; `on_change` is told each when it is kept."""
        return Ledger(
            db=self.db,
            journal=self.journal,
            outbox=self.outbox,
            scomo=self.scomo,
            inventory=self.inventory,
            clock=clock,
            on_change=on_change,
            quirks=lambda server_id: frozenset(self._settings.server(server_id).quirks),
        )

    def notices(self) -> Mapping[int, Notice]:
        """Return what the servers of descriptors are told, by operation."""
        from scomod.notices import Notices  # noqa: PLC0415 - only who looks back needs it

        return Notices(self.db).all()

    def unset_clock(self, clock: Clock) -> UnsetClock | None:
        """Return what is wrong with a clock, None where it can be right."""
        return self.known_time.unset(self._settings.time, clock.wall_s())

    def _device_id(self, settings: Settings) -> str:
        """Return the configured identity, or one made up once and kept."""
        kept = settings.device.id or self.db.meta("device-id")
        if kept is None:
            import uuid  # noqa: PLC0415 - needed once in the life of a device

            kept = f"urn:uuid:{uuid.uuid4()}"
            self.db.set_meta("device-id", kept)
        return kept


def _needs_admission(settings: Settings, operation: Operation) -> bool:
    from scomod.admission import needs_admission  # noqa: PLC0415 - only an Exec asks

    return needs_admission(settings.admission, operation)


def _may_disclose(settings: Settings, paths: Paths, operation: Operation) -> bool:
    from scomod.installers import registry  # noqa: PLC0415 - only an Exec asks
    from scomod.package import may_disclose  # noqa: PLC0415 - as above

    return may_disclose(operation, registry.kinds(settings.install, paths))


@contextlib.contextmanager
def owner_lock(paths: Paths) -> Iterator[None]:
    """Hold the state directory for this process alone; raises `Refused` if another has it."""
    paths.run_dir.mkdir(parents=True, exist_ok=True)
    with (paths.run_dir / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"another scomod works on {paths.root}") from error
        yield


def bootstrap_offline(paths: Paths, document: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
    """Make accounts while no daemon runs, e.g. when an image is built; returns server ids.

    Their first sessions are owed to the daemon's next start.  Raises as `Enrolment.document`.
    """
    from scomod import config  # noqa: PLC0415 - the daemon has read it already

    settings = config.load(paths)
    with owner_lock(paths):
        store = Records(settings, paths)
        enrolment = Enrolment(store.db, store.tree, settings, lambda _server_id: None)
        try:
            return enrolment.document(document, sec, mac, pin)
        finally:
            store.db.close()
