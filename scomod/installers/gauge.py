# SPDX-License-Identifier: Apache-2.0
"""How far an order is: from what a tool says of one run to a number that the daemon reads.

A number only, for people to look at: nothing is decided by it.  The root helper writes it
into a file below run/ that the daemon cannot write and does not believe more of; in one
process it is passed on.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError
from scomod.installers import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.clock import Clock

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
_MAX_BYTES: Final = 512
_PUBLIC_FILE: Final = 0o644
_PUBLIC_DIR: Final = 0o755


class Gauge:
    """Tells its listener how much of an order is done (0 to 1), once a second at most."""

    def __init__(self, clock: Clock) -> None:
        self.listener: Callable[[float], None] | None = None
        self._clock = clock
        self._told_s: float | None = None
        self._ends: tuple[float, float] | None = None

    @contextmanager
    def part(self, low: float, high: float) -> Iterator[None]:
        """Let what is told inside be about this part of the order."""
        self._ends = (low, high)
        try:
            yield
        finally:
            self._ends = None

    def tell(self, fraction: float) -> None:
        """Take how much of the part is done; outside of one it means nothing."""
        now_s = self._clock.monotonic_s()
        is_early = self._told_s is not None and now_s - self._told_s < INTERVAL_S
        if self._ends is None or self.listener is None or is_early:
            return
        self._told_s = now_s
        low, high = self._ends
        self.listener(low + min(max(fraction, 0.0), 1.0) * (high - low))


def write(path: Path, job_id: str, fraction: float) -> None:
    """Note how far an order is, for everybody to read; a disk that takes no note is no failure."""
    try:
        path.parent.mkdir(mode=_PUBLIC_DIR, parents=True, exist_ok=True)
        durable.write_json(path, {"job": job_id, "fraction": fraction}, mode=_PUBLIC_FILE)
    except (OSError, InstallerError) as error:
        log.debug("how far order %s is cannot be noted: %s", job_id, error)


def read(path: Path, job_id: str) -> float | None:
    """Return how much of an order is done, 0 to 1; None where nothing of use is said of it."""
    try:
        value = durable.read_json(path, max_bytes=_MAX_BYTES)
    except InstallerError:
        return None
    fraction = value.get("fraction")
    if value.get("job") != job_id or not isinstance(fraction, int | float):
        return None
    return float(fraction) if 0 <= fraction <= 1 else None
