# SPDX-License-Identifier: Apache-2.0
"""The patience of downloads, on a network that is as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.admission import Facts
from scomod.allowance import Allowance
from scomod.db import Database
from scomod.fetchterms import FetchTerms
from scomod.patience import Patience
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.settings import Download


class Network:
    """The surroundings as far as downloads care; nobody knows of it but while it is watched."""

    def __init__(self, *, is_unmetered: bool | None = True) -> None:
        self.facts: Facts | None = Facts(on_unmetered=is_unmetered)
        self.is_watched = False

    def watch(self, _who: str) -> Facts | None:
        self.is_watched = True
        return self.facts

    def rest(self, _who: str) -> None:
        self.is_watched = False


def patience_of(
    path: Path,
    limits: Download,
    *,
    clock: FakeClock | None = None,
    network: Network | None = None,
    boot_id: str = "boot",
    delay_s: float = 0.0,
    chance: float = 1.0,
    unknown_is_met: bool = True,
) -> Patience:
    """Put a life's patience together; what it keeps of the day is in `path`."""
    clock = clock or FakeClock()
    database = Database.open(path / "patience.db")
    allowance = Allowance(database, clock, lambda: boot_id, limits.day_max_bytes)
    terms = FetchTerms(
        limits,
        clock,
        network or Network(),
        allowance,
        delay_s=delay_s,
        unknown_is_met=unknown_is_met,
    )
    return Patience(limits, clock, lambda: chance, terms, allowance)
