# SPDX-License-Identifier: Apache-2.0
"""Works through a device's orders: hands out batches of commands, takes what came back.

Sits between the plans of `scomo.py` and the messages of `conversation.py`, and
knows neither of them closely.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scomod.codes import DmStatus
from scomod.dmclient.model import name_of
from scomod.lab.commands import OrderError, Outcome, Value
from scomod.lab.devices import Phase
from scomod.lab.scomo import plan_of

if TYPE_CHECKING:
    from scomod.lab.commands import Batch, Plan
    from scomod.lab.devices import Account, Order, Register
    from scomod.lab.outgoing import Sendable


@dataclass(slots=True)
class _Answer:
    """What came back so far for one command of the batch."""

    command: Sendable
    code: int = 0
    values: dict[str, Value] = field(default_factory=dict)


class Worker:
    """The orders of one account, for the length of one session."""

    def __init__(self, register: Register, account: Account, session: str) -> None:
        self._register = register
        self._account = account
        self._session = session
        self._order: Order | None = None
        self._plan: Plan | None = None
        self._answers: list[_Answer] = []

    def next_batch(self) -> Batch:
        """Give the plan what came back and return its next commands; [] when nothing is due."""
        while True:
            if self._plan is None or self._order is None:
                self._order = self._account.due()
                if self._order is None:
                    return []
                self._order.phase = Phase.RUNNING
                self._plan = None
            batch = self._step(self._order)
            if batch:
                self._answers = [_Answer(command) for command in batch]
                return batch

    def take_code(self, index: int, code: int) -> None:
        """Note the Status of a command of the batch, by its place."""
        self._answers[index].code = code

    def take_value(self, index: int, uri: str, value: Value) -> None:
        """Note a value that a Get of the batch brought, or an answer to an Alert, by number."""
        self._answers[index].values[uri] = value

    def _step(self, order: Order) -> Batch:
        """Run the plan to its next batch; an order that ended is written down."""
        outcomes = [self._note(order, answer) for answer in self._answers]
        self._answers = []
        try:
            if self._plan is None:
                self._plan = plan_of(order)
                return next(self._plan)
            return self._plan.send(outcomes)
        except StopIteration as stop:
            self._end(order, _phase_after(outcomes), str(stop.value))
        except OrderError as error:
            self._end(order, Phase.FAILED, str(error))
        return []

    def _note(self, order: Order, answer: _Answer) -> Outcome:
        outcome = Outcome(command=answer.command, code=answer.code, values=answer.values)
        command = name_of(answer.command)
        values = {uri: value.text for uri, value in answer.values.items()}
        step = {"command": command, "uri": outcome.uri, "code": answer.code}
        interior = [uri for uri, value in answer.values.items() if value.format == "node"]
        order.steps.append(step | {"values": values, "interior": interior})
        self._register.record(
            self._account, "status", session=self._session, order=order.id, **step
        )
        if values:
            self._register.record(
                self._account, "results", session=self._session, order=order.id, values=values
            )
        return outcome

    def _end(self, order: Order, phase: Phase, detail: str) -> None:
        order.phase = phase
        order.detail = detail
        self._order = self._plan = None
        self._register.record(
            self._account,
            "order",
            session=self._session,
            order=order.id,
            kind=order.kind,
            phase=phase.value,
            detail=detail,
        )


def _phase_after(outcomes: list[Outcome]) -> Phase:
    """Tell done from accepted: the report of an Exec has still to come."""
    is_accepted = bool(outcomes) and outcomes[-1].code == DmStatus.ACCEPTED_FOR_PROCESSING
    return Phase.ACCEPTED if is_accepted else Phase.DONE
