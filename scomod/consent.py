"""The consent step: what is asked of whom, before anything is fetched or changed.

Policy and the conversation are `confirm.py`, the words `question.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from scomod.confirm import CONSENT, Pending
from scomod.errors import ScomodError
from scomod.package import backend_of
from scomod.stepresult import Done, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.installers.base import InstalledItem
    from scomod.operation import Operation, Subject
    from scomod.stepresult import StepResult

log = logging.getLogger(__name__)


class Consent:
    """The step; `installed()` looks what is there, in a thread."""

    def __init__(
        self,
        confirmations: Confirmations,
        clock: Clock,
        *,
        server_name: Callable[[str], str],
        installed: Callable[[], Iterable[InstalledItem]],
    ) -> None:
        self._confirmations = confirmations
        self._clock = clock
        self._server_name = server_name
        self._installed = installed

    async def do(self, operation: Operation) -> StepResult:
        """Go on where policy does without a person, else wait for an answer."""
        backend_of(operation)  # an unsupported environment is refused before anybody is asked
        is_shown = self._confirmations.is_shown(operation)
        prompt = await self._prompt(operation) if is_shown else {}
        answer = self._confirmations.decide(operation, prompt)
        if isinstance(answer, Pending):
            return Wait(again_s=answer.again_s, data=answer.data)
        return Done(data={CONSENT: answer.record(self._clock.wall_s())})

    async def _prompt(self, operation: Operation) -> dict[str, Any]:
        from scomod import question  # noqa: PLC0415 - a waiting daemon has asked already

        units: tuple[str, ...] = ()
        if operation.primitive in question.STOPPING:
            units = await asyncio.to_thread(self._units, operation)
        server_name = self._server_name(operation.server_id)
        return question.prompt_of(operation, server_name=server_name, units=units)

    def _units(self, operation: Operation) -> tuple[str, ...]:
        """Return the services of what the operation works on or takes the place of."""
        subject = operation.subject
        try:
            found = list(self._installed())
        except ScomodError as error:
            log.warning("operation %d is asked about without its services: %s", operation.id, error)
            return ()
        mine = [item for item in found if _is_about(item, subject)]
        return tuple(unit for item in mine for unit in item.units)


def _is_about(item: InstalledItem, subject: Subject) -> bool:
    """Tell whether a component is the one meant, or one that a package of that name brought."""
    is_of_package = bool(subject.pkg_id) and item.package_id == subject.pkg_id
    return item.id == subject.component_id or (is_of_package and not subject.component_id)
