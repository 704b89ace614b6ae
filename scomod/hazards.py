# SPDX-License-Identifier: Apache-2.0
"""Finds what may go wrong with an operation, and what nobody knows yet; the words are in `risks`.

Looks only: at the package once it is here, at the configuration, and at what the backends
report.  Works in files and asks tools, so it belongs into a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.clifmt import moment, size
from scomod.errors import InstallerError, ScomodError, VerifyError
from scomod.installers.archive import Archives
from scomod.installers.base import BUNDLE, Discerning
from scomod.meanings import MEANING, STOPPING
from scomod.operation import CHANGES, Branch, Primitive, StepKind
from scomod.package import backend_of, params_of, payload_of
from scomod.risks import Risk, Unknown, note
from scomod.trust import trust_of
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.download.spool import Spool
    from scomod.installers.base import Backend, Facts, InstalledItem, Runner
    from scomod.operation import Operation
    from scomod.risks import Note
    from scomod.settings import Paths, Settings

K = StepKind


@frozen
class Hazards:
    """Knows what may go wrong; `backends()` makes those that are on the device, by name."""

    settings: Settings
    paths: Paths
    clock: Clock
    spool: Spool
    runner: Runner
    backends: Callable[[], Mapping[str, Backend]]

    def of(self, operation: Operation, figures: Mapping[str, int]) -> Iterator[Note]:
        """Give the notes on an operation that is live; `figures` are those of its download."""
        steps = operation.plan[operation.cursor :]
        if K.ACQUIRE in steps:
            yield from _room(figures)
        if K.VERIFY in steps:
            yield from self._proof(operation)
        if K.DISCLOSE in steps and K.ACQUIRE in steps:
            yield note(Unknown.PERMISSIONS)
        if not MEANING[operation.branch, operation.primitive].is_reversible:
            yield note(Risk.FINAL)
        yield from self._change(operation)

    def _proof(self, operation: Operation) -> Iterator[Note]:
        """Tell what nothing proves, and which proof ends soon."""
        try:
            params = params_of(operation)
        except VerifyError as error:
            yield note(Risk.UNSUPPORTED, how=error)
            return
        if not params.signature and self.settings.verify.signature == "optional":
            yield note(Risk.UNSIGNED)
        if not (params.sha256 or params.sha512 or params.signature):
            yield note(Risk.UNTRUSTED)
        if params.certificate:
            yield from self._certificate(params.certificate)

    def _certificate(self, certificate: str) -> Iterator[Note]:
        try:
            ends_s = trust_of(self.settings, self.paths, self.clock).ends_s(certificate)
        except VerifyError as error:
            yield note(Risk.UNSUPPORTED, how=error)
            return
        left_s = ends_s - self.clock.wall_s()
        if left_s < self.settings.time.warn_expiry_s:
            yield note(
                Risk.CERTIFICATE, until=moment(ends_s), ends="ends" if left_s > 0 else "ended"
            )

    # -- the change ------------------------------------------------------------------

    def _change(self, operation: Operation) -> Iterator[Note]:
        if not any(step in CHANGES for step in operation.plan[operation.cursor :]):
            return  # nothing that is installed changes, or it has changed
        try:
            backend = backend_of(operation, self.runner.kinds)
        except InstallerError as error:
            yield note(Risk.UNSUPPORTED, how=error)
            return
        try:
            items = self.runner.inventory()
        except (ScomodError, OSError) as error:
            yield note(Unknown.INSTALLED, how=error)
            return
        if operation.branch is Branch.DEPLOYED:
            mine = [each for each in items if each.id == operation.subject.component_id]
            yield from self._about_component(operation, backend, mine)
        else:
            yield from self._about_arrival(operation, backend, items)

    def _about_component(
        self, operation: Operation, backend: str, items: list[InstalledItem]
    ) -> Iterator[Note]:
        """Tell what follows for a component that is on the device."""
        subject, primitive = operation.subject, operation.primitive
        entry = Archives(self.paths.install_dir).entry(subject.component_id)
        if primitive is Primitive.DEACTIVATE and entry is None:
            yield note(Risk.NO_ARCHIVE, what=subject.component_id)
        if primitive is Primitive.REMOVE:
            made: object = self.backends().get(backend)
            if isinstance(made, Discerning) and made.is_essential(subject.component_id):
                yield note(Risk.ESSENTIAL, what=subject.component_id)
            yield note(Unknown.NEEDED)
        yield from _about_others(operation, items)

    def _about_arrival(
        self, operation: Operation, backend: str, items: list[InstalledItem]
    ) -> Iterator[Note]:
        """Tell what a package takes the place of, as far as it is here or was here before."""
        payload = payload_of(operation, self.paths, self.spool)
        is_here = K.ACQUIRE not in operation.plan[operation.cursor :] and payload.exists()
        mine = [each for each in items if each.package_id == operation.subject.pkg_id]
        if backend == BUNDLE:
            yield note(Unknown.BUNDLE)
        elif not is_here:
            yield note(Unknown.CONTENT)
        else:
            try:
                facts = self.runner.inspect(backend, payload)
            except (InstallerError, OSError) as error:
                yield note(Risk.UNSUPPORTED, how=error)
                return
            mine = [each for each in items if each.id == facts.id]
            yield from self._about_versions(backend, facts, mine)
        for item in mine:
            if item.is_active and not item.digest:
                yield note(Risk.NO_WAY_BACK, what=f"{item.id} {item.version}")
        yield from _about_others(operation, mine)

    def _about_versions(
        self, backend: str, facts: Facts, items: list[InstalledItem]
    ) -> Iterator[Note]:
        for item in items:
            if not item.is_active or item.version == facts.version:
                continue
            made: object = self.backends().get(backend)
            if not isinstance(made, Discerning):
                versions = {"new": facts.version, "old": item.version}
                yield note(Unknown.VERSIONS, what=item.id, **versions)
            elif made.is_older(facts.version, item.version):
                yield note(Risk.DOWNGRADE, what=f"{item.id} {facts.version}", old=item.version)


def _room(figures: Mapping[str, int]) -> Iterator[Note]:
    """Tell whether there is room for what is still to come."""
    if "announced" not in figures:
        yield note(Unknown.SIZE)
        return
    wanted = figures["announced"] - figures["fetched"]
    if figures["free"] < wanted + figures["reserve"]:
        shown = {name: size(figures[name]) for name in ("free", "reserve")}
        yield note(Risk.NO_SPACE, wanted=size(wanted), **shown)


def _about_others(operation: Operation, items: list[InstalledItem]) -> Iterator[Note]:
    """Tell whose software is touched that is not that of the server, and what stops."""
    for item in items:
        if item.owner not in ("", operation.server_id):
            yield note(Risk.OTHERS, what=item.id, owner=item.owner)
    units = [unit for item in items for unit in item.units]
    if units and operation.primitive in STOPPING:
        yield note(Risk.SERVICES, units=", ".join(units))
