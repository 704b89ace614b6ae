"""The engine against its table: real database, tree and ledger, steps that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from scomod.confirm import Answer, Verdict
from scomod.engine import ATTEMPTS_LIMIT, Engine
from scomod.errors import DownloadError, InstallerError, OperationError, Reason, StoreError
from scomod.ledger import Ledger
from scomod.mo.handler import ExecRequest
from scomod.mo.inventory import InventoryItem
from scomod.operation import Phase, StepKind
from scomod.records import Records
from scomod.settings import Paths, Settings
from scomod.steps import Done, Retry, StepResult, Wait
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.operation import Operation

X = "./SCOMO/Download/x"
ITEM = InventoryItem(id="editor", version="1", environment="deb", is_active=True)


class PowerCutError(Exception):
    """Nothing in the engine expects it: the daemon dies of it."""


class ScriptedSteps:
    """Gives each step the next of its answers; Done when it has none left."""

    def __init__(self, **answers: object) -> None:
        self.answers = {name.replace("_", " "): list(given) for name, given in answers.items()}  # type: ignore[call-overload]
        self.did: list[str] = []
        self.undid: list[str] = []
        self.forgotten: list[int] = []

    async def do(self, operation: Operation) -> StepResult:
        self.did.append(str(operation.step))
        waiting = self.answers.get(str(operation.step), [])
        answer = waiting.pop(0) if waiting else None
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            assert isinstance(answer, Done | Wait | Retry)
            return answer
        if operation.step is StepKind.SETTLE:
            return Done(items=(ITEM,))
        return Done(data={"components": ["editor"], "sha256": "ab" * 32})

    async def undo(self, _operation: Operation, step: StepKind) -> None:
        self.undid.append(str(step))
        for answer in self.answers.get(f"undo {step}", []):
            raise answer

    def forget(self, operation: Operation) -> None:
        self.forgotten.append(operation.id)


class Workshop:
    """A device's records with one announced package, and an engine over scripted steps."""

    def __init__(self, directory: Path, steps: ScriptedSteps) -> None:
        self.directory = directory
        self.loop = asyncio.new_event_loop()
        self.steps = steps
        self.clock = FakeClock()
        self.busy = ""
        self.finished: list[Operation] = []
        self.open()

    def open(self) -> None:
        """Open the records as a new process would."""
        self.records = Records(Settings(), Paths(self.directory))
        self.boundaries: list[str] = []
        ledger = Ledger(
            db=self.records.db,
            journal=self.records.journal,
            outbox=self.records.outbox,
            scomo=self.records.scomo,
            inventory=self.records.inventory,
            clock=self.clock,
            on_change=lambda _: None,
        )
        self.engine = Engine(
            self.records.journal,
            ledger,
            self.steps,  # type: ignore[arg-type]
            self.clock,
            is_busy=lambda server_id: server_id == self.busy,
            on_finished=self.finished.append,
            observer=self.boundaries.append,
        )

    def close(self) -> None:
        self.records.db.close()
        self.loop.close()

    def order(self, primitive: str = "DownloadInstall", correlator: str = "c-1") -> None:
        tree, server = self.records.tree, "srv"
        with self.records.db.transaction():
            if tree.node(X) is None:
                for leaf, value in (("PkgID", "p"), ("PkgURL", "https://h/p")):
                    tree.add(f"{X}/{leaf}", server, format="chr", type=None, value=value.encode())
            request = ExecRequest(server_id=server, correlator=correlator)
            assert not tree.execute(f"{X}/Operations/{primitive}", request)

    def run(self, until: Callable[[], bool] | None = None, seconds: float = 0.5) -> None:
        """Let the engine work until a condition holds, or until it has nothing to do."""

        async def work() -> None:
            task = asyncio.ensure_future(self.engine.run())
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end and not task.done():
                await asyncio.sleep(0.005)
                if (until or (lambda: bool(self.finished)))():
                    break
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        self.loop.run_until_complete(work())

    @property
    def operation(self) -> Operation:
        return self.records.journal.all()[-1]

    def status(self) -> str | None:
        return self.records.tree.value(f"{X}/Status")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Workshop]]:
    made: list[Workshop] = []

    def build(**answers: object) -> Workshop:
        made.append(Workshop(tmp_path / "device", ScriptedSteps(**answers)))
        return made[-1]

    yield build
    for shop in made:
        shop.close()


