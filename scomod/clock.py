# SPDX-License-Identifier: Apache-2.0
"""Time as a parameter: wall time is only shown or sent, monotonic time decides (I20)."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the code knows of time, in seconds."""

    def wall_s(self) -> float:
        """Seconds since the epoch, as the device believes."""

    def monotonic_s(self) -> float:
        """Seconds that never jump."""


class SystemClock:
    """The clock of the machine."""

    def wall_s(self) -> float:
        """Seconds since the epoch, as the device believes."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()
