# SPDX-License-Identifier: Apache-2.0
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
_FNV_BASIS: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_MIXER: Final = 0xFF51AFD7ED558CCD
_MIXINGS: Final = 2
_ALL_BITS: Final = (1 << 64) - 1


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


def span_s(failures: int, first_s: float, longest_s: float) -> float:
    """Return the span of a new try after so many failures, 1 for the first.

    It grows from `first_s` to `longest_s`; one that begins larger does not grow.
    """
    grown_s = first_s * GROWTH ** min(failures - 1, _DOUBLINGS_MAX)
    return min(grown_s, max(first_s, longest_s))


def wait_s(
    failures: int, limits: Limits, random: Callable[[], float], asked_s: float = 0.0
) -> float:
    """Return the seconds until the next try, after so many failures, 1 for the first.

    `random` gives numbers from 0 to 1; `asked_s` is what the server asked for, 0 for nothing.
    """
    own_s = span_s(failures, limits.retry_wait_s, limits.retry_wait_max_s) * random()
    return min(asked_s, limits.retry_after_max_s) + own_s


def phase_s(device_id: str, period_s: float) -> float:
    """Return the device's own moment in a while that is the same for all, in seconds.

    The same device always gets the same; those of a fleet are spread evenly.  A waiting daemon
    asks, and a cryptographic hash would bring it a library of 3 MiB: this is FNV-1a of 64 bit,
    whose last steps mix the bits of names that differ only at the end.
    """
    hashed = _FNV_BASIS
    for octet in device_id.encode():
        hashed = (hashed ^ octet) * _FNV_PRIME & _ALL_BITS
    for _ in range(_MIXINGS):
        hashed = (hashed ^ hashed >> 33) * _MIXER & _ALL_BITS
    return period_s * (hashed ^ hashed >> 33) / (_ALL_BITS + 1)
