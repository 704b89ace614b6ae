# SPDX-License-Identifier: Apache-2.0
"""A control group for what the tools of one order start (cgroup v2).

A process may leave its group and its session, not its control group: so at a deadline
nothing of the tool is left behind the database that is repaired then.  Only where the
service manager has left our own group to us (systemd: `Delegate=yes`, which it marks
with an attribute): anywhere else the hierarchy is somebody else's, and the process
group has to do (`proc`).  No limits are set here, and a process that a maintainer
script left in the background on purpose is left alone when all went well.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.installers import proc

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_MOUNTS: Final = Path("/proc/self/mountinfo")
# systemd.resource-control(5) and its CGROUP_DELEGATION: "1" on a group that is left to its owner.
_MARKS: Final = ("trusted.delegate", "user.delegate")
_PREFIX: Final = "order-"
_ENDING_S: Final = 5.0
_LOOK_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Group:
    """One directory of the hierarchy; what enters it is killed as a whole."""

    folder: Path

    def enter(self) -> None:
        """Move the calling process here, or leave it where it is if that is refused."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.procs").write_text("0")

    def kill(self) -> None:
        """Kill all that is here and wait for its end; what does not end is told to the log."""
        give_up_s = time.monotonic() + _ENDING_S
        while self._is_populated():
            self._kill_once()
            if time.monotonic() > give_up_s:
                log.warning("some of %s does not end", self.folder.name)
                return
            time.sleep(_LOOK_S)

    def drop(self) -> None:
        """Delete the group, unless something still runs in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _kill_once(self) -> None:
        try:
            # Opened as it is: making a file is not what a kernel before 5.14 should be asked for.
            fd = os.open(self.folder / "cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            for number in (self.folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGKILL)
            return
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)

    def _is_populated(self) -> bool:
        return "populated 1" in (self.folder / "cgroup.events").read_text()


def delegated(membership: Path = _MEMBERSHIP, mounts: Path = _MOUNTS) -> Path | None:
    """Find the group that we are in, if it is left to us; else None.

    The arguments are the files of `proc(5)` that tell of it.
    """
    try:
        group = _own_group(membership.read_text(), mounts.read_text())
        return group if group is not None and _is_left_to_us(group) else None
    except OSError:  # no such file system, or none that we may look at
        return None


@contextlib.contextmanager
def holding(own: Path | None, job_id: str) -> Iterator[None]:
    """Run the programs of an order in a group of theirs below `own`; as they are where it is None.

    Groups of earlier orders in which nothing runs any more are deleted.
    """
    group = None if own is None else _make(own, job_id)
    if group is None:
        yield
        return
    try:
        with proc.enclosed(group):
            yield
    finally:
        group.drop()


def _make(own: Path, job_id: str) -> Group | None:
    for left in own.glob(f"{_PREFIX}*"):
        Group(left).drop()
    group = Group(own / f"{_PREFIX}{job_id}")
    try:
        group.folder.mkdir(exist_ok=True)
    except OSError as error:
        log.warning("order %s goes without a control group: %s", job_id, error.strerror)
        return None
    return group


def _own_group(membership: str, mounts: str) -> Path | None:
    """Join where the one hierarchy is mounted with where in it we are."""
    path = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, place = before.split()[3:5]
            inner = Path(path)
            if path and ".." not in inner.parts and inner.is_relative_to(root):
                return Path(place) / inner.relative_to(root)
    return None


def _is_left_to_us(group: Path) -> bool:
    if not os.access(group, os.W_OK):
        return False
    return any(name in os.listxattr(group) and os.getxattr(group, name) == b"1" for name in _MARKS)
