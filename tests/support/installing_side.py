"""An installing side that carries out nothing, and answers as it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.installers.base import JobResult, unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.installers.base import Action, InstalledItem, Job


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

    def inventory(self) -> list[InstalledItem]:
        return []

    def mark(self) -> str:
        return "-"

    def withdraw(self, job_id: str) -> bool:
        return job_id in self.waiting

    def forget(self, job_id: str) -> None:
        self.kept.pop(job_id, None)
