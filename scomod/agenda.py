# SPDX-License-Identifier: Apache-2.0
"""What will happen by itself, and when: the moments that a daemon which ends must be back for.

Pure.  Each part that waits for a moment tells its own; nobody else decides by them.
Moments are monotonic (I20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@frozen
class Due:
    """Something that begins at `at_s`; `what` is a word for it, `why` a sentence for a person.

    Words: "poll", "session", "operation", "notice", "check".
    """

    at_s: float
    what: str
    why: str
    server_id: str = ""
    operation_id: int = 0


def in_order(*sources: Callable[[], Iterable[Due]]) -> list[Due]:
    """Return what all of them wait for, the soonest first."""
    return sorted((due for source in sources for due in source()), key=lambda due: due.at_s)
