# SPDX-License-Identifier: Apache-2.0
"""Answers a session's questions: user alerts go to the person, a glance at the inventory to policy.

Policy says whether a server may read the inventory: nobody is asked, the person is told
or is asked, once in a session, or it is refused (ADC-1, USA-1, USA-5).  A person is
waited for as for a user alert; no answer is no yes.  Where the server may, the device is
looked at first, so that it reads what is so (scomo T12).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode
from scomod.dmclient.useralert import UserAlert, UserAnswer, Verdict
from scomod.policy import Mode, first
from scomod.wording import filled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from scomod.dmclient.executor import Question
    from scomod.interview import Interview
    from scomod.settings import Confirm, Rule

OPERATION: Final = "Inventory"  # what a rule calls the reading of the inventory
# No agent, or one without means: a session cannot wait for one to come.
ABSENT: Final[Mapping[str, bool]] = {"defer": False, "decline": False, "accept": True}


class Inquiry:
    """Asks through `interview`, tells through `inform`, looks at the device by `look`."""

    def __init__(
        self,
        policy: Confirm,
        interview: Interview,
        *,
        inform: Callable[[dict[str, Any]], None],
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._policy = policy
        self._interview = interview
        self._inform = inform
        self._look = look

    async def answer(self, question: Question, *, server_id: str, server_name: str) -> UserAnswer:
        """Answer one question of a session; for a glance, DONE says that the server may read."""
        if isinstance(question, UserAlert):
            return await self._interview.ask(question, server_id=server_id, server_name=server_name)
        if question.is_first and not await self._is_admitted(server_id, server_name):
            return UserAnswer(verdict=Verdict.NO)
        await self._look()
        return UserAnswer(verdict=Verdict.DONE)

    async def _is_admitted(self, server_id: str, server_name: str) -> bool:
        mode = self._mode(server_id)
        if mode is Mode.ASK:
            from scomod.meanings import INVENTORY_ASKED  # noqa: PLC0415 - few are asked

            alert = UserAlert(code=AlertCode.CONFIRM_OR_REJECT, text=INVENTORY_ASKED)
            answer = await self._interview.ask(alert, server_id=server_id, server_name=server_name)
            if answer.verdict is Verdict.NOT_SHOWN:
                return ABSENT[self._policy.no_agent]
            return answer.verdict is Verdict.DONE
        if mode is Mode.INFORM:
            from scomod.meanings import INVENTORY_NAME, INVENTORY_TOLD  # noqa: PLC0415 - the same

            self._inform(
                {
                    "operation": 0,
                    "primitive": OPERATION,
                    "name": INVENTORY_NAME,
                    "summary": filled(INVENTORY_TOLD, server=server_name or server_id),
                    "server": server_id,
                    "server_name": server_name,
                }
            )
        return mode is not Mode.REFUSE

    def _mode(self, server_id: str) -> Mode:
        """Return what the first fitting rule about the inventory says, else what its key says."""

        def fits(rule: Rule) -> bool:
            return rule.operation == OPERATION and fnmatchcase(server_id, rule.server)

        return first(self._policy.rule, fits, self._policy.inventory)[0]
