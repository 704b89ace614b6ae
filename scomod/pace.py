"""When to try again, and when in a while to begin: so that a fleet does not call at once.

Pure: randomness comes in.  How often is enough is for those who ask here.

Back-off is exponential with full jitter: a try comes anywhere in a span that doubles, so
that devices which failed together do not return together.  What a server asked for
(Retry-After, RFC 9110 §10.2.3) comes before that span, for the same reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

GROWTH: Final = 2.0
_DOUBLINGS_MAX: Final = 64  # beyond any span there is, and far from what a float cannot hold
_PHASE_OCTETS: Final = 8


class Limits(Protocol):
    """The keys of a section of the settings, in seconds."""

    @property
    def retry_wait_s(self) -> float:
        """The span of the first new try."""

    @property
    def retry_wait_max_s(self) -> float:
        """What the span grows to; one that begins larger does not grow."""

    @property
    def retry_after_max_s(self) -> float:
        """The longest wait that a server may ask for."""


def span_s(failures: int, limits: Limits) -> float:
    """Return how long the span is after so many failures, 1 for the first."""
    grown_s = limits.retry_wait_s * GROWTH ** min(failures - 1, _DOUBLINGS_MAX)
    return min(grown_s, max(limits.retry_wait_s, limits.retry_wait_max_s))


def wait_s(
    failures: int, limits: Limits, random: Callable[[], float], asked_s: float = 0.0
) -> float:
    """Return the seconds until the next try, after so many failures, 1 for the first.

    `random` gives numbers from 0 to 1; `asked_s` is what the server asked for, 0 for nothing.
    """
    return min(asked_s, limits.retry_after_max_s) + span_s(failures, limits) * random()


def longest_s(limits: Limits) -> float:
    """Return the longest wait there can be, when no server asks for one."""
    return max(limits.retry_wait_s, limits.retry_wait_max_s)


def phase_s(device_id: str, period_s: float) -> float:
    """Return the device's own moment in a while that is the same for all, in seconds.

    The same device always gets the same; those of a fleet are spread evenly.
    """
    from hashlib import sha256  # noqa: PLC0415 - brings a library that who waits does not need

    octets = sha256(device_id.encode()).digest()[:_PHASE_OCTETS]
    return period_s * int.from_bytes(octets) / 2.0 ** (8 * _PHASE_OCTETS)
