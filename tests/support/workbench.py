# SPDX-License-Identifier: Apache-2.0
"""A device below a temporary root on which orders can be carried out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scomod.clock import SystemClock
from scomod.installers import registry
from scomod.installers.base import Action, Job, ignore
from scomod.settings import Dpkg, Install, Paths, Settings, Verify
from tests.support.backends import FakeBackend
from tests.support.debs import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scomod.installers.archive import Entry
    from scomod.installers.base import Backend, JobResult
    from scomod.installers.work import Workshop

UNSIGNED = Settings(
    verify=Verify(signature="optional"),
    install=Install(dpkg=Dpkg(lock_wait_s=5.0, timeout_s=60.0)),
)


class Killed(BaseException):
    """Ends the work at a boundary as a kill would, without a word to anybody."""


def equipped(shop: Workshop, backends: Mapping[str, Backend]) -> Workshop:
    """Return a workshop with these backends in place of the real ones."""
    owners = replace(shop.planner.owners, backends=backends)
    return replace(
        shop,
        planner=replace(shop.planner, backends=backends, owners=owners),
        mover=replace(shop.mover, backends=backends),
        attendance=replace(shop.attendance, backends=backends, owners=owners),
    )


@dataclass(slots=True)
class Workbench:
    """`backend` is the name that orders say."""

    root: Path
    settings: Settings = UNSIGNED
    backend: str = "dpkg"

    def __post_init__(self) -> None:
        for folder in (self.paths.spool_dir, self.paths.delivered_dir, self.paths.jobs_dir):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def paths(self) -> Paths:
        return Paths(self.root)

    @property
    def fake(self) -> FakeBackend:
        return FakeBackend(self.root / "fake.json")

    def workshop(self, observer: Callable[[str], None] = ignore) -> Workshop:
        made = registry.workshop(self.settings, self.paths, SystemClock(), observer)
        if self.backend == "fake":
            made = equipped(made, {"fake": self.fake})
        made.make_dirs()
        return made

    def spool(self, archive: Path, name: str = "part") -> Path:
        """Put a copy of an archive where the daemon would."""
        target = self.paths.spool_dir / name
        target.write_bytes(archive.read_bytes())
        return target

    def fake_archive(self, **values: str) -> Path:
        """Make an archive for the fake backend."""
        content = json.dumps({"id": "hello", "version": "1.0", **values})
        path = self.root / f"{abs(hash(content))}.json"
        path.write_text(content)
        return path

    def order(self, action: Action, archive: Path | None = None, **values: object) -> Job:
        """Make an order; an archive is put into the spool and named by digest."""
        job = Job(id=str(values.pop("id", "1")), backend=self.backend, action=action)
        if archive is None:
            job = replace(job, component_id="hello")
        else:
            job = replace(job, payload=str(self.spool(archive)), digest=sha256(archive))
        return replace(job, **values)  # type: ignore[arg-type]  # fields of Job by name

    def perform(self, job: Job) -> JobResult:
        return self.workshop().perform(job)

    def do(self, action: Action, archive: Path | None = None, **values: object) -> JobResult:
        """Order, perform, and let go of it, as a whole operation does."""
        job = self.order(action, archive, **values)
        result = self.perform(job)
        self.forget(job.id)
        return result

    def forget(self, job_id: str) -> None:
        """Let go of an order, and sweep as the next one would."""
        workshop = self.workshop()
        workshop.plans.drop(job_id)
        workshop.archives.sweep(workshop.plans.archives())

    def entries(self) -> list[Entry]:
        return self.workshop().archives.entries()

    def store(self) -> set[str]:
        """Give the digests of the kept archives."""
        return {path.stem for path in (self.paths.install_dir / "store").iterdir()}
