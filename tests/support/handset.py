# SPDX-License-Identifier: Apache-2.0
"""A whole device in this process: the parts of the daemon without its edges.

Records, ledger, engine, steps, confirmations and the installing side are real, on real
files; the system package tools are fakes unless others are given, the network is a `Shelf`,
and time stands still until it is moved.  Every boundary of every part is told to `observer`,
which may end the life there: by raising `Killed`, or by a real SIGKILL in a child process.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scomod.admission import Facts
from scomod.clock import SystemClock
from scomod.codes import DmStatus
from scomod.confirm import Confirmations
from scomod.dmclient.executor import Executor
from scomod.dmclient.model import Status
from scomod.dmclient.opening import generic_alerts
from scomod.download.spool import Spool
from scomod.engine import Engine
from scomod.installers import registry
from scomod.installers.runner import DirectRunner
from scomod.mirror import Mirror
from scomod.operating import make_steps
from scomod.records import Records
from scomod.settings import Confirm, Download, Paths, Settings, Verify
from scomod.telling import Telling
from scomod.turns import Turns
from scomod.vigil import Vigil
from tests.support.backends import FakeBackend, FakeSandboxBackend
from tests.support.executing import LIMITS, MAX_OBJECT_BYTES
from tests.support.shelf import Shelf, ShelfFetcher
from tests.support.standstill import StillLoop
from tests.support.workbench import equipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from scomod.dmclient.model import Alert, Command
    from scomod.download.job import Fetcher
    from scomod.installers.base import Backend, InstalledItem
    from scomod.ledger import Ledger
    from scomod.operation import Operation
    from scomod.steps import Steps
    from tests.support.clocks import FakeClock


def settings_of(confirm: str = "silent") -> Settings:
    """Return settings for unsigned packages and a person who is asked, or not."""
    return Settings(
        verify=Verify(signature="optional"),
        confirm=Confirm(default=confirm),
        download=Download(reserve_bytes=0),
    )


class ToyDpkg(FakeBackend):
    """The JSON file as the device's dpkg: every server without other wishes means it."""

    name = "dpkg"
    environment = "deb"


