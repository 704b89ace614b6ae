# SPDX-License-Identifier: Apache-2.0
"""How orders reach a backend: in this process, or by files to the root helper.

Both give the same result for the same id again until `forget`, so a step that
was cut off asks once more and gets the answer of the first time.
Cancelling `run` does not cancel the order: once taken it is carried out.
"""

from __future__ import annotations

import asyncio
import errno
from functools import cache
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import jobfile, registry
from scomod.installers.base import JobResult, ignore, unheard
from scomod.installers.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.clock import Clock
    from scomod.installers.base import Facts, InstalledItem, Job, Runner
    from scomod.installers.kinds import Kind
    from scomod.installers.stock import Stock
    from scomod.installers.work import Workshop
    from scomod.settings import Paths, Settings

_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 0.25
_GROWTH: Final = 1.5


def open_runner(settings: Settings, paths: Paths, clock: Clock) -> Runner:
    """Make the runner that [install] asks for."""
    stock = registry.stock(settings, paths, clock)
    if settings.install.runner == "direct":
        # a daemon without orders needs none of it
        return DirectRunner(cache(lambda: registry.workshop(settings, paths, clock, ignore)), stock)
    timeout_s, reach_s = settings.install.result_timeout_s, settings.self_update.reach_s
    return SpoolRunner(paths, stock, timeout_s=timeout_s, reach_s=reach_s)


