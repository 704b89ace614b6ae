# SPDX-License-Identifier: Apache-2.0
"""Put together for who asks: why nothing happens now, what would happen next, whether all is well.

A part of the composition root (`daemon.py`), made anew for each question: a waiting daemon
has no memory for it (I16).  What is found out is in `reasons`, `forecast` and `checkup`;
here it becomes records.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scomod.causes import Word, cause
from scomod.checkdevice import Device
from scomod.checkup import Checkup
from scomod.download.spool import Spool
from scomod.enrolment import WAITING_KEY
from scomod.facade import Unknown
from scomod.findings import in_order
from scomod.forecast import Forecast
from scomod.hazards import Hazards
from scomod.installers import registry
from scomod.installers.kinds import Place
from scomod.meanings import MEANING
from scomod.operation import name_of
from scomod.quarantine import Quarantine
from scomod.reasons import Reasons
from scomod.summons import summonses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.agenda import Due
    from scomod.causes import Cause
    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.engine import Engine
    from scomod.facade import Record
    from scomod.installers.base import Backend, Runner
    from scomod.operation import Operation
    from scomod.records import Records
    from scomod.scheduler import Scheduler
    from scomod.settings import Paths, Settings


@dataclass(frozen=True, slots=True)
class Insight:
    """Answers three questions; `status` is what `Facade.status` says now."""

    settings: Settings
    paths: Paths
    clock: Clock
    store: Records
    engine: Engine
    scheduler: Scheduler
    confirmations: Confirmations
    runner: Runner
    dues: Callable[[], list[Due]]
    ways: Callable[[], Mapping[str, bool]]

    def reasons(self, operation_id: int, status: Record) -> Record:
        """Say why nothing happens now; of one operation, or (0) of all and of the servers.

        Raises `Unknown`.
        """
        asked = self._asked()
        unreported = {alert.operation_id for alert in self.store.outbox.waiting()}
        operations = [
            {
                **_named(each),
                "causes": _told(asked.of(each, is_reported=each.id not in unreported)),
            }
            for each in self._meant(operation_id)
        ]
        answer: Record = {"now": self.clock.wall_s(), "operations": operations}
        if not operation_id:
            servers = status["servers"]
            nothing = [] if servers else [cause(Word.NO_ACCOUNT)]
            wanted = summonses(self.store.db, self.settings.notification)
            answer["device"] = _told([*nothing, *self._documents(), *wanted])
            answer["servers"] = [self._why_server(asked, each) for each in servers]
        return {**answer, "next": self._next(operation_id)}

    async def plan(self, operation_id: int, status: Record) -> Record:
        """Say what would happen next: with an operation, or (0) with all that are live.

        Raises `Unknown`.
        """
        meant = [each for each in self._meant(operation_id) if each.phase.is_live]
        forecast = self._forecast(is_agent_here=bool(status["agent"]))
        told = [await asyncio.to_thread(forecast.of, each) for each in meant]
        operations = [{**_named(each), **more} for each, more in zip(meant, told, strict=True)]
        return {
            "now": self.clock.wall_s(),
            "operations": operations,
            "next": self._next(operation_id),
        }

    async def checkup(self, status: Record) -> list[Record]:
        """Look whether all is well."""
        known = self.store.known_time
        device = Device(
            settings=self.settings, paths=self.paths, clock=self.clock, floor_s=known.floor_s()
        )
        seen = await asyncio.to_thread(lambda: list(device.look()))
        checkup = Checkup(
            settings=self.settings,
            paths=self.paths,
            clock=self.clock,
            store=self.store,
            known=known,
            status=status,
            dues=self.dues,
            ways=self.ways(),
        )
        found = [*checkup.look(device.size_of_database() or 0), *seen]
        return [each.record() for each in in_order(found)]

    def _forecast(self, *, is_agent_here: bool) -> Forecast:
        spool = Spool(self.paths.spool_dir, self.paths.delivered_dir)
        hazards = Hazards(
            settings=self.settings,
            paths=self.paths,
            clock=self.clock,
            spool=spool,
            runner=self.runner,
            backends=self._backends,
        )
        return Forecast(
            settings=self.settings,
            paths=self.paths,
            spool=spool,
            hazards=hazards,
            is_agent_here=is_agent_here,
        )

    def _backends(self) -> Mapping[str, Backend]:
        place = Place(root=self.paths.root, settings=self.settings.install, clock=self.clock)
        return registry.backends(place)

    def _documents(self) -> list[Cause]:
        if not self.store.db.meta(WAITING_KEY):
            return []
        from scomod.parceltalk import documents  # noqa: PLC0415 - brings the readers of XML

        return list(documents(self.store.db, WAITING_KEY, self.settings.bootstrap.max_waiting_s))

    def _asked(self) -> Reasons:
        return Reasons(
            settings=self.settings,
            clock=self.clock,
            engine=self.engine,
            scheduler=self.scheduler,
            confirmations=self.confirmations,
            quarantine=Quarantine(self.store.db, self.settings.quarantine, self.clock),
            live=self.store.journal.live,
        )

    def _meant(self, operation_id: int) -> list[Operation]:
        if not operation_id:
            return self.store.journal.live()
        operation = self.store.journal.load(operation_id)
        if operation is None:
            raise Unknown(f"no operation {operation_id}: see 'scomoctl operations'")
        return [operation]

    def _why_server(self, asked: Reasons, server: Record) -> Record:
        server_id = server["server_id"]
        last: Record = server.get("last_session") or {}
        failure = "" if last.get("outcome") == "ok" else str(last.get("detail", ""))
        causes = asked.of_server(
            server_id,
            self.store.journal.last(server_id),
            self.store.outbox.waiting(server_id),
            failure,
        )
        return {"server": server_id, "name": server["name"], "causes": _told(causes)}

    def _next(self, operation_id: int) -> list[Record]:
        """Give what will happen by itself, the soonest first, in wall time."""
        ahead_s = self.clock.wall_s() - self.clock.monotonic_s()
        return [
            {
                "at": due.at_s + ahead_s,
                "what": due.what,
                "why": due.why,
                "server": due.server_id,
                "operation": due.operation_id,
            }
            for due in self.dues()
            if operation_id in (0, due.operation_id)
        ]


def _named(operation: Operation) -> Record:
    return {
        "id": operation.id,
        "name": name_of(operation),
        "version": operation.subject.version,
        "what": MEANING[operation.branch, operation.primitive].what,
        "server": operation.server_id,
        "phase": str(operation.phase),
        "step": str(operation.step),
    }


def _told(causes: list[Cause]) -> list[dict[str, Any]]:
    return [cause.record() for cause in causes]
