# SPDX-License-Identifier: Apache-2.0
"""An installing side that carries out nothing, and answers as it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.installers.base import JobResult, unheard
from scomod.installers.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.installers.base import Action, Facts, InstalledItem, Job
    from scomod.installers.kinds import Kind


class InstallingSide:
    """Answers each job once; the same id gets the same answer until it is forgotten."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.answers: dict[Action, JobResult] = {}
        self.kept: dict[str, JobResult] = {}
        self.waiting: set[str] = set()
        self.fractions: tuple[float, ...] = ()

    async def run(self, job: Job, told: Callable[[float], None] = unheard) -> JobResult:
        for fraction in self.fractions:
            told(fraction)
        if job.id not in self.kept:
            self.jobs.append(job)
            answer = self.answers.get(job.action, JobResult(id="", is_ok=True))
            self.kept[job.id] = replace(answer, id=job.id)
        return self.kept[job.id]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(KINDS.values())

    def inventory(self) -> list[InstalledItem]:
        return []

    def inspect(self, backend: str, payload: Path) -> Facts:
        raise InstallerError(Reason.UNSUPPORTED_ENV, f"{backend} cannot read {payload.name}")

    def mark(self) -> str:
        return "-"

    def withdraw(self, job_id: str) -> bool:
        return job_id in self.waiting

    def forget(self, job_id: str) -> None:
        self.kept.pop(job_id, None)
