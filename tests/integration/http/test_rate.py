# SPDX-License-Identifier: Apache-2.0
"""How fast a download may be, and how slow."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.download.mirrors import open_fetcher
from scomod.errors import DownloadError, Reason
from tests.support.fetching import BOOT_ID, fetch, request_for, some_octets
from tests.support.package_host import Behaviour, PackageHost

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = some_octets(200_001, seed=51)


@pytest.mark.parametrize("where", ["request", "host", "both"])
def test_a_rate_is_kept(host: PackageHost, part: Path, where: str) -> None:
    limits = {"request": (200_000, 0), "host": (0, 200_000), "both": (200_000, 900_000)}
    general, own = limits[where]
    began = time.monotonic()
    result = fetch(
        request_for(
            host.put("/p", CONTENT), part, CONTENT, max_rate_bytes=general, own_rate_bytes=own
        )
    )
    assert result.size_bytes == len(CONTENT)
    assert time.monotonic() - began > 0.85


def test_a_fetch_that_waits_for_its_turn_can_be_cancelled(host: PackageHost, part: Path) -> None:
    cancelled = threading.Event()
    request = request_for(host.put("/p", CONTENT), part, CONTENT, max_rate_bytes=1000)
    fetcher = open_fetcher(clock=SystemClock(), boot_id=BOOT_ID, user_agent="test")
    began = time.monotonic()
    with pytest.raises(DownloadError) as error:
        fetcher.fetch(request, lambda *_: cancelled.set(), cancelled.is_set)
    assert error.value.reason is Reason.CANCELLED
    assert time.monotonic() - began < 5
    assert part.stat().st_size > 0


def test_what_is_too_slow_for_too_long_is_tried_again(host: PackageHost, part: Path) -> None:
    drip = Behaviour(drip_bytes=100, drip_wait_s=0.05)
    url = host.put("/p", CONTENT, drip)
    with pytest.raises(DownloadError) as error:
        fetch(request_for(url, part, CONTENT, min_rate_bytes=50_000, stall_s=0.5))
    assert (error.value.reason, error.value.is_retryable) == (Reason.TIMEOUT, True)
    assert "50000 a second" in str(error.value)
    assert 0 < error.value.fetched_bytes == part.stat().st_size < len(CONTENT)


def test_a_limit_below_the_least_rate_is_no_stall(host: PackageHost, part: Path) -> None:
    request = request_for(
        host.put("/p", CONTENT[:60_000]),
        part,
        max_rate_bytes=50_000,
        min_rate_bytes=1_000_000,
        stall_s=0.3,
    )
    assert fetch(request).size_bytes == 60_000
