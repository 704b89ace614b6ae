# SPDX-License-Identifier: Apache-2.0
"""The composition root: the only module that constructs the others (design §3).

Start-up is recovery: the engine resumes what the journal holds, the outbox
sends what waits.  `kill -9` is a normal way to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import asdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from scomod import __version__, agenda, idling
from scomod.bootid import boot_id
from scomod.bus import BusServer
from scomod.busaddress import NotReachable
from scomod.clock import SystemClock
from scomod.confirm import Confirmations
from scomod.control import Control
from scomod.download.spool import Spool
from scomod.engine import Engine
from scomod.enrolment import Enrolment
from scomod.errors import ScomodError
from scomod.facade import Unknown
from scomod.handover import Handover, Reopening
from scomod.herald import Herald, signs_of_life
from scomod.idling import Idling
from scomod.installers.runner import open_runner
from scomod.log import Event, announce, bound
from scomod.mirror import Mirror
from scomod.mo import dmacc
from scomod.notify import Notifier
from scomod.records import Records
from scomod.scheduler import Scheduler
from scomod.turns import Turns
from scomod.waking import Waking

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from scomod.agenda import Due
    from scomod.dmclient.client import DmClient, SessionReport
    from scomod.factory import Factory
    from scomod.insight import Insight
    from scomod.operation import Operation
    from scomod.quarantine import Quarantine
    from scomod.settings import Paths, Settings
    from scomod.steps import Steps
    from scomod.telling import Telling
    from scomod.trace import Traces
    from scomod.updaterequest import Requests
    from scomod.wishes import Wish

log = logging.getLogger(__name__)

SESSION_IDS: Final = 0xFFFF
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
        self._observe = observer
        self._clock = SystemClock()
        self._notifier = Notifier(os.environ, os.getpid())
        self._store = store = Records(settings, paths, on_queued=lambda: self._engine.wake())
        self._confirmations = Confirmations(
            settings.confirm,
            self._clock,
            start=self._start,
            on_answer=lambda key, answer: self._engine.answered(key, answer),
            on_prompt=lambda prompt: self._herald.emit("PromptChanged", prompt),
        )
        self._scheduler = Scheduler(
            settings.session,
            self._clock,
            self._run_session,
            lambda: self._random.random(),
            on_over=self._session_over,
            has_reports=self._has_reports,
        )
        self._enrolment = Enrolment(
            store.db, store.tree, settings, lambda server_id: self.control.want_session(server_id)
        )
        self.control = Control(
            store=store,
            scheduler=self._scheduler,
            confirmations=self._confirmations,
            enrolment=self._enrolment,
            traces=lambda: self._traces,
            requests=lambda: self._requests,
            cancel=lambda number, by: self._engine.cancel(number, by),
            push=lambda *what: self._waking.brought(*what),
            baseline=lambda: self._factory.record(),
            insight=self._insight,
            clock=self._clock,
            root=str(paths.root),
        )
        self._herald = Herald(self.control.operation, self.control.changed, self.control.progress)
        self._idling = Idling(settings.daemon, self._clock, dues=self.dues, is_held=self._is_held)
        self._spool = Spool(paths.spool_dir, paths.delivered_dir)
        self._runner = open_runner(settings, paths, self._clock)
        self._engine = self._make_engine()
        self._loop = asyncio.get_running_loop()
        self._bus: BusServer | None = None
        self._is_leaving = False

    # -- parts -------------------------------------------------------------------

    @cached_property
    def _factory(self) -> Factory:
        from scomod.factory import Factory  # noqa: PLC0415 - at the first start, and when asked

        return Factory(self._settings, self._paths, self._store, self._clock)

    def _insight(self) -> Insight:
        from scomod.insight import Insight  # noqa: PLC0415 - only who asks why needs it

        parts = self._engine, self._scheduler, self._confirmations, self._runner
        more = self.dues, self._waking.ways
        return Insight(self._settings, self._paths, self._clock, self._store, *parts, *more)

    @cached_property
    def _handover(self) -> Handover:
        boot = boot_id(self._paths.root)
        return Handover(self._store, self._clock, boot, self._scheduler, self._confirmations)

    @cached_property
    def _traces(self) -> Traces:
        from scomod.trace import Traces  # noqa: PLC0415 - for sessions

        return Traces(self._paths.traces_dir, self._settings.log, self._clock)

    @cached_property
    def _random(self) -> Random:
        from random import SystemRandom  # noqa: PLC0415 - for sessions, and when one failed

        return SystemRandom()

    @cached_property
    def _waking(self) -> Waking:
        return Waking(
            self._settings,
            self._paths,
            self._clock,
            self._store,
            client=lambda: self._client,
            ring=self._scheduler.want,
            enrolment=self._enrolment,
            agent=lambda: self._bus,
            start=self._start,
            is_busy=lambda server_id: self._scheduler.running == server_id,
            requests=lambda: self._requests,
            rest=self._idling.ring,
            hurry=self._scheduler.hurry,
        )

    @cached_property
    def _client(self) -> DmClient:
        from scomod.talking import make_client  # noqa: PLC0415 - the session machinery

        return make_client(
            self._settings,
            self._paths,
            self._clock,
            self._store,
            interview=self._waking.interview,
            traces=self._traces,
            user_agent=USER_AGENT,
            server_name=self._server_name,
            inform=self._herald.inform,
            look=self._mirror.look,
        )

    @cached_property
    def _requests(self) -> Requests:
        from scomod.updaterequest import Requests  # noqa: PLC0415 - most devices ask nothing

        return Requests(
            db=self._store.db,
            outbox=self._store.outbox,
            inventory=self._store.inventory,
            settings=self._settings,
            clock=self._clock,
            quarantine=self._quarantine,
        )

    def _has_reports(self, server_id: str) -> bool:
        """Tell whether alerts wait that the server can be sent; DM 1.1 has no generic ones."""
        is_able = self._settings.server(server_id).protocol != "1.1"
        return is_able and bool(self._store.outbox.waiting(server_id))

    @cached_property
    def _steps(self) -> Steps:
        from scomod.operating import make_fetcher, make_steps  # noqa: PLC0415 - only operations
        from scomod.surroundings import BusSurroundings  # noqa: PLC0415 - the same

        if self._bus is None:
            raise NotReachable("operations begin when there is a message bus")
        return make_steps(
            self._settings,
            self._paths,
            self._clock,
            store=self._store,
            random=self._random.random,
            spool=self._spool,
            runner=self._runner,
            confirmations=self._confirmations,
            surroundings=partial(BusSurroundings, self._bus.connection, self._start),
            nudge=self._engine.nudge,
            open_fetcher=partial(make_fetcher, self._paths, self._clock, USER_AGENT),
            on_progress=self._herald.progress,
            server_name=self._server_name,
            ask_for_restart=self._herald.ask_for_restart,
        )

    @cached_property
    def _telling(self) -> Telling:
        from scomod.operating import make_telling  # noqa: PLC0415 - most packages need none

        telling = make_telling(
            self._settings,
            self._paths,
            self._clock,
            db=self._store.db,
            user_agent=USER_AGENT,
            random=self._random.random,
            observer=self._observe,
        )
        telling.on_rest = self._idling.ring
        self._start(telling.run())
        return telling

    @cached_property
    def _quarantine(self) -> Quarantine:
        from scomod.quarantine import Quarantine  # noqa: PLC0415 - what waits needs none

        return Quarantine(self._store.db, self._settings.quarantine, self._clock)

    def _make_engine(self) -> Engine:
        store = self._store
        ledger = store.ledger(self._clock, self._herald.changed)
        self._mirror = Mirror(
            self._runner, store.inventory, ledger, is_held=lambda: self._engine.is_installing
        )
        return Engine(
            store.journal,
            ledger,
            lambda: self._steps,
            self._clock,
            Turns(
                store.journal,
                self._clock,
                is_busy=lambda server_id: self._scheduler.running == server_id,
                fetches_count=self._settings.download.parallel_count,
            ),
            on_finished=self._operation_finished,
            observer=self._observe,
        )

    # -- life ----------------------------------------------------------------------

    async def run(self, bus_address: str, stop: asyncio.Future[None], *, is_resident: bool) -> None:
        """Serve until `stop` is there, or until idle for long enough when not resident."""
        bus = BusServer(self.control, self._tasks, self._clock)
        bus.on_agent_change += [self._confirmations.agent_changed, self._waking.look]
        self._confirmations.agent = self._herald.bus = bus
        bus.on_rest = self._idling.ring
        reopening = Reopening(self._store.journal.live(), bus.is_open)
        self._engine.on_turn_over = partial(self._turn_over, reopening)
        await bus.connect(bus_address)
        self._bus = bus
        self._notifier.ready()
        self._start(signs_of_life(self._notifier))
        await self._waking.open(bus.connection)
        log.info("scomod %s is up, device %s", __version__, self._store.device_id)
        self._resume()
        self._start(self._work())
        self._start(self._scheduler.run())
        leave = [stop, asyncio.ensure_future(bus.on_disconnect())]
        if not is_resident:
            leave.append(asyncio.ensure_future(self._leave(bus)))
        done, _ = await asyncio.wait(leave, return_when=asyncio.FIRST_COMPLETED)
        self._notifier.stopping()
        self._engine.stop()
        self._waking.close()
        self._handover.leave()
        if self._is_leaving:
            self._idling.say_when(self._paths.run_dir)
        self._store.db.close()
        if leave[1] in done:
            raise ScomodError("the D-Bus connection was lost")

    def _resume(self) -> None:
        """Pick up what an earlier life left, then take what the device was made with."""
        self._spool.sweep({operation.id for operation in self._store.journal.live()})
        self._tidy()
        self._store.scomo.on_deleted = lambda: self._loop.call_soon(self._tidy)
        self._start(self._idling.during(self._mirror.look()))
        for server_id in {alert.server_id for alert in self._store.outbox.waiting()}:
            self.control.want_session(server_id)
        self._tell()
        self._enrolment.resume()
        self._handover.take(self._herald.ended)
        self._enrolment.folder(self._paths.bootstrap_dir)

    async def _work(self) -> None:
        """Note how the device left the factory, once and before anything changes it; then work."""
        known = self._store.tree.value(f"{self._settings.scomo.root}/Ext/Baseline/Digest")
        if known is None or (not known and not self._store.journal.all()):
            await self._idling.during(self._factory.first_start())
        await self._engine.run()

    def dues(self) -> list[Due]:
        """Give what will happen by itself, the soonest first."""
        parts = [self._scheduler.dues, self._engine.dues, self._confirmations.dues]
        if self._store.journal.has_untold():
            parts.append(self._telling.dues)
        return agenda.in_order(self._waking.dues, *parts)

    def _is_held(self) -> bool:
        """Tell whether something is at work, or heard by this very process only."""
        is_busy = bool(self._scheduler.running) or (self._bus is not None and self._bus.is_busy)
        is_held = is_busy or self._waking.needs_process
        return is_held or idling.is_held(self._engine, self._store.journal.live())

    async def _leave(self, bus: BusServer) -> None:
        """Return when this process may end; what came to it until then is done."""
        await self._idling.until_quiet(self._settings.daemon.idle_exit_s)
        self._is_leaving = True
        self._notifier.stopping()
        await bus.release()
        await self._idling.until_free()
        self._waking.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    # -- sessions ------------------------------------------------------------------

    async def _run_session(self, wish: Wish) -> SessionReport:
        account = dmacc.by_server(self._store.tree, wish.server_id)
        if account is None:
            raise Unknown(f"no account for server {wish.server_id}")
        await self._mirror.look()
        session_id = wish.session_id or f"{self._random.randint(1, SESSION_IDS):X}"
        with bound(session=session_id):
            announce(log, Event.SESSION_STARTED, "session %s with %s", session_id, wish.server_id)
            report = await self._client.run(account, wish.trigger, session_id)
        record = asdict(report)
        self._waking.met(record, session_id)
        self._herald.emit("SessionEnded", record)
        if report.outcome == "ok":
            self._enrolment.met(wish.server_id)
        return report

    # -- what the parts tell ---------------------------------------------------------

    def _session_over(self) -> None:
        self._engine.wake()
        self._idling.ring()

    def _turn_over(self, reopening: Reopening, operation: Operation) -> None:
        reopening.turn_over(operation)
        self._idling.ring()

    def _operation_finished(self, operation: Operation) -> None:
        self._confirmations.finished(operation, self._herald.ended(operation))
        self._quarantine.learn(operation)
        self._tidy()
        self._tell()
        self.control.want_session(operation.server_id)

    def _tell(self) -> None:
        """Have the servers of descriptors told what they wait for, if there is anything."""
        if self._store.journal.has_untold():
            self._telling.wake()

    def _tidy(self) -> None:
        """Let go of the packages that no node and no operation needs any more."""
        self._spool.keep_only(self._store.scomo.payloads)

    def _server_name(self, server_id: str) -> str:
        account = dmacc.by_server(self._store.tree, server_id)
        return account.name if account is not None and account.name else server_id
