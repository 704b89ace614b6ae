# SPDX-License-Identifier: Apache-2.0
"""Versions that failed: left alone for a while that grows with every further failure.

What the device wants by itself asks here first (`blocked_s`).  A server that orders the
version again is obeyed: its Exec is what somebody decided.  The list is one small fact of
the database, bounded, the longest ended going first.

Wall time counts, as it must outlive restarts; a clock that jumped back blocks nothing
for longer than the longest time there is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from scomod.errors import Reason
from scomod.operation import Phase, StepKind

if TYPE_CHECKING:
    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.operation import Operation, Subject
    from scomod.settings import Quarantine as Policy

KEY: Final = "quarantine"
GROWTH: Final = 2.0
# A failure here says that the version is bad, unless somebody just did not want it.
TELLING: Final = (
    StepKind.INSTALL,
    StepKind.INSTALL_INACTIVE,
    StepKind.ACTIVATE,
    StepKind.START,
    StepKind.HEALTH,
)
NOBODYS_FAULT: Final = (Reason.CANCELLED, Reason.NO_SPACE, Reason.BUSY, Reason.TIMEOUT)

# identifier -> version -> (failures, until when in wall time)
Entries = dict[str, dict[str, tuple[int, float]]]


class Quarantine:
    """The list, kept in the database; each change is a transaction of its own."""

    def __init__(self, db: Database, policy: Policy, clock: Clock) -> None:
        self._db = db
        self._policy = policy
        self._clock = clock

    def blocked_s(self, identifier: str, version: str = "") -> float:
        """Return for how many seconds a package or component is to be left alone, 0 for not.

        `identifier` is a PkgID or the ID of a component, `version` a digest, a URL or a
        version; "" asks for the longest of all its versions.
        """
        known = self._entries().get(identifier, {})
        found = [known[version]] if version in known else [] if version else known.values()
        now_s = self._clock.wall_s()
        return max((self._left_s(until_s, now_s) for _, until_s in found), default=0.0)

    def held_s(self, last: Operation | None) -> float:
        """Return for how many seconds what a server had done last is left alone, if it failed."""
        if last is None or last.phase is not Phase.FAILED:
            return 0.0
        return self.blocked_s(*names(last.subject))

    def learn(self, operation: Operation) -> None:
        """Take what a finished operation says of its version."""
        if operation.phase is Phase.SUCCEEDED:
            self._lift(operation)
        else:
            self._note(operation)

    def _note(self, operation: Operation) -> None:
        """Remember a failed operation, if it says that the version is bad."""
        if operation.failed_step not in TELLING or operation.reason in NOBODYS_FAULT:
            return
        identifier, version = names(operation.subject)
        entries = self._entries()
        count, _ = entries.get(identifier, {}).get(version, (0, 0.0))
        span_s = min(self._policy.first_s * GROWTH**count, self._policy.max_s)
        moment = (count + 1, self._clock.wall_s() + span_s)
        entries.setdefault(identifier, {})[version] = moment
        self._store(entries)

    def _lift(self, operation: Operation) -> None:
        """Forget a version that did well."""
        identifier, version = names(operation.subject)
        entries = self._entries()
        if entries.get(identifier, {}).pop(version, None) is not None:
            self._store(entries)

    def _left_s(self, until_s: float, now_s: float) -> float:
        return max(0.0, min(until_s - now_s, self._policy.max_s))

    def _entries(self) -> Entries:
        kept: Entries = json.loads(self._db.meta(KEY) or "{}")
        return kept

    def _store(self, entries: Entries) -> None:
        while sum(map(len, entries.values())) > self._policy.max_entries_count:
            oldest = min(
                (moment[1], identifier, version)
                for identifier, versions in entries.items()
                for version, moment in versions.items()
            )
            del entries[oldest[1]][oldest[2]]
        kept = {identifier: versions for identifier, versions in entries.items() if versions}
        with self._db.transaction():
            self._db.set_meta(KEY, json.dumps(kept))


def names(subject: Subject) -> tuple[str, str]:
    """Return what a subject is called in the list: which software, and which version of it."""
    if subject.component_id:
        return subject.component_id, subject.version
    return subject.pkg_id, subject.digest or subject.url
