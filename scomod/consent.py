# SPDX-License-Identifier: Apache-2.0
"""The two questions: consent, before anything is fetched or changed, and disclosure after that.

The second one is asked only where the package asks for what nobody could know before.
Policy and the conversation are `confirm.py`, the words `question.py`, what software asks
for `permissions.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from scomod.confirm import Pending, kept
from scomod.errors import ScomodError
from scomod.stepresult import Done, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scomod.admission import Facts
    from scomod.clock import Clock
    from scomod.confirm import Confirmations
    from scomod.installers.base import InstalledItem
    from scomod.operation import Operation, Subject
    from scomod.permissions import Permissions
    from scomod.stepresult import StepResult

PERMISSIONS: Final = "permissions"  # key of Operation.data and of a prompt

log = logging.getLogger(__name__)


class Network(Protocol):
    """Knows what a network costs."""

    async def now(self) -> Facts:
        """Look once."""


class Consent:
    """The steps; `installed()` looks what is there, in a thread.

    `windows` are when operations may begin, as a person is told.
    """

    def __init__(
        self,
        confirmations: Confirmations,
        clock: Clock,
        permissions: Permissions,
        *,
        server_name: Callable[[str], str],
        installed: Callable[[], Iterable[InstalledItem]],
        network: Network,
        windows: Sequence[str] = (),
    ) -> None:
        self._confirmations = confirmations
        self._clock = clock
        self._permissions = permissions
        self._server_name = server_name
        self._installed = installed
        self._network = network
        self._windows = windows

    async def do(self, operation: Operation) -> StepResult:
        """Go on where policy does without a person, else wait for an answer."""
        # An unsupported environment is refused before anybody is asked.
        self._permissions.backend(operation)
        is_shown = self._confirmations.is_shown(operation)
        return self._decided(operation, await self._prompt(operation) if is_shown else {})

    async def disclose(self, operation: Operation) -> StepResult:
        """Have it decided once more if the package asks for what it may not do now.

        Asking again after a crash reads the same package again.
        """
        if self._confirmations.is_open(operation.id):
            return Wait()
        found = await self._look(operation)
        asked = await asyncio.to_thread(self._permissions.new, operation, found)
        if not asked:
            return Done()
        return self._decided(operation, await self._words(operation, found, asked))

    def _decided(self, operation: Operation, prompt: Mapping[str, Any]) -> StepResult:
        told = {PERMISSIONS: prompt[PERMISSIONS]} if prompt.get(PERMISSIONS) else {}
        answer = self._confirmations.decide(operation, prompt)
        if isinstance(answer, Pending):
            return Wait(again_s=answer.again_s, data={**answer.data, **told})
        return Done(data={**kept(operation, answer, self._clock.wall_s()), **told})

    async def _prompt(self, operation: Operation) -> dict[str, Any]:
        from scomod.meanings import STOPPING  # noqa: PLC0415 - a waiting daemon has asked already

        is_told = self._permissions.at_once(operation)
        is_looked_at = is_told or operation.primitive in STOPPING
        found = await self._look(operation) if is_looked_at else []
        asked: Sequence[str] = ()
        if is_told:
            asked = await asyncio.to_thread(self._permissions.new, operation, found)
        return await self._words(operation, found, asked)

    async def _words(
        self, operation: Operation, found: Iterable[InstalledItem], asked: Sequence[str]
    ) -> dict[str, Any]:
        from scomod import question  # noqa: PLC0415 - a waiting daemon has asked already

        facts = await self._network.now() if question.is_fetched(operation) else None
        is_unmetered = None if facts is None else facts.on_unmetered
        mine = [item for item in found if _is_about(item, operation.subject)]
        return question.prompt_of(
            operation,
            server_name=self._server_name(operation.server_id),
            units=[unit for item in mine for unit in item.units],
            permissions=asked,
            is_metered=None if is_unmetered is None else not is_unmetered,
            windows=self._windows,
        )

    async def _look(self, operation: Operation) -> list[InstalledItem]:
        """Return what is there; who cannot be told of it is asked all the same."""
        try:
            return await asyncio.to_thread(lambda: list(self._installed()))
        except ScomodError as error:
            text = "operation %d is asked about without what is installed: %s"
            log.warning(text, operation.id, error)
            return []


def _is_about(item: InstalledItem, subject: Subject) -> bool:
    """Tell whether a component is the one meant, or one that a package of that name brought."""
    is_of_package = bool(subject.pkg_id) and item.package_id == subject.pkg_id
    return item.id == subject.component_id or (is_of_package and not subject.component_id)
