# SPDX-License-Identifier: Apache-2.0
"""The directory of the installing side: what is where, and who may look.

taken/    orders being worked on, how often each was begun   private
refused/  the last orders that made no sense, for people     private
plans/    what orders change, to go on or back (plan.py)     private
work/     payloads on their way into the store               private
store/    kept archives (archive.py)                         by name, for the daemon's group
index/    what is kept about components (archive.py)         readable
results/  one file per finished order                        readable
lock      held while somebody works here
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PRIVATE: Final = 0o700
_PUBLIC: Final = 0o755


@dataclass(frozen=True, slots=True)
class Layout:
    """Names below the installing side's directory."""

    install_dir: Path

    @property
    def taken_dir(self) -> Path:
        """Orders that nobody else can change any more."""
        return self.install_dir / "taken"

    @property
    def refused_dir(self) -> Path:
        """Orders set aside."""
        return self.install_dir / "refused"

    @property
    def plans_dir(self) -> Path:
        """What orders change, one file each."""
        return self.install_dir / "plans"

    @property
    def work_dir(self) -> Path:
        """One directory per order, for its payload."""
        return self.install_dir / "work"

    @property
    def results_dir(self) -> Path:
        """Answers to the daemon."""
        return self.install_dir / "results"

    def make_dirs(self) -> None:
        """Make the directories with their modes; for the side that writes."""
        private = (self.taken_dir, self.refused_dir, self.plans_dir, self.work_dir)
        modes = {self.install_dir: _PUBLIC, self.results_dir: _PUBLIC} | dict.fromkeys(
            private, _PRIVATE
        )
        for folder, mode in modes.items():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the only one who works here; waits for another to finish."""
        fd = os.open(self.install_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
