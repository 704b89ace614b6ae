# SPDX-License-Identifier: Apache-2.0
"""User data of short messages with a header: ports, and parts of a longer message.

Pure: octets in, values out; a clock comes in.  Not a codec of SMS: what a modem or a
message centre hands on begins with the header (TP-UDHI set, 8-bit data, omadm §10.3).
Of the header's elements only ports and concatenation are understood (3GPP TS 23.040
§9.2.3.24), others are stepped over; of several of a kind the last counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.errors import DecodeError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.settings import Notification

MAX_USER_DATA_BYTES: Final = 140  # what one short message carries

_CONCATENATION_8: Final = 0x00
_PORTS_8: Final = 0x04
_PORTS_16: Final = 0x05
_CONCATENATION_16: Final = 0x08

# the sizes of the numbers of an element, in octets
_ELEMENTS: Final = {
    _CONCATENATION_8: (1, 1, 1),
    _CONCATENATION_16: (2, 1, 1),
    _PORTS_8: (1, 1),
    _PORTS_16: (2, 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """One short message: where to, and which of how many parts; ports are None if not named."""

    port: int | None = None
    source_port: int | None = None
    reference: int = 0
    total: int = 1
    number: int = 1
    payload: bytes


def read(octets: bytes) -> UserData:
    """Read user data from the length of its header on.

    Raises `DecodeError` for what is none, `LimitExceeded` above `MAX_USER_DATA_BYTES`.
    """
    if len(octets) > MAX_USER_DATA_BYTES:
        raise LimitExceeded("sms.MAX_USER_DATA_BYTES", len(octets))
    if not octets or len(octets) <= octets[0]:
        raise DecodeError("user data ends within its header", len(octets))
    end = 1 + octets[0]
    facts: dict[str, int] = {}
    offset = 1
    while offset < end:
        if offset + 2 > end or (after := offset + 2 + octets[offset + 1]) > end:
            raise DecodeError("element of a short message's header is cut", offset)
        facts |= _facts(octets[offset], octets[offset + 2 : after], offset)
        offset = after
    return UserData(**facts, payload=octets[end:])


def _facts(kind: int, content: bytes, offset: int) -> dict[str, int]:
    """Read one element; nothing for one of another kind, or of impossible parts."""
    if kind not in _ELEMENTS:
        return {}
    sizes = _ELEMENTS[kind]
    if len(content) != sum(sizes):
        raise DecodeError(f"element {kind:02x} of {len(content)} octets", offset)
    ends = [sum(sizes[: index + 1]) for index in range(len(sizes))]
    numbers = [
        int.from_bytes(content[end - size : end], "big")
        for size, end in zip(sizes, ends, strict=True)
    ]
    if kind in (_PORTS_8, _PORTS_16):
        return {"port": numbers[0], "source_port": numbers[1]}
    reference, total, number = numbers
    if not 1 <= number <= total:
        return {}  # 3GPP TS 23.040 §9.2.3.24.1: such an element is as if it were not there
    return {"reference": reference, "total": total, "number": number}


_Key = tuple[str, int | None, int, int]


@dataclass(slots=True)
class _Heap:
    """The parts of one message that are there; kept a while when whole, for late duplicates."""

    end_s: float
    parts: dict[int, bytes] = field(default_factory=dict)


class Parts:
    """Puts messages together whose parts come in any order, more than once, or not at all.

    `monotonic_s` is a clock that never jumps.  All lies in memory, and there is an end to
    it: of the limits, `sms_wait_s` after its first part a message is given up, above
    `sms_messages_count` the oldest is, and none has more than `sms_parts_count` parts.
    """

    def __init__(self, limits: Notification, monotonic_s: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic_s = monotonic_s
        self._heaps: dict[_Key, _Heap] = {}

    @property
    def is_waiting(self) -> bool:
        """Tell whether a message waits for parts of it."""
        self._tidy()
        return any(len(heap.parts) < total for (_, _, _, total), heap in self._heaps.items())

    def take(self, message: UserData, sender: str) -> bytes | None:
        """Take a part from somebody; returns the whole message once all is there, else None.

        Raises `LimitExceeded` for a message of too many parts.
        """
        if message.total == 1:
            return message.payload
        if message.total > self._limits.sms_parts_count:
            raise LimitExceeded("notification.sms_parts_count", message.total)
        self._tidy()
        key = (sender, message.port, message.reference, message.total)
        heap = self._heaps.get(key)
        if heap is None or heap.parts.get(message.number, message.payload) != message.payload:
            heap = self._begin(key)  # the first part, or the reference has come round again
        elif message.number in heap.parts:
            return None
        heap.parts[message.number] = message.payload
        if len(heap.parts) < message.total:
            return None
        return b"".join(part for _, part in sorted(heap.parts.items()))

    def _begin(self, key: _Key) -> _Heap:
        self._heaps.pop(key, None)
        if len(self._heaps) >= self._limits.sms_messages_count:
            del self._heaps[next(iter(self._heaps))]
        heap = self._heaps[key] = _Heap(self._monotonic_s() + self._limits.sms_wait_s)
        return heap

    def _tidy(self) -> None:
        """Give up what has waited too long."""
        now_s = self._monotonic_s()
        self._heaps = {key: heap for key, heap in self._heaps.items() if heap.end_s > now_s}
