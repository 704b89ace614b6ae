# SPDX-License-Identifier: Apache-2.0
"""`scomod-install`: the root program that installs (design §9).

Short-lived, no network, no D-Bus, no database: it takes orders from the daemon's
directory, checks everything again and answers with a result file.  Started by
`scomod-install.path`; `--watch` stands in for that unit where there is no systemd.

Start-up is recovery: orders that an earlier run left unfinished come first.  How
often an order was begun is on disk before it is begun again, so one that keeps
killing us is taken back, and one that does so even then is left; both end with
CRASH_LOOP (I7).

An order may replace this very program (`ownfiles`).  It is finished with what was loaded
before, and the next one is left to the new program.  Its answer is held back until the new
version has reached a server, or the previous one is back (`arming`, `wayback`).
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import config
from scomod.clock import SystemClock
from scomod.errors import ConfigError, InstallerError, Reason
from scomod.installers import cgroup, durable, gauge, jobfile, ownfiles, proc, registry, wayback
from scomod.installers.arming import Arming
from scomod.installers.base import Action, Job, JobResult, ignore
from scomod.installers.intake import Intake
from scomod.installers.layout import Layout
from scomod.settings import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.installers.work import Workshop

log = logging.getLogger(__name__)

MAX_ATTEMPTS_COUNT: Final = 5
_WATCH_INTERVAL_S: Final = 0.1
_AFTER_FAILURE_S: Final = 5.0
_EXIT_OK: Final = 0
_EXIT_FAILED: Final = 1
# EX_CONFIG of sysexits(3): starting us again helps nobody.
_EXIT_CONFIG: Final = 78


class Helper:
    """Works off orders, one after the other.

    `observer` hears "taken", "result" and "uncounted" here, the other boundaries from
    the workshop; `group` is the control group that is left to us, if there is one.
    """

    def __init__(self, paths: Paths, observer: Callable[[str], None]) -> None:
        self._paths = paths
        self._observer = observer
        self._layout = Layout(paths.install_dir)
        self._intake = Intake(paths.jobs_dir, self._layout)
        self.group = cgroup.delegated()
        self._loaded = ownfiles.footprint()
        self.stop = threading.Event()
        self.is_outdated = False

    def work_off(self) -> None:
        """Answer every order there is, until there is none, or `stop` or `is_outdated` is set.

        `is_outdated` says that an order has replaced the files of this program.
        Raises `OSError` when the disk does not take an answer; the order stays taken
        then, for the next run.
        """
        self._layout.make_dirs()
        with self._layout.exclusive():
            wayback.sweep(self._paths)
            for taken in self._intake.orders():
                self._observer("taken")
                self._answer(taken)
                self.is_outdated = ownfiles.are_changed(self._loaded)
                if self.stop.is_set() or self.is_outdated:
                    break
            self._intake.sweep()

    def _answer(self, taken: Path) -> None:
        try:
            job = jobfile.read_job(taken)
        except InstallerError as error:
            self._refuse(taken, error)
            return
        if not self._has_answer(job):
            result = self._attempt(job, taken.with_suffix(".attempts"))
            if not wayback.hold(self._paths, result):
                jobfile.write_result(self._layout.results_dir, result)
        self._observer("result")
        # In this order: a counter whose order is gone would lie there for ever.
        durable.discard(taken.with_suffix(".attempts"))
        self._observer("uncounted")
        self._intake.finish(taken)

    def _has_answer(self, job: Job) -> bool:
        """Tell whether an order has its answer, or will get it from the guard of our way back."""
        if jobfile.kept_result(self._layout.results_dir, job.id) is not None:
            return True
        if job.action is Action.UNDO and wayback.is_answered(self._paths, job.undoes):
            # It brings back what was before; asked again then, the order finds it so.
            wayback.go_back(self._paths)
            return True
        return wayback.is_answered(self._paths, job.id)

    def _refuse(self, taken: Path, error: InstallerError) -> None:
        """Answer what is no order, where it at least has a name, and put it away."""
        log.warning("order %r refused: %s", taken.name, error)
        results_dir = self._layout.results_dir
        if jobfile.is_job_id(taken.stem) and jobfile.kept_result(results_dir, taken.stem) is None:
            refusal = JobResult(id=taken.stem, is_ok=False, reason=error.reason, detail=str(error))
            jobfile.write_result(results_dir, refusal)
        self._intake.set_aside(taken)

    def _attempt(self, job: Job, counter: Path) -> JobResult:
        begun_count = _read_count(counter)
        text = f"ended without an answer {begun_count} times"
        if begun_count >= 2 * MAX_ATTEMPTS_COUNT:
            return JobResult(id=job.id, is_ok=False, reason=Reason.CRASH_LOOP, detail=text)
        durable.write_json(counter, {"begun_count": begun_count + 1}, mode=0o600)
        try:
            workshop = self._workshop()
            workshop.make_dirs()
            note = partial(gauge.write, self._paths.progress_file, job.id)
            workshop.mover.gauge.listener = note
            ownfiles.load()
            with cgroup.holding(self.group, job.id):
                if begun_count >= MAX_ATTEMPTS_COUNT:
                    return workshop.give_up(job, text)
                return workshop.perform(job)
        except ConfigError as error:
            # Without the policy nothing may be installed.
            return JobResult(id=job.id, is_ok=False, reason=Reason.POLICY, detail=str(error))
        except Exception as error:
            # Seam: whatever it is, the daemon gets an answer and the next order its turn.
            log.exception("internal error: order %s", job.id)
            return JobResult(
                id=job.id,
                is_ok=False,
                reason=Reason.INTERNAL,
                detail=f"internal error: {type(error).__name__}",
            )

    def _workshop(self) -> Workshop:
        settings = config.load(self._paths)
        made = registry.workshop(settings, self._paths, SystemClock(), self._observer)
        arming = Arming(
            paths=self._paths,
            settings=settings.self_update,
            archives=made.archives,
            backends=made.mover.backends,
            service_program=settings.install.systemd.command,
            observer=self._observer,
        )
        return replace(made, arm=arming.arm)


def main(argv: Sequence[str] | None = None, observer: Callable[[str], None] = ignore) -> int:
    """Run `scomod-install [--root DIR] [--watch]`; gives the exit code.

    0: every order was answered (well or not); 1: the disk took no answer; 78: the
    configuration cannot be used, and every order was refused for that.
    Must run in the main thread, as it takes SIGTERM: an order in work is finished
    first.  With `--watch` it executes itself again after an order that replaced its files.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    paths = Paths(arguments.root.resolve())
    is_configured = _is_configured(paths)
    helper = Helper(paths, observer)
    if is_configured and helper.group is None:
        log.info("no control group is left to us: at a deadline the process group is ended")
    previous = signal.signal(signal.SIGTERM, lambda _number, _frame: helper.stop.set())
    try:
        code = _watch(helper) if arguments.watch else _once(helper)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return code if is_configured or code != _EXIT_OK else _EXIT_CONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scomod-install", description="Carry out the installation orders of scomod."
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get("SCOMOD_ROOT", "/")),
        help="the device's directory (default: $SCOMOD_ROOT or /)",
    )
    parser.add_argument(
        "--watch", action="store_true", help="stay and look for orders until SIGTERM"
    )
    return parser


def _is_configured(paths: Paths) -> bool:
    """Tell whether the configuration can be used; says why not where somebody looks."""
    try:
        config.load(paths)
    except ConfigError as error:
        log.error("%s", error)
        return False
    return True


def _once(helper: Helper) -> int:
    try:
        helper.work_off()
    except OSError as error:
        log.error("orders stay unanswered: %s", error)
        return _EXIT_FAILED
    return _EXIT_OK


def _watch(helper: Helper) -> int:
    while not helper.stop.is_set():
        is_well = _once(helper) == _EXIT_OK
        if helper.is_outdated and not helper.stop.is_set():
            log.info("an order has replaced this program: starting the new one")
            proc.start_anew()
        helper.stop.wait(_WATCH_INTERVAL_S if is_well else _AFTER_FAILURE_S)
    return _EXIT_OK


def _read_count(counter: Path) -> int:
    try:
        count = durable.read_json(counter, max_bytes=jobfile.MAX_BYTES).get("begun_count")
    except InstallerError:
        return 0
    return count if isinstance(count, int) else 0


if __name__ == "__main__":
    sys.exit(main())
