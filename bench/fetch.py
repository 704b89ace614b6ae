# SPDX-License-Identifier: Apache-2.0
"""A program that fetches one file with the daemon's fetcher: `fetch URL FILE SHA256 CA`.

Prints the seconds of the whole fetch, those of the processor, those of the flush to the
disk in it, and the octets it caused to be written, without the start of Python; and the
largest memory of the process.  An empty SHA256 means any.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import requests  # noqa: F401 - in the daemon the session before has loaded it

from bench import measure
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
    written = measure.written_bytes(os.getpid())
    began, began_cpu = time.perf_counter(), time.process_time()
    fetcher.fetch(request, lambda _done, _total: None, lambda: False)
    took = {
        "s": time.perf_counter() - began,
        "cpu_s": time.process_time() - began_cpu,
        "flush_s": flushes.seconds,
        "written_bytes": measure.written_bytes(os.getpid()) - written,
        "peak_mib": measure.peak_mib(os.getpid()),
    }
    print(json.dumps(took))


if __name__ == "__main__":
    main()