class Handset:
    """One life of the device; files, shelf and clock outlive it.

    `tools` are real ones, by name, in place of the fake dpkg and the fake flatpak.
    """

    def __init__(
        self,
        root: Path,
        shelf: Shelf,
        clock: FakeClock,
        *,
        settings: Settings | None = None,
        observer: Callable[[str], None] = lambda _: None,
        tools: Mapping[str, Backend] | None = None,
    ) -> None:
        self.paths = Paths(root)
        self.settings = settings or settings_of()
        self.shelf = shelf
        self.clock = clock
        self.finished: list[Operation] = []
        self.busy = ""
        self._observer = observer
        self.loop = StillLoop(clock)
        self.records = Records(self.settings, self.paths, on_queued=lambda: self.engine.wake())
        self.tool = ToyDpkg(root / "tool.json")
        self.sandboxed = FakeSandboxBackend(root / "sandboxed.json")
        self._tools = tools
        self._runner = self._make_runner()
        self._spool = Spool(self.paths.spool_dir, self.paths.delivered_dir)
        self.confirmations = self._make_confirmations()
        self.steps = self._make_steps()
        self.ledger = self._make_ledger()
        self.engine = self._make_engine()
        self.telling = self._make_telling()
        self.mirror = Mirror(
            self._runner,
            self.records.inventory,
            self.ledger,
            is_held=lambda: self.engine.is_installing,
        )
        self._resume()
        self._life = self.loop.create_task(self.engine.run())
        self._voice = self.loop.create_task(self.telling.run())

    # -- parts, as in `scomod.daemon` ----------------------------------------------

    def _make_runner(self) -> DirectRunner:
        real = SystemClock()
        fakes = {fake.name: fake for fake in (self.tool, self.sandboxed)}
        shop = registry.workshop(self.settings, self.paths, real, self._observer)
        stock = registry.stock(self.settings, self.paths, real)
        if self._tools is not None:
            tools = self._tools
            return DirectRunner(
                lambda: equipped(shop, tools), replace(stock, open_backends=lambda: tools.values())
            )
        return DirectRunner(
            lambda: equipped(shop, fakes),
            replace(
                stock,
                open_backends=lambda: fakes.values(),
                watch=lambda: [fake.mark() for fake in fakes.values()],
            ),
        )

    def _make_confirmations(self) -> Confirmations:
        return Confirmations(
            self.settings.confirm,
            self.clock,
            start=self.loop.create_task,
            on_answer=lambda key, answer: self.engine.answered(key, answer),
            on_prompt=lambda _: None,
        )

    def _make_steps(self) -> Steps:
        return make_steps(
            self.settings,
            self.paths,
            self.clock,
            store=self.records,
            random=lambda: 1.0,
            spool=self._spool,
            runner=self._runner,
            confirmations=self.confirmations,
            surroundings=lambda _on_news: self,
            nudge=lambda: None,
            open_fetcher=self.open_fetcher,
            on_progress=lambda *_: None,
            server_name=lambda server_id: server_id,
            ask_for_restart=lambda _: None,
            vigil=Vigil(self.clock.monotonic_s),
        )

    def open_fetcher(self) -> Fetcher:
        """What fetches: here from the shelf."""
        return ShelfFetcher(self.shelf, self._observer)

    def _make_ledger(self) -> Ledger:
        records = self.records
        return records.ledger(self.clock)

    def _make_engine(self) -> Engine:
        return Engine(
            self.records.journal,
            self.ledger,
            lambda: self.steps,
            self.clock,
            Turns(
                self.records.journal,
                self.clock,
                is_busy=lambda server_id: self.busy == server_id,
                fetches_count=1,
            ),
            on_finished=self._finish,
            observer=self._observer,
        )

    def _make_telling(self) -> Telling:
        return Telling(
            self.records.db,
            self.settings.download,
            self.clock,
            post=self.post,
            random=lambda: 1.0,
            observer=self._observer,
        )

    def post(self, url: str, body: bytes) -> None:
        """What tells others: here the shelf, which writes it down."""
        self.shelf.take(url, body, self.paths.root / "told")

    # -- life -------------------------------------------------------------------------

    def _resume(self) -> None:
        self._spool.sweep({operation.id for operation in self.records.journal.live()})
        self._tidy()
        self.records.scomo.on_deleted = self._tidy
        self.refresh()

    def _finish(self, operation: Operation) -> None:
        self.finished.append(operation)
        self._tidy()
        self.telling.wake()

    def _tidy(self) -> None:
        self._spool.keep_only(self.records.scomo.payloads)

    def watch(self, _who: str) -> Facts:
        """What an operation may wait for: here always so."""
        return Facts(on_mains=True, on_unmetered=True)

    def rest(self, _who: str) -> None:
        """Let go of what was watched: nothing."""

    async def now(self) -> Facts:
        """What a person is told of it."""
        return self.watch("")

    def settle(self) -> None:
        """Let everything happen that can happen now; raises `Killed` where the life ended."""
        self.loop.run_until_idle()
        for error in self.loop.troubles:
            raise error
        if self._life.done():
            self._life.result()

    def refresh(self) -> None:
        """Mirror what changed behind our back, as before each session."""
        self.loop.run_until_complete(self.mirror.look())

    def close(self) -> None:
        """End this life, well or not: nothing is written any more."""
        self.records.db.close()
        tasks = asyncio.all_tasks(self.loop) | {self._life}
        for task in tasks:
            task.cancel()
        self.loop.run_until_idle()
        for task in tasks:
            task.cancelled() or task.exception()  # looked at, so that nobody warns of it
        self.loop.close()

    def answer(self, operation_id: int, *, is_accepted: bool) -> None:
        """Let the person answer a prompt, as soon as the world moves again."""

        def say() -> None:
            self.confirmations.answer(operation_id, is_accepted=is_accepted, by="the person")

        self.loop.call_soon(say)

    def later(self, operation_id: int, when: str) -> None:
        """Let the person say that a prompt shall come again."""

        def say() -> None:
            self.confirmations.defer(operation_id, when, by="the person")

        self.loop.call_soon(say)

    # -- what a server sees -------------------------------------------------------------

    def reports(self, server_id: str) -> list[tuple[int, Alert]]:
        """Return what a session with the server begins with: outbox id and Alert."""
        return [
            (row.id, alert)
            for row in self.records.outbox.waiting(server_id)
            for alert in generic_alerts(row, is_single=False)
        ]

    def taken(self, alert_ids: Iterable[int], status: int = DmStatus.OK) -> None:
        """Note that the server has answered these reports."""
        with self.records.db.transaction():
            for alert_id in alert_ids:
                self.records.outbox.answered(alert_id, status, self.clock.wall_s())

    def answers(self, server_id: str, *commands: Command) -> list[Command]:
        """Carry out one message of a server; its operations wait until the session is over."""
        executor = Executor(
            self.records.tree,
            self.records.db,
            server_id=server_id,
            max_object_bytes=MAX_OBJECT_BYTES,
            alert_limits=LIMITS,
        )
        executor.tree_commands.max_result_bytes = MAX_OBJECT_BYTES
        executor.tree_commands.takes = lambda size, _format: size <= MAX_OBJECT_BYTES
        given: list[Command] = []
        with self.records.db.transaction():
            for command in commands:
                running: Any = executor.execute("1", command)
                try:
                    next(running)
                except StopIteration as over:
                    given.extend(over.value)
        return given

    def codes(self, server_id: str, *commands: Command) -> list[int]:
        """Carry out one message; gives the Status codes."""
        given = self.answers(server_id, *commands)
        return [answer.code for answer in given if isinstance(answer, Status)]

    # -- what is there ------------------------------------------------------------------

    def value(self, uri: str) -> str | None:
        return self.records.tree.value(uri)

    def children(self, uri: str) -> list[str]:
        return self.records.tree.children(uri)

    def stock(self) -> list[InstalledItem]:
        """What the tool and the store really have."""
        return self._runner.inventory()

    def leftovers(self) -> dict[str, list[str]]:
        """Names of the payloads in each directory."""
        folders = {
            "spool": self.paths.spool_dir,
            "delivered": self.paths.delivered_dir,
            "work": self.paths.install_dir / "work",
        }
        return {
            name: sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            for name, folder in folders.items()
        }
