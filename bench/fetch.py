"""A program that fetches one file with the daemon's fetcher: `fetch URL FILE SHA256 CA`.

Prints the seconds of the whole fetch and those of the flush to the disk in it,
without the start of Python.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import requests  # noqa: F401 - in the daemon the session before has loaded it

from scomod.clock import SystemClock
from scomod.download.http import HttpFetcher
from scomod.download.job import FetchRequest
from scomod.net import Access


class Flushes:
    """Counts the time in os.fsync."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._real = os.fsync

    def __call__(self, file: int) -> None:
        """Flush a file as os.fsync does."""
        began = time.perf_counter()
        self._real(file)
        self.seconds += time.perf_counter() - began


def main() -> None:
    """Fetch and print."""
    url, file, sha256, ca_file = sys.argv[1:]
    os.fsync = flushes = Flushes()  # type: ignore[assignment]
    request = FetchRequest(
        url=url, part=Path(file), sha256=sha256, max_bytes=1 << 40, reserve_bytes=0,
        connect_timeout_s=10, idle_timeout_s=60, total_timeout_s=600,
        access=lambda _: Access(ca_file=ca_file),
    )  # fmt: skip
    fetcher = HttpFetcher(clock=SystemClock(), boot_id="bench", user_agent="bench")
    began = time.perf_counter()
    fetcher.fetch(request, lambda _done, _total: None, lambda: False)
    print(json.dumps({"s": time.perf_counter() - began, "flush_s": flushes.seconds}))


if __name__ == "__main__":
    main()
