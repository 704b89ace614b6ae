# SPDX-License-Identifier: Apache-2.0
"""The faults of the table met by operations: what the server is told, and an empty spool after."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scomod.lab.faults import told
from tests.support.certificates import make_certificates
from tests.support.clocks import FakeClock
from tests.support.fault_table import CUT_BYTES, SERVER_ROWS, Row
from tests.support.fetching import some_octets
from tests.support.online import Online, online_settings, order_download
from tests.support.package_host import PackageHost
from tests.support.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = some_octets(200_003, seed=6)
SAID = {
    "sha256": f"sha256={hashlib.sha256(CONTENT).hexdigest()}",
    "size_bytes": f"size={len(CONTENT)}",
}
TRIES, PATIENCE_S = 2, 4000.0
LIMITS = tuple({repr(sorted(row.limits.items())): row.limits for row in SERVER_ROWS}.values())


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[bool, PackageHost]]:
    certificates = make_certificates(tmp_path)
    with PackageHost() as plain, PackageHost(certificates) as secure:
        yield {False: plain, True: secure}


def rows_with(limits: object) -> list[Row]:
    """Those that an order meets from its first try on."""
    return [row for row in SERVER_ROWS if row.limits == limits and not row.before]


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: " ".join(limits) or "no limits")
def test_each_fault_that_stays_is_reported_and_leaves_nothing(
    limits: dict[str, float], hosts: dict[bool, PackageHost], tmp_path: Path
) -> None:
    settings = online_settings(
        attempts_count=TRIES, max_attempts_count=TRIES, ca_file="ca.pem", **limits
    )
    device = Online(tmp_path, Shelf(), FakeClock(), settings=settings)
    with closing(device):
        rows = {f"row{number}": row for number, row in enumerate(rows_with(limits))}
        for node, row in rows.items():
            # what comes to nothing each time: else a try would go on with what the last one left
            _, behaviour = told(f"{row.words}/x".replace(f"-at={CUT_BYTES}", "-at=0"))
            hosts[row.is_tls].put(f"/{node}", CONTENT, behaviour)
            said = ";".join(SAID[each] for each in row.told)
            order_download(device, node, hosts[row.is_tls].url(f"/{node}", "localhost"), said)
        for _ in range(TRIES + 1):
            device.settle()
            device.clock.advance(PATIENCE_S)
        assert device.records.journal.live() == []
        ended = {operation.correlator: operation for operation in device.finished}
        found = {rows[node].what: ended[node].result for node in rows}
        assert found == {row.what: row.result for row in rows.values()}
        for node, row in rows.items():
            if row.words != "loop":
                asked = len(hosts[row.is_tls].seen(f"/{node}"))
                assert (asked > 1) is row.is_retried, row.what
        assert device.leftovers()["spool"] == device.leftovers()["delivered"] == []
