# SPDX-License-Identifier: Apache-2.0
"""Whose a component is, and who may change it (requirement ADC-3).

The index knows who brought a component; what no order brought is the factory's,
"".  Which owners an order may touch the daemon says in it; here it is kept to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.installers.archive import Archives, Entry
    from scomod.installers.base import Backend, Job

EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Looks owners up in the index and at the backends."""

    archives: Archives
    backends: Mapping[str, Backend]

    def entry_of(self, job: Job, backend_name: str, component_id: str) -> Entry | None:
        """Look a component up in the index.

        Software of another owner that a person has taken away since is nobody's any more.
        """
        entry = self.archives.entry(component_id)
        if entry is None or not entry.is_active or entry.owner == job.owner:
            return entry
        return entry if self._is_there(backend_name, component_id) else None

    def check(self, job: Job, backend_name: str, component_id: str) -> str | None:
        """Name the owner, "" for the factory, None where there is no such component.

        Raises `InstallerError(POLICY)` for an owner whose software is not to be touched.
        """
        entry = self.entry_of(job, backend_name, component_id)
        if entry is None and not self._is_there(backend_name, component_id):
            return None
        owner = "" if entry is None else entry.owner
        if owner == job.owner or not {owner, EVERYBODY}.isdisjoint(job.touches):
            return owner
        raise InstallerError(
            Reason.POLICY, f"{component_id} belongs to {owner or 'the factory'}, not to the server"
        )

    def _is_there(self, backend_name: str, component_id: str) -> bool:
        return self.backends[backend_name].probe(component_id, "") is not Presence.ABSENT


def backend_of(backends: Mapping[str, Backend], job: Job) -> Backend:
    """Find the backend that an order names; raises `InstallerError(UNSUPPORTED_ENV)`."""
    backend = backends.get(job.backend)
    if backend is None:
        raise InstallerError(Reason.UNSUPPORTED_ENV, f"no backend {job.backend!r:.80} here")
    return backend
