# SPDX-License-Identifier: Apache-2.0
"""When packages are fetched: in windows, over links that are not metered, so much a day.

Not how often a download is tried (`tries`), and not when whole operations begin
(`admission`).  What is asked here is asked again when a window opens or closes and when
there is news of the network, not every so often.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import daytime
from scomod.value import frozen

if TYPE_CHECKING:
    from scomod.admission import Surroundings
    from scomod.allowance import Allowance
    from scomod.clock import Clock
    from scomod.settings import Download

WHO: Final = "download"
WINDOW: Final = "a download window"
NETWORK: Final = "a network that is not metered"
DAY: Final = "the next day: today's octets are used up"


@frozen
class Pause:
    """What is waited for, and for how long; None where only news can tell."""

    name: str
    for_s: float | None = None


class FetchTerms:
    """Says whether a download may go on now.

    `delay_s` is by how much later windows open on this device; `unknown_is_met` how a link
    counts of which nobody knows.
    """

    def __init__(
        self,
        policy: Download,
        clock: Clock,
        surroundings: Surroundings,
        allowance: Allowance,
        *,
        delay_s: float,
        unknown_is_met: bool,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._surroundings = surroundings
        self._allowance = allowance
        self._delay_s = delay_s
        self._unknown_is_met = unknown_is_met
        self._windows = [daytime.window(text) for text in policy.windows]
        self._asking: set[int] = set()

    def pause(self, operation_id: int, size_bytes: int | None) -> Pause | None:
        """Return what a download has to wait for, None to go on; None is an unknown size.

        One of unknown size begins where a small one may, and is looked at again when its
        size is known.
        """
        if closed_s := daytime.opens_in_s(self._windows, self._clock.wall_s(), self._delay_s):
            return Pause(name=WINDOW, for_s=closed_s)
        if self._allowance.left_bytes() == 0:
            return Pause(name=DAY, for_s=self._allowance.over_in_s() + self._delay_s)
        most_bytes = self._policy.metered_max_bytes
        is_small = most_bytes > 0 and (size_bytes or 0) <= most_bytes
        if is_small or not self._policy.on_unmetered_network:
            return None
        return None if self._is_unmetered(operation_id) else Pause(name=NETWORK)

    def closes_in_s(self) -> float | None:
        """Return the seconds until the window closes, None where there are none."""
        if not self._windows:
            return None
        return daytime.closes_in_s(self._windows, self._clock.wall_s(), self._delay_s)

    def forget(self, operation_id: int) -> None:
        """Take note that an operation fetches no more."""
        self._asking.discard(operation_id)
        if not self._asking:
            self._surroundings.rest(WHO)

    def _is_unmetered(self, operation_id: int) -> bool:
        """Tell whether the link is free; while that is not known yet it is not."""
        self._asking.add(operation_id)
        facts = self._surroundings.watch(WHO)
        if facts is None:
            return False
        return self._unknown_is_met if facts.on_unmetered is None else facts.on_unmetered
