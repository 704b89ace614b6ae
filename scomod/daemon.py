"""The composition root: the only module that constructs the others (design §3).

Start-up is recovery: the engine resumes what the journal holds, the outbox
sends what waits.  `kill -9` is a normal way to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod import __version__, config
from scomod.bus import BusServer
from scomod.busaddress import find_address
from scomod.clock import SystemClock
from scomod.confirm import Confirmations
from scomod.control import Control
from scomod.download.spool import Spool
from scomod.engine import Engine
from scomod.enrolment import Enrolment
from scomod.errors import ScomodError
from scomod.facade import Unknown
from scomod.installers.runner import open_runner
from scomod.ledger import Ledger
from scomod.listeners.udp import UdpListener
from scomod.log import Event, announce, bound
from scomod.log import setup as set_up_log
from scomod.mo import dmacc
from scomod.notify import Notifier
from scomod.records import Records, owner_lock
from scomod.scheduler import Scheduler, Wish
from scomod.steps import Steps
from scomod.trace import Traces
from scomod.wakeup import Doorbell

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from scomod.dmclient.client import DmClient, SessionReport
    from scomod.dmclient.transport import Transport
    from scomod.download.job import Fetcher
    from scomod.mo.dmacc import Account
    from scomod.operation import Operation
    from scomod.settings import Paths, Settings

log = logging.getLogger(__name__)

NONCE_BYTES: Final = 16  # omadm §4.5 rule 3
SESSION_IDS: Final = 0xFFFF
IDLE_CHECK_S: Final = 0.5
USER_AGENT: Final = f"scomod/{__version__}"


class Daemon:
    """One running daemon."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        tasks: asyncio.TaskGroup,
        observer: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._tasks = tasks
        self._clock = SystemClock()
        self._random = random.SystemRandom()
        self._notifier = Notifier(os.environ, os.getpid())
        self._store = store = Records(settings, paths, on_queued=lambda: self._engine.wake())
        self._confirmations = Confirmations(
            settings.confirm,
            self._clock,
            start=self._start,
            on_answer=lambda key, answer: self._engine.answered(key, answer),
            on_prompt=lambda prompt: self._emit("PromptChanged", prompt),
        )
        self._scheduler = Scheduler(
            settings.session,
            self._clock,
            self._run_session,
            self._random.random,
            on_over=lambda: self._engine.wake(),
            has_reports=lambda server_id: bool(store.outbox.waiting(server_id)),
        )
        self._traces = Traces(paths.traces_dir, settings.log, self._clock)
        self._enrolment = Enrolment(
            store.db, store.tree, settings, lambda server_id: self.control.want_session(server_id)
        )
        self.control = Control(
            tree=store.tree,
            journal=store.journal,
            outbox=store.outbox,
            scomo=store.scomo,
            scheduler=self._scheduler,
            confirmations=self._confirmations,
            enrolment=self._enrolment,
            traces=self._traces,
            device_id=store.device_id,
            root=str(paths.root),
        )
        self._spool = Spool(paths.spool_dir, paths.delivered_dir)
        self._runner = open_runner(settings, paths, self._clock)
        self._steps = self._make_steps()
        self._engine = self._make_engine(observer)
        self._loop = asyncio.get_running_loop()
        self._bus: BusServer | None = None

    # -- parts -------------------------------------------------------------------

    @cached_property
    def _client(self) -> DmClient:
        from scomod.dmclient.client import DmClient  # noqa: PLC0415 - the session machinery
        from scomod.interview import Interview  # noqa: PLC0415 - only servers begin one

        interview = Interview(self._settings.session, self._clock)
        interview.agent = self._bus
        return DmClient(
            db=self._store.db,
            tree=self._store.tree,
            outbox=self._store.outbox,
            settings=self._settings,
            device_id=self._store.device_id,
            clock=self._clock,
            open_transport=self._open_transport,
            fresh_nonce=lambda: os.urandom(NONCE_BYTES),
            traces=self._traces,
            ask_person=lambda account, alert: interview.ask(
                alert,
                server_id=account.server_id,
                server_name=self._server_name(account.server_id),
            ),
        )

    def _open_transport(self, account: Account) -> Transport:
        from scomod.dmclient.transport import transport_for  # noqa: PLC0415 - heavy, idle needs none

        return transport_for(
            account,
            self._settings,
            self._paths.below_root,
            user_agent=USER_AGENT,
            fresh_nonce=lambda: os.urandom(NONCE_BYTES),
        )

    def _open_fetcher(self) -> Fetcher:
        from scomod.download.http import HttpFetcher  # noqa: PLC0415 - idle fetches nothing

        return HttpFetcher(clock=self._clock, boot_id=_boot_id(), user_agent=USER_AGENT)

    def _make_steps(self) -> Steps:
        paths = self._paths
        return Steps(
            settings=self._settings,
            paths=paths,
            open_fetcher=self._open_fetcher,
            spool=self._spool,
            runner=self._runner,
            confirmations=self._confirmations,
            server_name=self._server_name,
            on_progress=self._progress,
        )

    def _make_engine(self, observer: Callable[[str], None]) -> Engine:
        store = self._store
        ledger = Ledger(
            db=store.db,
            journal=store.journal,
            outbox=store.outbox,
            scomo=store.scomo,
            inventory=store.inventory,
            clock=self._clock,
            on_change=self._operation_changed,
        )
        self._ledger = ledger
        return Engine(
            store.journal,
            ledger,
            self._steps,
            self._clock,
            is_busy=lambda server_id: self._scheduler.running == server_id,
            on_finished=self._operation_finished,
            observer=observer,
        )

    # -- life ----------------------------------------------------------------------

    async def run(self, bus_address: str, *, is_resident: bool) -> None:
        """Serve until stopped, or until idle for long enough when not resident."""
        bus = BusServer(self.control, self._tasks, self._clock)
        bus.on_agent_change = self._confirmations.agent_changed
        self._confirmations.agent = bus
        await bus.connect(bus_address)
        self._bus = bus
        self._notifier.ready()
        self._start(self._signs_of_life())
        listener = await self._listen()
        log.info("scomod %s is up, device %s", __version__, self._store.device_id)
        self._resume()
        self._start(self._engine.run())
        self._start(self._scheduler.run())
        stop = self._stop_signal()
        leave = [stop, asyncio.ensure_future(bus.on_disconnect())]
        if not is_resident:
            leave.append(asyncio.ensure_future(self._idle()))
        done, _ = await asyncio.wait(leave, return_when=asyncio.FIRST_COMPLETED)
        self._notifier.stopping()
        self._steps.stop()
        if listener is not None:
            listener.close()
        self._store.db.close()
        if leave[1] in done:
            raise ScomodError("the D-Bus connection was lost")

    def _resume(self) -> None:
        """Pick up what an earlier life left: leftovers, inventory, alerts, first sessions.

        Then take what the device was made with.
        """
        if self._store.db.recovered_from is not None:
            announce(
                log,
                Event.STORAGE_DAMAGED,
                "the database was damaged and is kept as %s; bootstrap again",
                self._store.db.recovered_from,
            )
        self._spool.sweep({operation.id for operation in self._store.journal.live()})
        self._start(self._refresh_inventory())
        for server_id in {alert.server_id for alert in self._store.outbox.waiting()}:
            self.control.want_session(server_id)
        self._enrolment.resume()
        self._enrolment.folder(self._paths.bootstrap_dir)

    async def _listen(self) -> UdpListener | None:
        """Open the door for notifications; without it the device still polls and reports."""
        settings = self._settings.notification
        if not settings.udp:
            return None
        store = self._store
        bell = Doorbell(
            db=store.db,
            tree=store.tree,
            settings=self._settings,
            clock=self._clock,
            client=lambda: self._client,
            ring=self._scheduler.want,
        )
        listener = UdpListener(bell.datagram, self._clock)
        try:
            await listener.open(settings.udp_address, settings.udp_port)
        except OSError as error:
            log.error("no notifications: UDP port %d: %s", settings.udp_port, error)
            return None
        return listener

    async def _signs_of_life(self) -> None:
        """Tell the service manager that the loop turns, if it wants to know."""
        while self._notifier.watchdog_s:
            self._notifier.watchdog()
            await asyncio.sleep(self._notifier.watchdog_s / 3)

    def _stop_signal(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[None] = loop.create_future()

        def leave() -> None:
            if not stop.done():
                stop.set_result(None)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, leave)
        return stop

    async def _idle(self) -> None:
        """Return when nothing was left to do for `idle_exit_s`."""
        quiet_s = 0.0
        while quiet_s < self._settings.daemon.idle_exit_s:
            await asyncio.sleep(IDLE_CHECK_S)
            is_idle = self._engine.is_idle and self._scheduler.is_idle
            quiet_s = quiet_s + IDLE_CHECK_S if is_idle else 0.0

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    # -- sessions ------------------------------------------------------------------

    async def _run_session(self, wish: Wish) -> SessionReport:
        account = dmacc.by_server(self._store.tree, wish.server_id)
        if account is None:
            raise Unknown(f"no account for server {wish.server_id}")
        await self._refresh_inventory()
        session_id = wish.session_id or f"{self._random.randint(1, SESSION_IDS):X}"
        with bound(session=session_id):
            announce(log, Event.SESSION_STARTED, "session %s with %s", session_id, wish.server_id)
            report = await self._client.run(account, wish.trigger, session_id)
        record = asdict(report)
        self.control.last_sessions[wish.server_id] = record
        self._emit("SessionEnded", record)
        if report.outcome == "ok":
            self._enrolment.met(wish.server_id)
        return report

    async def _refresh_inventory(self) -> None:
        """Mirror what was installed or removed without us, if anything was (scomo T12)."""
        if self._engine.is_installing:
            return
        try:
            items = await self._steps.inventory()
        except ScomodError as error:
            log.error("the inventory cannot be read: %s", error)
            return
        if not self._engine.is_installing:
            self._ledger.reconcile(items)

    # -- what the parts tell ---------------------------------------------------------

    def _operation_changed(self, operation: Operation) -> None:
        self._emit("OperationChanged", self.control.operation(operation, {operation.id}))

    def _operation_finished(self, operation: Operation) -> None:
        self.control.want_session(operation.server_id)

    def _progress(self, operation_id: int, done: int, total: int | None) -> None:
        """Pass progress on from the fetching thread."""
        record = {"id": operation_id, "done": done, "total": total or 0}
        self._loop.call_soon_threadsafe(self._emit, "Progress", record)

    def _emit(self, name: str, record: Mapping[str, Any]) -> None:
        if self._bus is not None:
            self._bus.emit(name, dict(record))

    def _server_name(self, server_id: str) -> str:
        account = dmacc.by_server(self._store.tree, server_id)
        return account.name if account is not None and account.name else server_id


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


async def serve(paths: Paths, *, is_resident: bool, observer: Callable[[str], None]) -> None:
    """Run a daemon on a device's directories; never returns, the process ends.

    Raises `ScomodError` when it cannot start.
    """
    settings = config.load(paths)
    set_up_log(settings.log.level, sys.stderr)
    address = find_address(os.environ, paths.root)
    code = 0
    with owner_lock(paths):
        try:
            async with asyncio.TaskGroup() as tasks:
                daemon = Daemon(settings, paths, tasks, observer)
                await daemon.run(address, is_resident=is_resident)
                _leave(0)
        except* ScomodError as group:
            for error in group.exceptions:
                log.error("%s", error)
            code = 1
        _leave(code)


def _leave(code: int) -> None:
    """End the process at once: a thread may still fetch or install, and may be cut anywhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
