# SPDX-License-Identifier: Apache-2.0
"""What a yes would allow: what software asks for that it may not do now (USA-4).

Read from archives that are on the device, without privileges, and for what is kept from
what was noted of it; a sentence for each, in the words of its backend.  Who is asked
about it is `consent.py`, what is read out of an archive its backend's affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.installers import bundle, flatpak_permissions
from scomod.installers.base import BUNDLE
from scomod.installers.kinds import backend_name
from scomod.operation import Branch, Primitive
from scomod.package import backend_of, has_sandbox, may_disclose, payload_of
from scomod.wording import Wording, worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from scomod.download.spool import Spool
    from scomod.installers.base import Facts, InstalledItem, Runner
    from scomod.operation import Operation
    from scomod.settings import Bundle, Paths

INSTALLS: Final = (
    Primitive.DOWNLOAD_INSTALL,
    Primitive.DOWNLOAD_INSTALL_INACTIVE,
    Primitive.INSTALL,
    Primitive.INSTALL_INACTIVE,
)
# A backend's own limit is lower; a package of many components has them all.
SENTENCES_COUNT: Final = 64
SENTENCE_CHARACTERS: Final = 200


class Permissions:
    """Knows what operations allow; `limits` are those of bundles."""

    def __init__(self, paths: Paths, spool: Spool, runner: Runner, limits: Bundle) -> None:
        self._paths = paths
        self._spool = spool
        self._runner = runner
        self._limits = limits

    def backend(self, operation: Operation) -> str:
        """Name the backend of an operation; raises `InstallerError(UNSUPPORTED_ENV)`."""
        return backend_of(operation, self._runner.kinds)

    def at_once(self, operation: Operation) -> bool:
        """Tell whether what the operation allows can be known before anything is done."""
        is_here = operation.branch is not Branch.DOWNLOAD
        is_more = operation.primitive in (*INSTALLS, Primitive.ACTIVATE)
        return is_here and is_more and may_disclose(operation, self._runner.kinds)

    def new(self, operation: Operation, installed: Iterable[InstalledItem]) -> list[str]:
        """Say what software may do after an operation that no software of its id may do now.

        The package must be on the device.  Raises `InstallerError` and `VerifyError` for one
        that could not be installed either, `OSError` where there is no room to look into it.
        """
        known = {item.id: item for item in installed}
        if operation.primitive is Primitive.ACTIVATE:
            item = known.get(operation.subject.component_id)
            return _bounded([] if item is None or item.is_active else item.permissions)
        found = list(self._facts(operation))
        asked = [(facts.id, text) for facts in found for text in _added(facts, known)]
        if len(found) > 1:
            return _bounded([_of_component(*each) for each in asked])
        return _bounded([text for _, text in asked])

    def _facts(self, operation: Operation) -> Iterator[Facts]:
        payload = payload_of(operation, self._paths, self._spool)
        backend = self.backend(operation)
        if backend == BUNDLE:
            yield from self._components(payload, self._spool.piece(operation.id))
        else:
            yield self._runner.inspect(backend, payload)

    def _components(self, payload: Path, piece: Path) -> Iterator[Facts]:
        """Look into those components of a bundle that may tell, one after the other."""
        with payload.open("rb") as file:
            table = bundle.read(file, self._limits)
            for component in table.components:
                backend = backend_name(component.environment, "", self._runner.kinds)
                if not has_sandbox(backend, self._runner.kinds):
                    continue
                try:
                    table.unpack(file, component, piece)
                    yield self._runner.inspect(backend, piece)
                finally:
                    piece.unlink(missing_ok=True)


def _added(facts: Facts, installed: dict[str, InstalledItem]) -> list[str]:
    """Say what an archive asks for beyond what the active software of that id may do."""
    now = installed.get(facts.id)
    allowed = now.permissions if now is not None and now.is_active else ()
    return [text for text in facts.permissions if text not in allowed]


def _bounded(texts: Sequence[str]) -> list[str]:
    """Cut what a person would never read, and say so."""
    shown = [_shown(text) for text in texts[:SENTENCES_COUNT]]
    left = len(texts) - SENTENCES_COUNT
    if left > 0:
        shown[-1] = flatpak_permissions.more(left + 1)
    return shown


def _of_component(component_id: str, text: str) -> str:
    return worded("{component}: {text}", component=component_id, text=_shown(text))


def _shown(text: str) -> str:
    """Return a sentence that is not too long, as a text of ours if it is one."""
    if len(text) > SENTENCE_CHARACTERS:
        return text[:SENTENCE_CHARACTERS]
    return text if isinstance(text, Wording) else flatpak_permissions.known_again(text)
