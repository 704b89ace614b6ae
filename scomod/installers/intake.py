# SPDX-License-Identifier: Apache-2.0
"""Taking orders out of the daemon's directory, and putting away what is none.

An order is renamed into a private directory before anything else is done with
it: what lies there nobody else can replace, and the path unit, which looks again
the moment we end, finds nothing left to start us for.
`<id>.done` beside the orders is the daemon's word that it has taken over the
result of that id; the result is deleted first, the marker after it, so a result
that stands without a marker is always one to be read.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError
from scomod.installers import durable, jobfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.installers.layout import Layout

log = logging.getLogger(__name__)

KEPT_RESULTS_COUNT: Final = 100
KEPT_REFUSED_COUNT: Final = 20
KEPT_PLANS_COUNT: Final = 20
_TAKEN_MODE: Final = 0o600


class Intake:
    """The way of an order from `jobs_dir` to its answer."""

    def __init__(self, jobs_dir: Path, layout: Layout) -> None:
        self._jobs_dir = jobs_dir
        self._layout = layout

    def orders(self) -> Iterator[Path]:
        """Yield each taken order: first what an earlier run left, then new ones as they come.

        The consumer must end each with `finish` or `set_aside` before the next.
        """
        yield from sorted(self._layout.taken_dir.glob("*.json"))
        while taken := self._take_next():
            yield taken

    def finish(self, taken: Path) -> None:
        """Drop an order that has its answer."""
        durable.discard(taken)

    def set_aside(self, taken: Path) -> None:
        """Put an order away that cannot be carried out; a thing that is no file is deleted."""
        kind = taken.lstat().st_mode
        if stat.S_ISREG(kind):
            taken.rename(self._layout.refused_dir / taken.name)
        elif stat.S_ISDIR(kind):
            shutil.rmtree(taken)
        else:
            taken.unlink()
        durable.sync_dir(taken.parent)

    def sweep(self) -> None:
        """Keep the newest answers, refused orders and plans, and no payload without an order."""
        _keep_newest(self._layout.results_dir, KEPT_RESULTS_COUNT)
        _keep_newest(self._layout.refused_dir, KEPT_REFUSED_COUNT)
        _keep_newest(self._layout.plans_dir, KEPT_PLANS_COUNT)
        for folder in self._layout.work_dir.iterdir():
            if not (self._layout.taken_dir / f"{folder.name}{jobfile.SUFFIX}").exists():
                shutil.rmtree(folder)

    def _take_next(self) -> Path | None:
        with self._jobs() as jobs_fd:
            if jobs_fd is None:
                return None
            names = _names(jobs_fd)
            self._honour_markers(names, jobs_fd)
            orders = [name for name in names if name.endswith(jobfile.SUFFIX)]
            return self._take(orders[0], jobs_fd) if orders else None

    def _take(self, name: str, jobs_fd: int) -> Path:
        taken = self._layout.taken_dir / name
        try:
            os.rename(name, taken, src_dir_fd=jobs_fd)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _carry_over(name, jobs_fd, taken)
        durable.sync_dir(self._layout.taken_dir)
        return taken

    def _honour_markers(self, names: list[str], jobs_fd: int) -> None:
        for name in names:
            if not name.endswith(jobfile.DONE_SUFFIX):
                continue
            job_id = name.removesuffix(jobfile.DONE_SUFFIX)
            if jobfile.is_job_id(job_id):
                jobfile.forget(self._layout.results_dir, self._layout.plans_dir, job_id)
            try:
                os.unlink(name, dir_fd=jobs_fd)
            except OSError as error:
                log.warning("marker %r stays: %s", name, error.strerror)

    @contextmanager
    def _jobs(self) -> Iterator[int | None]:
        """Hold the daemon's directory open, so that no link can take its place meanwhile."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(self._jobs_dir, flags)
        except OSError:  # the daemon has ordered nothing yet, or put a link there
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)


def _names(jobs_fd: int) -> list[str]:
    # A hidden name is a file that is still being written.
    return sorted(name for name in os.listdir(jobs_fd) if name[0] != ".")


def _carry_over(name: str, jobs_fd: int, taken: Path) -> None:
    """Take an order from another file system; what is no file arrives empty, to be refused."""
    try:
        fd = durable.open_regular(name, dir_fd=jobs_fd)
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
            data = file.read(jobfile.MAX_BYTES + 1)
    except InstallerError:
        data = b""
    durable.write(taken, data, mode=_TAKEN_MODE)
    if stat.S_ISDIR(os.stat(name, dir_fd=jobs_fd, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=jobs_fd)
    else:
        os.unlink(name, dir_fd=jobs_fd)


def _keep_newest(folder: Path, count: int) -> None:
    files = sorted(folder.iterdir(), key=lambda path: path.lstat().st_mtime, reverse=True)
    for path in files[count:]:
        path.unlink(missing_ok=True)
