# SPDX-License-Identifier: Apache-2.0
"""What ends a running fetch before it is done, and what it has come to so far.

Between the thread that fetches and the loop that decides: the thread only asks and tells,
the loop only reads and cuts.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock


class Leash:
    """A fetch may go on for `for_s`, or until it is cut or has fetched `left_bytes`.

    `part_bytes` is how much there was of it before.  `on_large` is told once, from the
    thread, when the file turns out to be larger than `small_bytes`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        for_s: float,
        left_bytes: int | None,
        part_bytes: int,
        size_bytes: int,
        small_bytes: int | None,
        on_large: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._deadline_s = clock.monotonic_s() + for_s
        self._left_bytes = inf if left_bytes is None else left_bytes
        self._done_bytes = part_bytes
        self._small_bytes = small_bytes
        self._on_large = on_large
        self.size_bytes = size_bytes
        self.fetched_bytes = 0
        self.is_cut = False

    def is_over(self) -> bool:
        """Tell whether the fetch is to end now."""
        return self.is_cut or self._clock.monotonic_s() >= self._deadline_s

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """Take how much there is of the file now; less than before means that it began anew."""
        before = self._done_bytes if done_bytes >= self._done_bytes else 0
        self.fetched_bytes += done_bytes - before
        self._done_bytes = done_bytes
        self.size_bytes = total_bytes or self.size_bytes
        self.is_cut |= self.fetched_bytes >= self._left_bytes
        if self._small_bytes is not None and max(self.size_bytes, done_bytes) > self._small_bytes:
            self._small_bytes = None
            self._on_large()