class DirectRunner:
    """Works in this process, in a thread; needs the rights the tools need."""

    def __init__(self, open_workshop: Callable[[], Workshop], stock: Stock) -> None:
        self._open_workshop = open_workshop
        self._stock = stock

    async def run(self, job: Job, told: Callable[[float], None] = unheard) -> JobResult:
        """Run a job to its end; a job already done gives its result again.

        `told` learns in a thread how much is done.
        Raises `InstallerError` when the disk does not keep the result.
        """
        return await asyncio.to_thread(self._run, job, told)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds of package that the device takes."""
        return self._stock.kinds

    def inventory(self) -> list[InstalledItem]:
        """List active and inactive items of all backends."""
        return self._stock.items()

    def inspect(self, backend: str, payload: Path) -> Facts:
        """Read an archive of ours; raises `InstallerError`."""
        return self._stock.inspect(backend, payload)

    def mark(self) -> str:
        """Return the mark of those items."""
        return self._stock.mark()

    def withdraw(self, job_id: str) -> bool:
        """Take an order back: never possible, it begins when it is given."""
        del job_id
        return False

    def forget(self, job_id: str) -> None:
        """Drop the kept result of a job that the journal has taken over."""
        layout = self._open_workshop().layout
        if jobfile.is_job_id(job_id) and layout.plans_dir.is_dir():
            jobfile.forget(layout.results_dir, layout.plans_dir, job_id)

    def _run(self, job: Job, told: Callable[[float], None]) -> JobResult:
        workshop = self._open_workshop()
        try:
            workshop.make_dirs()
            with workshop.layout.exclusive():
                workshop.mover.gauge.listener = told
                return workshop.answer(job)
        except OSError as error:
            raise _disk_failure(job, error) from error


class SpoolRunner:
    """Writes orders for the root helper and waits for its answers.

    `forget` cannot delete the answer, which belongs to root: it leaves a marker,
    and an answer beside a marker does not count.

    `timeout_s` is what an answer may take; that to an upgrade of scomod itself comes when
    the new version has reached a server, for which it has `reach_s` more.
    """

    def __init__(self, paths: Paths, stock: Stock, *, timeout_s: float, reach_s: float) -> None:
        self._jobs_dir = paths.jobs_dir
        self._paths = paths
        self._results_dir = Layout(paths.install_dir).results_dir
        self._progress_file = paths.progress_file
        self._stock = stock
        self._timeout_s = timeout_s
        self._reach_s = reach_s
        self._withdrawn: set[str] = set()

    async def run(self, job: Job, told: Callable[[float], None] = unheard) -> JobResult:
        """Order a job and wait for its result; a job already done gives it again.

        A result that does not come in time is a failure with TIMEOUT.  Raises
        `InstallerError`: MALFORMED for an id that is none, NO_SPACE or INTERNAL when
        the order cannot be written.
        """
        result = self._result(job.id)
        if result is None:
            await asyncio.to_thread(self._order, job)
            result = await self._await_result(job.id, told)
        return result or self._give_up(job)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds of package that the device takes."""
        return self._stock.kinds

    def inventory(self) -> list[InstalledItem]:
        """List active and inactive items of all backends; needs no privilege."""
        return self._stock.items()

    def inspect(self, backend: str, payload: Path) -> Facts:
        """Read an archive of ours; raises `InstallerError`."""
        return self._stock.inspect(backend, payload)

    def mark(self) -> str:
        """Return the mark of those items."""
        return self._stock.mark()

    def withdraw(self, job_id: str) -> bool:
        """Take an order back, unless the helper has taken it: both do it by its name."""
        try:
            (self._jobs_dir / f"{job_id}{jobfile.SUFFIX}").unlink()
        except FileNotFoundError:
            return False
        self._withdrawn.add(job_id)
        return True

    def forget(self, job_id: str) -> None:
        """Mark a result as taken over; the helper deletes both when it runs next."""
        if jobfile.is_job_id(job_id) and self._result(job_id) is not None:
            (self._jobs_dir / f"{job_id}{jobfile.DONE_SUFFIX}").touch(mode=0o600)

    def _order(self, job: Job) -> None:
        try:
            self._jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            jobfile.write_job(self._jobs_dir, job)
        except OSError as error:
            raise _disk_failure(job, error) from error

    def _result(self, job_id: str) -> JobResult | None:
        # The marker is looked for first: it goes after the result it belongs to.
        if (self._jobs_dir / f"{job_id}{jobfile.DONE_SUFFIX}").exists():
            return None
        return jobfile.kept_result(self._results_dir, job_id)

    async def _await_result(self, job_id: str, told: Callable[[float], None]) -> JobResult | None:
        from scomod.installers import gauge  # noqa: PLC0415 - a daemon without orders needs none

        known: float | None = None
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        wait_s = _FIRST_WAIT_S
        while (result := self._result(job_id)) is None and self._is_early(
            job_id, loop.time() - began_s
        ):
            if job_id in self._withdrawn:
                self._withdrawn.discard(job_id)
                return _withdrawn(job_id)
            done = gauge.read(self._progress_file, job_id)
            if done is not None and done != known:
                known = done
                told(done)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * _GROWTH, _LONGEST_WAIT_S)
        return result

    def _is_early(self, job_id: str, waited_s: float) -> bool:
        return waited_s < self._timeout_s or waited_s < self._longest_s(job_id)

    def _longest_s(self, job_id: str) -> float:
        """Return how long this order may take: an upgrade with a way back has its time."""
        from scomod.installers import wayback  # noqa: PLC0415 - for what takes very long

        pending = wayback.read(self._paths)
        is_upgrade = pending is not None and pending.job_id == job_id
        return self._timeout_s + self._reach_s * is_upgrade

    def _give_up(self, job: Job) -> JobResult:
        """Take the order back if nobody has taken it, and say that no answer came."""
        (self._jobs_dir / f"{job.id}{jobfile.SUFFIX}").unlink(missing_ok=True)
        return JobResult(
            id=job.id,
            is_ok=False,
            reason=Reason.TIMEOUT,
            detail=f"no answer from scomod-install within {self._longest_s(job.id):g} s",
        )


def _withdrawn(job_id: str) -> JobResult:
    return JobResult(
        id=job_id, is_ok=False, reason=Reason.CANCELLED, detail="the order was taken back"
    )


def _disk_failure(job: Job, error: OSError) -> InstallerError:
    reason = Reason.NO_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else Reason.INTERNAL
    return InstallerError(reason, f"order {job.id} or its result cannot be written: {error}")
