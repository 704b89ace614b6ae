# SPDX-License-Identifier: Apache-2.0
"""A device with the installing program as a process of its own, or in this one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scomod.installers import helper, jobfile
from tests.support.mortal import live
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.installers.base import Job, JobResult

PROJECT = Path(__file__).parents[2]


@dataclass(slots=True)
class HelperDevice(Workbench):
    """Orders go through files here."""

    def configure(self, text: str) -> None:
        self.paths.config_dir.mkdir(parents=True, exist_ok=True)
        (self.paths.config_dir / "scomod.toml").write_text(text)

    def order_file(self, job: Job) -> Path:
        jobfile.write_job(self.paths.jobs_dir, job)
        return self.paths.jobs_dir / f"{job.id}.json"

    def run_helper(self) -> int:
        return helper.main(["--root", str(self.root)])

    def start_helper(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it as a process, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "scomod.installers.helper", "--root", self.root, *options],
            cwd=PROJECT,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )

    def dies_at(self, boundary: str) -> bool:
        """Run one in a fork, which is killed when it comes to a boundary; tells whether it was."""

        def run(observer: Callable[[str], None]) -> None:
            helper.main(["--root", str(self.root)], observer)

        return live(run, [boundary]).killed_at == boundary

    @contextmanager
    def watching(self) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start_helper("--watch")
        try:
            yield process
        finally:
            process.terminate()
            process.wait(100)

    def result(self, job_id: str) -> JobResult | None:
        return jobfile.kept_result(self.paths.install_dir / "results", job_id)

    def answered(self, job: Job) -> JobResult:
        """Order, run the helper once, and give the answer."""
        self.order_file(job)
        assert self.run_helper() == 0
        result = self.result(job.id)
        assert result is not None
        return result

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.paths.install_dir / folder).iterdir())

    def pending(self) -> list[str]:
        """What the path unit would start the helper for."""
        taken = self.paths.install_dir / "taken"
        return [
            path.name for folder in (self.paths.jobs_dir, taken) for path in folder.glob("*.json")
        ]
