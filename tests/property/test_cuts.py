# SPDX-License-Identifier: Apache-2.0
"""A transfer that is cut anywhere ends intact, and hardly an octet crosses the network twice.

The suite takes a few cuts of each kind; `make deliver` takes every boundary of 4 KiB, in one
transfer and each in a transfer of its own (minutes).  `SCOMOD_CUTS` is how many boundaries,
`SCOMOD_CUTS_SEED` chooses the random places.
"""

from __future__ import annotations

import os
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from scomod.errors import DownloadError
from scomod.lab.faults import Behaviour
from scomod.lab.faultserver import FaultServer
from tests.support.fetching import fetch, request_for, some_octets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STEP_BYTES = 4096
SIZE_BYTES = 3 << 20
CONTENT = some_octets(SIZE_BYTES, seed=9)
BOUNDARIES = range(0, SIZE_BYTES, STEP_BYTES)
MOST_TWICE = 0.05
COUNT = min(int(os.environ.get("SCOMOD_CUTS", "12")), len(BOUNDARIES))
CHOICE = random.Random(int(os.environ.get("SCOMOD_CUTS_SEED", "1")))  # noqa: S311 - repeatable
SAMPLE = sorted(CHOICE.sample(BOUNDARIES, COUNT))
SINGLE = SAMPLE if len(BOUNDARIES) == COUNT else SAMPLE[::4]
LISTS = [sorted(CHOICE.sample(range(SIZE_BYTES), CHOICE.randint(1, 9))) for _ in range(COUNT // 6)]
WAYS = ("truncate_after", "reset_after")


class CuttingServer(FaultServer):
    """Serves one file; each of the places (octets of the file) ends an answer, in their order."""

    def __init__(self, places: Sequence[int], way: str) -> None:
        self._lengths = (end - start for start, end in pairwise((0, *places)))
        self._way = way
        super().__init__(self._next)

    def _next(self, _path: str) -> tuple[bytes, Behaviour]:
        for length in self._lengths:
            return CONTENT, Behaviour(**{self._way: length})  # type: ignore[arg-type]
        return CONTENT, Behaviour()


def check_arrival(part: Path, places: Sequence[int], way: str) -> None:
    """Fetch until nothing cuts any more, as the daemon does; the file must be whole then."""
    with CuttingServer(places, way) as server:
        request = request_for(server.url("/p"), part, CONTENT)
        fetched = 0
        for _ in places:
            with pytest.raises(DownloadError) as cut:
                fetch(request)
            assert cut.value.is_retryable
            fetched += cut.value.fetched_bytes
        fetched += fetch(request).fetched_bytes
        sent = server.octets_sent("/p")
    assert part.read_bytes() == CONTENT
    assert SIZE_BYTES <= fetched <= SIZE_BYTES * (1 + MOST_TWICE)
    assert way == "reset_after" or sent == SIZE_BYTES


def test_one_transfer_is_cut_at_boundary_after_boundary(tmp_path: Path) -> None:
    check_arrival(tmp_path / "1.part", SAMPLE, "truncate_after")


@pytest.mark.parametrize("way", WAYS)
def test_a_transfer_is_cut_once(tmp_path: Path, way: str) -> None:
    for number, place in enumerate(SINGLE):
        check_arrival(tmp_path / f"{number}.part", [place], way)
        (tmp_path / f"{number}.part").unlink()


@pytest.mark.parametrize("way", WAYS)
def test_a_transfer_is_cut_at_random_octets(tmp_path: Path, way: str) -> None:
    for number, places in enumerate(LISTS):
        check_arrival(tmp_path / f"{number}.part", places, way)
        (tmp_path / f"{number}.part").unlink()
