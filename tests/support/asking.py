# SPDX-License-Identifier: Apache-2.0
"""A device in this process that can be asked why nothing happens, and what would happen.

A `Handset` with the scheduler of the daemon, surroundings that are as they are told, and a
moment in the middle of its work at which it is asked (`at`).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from scomod import agenda
from scomod.admission import Facts
from scomod.dmclient.client import SessionReport
from scomod.insight import Insight
from scomod.operation import Primitive, operation_leaf
from scomod.quarantine import Quarantine
from scomod.scheduler import Scheduler
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.handset import Handset
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scomod.facade import Record
    from scomod.operation import Operation
    from scomod.settings import Settings
    from scomod.wishes import Wish

SERVER = "srv"
DOWNLOAD = "./SCOMO/Download"
MIDNIGHT_S = 1_800_057_600.0  # a Saturday in UTC
EDITOR = package("editor", "2")


class Agent:
    """Somebody who could be asked, and does not answer."""

    def is_present(self) -> bool:
        return True

    def identity(self) -> str:
        return "the agent"

    async def ask(self, _prompt: Mapping[str, Any]) -> bool:
        await asyncio.Event().wait()
        return False

    def inform(self, _prompt: Mapping[str, Any]) -> None:
        """Hear it."""

    def completed(self, _operation: Mapping[str, Any]) -> None:
        """Hear it."""


class Phone(Handset):
    """The device; sessions end as `session` says, and only where somebody wished for one."""

    def __init__(self, root: Path, settings: Settings, shelf: Shelf | None = None) -> None:
        self.facts: Facts | None = Facts(on_mains=True, on_unmetered=True)
        self.at: dict[str, Callable[[], object]] = {}
        self.heard: dict[str, Any] = {}
        self.session = SessionReport(server=SERVER, outcome="ok")
        self.servers: list[Record] = [{"server_id": SERVER, "name": "Example"}]
        self.ways: dict[str, bool] = {}
        self.orders_count = 0
        clock = FakeClock()
        clock.now_s = MIDNIGHT_S
        super().__init__(root, shelf or Shelf(), clock, settings=settings, observer=self._observed)
        self.scheduler = Scheduler(
            settings.session,
            clock,
            self._talk,
            lambda: 1.0,
            on_over=lambda: self.engine.wake(),
            has_reports=lambda _: False,
        )
        self._caller = self.loop.create_task(self.scheduler.run())

    def watch(self, _who: str) -> Facts:
        """Tell what it is told, None while it is on its way."""
        return self.facts  # type: ignore[return-value]

    def _observed(self, boundary: str) -> None:
        if ask := self.at.pop(boundary, None):
            self.heard[boundary] = ask()

    async def _talk(self, _wish: Wish) -> SessionReport:
        self._observed("talking")
        self.servers[0]["last_session"] = {
            "outcome": self.session.outcome,
            "detail": self.session.detail,
        }
        return self.session

    def want(self, wish: Wish) -> None:
        """Wish for a session and let happen what follows."""
        self.loop.call_soon(partial(self.scheduler.want, wish))
        self.settle()

    def _finish(self, operation: Operation) -> None:
        super()._finish(operation)
        Quarantine(self.records.db, self.settings.quarantine, self.clock).learn(operation)

    # -- what is asked ---------------------------------------------------------------

    def insight(self) -> Insight:
        return Insight(
            self.settings,
            self.paths,
            self.clock,
            self.records,
            self.engine,
            self.scheduler,
            self.confirmations,
            self._runner,
            lambda: agenda.in_order(self.scheduler.dues, self.engine.dues, self.confirmations.dues),
            lambda: self.ways,
        )

    def reasons(self, operation_id: int = 0) -> Record:
        return self.insight().reasons(operation_id, {"servers": self.servers})

    def causes(self, operation_id: int = 1) -> dict[str, str]:
        """Return the sentences about an operation by their words."""
        (told,) = self.reasons(operation_id)["operations"]
        return {cause["why"]: cause["text"] for cause in told["causes"]}

    def server_causes(self) -> dict[str, str]:
        (told,) = self.reasons()["servers"]
        return {cause["why"]: cause["text"] for cause in told["causes"]}

    def plan(self, operation_id: int = 0) -> Record:
        status = {"servers": self.servers, "agent": False}
        asked = self.insight().plan(operation_id, status)
        return self.loop.run_until_complete(asked)

    def findings(self, *, agent: bool = False) -> list[Record]:
        status = {"servers": self.servers, "agent": agent}
        return self.loop.run_until_complete(self.insight().checkup(status))

    # -- orders ----------------------------------------------------------------------

    def order(
        self,
        content: bytes = EDITOR,
        primitive: Primitive = Primitive.DOWNLOAD_INSTALL,
        **leaves: str,
    ) -> None:
        """Have a server order a package, and let happen what can happen."""
        self.queue(content, primitive, **leaves)
        self.settle()

    def queue(
        self,
        content: bytes = EDITOR,
        primitive: Primitive = Primitive.DOWNLOAD_INSTALL,
        **leaves: str,
    ) -> None:
        """Have a server order a package; nothing happens yet."""
        self.orders_count += 1
        node = f"{DOWNLOAD}/p{self.orders_count}"
        url = self.shelf.put(f"p{self.orders_count}", content)
        known = {"PkgID": "editor", "PkgURL": url, "Name": "Editor", **leaves}
        self.codes(SERVER, *(add(f"{node}/{name}", text) for name, text in known.items()))
        self.exec(f"{node}/{operation_leaf(primitive)}")

    def exec(self, uri: str) -> None:
        """Have a server order something of what is there; nothing happens yet."""
        self.orders_count += 1
        codes = self.codes(SERVER, execute(uri, f"order {self.orders_count}"))
        assert codes == [202], codes
