# SPDX-License-Identifier: Apache-2.0
"""Fetch requests for tests, with generous limits, and what a fetch reported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from scomod.clock import SystemClock
from scomod.download.job import FetchRequest
from scomod.download.mirrors import open_fetcher
from scomod.net import Access

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.download.job import FetchResult

BOOT_ID = "this boot"
LIMITS: dict[str, Any] = {
    "max_bytes": 1 << 30,
    "reserve_bytes": 0,
    "connect_timeout_s": 5.0,
    "idle_timeout_s": 5.0,
    "total_timeout_s": 60.0,
    "allow_http": True,
}

ACCESS = frozenset(each.name for each in fields(Access)) - {"max_rate_bytes"}


@dataclass(slots=True)
class Progress:
    """Notes all reports."""

    reports: list[tuple[int, int | None]] = field(default_factory=list)

    def __call__(self, done: int, total: int | None) -> None:
        self.reports.append((done, total))


def some_octets(size: int, *, seed: int) -> bytes:
    """Return octets without a pattern, the same for each run."""
    return hashlib.shake_256(bytes([seed])).digest(size)


def request_for(url: str, part: Path, content: bytes | None = None, **limits: Any) -> FetchRequest:
    """Build a request; with `content` its digest is what must come.

    Fields of `Access` among the limits hold for all hosts; `own_rate_bytes` is the rate there.
    """
    digest = "" if content is None else hashlib.sha256(content).hexdigest()
    own = {name: limits.pop(name) for name in ACCESS if name in limits}
    access = Access(**own, max_rate_bytes=limits.pop("own_rate_bytes", 0))
    given = {"url": url, "part": part, "sha256": digest, "access": lambda _host: access}
    return FetchRequest(**(LIMITS | given | limits))


def fetch(
    request: FetchRequest,
    progress: Callable[[int, int | None], None] | None = None,
    boot_id: str = BOOT_ID,
) -> FetchResult:
    """Fetch as the daemon does, in this thread."""
    fetcher = open_fetcher(clock=SystemClock(), boot_id=boot_id, user_agent="scomod test")
    return fetcher.fetch(request, progress or Progress(), lambda: False)
