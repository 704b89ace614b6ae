# SPDX-License-Identifier: Apache-2.0
"""From an order to its plan: what it brings is taken over, checked and read; nothing changes yet.

Whatever can be refused is refused here, before any tool runs: a payload that is
not what was signed, an archive for another machine, a component of another owner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scomod import verify
from scomod.errors import InstallerError, Reason
from scomod.installers import bundle
from scomod.installers.archive import DIGEST, Entry
from scomod.installers.base import BUNDLE, Action, Presence
from scomod.installers.owners import backend_of
from scomod.installers.plan import Change, Plan, order_of
from scomod.trust import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from scomod.installers.archive import Archives
    from scomod.installers.base import Backend, Facts, Job
    from scomod.installers.installpolicy import InstallPolicy
    from scomod.installers.owners import Owners
    from scomod.installers.payload import Payloads
    from scomod.settings import Bundle as BundleLimits
    from scomod.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicy:
    """What a payload must prove, from [verify]."""

    is_required: bool
    trust: Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes plans; `house` reads the policy of this side.

    `observer` is told "payload", "verified" and, for bundles, "unpacked".
    """

    archives: Archives
    payloads: Payloads
    backends: Mapping[str, Backend]
    owners: Owners
    policy: SignaturePolicy
    house: Callable[[], InstallPolicy]
    limits: BundleLimits
    observer: Callable[[str], None]

    def plan(self, job: Job, reboot_mark: str) -> Plan:
        """Say what an order changes.  Raises `OperationError`."""
        house = self.house()
        if job.backend != BUNDLE:
            house.check_backend(job.backend)
        changes = tuple(self._changes(job))
        for change in changes:
            self.owners.check(job, change.backend, change.id)
            house.check(self.backends[change.backend], change, self._arriving(change))
        return Plan(job_id=job.id, order=order_of(job), changes=changes, reboot_mark=reboot_mark)

    def _changes(self, job: Job) -> Iterator[Change]:
        if job.action in (Action.INSTALL, Action.INSTALL_INACTIVE):
            is_bundle = job.backend == BUNDLE
            yield from self._bundle(job) if is_bundle else [self._single(job)]
        elif job.action is Action.REMOVE:
            before = self.archives.entry(job.component_id)
            yield self._change(backend_of(self.backends, job), job.component_id, before, None)
        elif not self._is_active_already(job):
            entry = self._kept(job)
            after = replace(entry, is_active=job.action is Action.ACTIVATE)
            yield self._change(backend_of(self.backends, job), entry.id, entry, after)

    def _arriving(self, change: Change) -> Path | None:
        """Give the archive that a change would install; None where it takes software off."""
        after = change.after
        if after is None:
            return None
        if not after.is_active and change.was:
            return None
        return self.archives.path(after.digest, after.environment)

    def _is_active_already(self, job: Job) -> bool:
        """Tell whether software that no order brought is to be what it is (scomo §2.5)."""
        if job.action is not Action.ACTIVATE or self.archives.entry(job.component_id) is not None:
            return False
        backend = backend_of(self.backends, job)
        return backend.probe(job.component_id, "") is Presence.ACTIVE

    def _change(
        self, backend: Backend, component_id: str, before: Entry | None, after: Entry | None
    ) -> Change:
        return Change(
            id=component_id,
            backend=backend.name,
            before=before,
            was=backend.version(component_id),
            after=after,
        )

    def _kept(self, job: Job) -> Entry:
        entry = self.archives.entry(job.component_id)
        if entry is None or entry.backend != job.backend:
            raise InstallerError(
                Reason.NOT_PRESENT, f"no archive of {job.component_id} is kept on this device"
            )
        return entry

    # -- one archive -------------------------------------------------------------

    def _single(self, job: Job) -> Change:
        backend = backend_of(self.backends, job)
        done = self._already(job, backend)
        if done is not None:
            after = replace(done, package_id=job.package_id, owner=job.owner)
            return self._change(backend, done.id, done, after)
        digest = _digest(job)
        place = self.archives.path(digest, backend.environment)
        payload = self._payload(job, place)
        facts = backend.inspect(payload)
        if payload != place:
            self.archives.keep(payload, digest, backend.environment)
        return self._arrival(job, backend, facts, digest, place_in_package=0)

    def _already(self, job: Job, backend: Backend) -> Entry | None:
        """Find the entry that says the order was carried out before, if that is so."""
        is_active = job.action is Action.INSTALL
        for entry in self.archives.entries():
            if (entry.digest, entry.backend) == (job.digest.lower(), job.backend):
                version, wanted = (
                    (entry.version, Presence.ACTIVE) if is_active else ("", Presence.ABSENT)
                )
                is_so = backend.probe(entry.id, version) is wanted
                return entry if is_so and entry.is_active is is_active else None
        return None

    def _payload(self, job: Job, place: Path | None) -> Path:
        """Bring the payload to our side and check digest and signature there.

        After a kill it may have gone all the way to its `place` in the store.
        """
        try:
            payload = self.payloads.take(job)
        except InstallerError as error:
            if error.reason is not Reason.NOT_PRESENT or place is None or not place.exists():
                raise
            payload = place
        self.observer("payload")
        with payload.open("rb") as file:
            verify.verify(
                file,
                digest=_digest(job),
                proof=Proof(signature=job.signature, certificate=job.certificate),
                signature_required=self.policy.is_required or self.house().require_signature,
                trust=self.policy.trust,
            )
        self.observer("verified")
        return payload

    def _arrival(
        self, job: Job, backend: Backend, facts: Facts, digest: str, *, place_in_package: int
    ) -> Change:
        """Describe how an archive that is in the store now becomes a component."""
        before = self.owners.entry_of(job, backend.name, facts.id)
        after = Entry(
            id=facts.id,
            version=facts.version,
            digest=digest,
            is_active=job.action is Action.INSTALL,
            backend=backend.name,
            environment=backend.environment,
            package_id=job.package_id,
            description=facts.description,
            owner=job.owner,
            place=place_in_package,
            permissions=facts.permissions,
        )
        if not after.is_active:
            self._check_unused(backend, facts.id)
        return self._change(backend, facts.id, before, after)

    def _check_unused(self, backend: Backend, component_id: str) -> None:
        if backend.probe(component_id, "") is not Presence.ABSENT:
            raise InstallerError(
                Reason.CONFLICT,
                f"{component_id} is active; it cannot be installed inactive as well",
            )

    # -- several -----------------------------------------------------------------

    def _bundle(self, job: Job) -> list[Change]:
        """Unpack a bundle into the store, one component at a time."""
        payload = self._payload(job, place=None)
        with payload.open("rb") as file:
            table = bundle.read(file, self.limits)
            arrivals: list[Change] = []
            for number, component in enumerate(table.components):
                backend = self._backend_for(component.environment)
                target = payload.with_name("component")
                table.unpack(file, component, target)
                facts = backend.inspect(target)
                self.archives.keep(target, component.sha256, backend.environment)
                self.observer("unpacked")
                arrivals.append(
                    self._arrival(job, backend, facts, component.sha256, place_in_package=number)
                )
        if len({change.id for change in arrivals}) != len(arrivals):
            raise InstallerError(Reason.MALFORMED, "a component is in the bundle twice")
        if table.scope is bundle.Scope.PART:
            return arrivals
        return arrivals + self._leftovers(job, {change.id for change in arrivals})

    def _leftovers(self, job: Job, kept: set[str]) -> list[Change]:
        """Remove what an earlier package of that id brought and this one does not, last first."""
        old = [
            entry
            for entry in self.archives.entries()
            if job.package_id
            and (entry.package_id, entry.owner) == (job.package_id, job.owner)
            and entry.id not in kept
        ]
        if job.action is Action.INSTALL_INACTIVE and any(entry.is_active for entry in old):
            raise InstallerError(
                Reason.CONFLICT, "a component that the new package does not have is active"
            )
        old.sort(key=lambda entry: entry.place, reverse=True)
        return [self._change(self.backends[each.backend], each.id, each, None) for each in old]

    def _backend_for(self, environment: str) -> Backend:
        for backend in self.backends.values():
            if backend.environment == environment.lower():
                return backend
        raise InstallerError(Reason.UNSUPPORTED_ENV, f"no backend for {environment!r:.80} here")


def _digest(job: Job) -> str:
    digest = job.digest.lower()
    if not DIGEST.fullmatch(digest):
        raise InstallerError(Reason.MALFORMED, "the order names no digest")
    return digest
