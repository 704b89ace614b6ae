# SPDX-License-Identifier: Apache-2.0
"""Orders that change no software: starting, stopping and looking after a component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Action, Attending, InstalledItem
from scomod.installers.owners import backend_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.installers.archive import Archives
    from scomod.installers.base import Backend, Job
    from scomod.installers.owners import Owners
    from scomod.installers.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """Finds what an order means, for `services` to do it, or the backend if it attends itself."""

    archives: Archives
    backends: Mapping[str, Backend]
    owners: Owners
    services: Services

    def serve(self, job: Job) -> InstalledItem:
        """Start, stop or look after a component; gives the component.

        What the backend itself starts is not meant to run all the time: it is well when it
        is there and its check program says so.  Raises `InstallerError`: NOT_PRESENT for one
        that is not active, NOT_IMPLEMENTED for one that nobody can start, POLICY for somebody
        else's, else like `services` and `Attending`.
        """
        # An order that concerns a whole bundle names no backend of its components.
        entry = self.archives.entry(job.component_id)
        backend = self.backends[entry.backend] if entry else backend_of(self.backends, job)
        item = self._active(job, backend)
        if job.action is Action.CHECK:
            self.services.check(item.id, item.units, for_s=_seconds(job.params))
        elif item.units:
            deed = self.services.start if job.action is Action.START else self.services.stop
            deed(item.units)
        elif isinstance(backend, Attending):
            attend = backend.start if job.action is Action.START else backend.stop
            attend(item.id)
        else:
            raise InstallerError(Reason.NOT_IMPLEMENTED, f"{item.id} has nothing to {job.action}")
        return item

    def _active(self, job: Job, backend: Backend) -> InstalledItem:
        version = backend.version(job.component_id)
        if not version:
            raise InstallerError(Reason.NOT_PRESENT, f"{job.component_id} is not active")
        return InstalledItem(
            id=job.component_id,
            version=version,
            environment=backend.environment,
            owner=self.owners.check(job, backend.name, job.component_id) or "",
            units=backend.units(job.component_id),
        )


def _seconds(text: str) -> float:
    """Read the time of a CHECK; none is a look at this moment."""
    try:
        return float(text or 0)
    except ValueError as error:
        raise InstallerError(Reason.MALFORMED, f"{text!r:.80} is no time in seconds") from error
