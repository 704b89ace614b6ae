# SPDX-License-Identifier: Apache-2.0
"""A clock that goes when it is told to."""


class FakeClock:
    """Starts in 1970, as devices without a battery do."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
