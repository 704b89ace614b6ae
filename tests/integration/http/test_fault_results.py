"""The faults of the table met by operations: what the server is told, and an empty spool after."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.download.http import HttpFetcher
from scomod.lab.faults import told
from scomod.settings import Download, Transport
from tests.support.certificates import make_certificates
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.fault_table import CUT_BYTES, SERVER_ROWS, Row
from tests.support.fetching import some_octets
from tests.support.handset import Handset, settings_of
from tests.support.package_host import PackageHost
from tests.support.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.download.job import Fetcher

CONTENT = some_octets(200_003, seed=6)
SAID = {
    "sha256": f"sha256={hashlib.sha256(CONTENT).hexdigest()}",
    "size_bytes": f"size={len(CONTENT)}",
}
TRIES, PATIENCE_S = 2, 4000.0
LIMITS = tuple({repr(sorted(row.limits.items())): row.limits for row in SERVER_ROWS}.values())


class Online(Handset):
    """A device that fetches by HTTP."""

    def open_fetcher(self) -> Fetcher:
        return HttpFetcher(clock=SystemClock(), boot_id="this boot", user_agent="scomod test")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[bool, PackageHost]]:
    certificates = make_certificates(tmp_path)
    with PackageHost() as plain, PackageHost(certificates) as secure:
        yield {False: plain, True: secure}


def rows_with(limits: object) -> list[Row]:
    """Those that an order meets from its first try on."""
    return [row for row in SERVER_ROWS if row.limits == limits and not row.before]


def order(device: Handset, row: Row, node: str, url: str) -> None:
    uri = f"./SCOMO/Download/{node}"
    said = ";".join(SAID[each] for each in row.told)
    params = [add(f"{uri}/InstallParams", said)] if said else []
    commands = [add(f"{uri}/PkgID", node), add(f"{uri}/PkgURL", url), *params]
    codes = device.codes("srv", *commands, execute(f"{uri}/Operations/Download", node))
    assert codes == [*(200 for _ in commands), 202]


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: " ".join(limits) or "no limits")
def test_each_fault_that_stays_is_reported_and_leaves_nothing(
    limits: dict[str, float], hosts: dict[bool, PackageHost], tmp_path: Path
) -> None:
    download = Download(reserve_bytes=0, attempts_count=TRIES, spread_s=0.0, ca_file="ca.pem")
    settings = replace(
        settings_of(),
        download=replace(download, **limits),
        transport=Transport(allow_http=True),
    )
    device = Online(tmp_path, Shelf(), FakeClock(), settings=settings)
    with closing(device):
        rows = {f"row{number}": row for number, row in enumerate(rows_with(limits))}
        for node, row in rows.items():
            # what comes to nothing each time: else a try would go on with what the last one left
            _, behaviour = told(f"{row.words}/x".replace(f"-at={CUT_BYTES}", "-at=0"))
            hosts[row.is_tls].put(f"/{node}", CONTENT, behaviour)
            order(device, row, node, hosts[row.is_tls].url(f"/{node}", "localhost"))
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
