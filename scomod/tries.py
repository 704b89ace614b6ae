# SPDX-License-Identifier: Apache-2.0
"""What the tries of one download came to, and when there may be no more: values only.

Kept with the operation (`KEY`), written when a try ends, so that budgets and pauses outlive
restarts.  A try that left the part larger than it ever was got on: it does not count
among those in vain, which end a download soon.  That one ends at all is seen to by the
number of all tries, by what they fetch, and by the time (`acquiring`).
"""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from scomod.settings import Download

KEY: Final = "tries"  # key of Operation.data
_TEXT_LIMIT: Final = 300


@frozen
class Tries:
    """The tries so far.

    `count` of them, the last `vain_count` in vain; the part had `most_bytes` at most, the
    file has `size_bytes` (0: not known yet); all together they fetched `fetched_bytes`.
    `began_s` is when the first began, `due_s` when the next may, in wall time.  `pause` says
    what is waited for, "" while something is fetched; `failure` how the last try ended.
    """

    began_s: float = 0.0
    count: int = 0
    vain_count: int = 0
    most_bytes: int = 0
    size_bytes: int = 0
    fetched_bytes: int = 0
    due_s: float = 0.0
    pause: str = ""
    failure: str = ""

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Self:
        """Return what is kept with an operation; what nobody knows is as in the beginning."""
        kept = data.get(KEY)
        known = {each.name for each in fields(cls)}
        found = kept if isinstance(kept, dict) else {}
        return cls(**{name: value for name, value in found.items() if name in known})

    def kept(self) -> dict[str, object]:
        """Return what is to be kept with the operation."""
        return {KEY: asdict(self)}

    def after(self, *, part_bytes: int, fetched_bytes: int, size_bytes: int, failure: str) -> Self:
        """Return the tries with one more, which left a part of `part_bytes`."""
        got_on = part_bytes > self.most_bytes
        return replace(
            self,
            count=self.count + 1,
            vain_count=0 if got_on else self.vain_count + 1,
            most_bytes=max(part_bytes, self.most_bytes),
            size_bytes=size_bytes or self.size_bytes,
            fetched_bytes=self.fetched_bytes + fetched_bytes,
            failure=failure[:_TEXT_LIMIT],
        )

    def waiting(self, pause: str, due_s: float) -> Self:
        """Return the tries while something is waited for, until `due_s` (0: not known)."""
        return replace(self, pause=pause, due_s=due_s)


def exhausted(tries: Tries, limits: Download) -> str:
    """Say which budget of tries and octets a download has used up, "" for none."""
    if tries.vain_count >= limits.attempts_count:
        return f"{tries.vain_count} tries in a row brought nothing"
    if tries.count >= limits.max_attempts_count:
        return f"it was tried {tries.count} times"
    whole = tries.size_bytes or limits.max_bytes
    if tries.fetched_bytes >= limits.max_fetched_ratio * whole:
        return f"{tries.fetched_bytes} octets were fetched for {whole}"
    return ""


def told(data: Mapping[str, object]) -> dict[str, Any]:
    """Return what is told of the tries of an operation, {} where there is nothing to tell."""
    tries = Tries.of(data)
    if not tries.count and not tries.pause:
        return {}
    return {
        "tries": tries.count,
        "tries_in_vain": tries.vain_count,
        "fetched": tries.fetched_bytes,
        "waits_for": tries.pause,
        "waits_until": tries.due_s,
        "last_failure": tries.failure,
    }
