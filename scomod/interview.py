# SPDX-License-Identifier: Apache-2.0
"""Puts a server's user alerts to the person at the device, one after the other, in time.

Also what the device itself must ask for as an alert would: the PIN of a document.

Not the alerts themselves (`dmclient.useralert`) and not D-Bus (`busagent.py`): how long
an answer may take, what counts as one, and what it means that nobody gives any.

    no agent, or one without means for this alert       NOT_SHOWN (406)
    time is over, or the agent went away meanwhile      TIMED_OUT (408)
    agent replaced meanwhile                            the new one is asked, in the time left
    a text or a choice that does not fit                asked again, at last CANCELLED (214)

What is only displayed has no answer: shown for as long as it may be is DONE (omadm §1.3).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import AlertCode
from scomod.dmclient import useralert
from scomod.dmclient.useralert import UserAlert, UserAnswer, Verdict
from scomod.facade import AgentGone, Cancelled, NotShown
from scomod.wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.clock import Clock
    from scomod.facade import AlertPort, Record
    from scomod.settings import Session

CHOOSE: Final = worded("choose among the numbers")
METHODS: Final[Mapping[AlertCode, str]] = {
    AlertCode.DISPLAY: "Display",
    AlertCode.CONFIRM_OR_REJECT: "Confirm",
    AlertCode.TEXT_INPUT: "Input",
    AlertCode.SINGLE_CHOICE: "Choose",
    AlertCode.MULTIPLE_CHOICE: "Choose",
}


class Interview:
    """Asks through `agent`, which the daemon sets when there is a bus."""

    def __init__(self, limits: Session, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._last_id = 0
        self.agent: AlertPort | None = None

    async def ask(
        self,
        alert: UserAlert,
        *,
        server_id: str,
        server_name: str,
        longest_s: float | None = None,
    ) -> UserAnswer:
        """Show one alert and wait for the answer, for `longest_s` or MAXDT.

        Where no session stands still meanwhile, `longest_s` may be more than its default,
        `user_alert_timeout_s`.
        """
        if self.agent is None or not self.agent.is_present():
            return UserAnswer(verdict=Verdict.NOT_SHOWN)
        self._last_id += 1
        most_s = self._limits.user_alert_timeout_s if longest_s is None else longest_s
        time_s = min(most_s, alert.max_s or float("inf"))
        record = _record(alert) | {
            "id": self._last_id,
            "server": server_id,
            "server_name": server_name,
            "deadline": self._clock.wall_s() + time_s,
        }
        is_display = alert.code is AlertCode.DISPLAY
        try:
            async with asyncio.timeout(time_s):
                return await self._answer(self.agent, alert, record)
        except (TimeoutError, Cancelled) as error:
            is_late = isinstance(error, TimeoutError)
            verdict = Verdict.TIMED_OUT if is_late else Verdict.CANCELLED
            return UserAnswer(verdict=Verdict.DONE if is_display else verdict)
        except AgentGone:
            return UserAnswer(verdict=Verdict.NOT_SHOWN if is_display else Verdict.TIMED_OUT)
        except NotShown:
            return UserAnswer(verdict=Verdict.NOT_SHOWN)

    async def _answer(self, agent: AlertPort, alert: UserAlert, record: Record) -> UserAnswer:
        """Ask until the answer fits, a limited number of times."""
        for _ in range(self._limits.user_alert_attempts_count):
            value = await _shown(agent, METHODS[alert.code], record)
            answer, problem = _judged(alert, value)
            if not problem:
                return answer
            record = {**record, "problem": problem}
        return UserAnswer(verdict=Verdict.CANCELLED)


async def _shown(agent: AlertPort, method: str, record: Record) -> Any:
    """Ask the agent that is registered; if another takes its place, that one."""
    while True:
        try:
            return await agent.show(method, record)
        except AgentGone:
            if not agent.is_present():
                raise


def _judged(alert: UserAlert, value: Any) -> tuple[UserAnswer, str]:
    """Return the answer that a reply of the agent is, and what is wrong with it or ""."""
    match alert.code:
        case AlertCode.CONFIRM_OR_REJECT:
            return UserAnswer(verdict=Verdict.DONE if value else Verdict.NO), ""
        case AlertCode.TEXT_INPUT:
            return UserAnswer(verdict=Verdict.DONE, text=value), useralert.problem(alert, value)
        case AlertCode.SINGLE_CHOICE | AlertCode.MULTIPLE_CHOICE:
            chosen = tuple(value)
            problem = "" if useralert.is_choice(alert, chosen) else CHOOSE
            return UserAnswer(verdict=Verdict.DONE, chosen=chosen), problem
        case _:
            return UserAnswer(verdict=Verdict.DONE), ""


def _record(alert: UserAlert) -> Record:
    """Return what an agent must know of an alert; what does not apply is None."""
    is_input = alert.code is AlertCode.TEXT_INPUT
    is_choice = alert.code in useralert.CHOICES
    return {
        "text": alert.text,
        "min_s": alert.min_s or None,
        "default_yes": alert.default_yes,
        "default_text": alert.default_text if is_input else None,
        "input_type": alert.input_type.name.lower() if is_input else None,
        "form": useralert.form(alert) if is_input else None,
        "max_length": alert.max_count if is_input else None,
        "is_hidden": alert.is_hidden if is_input else None,
        "choices": alert.choices if is_choice else None,
        "is_multiple": alert.code is AlertCode.MULTIPLE_CHOICE if is_choice else None,
        "default_choices": alert.default_choices or None,
    }
