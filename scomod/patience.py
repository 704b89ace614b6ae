# SPDX-License-Identifier: Apache-2.0
"""How long a download is tried: whether now, later or no more, and until when it may go on.

What the tries came to is in `tries`, when the next comes in `pace`, whether now is the time
for it in `fetchterms`.  All pauses are waits of the operation, kept in wall time and
counted by a clock that never jumps (`terms`), so they and what a server asked for
outlive restarts.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod import pace
from scomod.errors import DownloadError, Reason
from scomod.fetchterms import Pause
from scomod.leash import Leash
from scomod.operation import HANDED, OFFER, Phase
from scomod.package import announced_bytes
from scomod.stepresult import Begin, Wait
from scomod.terms import Terms
from scomod.tries import Tries, exhausted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.allowance import Allowance
    from scomod.clock import Clock
    from scomod.fetchterms import FetchTerms
    from scomod.operation import Operation
    from scomod.settings import Download

log = logging.getLogger(__name__)

RETRY: Final = "the next try"
ASKED: Final = "the next try, for which the server wants us to wait"
AGAIN: Final = (RETRY, ASKED)
_END: Final = "end"  # the name of the term after which a download is given up


class Patience:
    """Bounds the tries of downloads; asked before each and told after it."""

    def __init__(
        self,
        limits: Download,
        clock: Clock,
        random: Callable[[], float],
        terms: FetchTerms,
        allowance: Allowance,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._random = random
        self._terms = terms
        self._allowance = allowance
        self._ends = Terms(clock)
        self._running: dict[int, Leash] = {}

    def before(self, operation: Operation) -> Wait | Begin | None:
        """Say what comes before the next try, None for nothing.

        Raises `DownloadError(TIMEOUT)` where there was time enough.
        """
        tries = self._tries(operation)
        if self._left_s(operation, tries) <= 0:
            text = f"not complete {self._limits.give_up_s:g} s after it began: {tries.failure}"
            raise DownloadError(Reason.TIMEOUT, text)
        pause = self._pause(operation, tries)
        if pause is not None:
            return self._wait(operation, tries, pause)
        if operation.phase is Phase.WAITING:
            return Begin(data=tries.waiting("", 0.0).kept())
        return None

    def leash(self, operation: Operation, part_bytes: int) -> Leash:
        """Return what the try that begins now is held by; `ended` takes it back."""
        limits, tries = self._limits, self._tries(operation)
        left_s, closes_s = self._left_s(operation, tries), self._terms.closes_in_s()
        left_bytes = self._allowance.left_bytes()
        if left_bytes is not None:
            left_bytes -= sum(each.fetched_bytes for each in self._running.values())
        loop = asyncio.get_running_loop()
        is_near = _is_near(operation)
        leash = Leash(
            clock=self._clock,
            for_s=left_s if closes_s is None or is_near else min(closes_s, left_s),
            left_bytes=None if is_near else left_bytes,
            part_bytes=part_bytes,
            size_bytes=_size_bytes(operation, tries),
            small_bytes=(
                limits.metered_max_bytes if limits.on_unmetered_network and not is_near else None
            ),
            on_large=lambda: loop.call_soon_threadsafe(self.reconsider),
        )
        if not is_near:
            self._running[operation.id] = leash
        return leash

    def ended(self, operation: Operation, leash: Leash, *, is_counted: bool) -> None:
        """Take note that a try is over; what it fetched is of the day's octets if it counts."""
        is_far = self._running.pop(operation.id, None) is not None
        if is_far and is_counted:
            self._allowance.spend(leash.fetched_bytes)

    def after(
        self,
        operation: Operation,
        leash: Leash,
        error: DownloadError,
        *,
        part_bytes: int,
        is_wanted: bool,
    ) -> Wait:
        """Say when a try that failed or was cut is followed by another.

        Raises what it failed with where there is none.
        """
        leash.fetched_bytes = max(leash.fetched_bytes, error.fetched_bytes)
        is_cut = error.reason is Reason.CANCELLED and leash.is_over()
        if not is_wanted or not (is_cut or error.is_retryable):
            raise error
        before = self._tries(operation)
        tries = before.after(
            part_bytes=part_bytes,
            fetched_bytes=leash.fetched_bytes,
            size_bytes=leash.size_bytes,
            failure=before.failure if is_cut else str(error),
        )
        if is_cut:
            tries = replace(tries, vain_count=before.vain_count)
        if used_up := exhausted(tries, self._limits):
            raise DownloadError(error.reason, f"{error}; {used_up}") from error
        wait_s, name = 0.0, ASKED if error.retry_after_s and not is_cut else RETRY
        if not is_cut:
            failures = max(1, tries.vain_count)
            wait_s = pace.wait_s(failures, self._limits, self._random, error.retry_after_s)
            log.warning("%s: %s; again in %.0f s", operation.step, error, wait_s)
        tries = tries.waiting(name, self._clock.wall_s() + wait_s)
        return self._wait(operation, tries, Pause(name=name, for_s=self._wait_s(operation, tries)))

    def gained(self, operation: Operation, part_bytes: int) -> Mapping[str, object]:
        """Return what is to be noted where a life was killed that had got on, else {}."""
        tries = self._tries(operation)
        gained_bytes = part_bytes - tries.most_bytes
        if gained_bytes <= 0:
            return {}
        if not _is_near(operation):
            self._allowance.spend(gained_bytes)
        return tries.after(
            part_bytes=part_bytes, fetched_bytes=gained_bytes, size_bytes=0, failure="cut short"
        ).kept()

    def reconsider(self) -> None:
        """Cut the tries that may not go on now, after news."""
        for operation_id, leash in self._running.items():
            leash.is_cut |= self._terms.pause(operation_id, leash.size_bytes or None) is not None

    def forget(self, operation_id: int) -> None:
        """Take note that an operation fetches no more."""
        self._ends.forget(operation_id)
        self._terms.forget(operation_id)

    def _tries(self, operation: Operation) -> Tries:
        tries = Tries.of(operation.data)
        return replace(tries, began_s=self._ends.began_s(tries.began_s or None))

    def _left_s(self, operation: Operation, tries: Tries) -> float:
        whole_s = self._limits.give_up_s
        return self._ends.left_s(operation.id, _END, tries.began_s + whole_s, whole_s)

    def _pause(self, operation: Operation, tries: Tries) -> Pause | None:
        """Return what is to be waited for before the next try."""
        if tries.pause in AGAIN and (wait_s := self._wait_s(operation, tries)) > 0:
            return Pause(name=tries.pause, for_s=wait_s)
        if _is_near(operation):
            return None
        return self._terms.pause(operation.id, _size_bytes(operation, tries) or None)

    def _wait_s(self, operation: Operation, tries: Tries) -> float:
        """Return how long the pause after the last try still is."""
        limits = self._limits
        longest_s = limits.retry_after_max_s + max(limits.retry_wait_s, limits.retry_wait_max_s)
        return self._ends.left_s(operation.id, tries.count, tries.due_s, longest_s)

    def _wait(self, operation: Operation, tries: Tries, pause: Pause) -> Wait:
        """Wait; until when is kept in whole seconds, lest looking again changes it."""
        left_s = self._left_s(operation, tries)
        again_s = left_s if pause.for_s is None else min(pause.for_s, left_s)
        if tries.pause != pause.name or pause.name not in AGAIN:
            due_s = 0.0 if pause.for_s is None else float(round(self._clock.wall_s() + pause.for_s))
            tries = tries.waiting(pause.name, due_s)
        return Wait(again_s=again_s, data=tries.kept())


def _is_near(operation: Operation) -> bool:
    """Tell whether a package comes over no network: no window, no day's octets."""
    return OFFER in operation.data or HANDED in operation.data


def _size_bytes(operation: Operation, tries: Tries) -> int:
    """Return how large the file is, 0 where nobody said it yet."""
    return announced_bytes(operation) or tries.size_bytes
