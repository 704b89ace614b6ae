"""The work of one order: from a payload to a system package, an index entry, a result.

Each action is a short list of deeds, each of which asks first what is so already.
The order of the deeds makes a kill at any point harmless: the payload moves by
renames (spool, work, store), the tool runs from the store, the index is written
after the tool, and rubbish is swept last.  The same order performed again finds
its place in that list (I6).

A deed that fails is taken back as far as the kept archive of the earlier version
reaches; the first failure is the one reported.
"""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod import verify
from scomod.errors import InstallerError, OperationError, Reason, VerifyError
from scomod.installers import jobfile
from scomod.installers.archive import DIGEST, Entry
from scomod.installers.base import Action, JobResult, Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scomod.installers.archive import Archives
    from scomod.installers.base import Backend, Facts, InstalledItem, Job
    from scomod.installers.layout import Layout
    from scomod.installers.payload import Payloads

log = logging.getLogger(__name__)

ALLOW_DOWNGRADE: Final = ("allow-downgrade", "yes")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def ignore(boundary: str) -> None:
    """Observe nothing; what a real device does at the named boundaries."""
    del boundary


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicy:
    """What a payload must prove, from [verify]."""

    is_required: bool
    key_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Everything an order needs; the rights are those of the process.

    `observer` is told the boundaries "payload", "verified", "before-tool",
    "after-tool" and "indexed" as they are reached.
    """

    layout: Layout
    archives: Archives
    payloads: Payloads
    backends: Mapping[str, Backend]
    policy: SignaturePolicy
    observer: Callable[[str], None] = ignore

    def make_dirs(self) -> None:
        """Make the directories that this side owns."""
        self.layout.make_dirs()
        self.archives.make_dirs()

    def answer(self, job: Job) -> JobResult:
        """Perform an order once and keep its result; done before, the result again."""
        kept = jobfile.kept_result(self.layout.results_dir, job.id)
        if kept is not None:
            return kept
        result = self.perform(job)
        jobfile.write_result(self.layout.results_dir, result)
        return result

    def perform(self, job: Job) -> JobResult:
        """Do what an order says, or what is left of it after a kill."""
        try:
            components = self._do(job)
            self.payloads.drop(job.id)
            self.archives.sweep()
        except OperationError as error:
            return self._failed(job, error.reason, str(error))
        except OSError as error:
            reason = Reason.NO_SPACE if error.errno in _FULL else Reason.INTERNAL
            return self._failed(job, reason, f"{error.strerror}: {error.filename}")
        return JobResult(id=job.id, is_ok=True, components=components)

    def _failed(self, job: Job, reason: Reason, text: str) -> JobResult:
        log.info("order %s (%s) failed: %s", job.id, job.action, text)
        try:
            self.payloads.drop(job.id)
            self.archives.sweep()
        except OSError as error:
            log.warning("rubbish of order %s stays: %s", job.id, error)
        return JobResult(id=job.id, is_ok=False, reason=reason, detail=text)

    def _do(self, job: Job) -> tuple[InstalledItem, ...]:
        backend = self.backends.get(job.backend)
        if backend is None:
            raise InstallerError(Reason.UNSUPPORTED_ENV, f"no backend {job.backend!r:.80} here")
        match job.action:
            case Action.INSTALL:
                return (self._install(job, backend).item(),)
            case Action.INSTALL_INACTIVE:
                return (self._install_inactive(job, backend).item(),)
            case Action.ACTIVATE:
                return (self._activate(job, backend).item(),)
            case Action.DEACTIVATE:
                return (self._deactivate(job, backend).item(),)
            case Action.REMOVE:
                self._remove(job, backend)
                return ()
            case _:
                raise InstallerError(Reason.NOT_IMPLEMENTED, f"{job.action} is not known here")

    # -- the actions -----------------------------------------------------------

    def _install(self, job: Job, backend: Backend) -> Entry:
        done = self._already(job, is_active=True)
        if done and backend.probe(done.id, done.version) is Presence.ACTIVE:
            return self._record(replace(done, package_id=job.package_id))
        archive, facts = self._kept_archive(job, backend)
        self._run_tool(job, backend, archive, facts)
        return self._record(_entry(job, backend, facts, is_active=True))

    def _install_inactive(self, job: Job, backend: Backend) -> Entry:
        done = self._already(job, is_active=False)
        if done and backend.probe(done.id, "") is Presence.ABSENT:
            return self._record(replace(done, package_id=job.package_id))
        _, facts = self._kept_archive(job, backend)
        if backend.probe(facts.id, "") is not Presence.ABSENT:
            raise InstallerError(
                Reason.CONFLICT, f"{facts.id} is active; it cannot be installed inactive as well"
            )
        return self._record(_entry(job, backend, facts, is_active=False))

    def _activate(self, job: Job, backend: Backend) -> Entry:
        entry = self._entry(job)
        if backend.probe(entry.id, entry.version) is not Presence.ACTIVE:
            archive = self._checked_archive(entry)
            self._run_tool(job, backend, archive, backend.inspect(archive))
        return self._record(replace(entry, is_active=True))

    def _deactivate(self, job: Job, backend: Backend) -> Entry:
        entry = self._entry(job)
        if backend.probe(entry.id, "") is not Presence.ABSENT:
            if backend.probe(entry.id, entry.version) is Presence.ABSENT:
                raise InstallerError(
                    Reason.NOT_PRESENT,
                    f"kept is {entry.id} {entry.version}, installed is another version",
                )
            self._checked_archive(entry)
            self._take_off(backend, backend.withdraw, entry.id)
        return self._record(replace(entry, is_active=False))

    def _remove(self, job: Job, backend: Backend) -> None:
        self._take_off(backend, backend.remove, job.component_id)
        self.archives.drop(job.component_id)
        self.observer("indexed")

    # -- their parts -----------------------------------------------------------

    def _already(self, job: Job, *, is_active: bool) -> Entry | None:
        """Find the entry that says the order was carried out before."""
        for entry in self.archives.entries():
            if (entry.digest, entry.backend, entry.is_active) == (
                job.digest.lower(),
                job.backend,
                is_active,
            ):
                return entry
        return None

    def _entry(self, job: Job) -> Entry:
        entry = self.archives.entry(job.component_id)
        if entry is None or entry.backend != job.backend:
            raise InstallerError(
                Reason.NOT_PRESENT, f"no archive of {job.component_id} is kept on this device"
            )
        return entry

    def _kept_archive(self, job: Job, backend: Backend) -> tuple[Path, Facts]:
        """Bring the payload into the store, checked, and read what it is."""
        digest = job.digest.lower()
        if not DIGEST.fullmatch(digest):
            raise InstallerError(Reason.MALFORMED, "the order names no digest")
        place = self.archives.path(digest, backend.environment)
        try:
            payload = self.payloads.take(job)
        except InstallerError as error:
            # After a kill it may have gone all the way already.
            if error.reason is not Reason.NOT_PRESENT or not place.exists():
                raise
            payload = place
        self.observer("payload")
        with payload.open("rb") as file:
            verify.verify(
                file,
                digest=digest,
                signature=job.signature,
                signature_required=self.policy.is_required,
                key_dir=self.policy.key_dir,
            )
        self.observer("verified")
        facts = backend.inspect(payload)
        if payload != place:
            self.archives.keep(payload, digest, backend.environment)
        return place, facts

    def _checked_archive(self, entry: Entry) -> Path:
        """Give a kept archive that is still what it was; flash forgets."""
        place = self.archives.path(entry.digest, entry.environment)
        if not place.exists():
            raise InstallerError(Reason.NOT_PRESENT, f"the archive of {entry.id} is gone")
        with place.open("rb") as file:
            if verify.sha256_of(file) != entry.digest:
                raise VerifyError(Reason.DIGEST, f"the kept archive of {entry.id} is damaged")
        return place

    def _run_tool(self, job: Job, backend: Backend, archive: Path, facts: Facts) -> None:
        key, value = ALLOW_DOWNGRADE
        may_downgrade = verify.parse_install_params(job.params).rest.get(key) == value
        self.observer("before-tool")
        try:
            backend.install(archive, facts, may_downgrade=may_downgrade)
        except InstallerError as error:
            self._go_back(backend, facts.id, error)
            raise
        self.observer("after-tool")

    def _take_off(self, backend: Backend, verb: Callable[[str], None], component_id: str) -> None:
        self.observer("before-tool")
        try:
            verb(component_id)
        except InstallerError as error:
            self._go_back(backend, component_id, error)
            raise
        self.observer("after-tool")

    def _go_back(self, backend: Backend, component_id: str, failure: InstallerError) -> None:
        """Bring a component to what the index says of it, where the failure broke it."""
        entry = self.archives.entry(component_id)
        if entry is None or backend.probe(component_id, "") is Presence.ACTIVE:
            return
        try:
            if entry.is_active:
                archive = self._checked_archive(entry)
                backend.install(archive, backend.inspect(archive), may_downgrade=True)
            else:
                backend.withdraw(component_id)
        except OperationError as second:
            raise InstallerError(
                failure.reason, f"{failure}; going back to {entry.version} failed: {second}"
            ) from failure
        log.info("%s is %s again after: %s", component_id, entry.version, failure)

    def _record(self, entry: Entry) -> Entry:
        if self.archives.entry(entry.id) != entry:
            self.archives.record(entry)
        self.observer("indexed")
        return entry


def _entry(job: Job, backend: Backend, facts: Facts, *, is_active: bool) -> Entry:
    return Entry(
        id=facts.id,
        version=facts.version,
        digest=job.digest.lower(),
        is_active=is_active,
        backend=backend.name,
        environment=backend.environment,
        package_id=job.package_id,
        description=facts.description,
    )