def test_plan_is_walked_in_order_and_ends_in_alert_and_inventory(
    make: Callable[..., Workshop],
) -> None:
    shop = make()
    shop.order()
    assert shop.status() == "30"
    shop.run()
    assert shop.steps.did == ["consent", "acquire", "verify", "install", "settle"]
    assert shop.operation.phase is Phase.SUCCEEDED
    tree = shop.records.tree
    assert tree.children("./SCOMO/Download") == []
    assert tree.value("./SCOMO/Inventory/Deployed/editor/State") == "20"
    (alert,) = shop.records.outbox.waiting("srv")
    (item,) = alert.items
    assert (alert.correlator, item.target) == ("c-1", "./SCOMO/Inventory/Deployed/editor")
    assert item.data == "<ResultCode>1200</ResultCode><Identifier>editor</Identifier>"
    assert alert.mark == "informational"


def test_component_belongs_to_the_server_that_delivered_it(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order()
    shop.run()
    node = shop.records.tree.node("./SCOMO/Inventory/Deployed/editor")
    assert node is not None
    assert node.acl == "Exec=srv&Get=*"


@pytest.mark.parametrize(
    ("step", "error", "result", "status"),
    [
        ("consent", OperationError(Reason.CANCELLED, "no"), 1401, "20"),
        ("acquire", DownloadError(Reason.REFUSED_BY_SERVER, "404"), 1402, "20"),
        ("verify", OperationError(Reason.SIGNATURE, "wrong"), 1407, "70"),
        ("install", InstallerError(Reason.SCRIPT_FAILED, "postinst"), 1405, "70"),
        ("settle", InstallerError(Reason.INTERNAL, "dpkg-query"), 1412, "70"),
        ("install", StoreError("disk"), 1405, "70"),
        ("acquire", OSError("disk"), 1402, "20"),
    ],
)
def test_failed_step_is_undone_and_reported(
    make: Callable[..., Workshop], step: str, error: Exception, result: int, status: str
) -> None:
    shop = make(**{step: [error]})
    shop.order()
    shop.run()
    assert shop.operation.phase is Phase.FAILED
    assert shop.operation.result == result
    assert str(error) in shop.operation.detail
    assert shop.status() == status
    plan = ["consent", "acquire", "verify", "install", "settle"]
    assert shop.steps.undid == list(reversed(plan[: plan.index(step) + 1]))
    (alert,) = shop.records.outbox.waiting()
    (item,) = alert.items
    assert item.data == f"<ResultCode>{result}</ResultCode><Identifier>p</Identifier>"
    assert alert.mark == "critical"
    assert item.target == X


def test_first_failure_is_reported_when_the_undo_fails_too(make: Callable[..., Workshop]) -> None:
    failure = InstallerError(Reason.DEPENDENCY, "needs libfoo")
    shop = make(settle=[failure], undo_install=[InstallerError(Reason.BUSY, "locked")])
    shop.order()
    shop.run()
    assert shop.operation.reason is Reason.DEPENDENCY
    assert "locked" in shop.operation.detail
    assert len(shop.records.outbox.waiting()) == 1


def test_step_that_may_heal_is_tried_again_after_its_wait(make: Callable[..., Workshop]) -> None:
    busy = DownloadError(Reason.SERVER_UNAVAILABLE, "503", is_retryable=True)
    shop = make(acquire=[Retry(after_s=30, error=busy)])
    shop.order()
    shop.run(until=lambda: "acquire" in shop.steps.did)
    shop.run(seconds=0.05)
    assert shop.steps.did.count("acquire") == 1
    shop.clock.advance(31)
    shop.run()
    assert shop.steps.did.count("acquire") == 2
    assert shop.operation.phase is Phase.SUCCEEDED


def test_operation_that_waits_for_a_person_blocks_nobody(make: Callable[..., Workshop]) -> None:
    shop = make(consent=[Wait()])
    shop.order()
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    with shop.records.db.transaction():
        for leaf, value in (("PkgID", "q"), ("PkgURL", "https://h/q")):
            shop.records.tree.add(
                f"./SCOMO/Download/y/{leaf}", "srv", format=None, type=None, value=value.encode()
            )
        shop.records.tree.execute(
            "./SCOMO/Download/y/Operations/DownloadInstall", ExecRequest(server_id="srv")
        )
    shop.run()
    assert [entry.node for entry in shop.finished] == ["y"]
    assert shop.records.journal.all()[0].phase is Phase.WAITING


@pytest.mark.parametrize(
    ("verdict", "result"),
    [(Verdict.GRANTED, 1200), (Verdict.REFUSED, 1401), (Verdict.UNANSWERED, 1401)],
)
def test_verdict_ends_the_wait(
    make: Callable[..., Workshop], verdict: Verdict, result: int
) -> None:
    shop = make(consent=[Wait()])
    shop.order()
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    shop.engine.answered(shop.operation.id, Answer(verdict=verdict))
    shop.run()
    assert shop.operation.result == result


def test_waiting_operation_is_asked_again_after_a_restart(make: Callable[..., Workshop]) -> None:
    shop = make(consent=[Wait(), Wait()])
    shop.order()
    for _ in range(8):
        shop.steps.answers["consent"] = [Wait()]
        shop.run(until=lambda: shop.steps.answers["consent"] == [])
        assert shop.operation.phase is Phase.WAITING, "restarts are no failed attempts"
        shop.records.db.close()
        shop.open()
    assert shop.steps.did == ["consent"] * 8


def test_crash_loop_ends_with_a_report(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order()
    for _ in range(ATTEMPTS_LIMIT + 1):
        if shop.finished:
            break
        shop.steps.answers["install"] = [PowerCutError()]
        with contextlib.suppress(PowerCutError):
            shop.run()
        shop.records.db.close()
        shop.open()
    shop.run()
    assert shop.operation.reason is Reason.CRASH_LOOP
    assert shop.operation.result == 1405
    assert shop.steps.did.count("install") == ATTEMPTS_LIMIT


def test_order_begins_only_when_its_session_is_over(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order()
    shop.busy = "srv"
    shop.run(seconds=0.05)
    assert shop.steps.did == []
    shop.busy = ""
    shop.engine.wake()
    shop.run()
    assert shop.operation.phase is Phase.SUCCEEDED


def test_repeated_exec_whose_answer_was_lost_is_the_same_operation(
    make: Callable[..., Workshop],
) -> None:
    shop = make(acquire=[DownloadError(Reason.REFUSED_BY_SERVER, "404")])
    shop.order(correlator="same")
    shop.order(correlator="same")
    assert len(shop.records.journal.all()) == 1
    shop.run()
    shop.order(correlator="same")
    assert len(shop.records.journal.all()) == 1, "its report still waits"
    (alert,) = shop.records.outbox.waiting()
    with shop.records.db.transaction():
        shop.records.outbox.answered(alert.id, 200, 9.0)
    shop.order(correlator="same")
    assert len(shop.records.journal.all()) == 2, "reported: this is a new command"


def test_boundaries_are_announced_in_order(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order("Download")
    shop.run()
    steps = ("consent", "acquire", "verify", "deliver")
    expected = [f"{step} {moment}" for step in steps for moment in ("begun", "done", "kept")]
    assert shop.boundaries == expected
