# SPDX-License-Identifier: Apache-2.0
"""The composition root: the only module that constructs the others (design §3).

Start-up is recovery: the engine resumes what the journal holds, the outbox
sends what waits.  `kill -9` is a normal way to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from scomod import __version__, agenda, idling
from scomod.bootid import boot_id
from scomod.bus import BusServer
from scomod.busaddress import NotReachable
from scomod.calls import USER_AGENT, Calls
from scomod.clock import SystemClock
from scomod.confirm import Confirmations
from scomod.control import Control
from scomod.download.spool import Spool
from scomod.engine import Engine
from scomod.enrolment import Enrolment
from scomod.errors import ScomodError
from scomod.handover import Handover, Reopening
from scomod.herald import Herald, signs_of_life
from scomod.idling import Idling
from scomod.installers.runner import open_runner
from scomod.mirror import Mirror
from scomod.notify import Notifier
from scomod.recorder import Recorder
from scomod.records import Records
from scomod.scheduler import Scheduler
from scomod.statusline import StatusLine
from scomod.turns import Turns
from scomod.vigil import Vigil
from scomod.waking import Waking

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from scomod.agenda import Due
    from scomod.factory import Factory
    from scomod.insight import Insight
    from scomod.operation import Operation
    from scomod.quarantine import Quarantine
    from scomod.settings import Paths, Settings
    from scomod.steps import Steps
    from scomod.telling import Telling
    from scomod.updaterequest import Requests

log = logging.getLogger(__name__)


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
            on_prompt=lambda prompt: self._herald.prompt_changed(prompt),
        )
        self._scheduler = Scheduler(
            settings.session,
            self._clock,
            lambda wish: self._calls.run(wish),
            lambda: self._random.random(),
            on_over=self._session_over,
            has_reports=lambda server_id: self._calls.has_reports(server_id),
        )
        self._enrolment = Enrolment(
            store.db, store.tree, settings, lambda server_id: self.control.want_session(server_id)
        )
        self.control = Control(
            store=store,
            scheduler=self._scheduler,
            confirmations=self._confirmations,
            enrolment=self._enrolment,
            traces=lambda: self._calls.traces,
            requests=lambda: self._requests,
            cancel=lambda number, by: self._engine.cancel(number, by),
            entrance=lambda: self._waking,
            baseline=lambda: self._factory.record(),
            insight=self._insight,
            clock=self._clock,
            root=str(paths.root),
        )
        self._vigil = Vigil(self._clock.monotonic_s)
        self._herald = self._make_herald()
        self._idling = Idling(settings.daemon, self._clock, dues=self.dues, is_held=self._is_held)
        self._idling.on_ring = self._herald.line.touch
        self._spool = Spool(paths.spool_dir, paths.delivered_dir)
        self._runner = open_runner(settings, paths, self._clock)
        self._engine = self._make_engine()
        self._calls = self._make_calls()
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
            client=lambda: self._calls.client,
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
            server_name=self._calls.server_name,
            ask_for_restart=self._herald.ask_for_restart,
            vigil=self._vigil,
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

    def _make_herald(self) -> Herald:
        control, paths, clock = self.control, self._paths, self._clock
        recorder = Recorder(paths.recorder_dir, self._settings.recorder, clock)
        self._store.db.on_transaction_end(recorder.keep)
        recorder.attach()
        line = StatusLine(
            self._notifier,
            paths.status_file,
            clock,
            asyncio.get_running_loop(),
            live=self._store.journal.live,
            dues=self._shown_dues,
        )
        facts = control.operation, control.changed, control.progress
        return Herald(*facts, recorder=recorder, line=line, vigil=self._vigil)

    def _make_calls(self) -> Calls:
        return Calls(
            self._settings,
            self._paths,
            self._clock,
            self._store,
            enrolment=self._enrolment,
            herald=self._herald,
            vigil=self._vigil,
            waking=lambda: self._waking,
            random=lambda: self._random,
            look=self._mirror.look,
        )

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
        bus = BusServer(self.control, self._tasks, self._clock, self._settings.confirm.language)
        bus.on_agent_change += [self._confirmations.agent_changed, self._waking.look]
        self._confirmations.agent = self._herald.bus = bus
        bus.on_rest = self._idling.ring
        reopening = Reopening(self._store.journal.live(), bus.is_open)
        self._engine.on_turn_over = partial(self._turn_over, reopening)
        await bus.connect(bus_address)
        self._bus = bus
        self._notifier.ready()
        recorder = self._herald.recorder
        recorder.start(__version__, boot_id(self._paths.root))
        self._start(signs_of_life(self._notifier, self._vigil, recorder.keep))
        await self._herald.open_metrics(self._settings.metrics, self._paths, self.control.status)
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
        self._herald.close("nothing left to do" if self._is_leaving else "told to, or no bus")
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

    def _shown_dues(self) -> list[Due]:
        """Give the same for a line to show; what calls nobody is not loaded for that."""
        if self._settings.calls_by_itself:
            return self.dues()
        return agenda.in_order(self._scheduler.dues, self._engine.dues)

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
        self._herald.publish()
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
