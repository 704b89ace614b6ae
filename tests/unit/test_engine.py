# SPDX-License-Identifier: Apache-2.0
"""The engine against its table: real database, tree and ledger, steps that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from scomod.confirm import Answer, Verdict
from scomod.engine import ATTEMPTS_LIMIT, Engine
from scomod.errors import DownloadError, InstallerError, OperationError, Reason, StoreError
from scomod.facade import Refused, Unknown
from scomod.mo.handler import ExecRequest
from scomod.mo.inventory import InventoryItem
from scomod.mo.ownership import owner_acl
from scomod.operation import CANCELS, Cancel, Phase, StepKind, cancelled
from scomod.records import Records
from scomod.settings import Paths, Settings
from scomod.stepresult import Begin, Done, StepResult, Wait
from scomod.turns import Turns
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.operation import Operation

X = "./SCOMO/Download/x"
ITEM = InventoryItem(id="editor", version="1", environment="deb", is_active=True)


LONG = object()  # an answer: at work until somebody ends it


class PowerCutError(Exception):
    """Nothing in the engine expects it: the daemon dies of it."""


class ScriptedSteps:
    """Gives each step the next of its answers; Done when it has none left."""

    def __init__(self, **answers: object) -> None:
        self.answers = {name.replace("_", " "): list(given) for name, given in answers.items()}  # type: ignore[call-overload]
        self.did: list[str] = []
        self.undid: list[str] = []
        self.forgotten: list[int] = []
        self.interrupted: list[int] = []
        self.can_withdraw = False
        self.gains: list[dict[str, object]] = []
        self.is_over = asyncio.Event()

    async def do(self, operation: Operation) -> StepResult:
        self.did.append(str(operation.step))
        waiting = self.answers.get(str(operation.step), [])
        answer = waiting.pop(0) if waiting else None
        if answer is LONG:
            await self.is_over.wait()
            raise DownloadError(Reason.CANCELLED, "the work was interrupted")
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            assert isinstance(answer, Done | Wait | Begin)
            return answer
        if operation.step is StepKind.SETTLE:
            return Done(items=(ITEM,))
        return Done(data={"components": ["editor"], "sha256": "ab" * 32})

    def gained(self, operation: Operation) -> dict[str, object]:
        return self.gains.pop(0) if operation.step is StepKind.ACQUIRE and self.gains else {}

    async def undo(self, _operation: Operation, step: StepKind) -> None:
        self.undid.append(str(step))
        for answer in self.answers.get(f"undo {step}", []):
            raise answer

    def forget(self, operation: Operation) -> None:
        self.forgotten.append(operation.id)

    def interrupt(self, operation_id: int) -> None:
        self.interrupted.append(operation_id)
        self.is_over.set()

    def withdraw(self, _operation: Operation) -> bool:
        self.is_over.set()
        return self.can_withdraw


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
        ledger = self.records.ledger(self.clock)
        self.engine = Engine(
            self.records.journal,
            ledger,
            self._steps,
            self.clock,
            Turns(
                self.records.journal,
                self.clock,
                is_busy=lambda server_id: server_id == self.busy,
                fetches_count=1,
            ),
            on_finished=self.finished.append,
            observer=self.boundaries.append,
        )

    def cut_power(self) -> None:
        """Begin a new life, with what is on flash."""
        self.records.db.close()
        self.open()

    def plan(self, *steps: StepKind) -> None:
        """Give the operation another plan than that of the table."""
        with self.records.db.transaction():
            self.records.journal.update(replace(self.operation, steps=steps))

    def _steps(self) -> Any:
        return self.steps

    def close(self) -> None:
        self.records.db.close()
        self.loop.close()

    def order(
        self, primitive: str = "DownloadInstall", correlator: str = "c-1", node: str = X
    ) -> None:
        tree, server = self.records.tree, "srv"
        with self.records.db.transaction():
            if tree.node(node) is None:
                for leaf, value in (("PkgID", "p"), ("PkgURL", "https://h/p")):
                    tree.add(
                        f"{node}/{leaf}", server, format="chr", type=None, value=value.encode()
                    )
            request = ExecRequest(server_id=server, correlator=correlator)
            assert not tree.execute(f"{node}/Operations/{primitive}", request)

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
    assert node.acl == owner_acl("srv")


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


def test_step_that_waited_begins_anew_and_says_so(make: Callable[..., Workshop]) -> None:
    shop = make(acquire=[Wait(again_s=30, data={"tries": 1}), Begin(data={"tries": 2}), LONG])
    shop.order()
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    shop.clock.advance(31)
    shop.engine.wake()
    shop.run(until=lambda: shop.steps.did.count("acquire") == 3, seconds=5)
    operation = shop.operation
    assert (operation.phase, operation.attempts, operation.data["tries"]) == (Phase.RUNNING, 1, 2)


def _has_begun(shop: Workshop, times: int) -> bool:
    return shop.steps.did.count("acquire") > times


def test_lives_that_get_on_with_a_fetch_are_no_crash_loop(make: Callable[..., Workshop]) -> None:
    lives = ATTEMPTS_LIMIT + 3
    shop = make(acquire=[LONG] * lives)
    shop.steps.gains = [{"gained": number} for number in range(lives)]
    shop.order()

    for number in range(lives):
        begun = partial(_has_begun, shop, number)
        shop.run(until=begun, seconds=5)
        shop.cut_power()
    shop.run(seconds=5)
    assert shop.operation.phase is Phase.SUCCEEDED


def test_step_that_waits_for_a_time_is_done_again_then(make: Callable[..., Workshop]) -> None:
    shop = make(acquire=[Wait(again_s=30)])
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
    shop.order(node="./SCOMO/Download/y")
    shop.run()
    assert [entry.node for entry in shop.finished] == ["y"]
    assert shop.records.journal.all()[0].phase is Phase.WAITING


def test_while_one_fetches_another_is_asked_about_but_not_fetched(
    make: Callable[..., Workshop],
) -> None:
    shop = make(acquire=[LONG])
    shop.order()
    shop.order(node="./SCOMO/Download/y")
    shop.run(until=lambda: len(shop.steps.did) > 2, seconds=5)
    assert shop.steps.did == ["consent", "acquire", "consent"]
    shop.run(until=lambda: len(shop.finished) == 2, seconds=5)
    assert [entry.node for entry in shop.finished] == ["x", "y"]


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


@pytest.mark.parametrize("verdict", [Verdict.GRANTED, Verdict.REFUSED, Verdict.UNANSWERED])
def test_who_answered_and_when_is_kept(make: Callable[..., Workshop], verdict: Verdict) -> None:
    shop = make(consent=[Wait()])
    shop.order()
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    shop.clock.advance(60)
    shop.engine.answered(shop.operation.id, Answer(verdict=verdict, by=":1.7 of user 0"))
    shop.run()
    consent = {"verdict": verdict, "by": ":1.7 of user 0", "how": "person", "at": 60.0}
    assert shop.operation.data["consent"] == consent


def test_deferral_is_kept_and_the_step_says_when_it_goes_on(make: Callable[..., Workshop]) -> None:
    shop = make(consent=[Wait(data={"asked_s": 0.0})])
    shop.order()
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    for count in (1, 2):
        shop.steps.answers["consent"] = [Wait(again_s=3600)]
        until_s = 3600.0 * count
        shop.engine.answered(
            shop.operation.id, Answer(verdict=Verdict.DEFERRED, by="me", until_s=until_s)
        )
        shop.run(until=lambda: not shop.steps.answers["consent"])
        data = shop.operation.data
        assert (data["deferrals"], data["deferred_until_s"]) == (count, until_s)
        assert data["asked_s"] == 0.0
        assert shop.operation.phase is Phase.WAITING
    shop.clock.advance(3600)
    shop.engine.wake()
    shop.run()
    assert shop.operation.result == 1200


def test_looking_again_in_vain_writes_nothing(make: Callable[..., Workshop]) -> None:
    shop = make(consent=[Wait(data={"asked_s": 1.0})] * 60)
    shop.order()
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    stores = shop.operation.stores
    for _ in range(10):
        shop.engine.nudge()
        asked = len(shop.steps.did)
        shop.run(until=partial(lambda before: len(shop.steps.did) > before, asked))
    assert shop.operation.stores == stores


def test_waiting_operation_is_asked_again_after_a_restart(make: Callable[..., Workshop]) -> None:
    shop = make(consent=[Wait(), Wait()])
    shop.order()
    for _ in range(8):
        shop.steps.answers["consent"] = [Wait()]
        shop.run(until=lambda: shop.steps.answers["consent"] == [])
        assert shop.operation.phase is Phase.WAITING, "restarts are no failed attempts"
        shop.cut_power()
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
        shop.cut_power()
    shop.run()
    assert shop.operation.reason is Reason.CRASH_LOOP
    assert shop.operation.result == 1405
    assert shop.steps.did.count("install") == ATTEMPTS_LIMIT


def test_crash_loop_of_an_undo_ends_with_a_report(make: Callable[..., Workshop]) -> None:
    shop = make(install=[InstallerError(Reason.SCRIPT_FAILED, "postinst")])
    shop.order()
    shop.steps.answers["undo install"] = [PowerCutError()]
    for _ in range(ATTEMPTS_LIMIT):
        with contextlib.suppress(PowerCutError):
            shop.run()
        shop.cut_power()
        assert shop.operation.phase is Phase.ROLLING_BACK
    shop.run()
    assert (shop.operation.phase, shop.operation.reason) == (Phase.FAILED, Reason.SCRIPT_FAILED)
    assert "begun too often" in shop.operation.detail
    assert shop.steps.undid.count("install") == ATTEMPTS_LIMIT


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


# -- steps that are put in, and steps that go on in another life -----------------------

K = StepKind
REBOOTING = (K.CONSENT, K.ACQUIRE, K.VERIFY, K.INSTALL, K.REBOOT, K.HEALTH, K.SETTLE)


def test_backend_that_asks_for_a_restart_puts_it_into_the_plan(
    make: Callable[..., Workshop],
) -> None:
    shop = make(install=[Done(data={"components": ["editor"]}, then=(K.REBOOT,))])
    shop.order()
    shop.run()
    expected = ["consent", "acquire", "verify", "install", "reboot", "settle"]
    assert shop.steps.did == expected
    assert [str(step) for step in shop.operation.plan] == expected
    assert shop.operation.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("step", ["consent", "reboot", "health"])
def test_what_a_waiting_step_noted_is_there_in_the_next_life(
    make: Callable[..., Workshop], step: str
) -> None:
    shop = make(**{step: [Wait(again_s=0.0, data={"noted": 7}), Wait(), Wait()]})
    shop.order()
    shop.plan(*REBOOTING)
    shop.run(until=lambda: shop.steps.did.count(step) == 2)
    shop.cut_power()
    shop.run(until=lambda: shop.steps.did.count(step) == 3)
    assert shop.operation.data["noted"] == 7
    assert shop.operation.phase.is_live
    assert shop.records.outbox.waiting() == [], "nothing is reported before"
    shop.engine.nudge()
    shop.run()
    assert shop.operation.phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("step", "primitive", "result"),
    [
        ("health", "DownloadInstall", 1405),
        ("reboot", "DownloadInstall", 1405),
        ("settle", "DownloadInstall", 1412),
    ],
)
def test_change_that_a_later_step_failed_is_undone_in_whichever_life(
    make: Callable[..., Workshop], step: str, primitive: str, result: int
) -> None:
    shop = make(
        **{step: [OperationError(Reason.UNHEALTHY, "it fell over")]},
        undo_install=[PowerCutError()],
    )
    shop.order(primitive)
    shop.plan(*REBOOTING)
    with contextlib.suppress(PowerCutError):
        shop.run()
    assert shop.operation.phase is Phase.ROLLING_BACK
    shop.steps.answers["undo install"] = [InstallerError(Reason.BUSY, "locked")]
    shop.cut_power()
    shop.run()
    assert shop.steps.undid.count("install") == 2
    assert shop.operation.result == result
    assert shop.operation.detail == "it fell over; undo: locked"
    assert len(shop.records.outbox.waiting()) == 1


# -- cancelling ------------------------------------------------------------------------


def test_every_step_says_what_cancelling_means() -> None:
    assert set(CANCELS) == set(StepKind)


@pytest.mark.parametrize(
    ("step", "said", "undone"),
    [
        ("consent", Cancel.CANCELLED, False),
        ("admit", Cancel.CANCELLED, False),
        ("reboot", Cancel.UNDONE, True),
        ("health", Cancel.UNDONE, True),
    ],
)
def test_waiting_operation_is_cancelled_and_what_was_changed_undone(
    make: Callable[..., Workshop], step: str, said: Cancel, undone: bool
) -> None:
    shop = make(**{step: [Wait()]})
    shop.order()
    shop.plan(K.CONSENT, K.ADMIT, *REBOOTING[1:])
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    assert shop.engine.cancel(shop.operation.id, "uid 1000") is said
    shop.cut_power()
    shop.run()
    assert ("install" in shop.steps.undid) is undone
    assert shop.operation.result == 1401
    assert shop.operation.detail == "cancelled by uid 1000"
    assert len(shop.records.outbox.waiting()) == 1


def test_restart_before_the_change_has_nothing_to_undo(make: Callable[..., Workshop]) -> None:
    shop = make(reboot=[Wait()])
    shop.order()
    shop.plan(K.CONSENT, K.REBOOT, K.ACQUIRE, K.VERIFY, K.INSTALL, K.SETTLE)
    shop.run(until=lambda: shop.operation.phase is Phase.WAITING)
    assert shop.engine.cancel(shop.operation.id, "uid 0") is Cancel.CANCELLED


def test_running_fetch_ends_soon_when_it_is_cancelled(make: Callable[..., Workshop]) -> None:
    shop = make(acquire=[LONG])
    shop.order()
    said: list[Cancel] = []

    def is_over() -> bool:
        if not said and shop.steps.did[-1:] == ["acquire"]:
            said.append(shop.engine.cancel(shop.operation.id, "uid 1000"))
        return bool(shop.finished)

    shop.run(until=is_over)
    assert said == [Cancel.CANCELLED]
    assert shop.steps.interrupted
    assert shop.operation.detail == "cancelled by uid 1000"
    assert (shop.operation.result, shop.status()) == (1401, "20")


def test_wish_of_a_server_is_followed_like_that_of_a_person(make: Callable[..., Workshop]) -> None:
    shop = make(acquire=[LONG])
    shop.order()
    wished: list[bool] = []

    def is_over() -> bool:
        if not wished and shop.steps.did[-1:] == ["acquire"]:
            with shop.records.db.transaction():
                shop.records.journal.update(cancelled(shop.operation, "the server"))
                shop.engine.wake()
            wished.append(True)
        return bool(shop.finished)

    shop.run(until=is_over)
    assert shop.operation.detail == "cancelled by the server"
    assert shop.operation.result == 1401


@pytest.mark.parametrize("can_withdraw", [True, False])
def test_order_is_withdrawn_as_long_as_the_helper_has_not_taken_it(
    make: Callable[..., Workshop], can_withdraw: bool
) -> None:
    shop = make(install=[LONG])
    shop.steps.can_withdraw = can_withdraw
    shop.order()
    said: list[object] = []

    def is_over() -> bool:
        if not said and shop.steps.did[-1:] == ["install"]:
            try:
                said.append(shop.engine.cancel(shop.operation.id, "uid 1000"))
            except Refused as error:
                said.append(str(error))
        return bool(said) and (bool(shop.finished) or not can_withdraw)

    shop.run(until=is_over)
    if can_withdraw:
        assert said == [Cancel.WITHDRAWN]
        assert shop.operation.result == 1401
    else:
        assert said == [
            "operation 1 cannot be cancelled: the order to install is being carried out"
        ]
        assert "cancel" not in shop.operation.data


def test_what_is_over_cannot_be_cancelled(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order()
    shop.run()
    with pytest.raises(Refused, match="is over: it succeeded"):
        shop.engine.cancel(shop.operation.id, "uid 0")
    with pytest.raises(Unknown):
        shop.engine.cancel(77, "uid 0")


def test_order_cancelled_in_its_own_session_begins_nothing(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order()
    shop.busy = "srv"
    assert shop.engine.cancel(shop.operation.id, "uid 0") is Cancel.CANCELLED
    shop.run(seconds=0.05)
    assert not shop.finished, "its 202 must leave first"
    shop.busy = ""
    shop.engine.wake()
    shop.run()
    assert shop.steps.did == []
    assert shop.operation.result == 1401


def test_fetch_that_nobody_wished_away_is_done_again(make: Callable[..., Workshop]) -> None:
    shop = make(acquire=[DownloadError(Reason.CANCELLED, "a wish that was taken back")])
    shop.order()
    shop.run()
    assert shop.steps.did.count("acquire") == 2
    assert shop.operation.phase is Phase.SUCCEEDED


# -- a journal that is gone --------------------------------------------------------------


@pytest.mark.spec("scomo 2.6")
@pytest.mark.parametrize(("shown", "becomes"), [("30", "20"), ("40", "20"), ("50", "70")])
def test_progress_without_an_operation_becomes_the_failure_it_would_have_been(
    make: Callable[..., Workshop], shown: str, becomes: str
) -> None:
    shop = make()
    shop.order()
    with shop.records.db.transaction():
        shop.records.tree.put(f"{X}/Status", value=shown)
        shop.records.db.execute("DELETE FROM operation")
    shop.cut_power()
    assert shop.status() == becomes


def test_progress_of_a_live_operation_stays(make: Callable[..., Workshop]) -> None:
    shop = make()
    shop.order()
    shop.cut_power()
    assert shop.status() == "30"
