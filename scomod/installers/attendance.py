"""Orders that change no software: starting, stopping and looking after a component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Action, InstalledItem
from scomod.installers.owners import backend_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.installers.archive import Archives
    from scomod.installers.base import Backend, Job
    from scomod.installers.owners import Owners
    from scomod.installers.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """Finds what an order means, for `services` to do it."""

    archives: Archives
    backends: Mapping[str, Backend]
    owners: Owners
    services: Services

    def serve(self, job: Job) -> InstalledItem:
        """Start, stop or look after the services of a component; gives the component.

        Raises `InstallerError`: NOT_PRESENT for one that is not active, NOT_IMPLEMENTED
        for one without services, POLICY for somebody else's, else like `services`.
        """
        item = self._active(job)
        if job.action is Action.CHECK:
            self.services.check(item.id, item.units, for_s=_seconds(job.params))
        elif not item.units:
            raise InstallerError(Reason.NOT_IMPLEMENTED, f"{item.id} has nothing to {job.action}")
        elif job.action is Action.START:
            self.services.start(item.units)
        else:
            self.services.stop(item.units)
        return item

    def _active(self, job: Job) -> InstalledItem:
        # An order that concerns a whole bundle names no backend of its components.
        entry = self.archives.entry(job.component_id)
        backend = self.backends[entry.backend] if entry else backend_of(self.backends, job)
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
