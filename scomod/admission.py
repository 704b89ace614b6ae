# SPDX-License-Identifier: Apache-2.0
"""The admit step: what was consented to begins in a maintenance window and under quiet conditions.

The windows are local time of the wall clock.  The conditions are facts that others tell
(`surroundings.py`); while an operation waits for one, news of them nudges the engine, and
nothing is asked again and again.  All waiting together is bounded: the time counts from
the first look, also over restarts (`terms.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from scomod import daytime
from scomod.confirm import Pending
from scomod.errors import OperationError, Reason
from scomod.fetchterms import NETWORK, Pause
from scomod.operation import OWN_PRIMITIVES
from scomod.terms import Terms

if TYPE_CHECKING:
    from scomod import settings
    from scomod.clock import Clock
    from scomod.operation import Operation

SINCE: Final = "admission_since_s"  # key of Operation.data
WHO: Final = "admission"
WINDOW: Final = "a maintenance window"
POWER: Final = "mains power"
NEWS: Final = Pause(name="news of power and network")  # the facts are on their way


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the surroundings; None where nobody knows."""

    on_mains: bool | None = None
    on_unmetered: bool | None = None


class Surroundings(Protocol):
    """Knows facts while somebody wants them; who that is, each says by a name."""

    def watch(self, who: str) -> Facts | None:
        """Return the facts, None if they are on their way; from now on news are told."""

    def rest(self, who: str) -> None:
        """Somebody does not want them any more: nothing is kept for nobody."""


class Admission:
    """Says when operations may begin; windows open by `delay_s` later on this device."""

    def __init__(
        self,
        policy: settings.Admission,
        clock: Clock,
        surroundings: Surroundings,
        delay_s: float = 0.0,
    ) -> None:
        self._policy = policy
        self._delay_s = delay_s
        self._terms = Terms(clock)
        self._surroundings = surroundings
        self._windows = [daytime.window(text) for text in policy.windows]
        self._waiting: set[int] = set()

    def decide(self, operation: Operation, now_s: float) -> Pending | None:
        """Return None to go on, else when to look again; `now_s` is wall time.

        Raises `OperationError(TIMEOUT)` where the policy does not wait any longer.
        """
        policy = self._policy
        since_s = self._terms.began_s(operation.data.get(SINCE))
        end_s = since_s + policy.max_wait_s
        left_s = self._terms.left_s(operation.id, SINCE, end_s, policy.max_wait_s)
        self._waiting.add(operation.id)
        pause = self._pause(now_s)
        if pause is NEWS:
            return Pending(data={SINCE: since_s})
        if pause and left_s > 0:
            return Pending(again_s=min(left_s, pause.for_s or left_s), data={SINCE: since_s})
        self.forget(operation.id)
        if pause and policy.at_max_wait == "fail":
            raise OperationError(Reason.TIMEOUT, f"it waited in vain for {pause.name}")
        return None

    def pause(self, operation_id: int, now_s: float) -> Pause | None:
        """Return what an operation waits for here, None if it does not; `now_s` is wall time."""
        return self._pause(now_s) if operation_id in self._waiting else None

    def forget(self, operation_id: int) -> None:
        """Take note that an operation does not wait any longer."""
        self._terms.forget(operation_id)
        self._waiting.discard(operation_id)
        if not self._waiting:
            self._surroundings.rest(WHO)

    def _pause(self, now_s: float) -> Pause | None:
        """Return what is not so that should be, None if all is."""
        policy = self._policy
        if closed_s := daytime.opens_in_s(self._windows, now_s, self._delay_s):
            return Pause(name=WINDOW, for_s=closed_s)
        if not (policy.on_mains_power or policy.on_unmetered_network):
            return None
        facts = self._surroundings.watch(WHO)
        if facts is None:
            return NEWS
        wanted = {
            POWER: (policy.on_mains_power, facts.on_mains),
            NETWORK: (policy.on_unmetered_network, facts.on_unmetered),
        }
        unknown = policy.unknown == "met"
        missing = (
            name
            for name, (is_wanted, is_so) in wanted.items()
            if is_wanted and not (unknown if is_so is None else is_so)
        )
        return next((Pause(name=name) for name in missing), None)


def needs_admission(policy: settings.Admission, operation: Operation) -> bool:
    """Tell whether an operation's plan gets the admit step.

    Commands of somebody who wants to see their effect are not for the night.
    """
    is_configured = bool(policy.windows or policy.on_mains_power or policy.on_unmetered_network)
    return is_configured and operation.primitive not in OWN_PRIMITIVES
