# SPDX-License-Identifier: Apache-2.0
"""The signature beside a package comes over the same wire, with the same failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scomod.acquiring import Acquiring
from scomod.clock import SystemClock
from scomod.download.http import HttpFetcher
from scomod.download.spool import Spool
from scomod.errors import DownloadError, OperationError, Reason, VerifyError
from scomod.operation import StepKind, Subject
from scomod.settings import Download, Paths, Settings, Transport
from scomod.stepresult import Done, Wait
from scomod.tries import Tries
from tests.support.operations import an_operation
from tests.support.package_host import Behaviour, PackageHost
from tests.support.patient import patience_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scomod.stepresult import StepResult

SETTINGS = Settings(
    transport=Transport(allow_http=True), download=Download(reserve_bytes=0, attempts_count=2)
)
SIGNATURE = b"c2lnbmF0dXJl\n"


@pytest.fixture
def host() -> Iterator[PackageHost]:
    with PackageHost() as host:
        host.put("/p.deb", b"octets")
        yield host


def fetched(host: PackageHost, path: Path, failures: int = 0) -> StepResult:
    acquiring = Acquiring(
        settings=SETTINGS,
        paths=Paths(path),
        patience=patience_of(path, SETTINGS.download),
        open_fetcher=lambda: HttpFetcher(clock=SystemClock(), boot_id="b", user_agent="test"),
        spool=Spool(path / "spool", path / "delivered"),
        on_progress=lambda *_: None,
    )
    subject = Subject(pkg_id="p", url=host.url("/p.deb?v=1#top"))
    operation = an_operation(
        StepKind.ACQUIRE, subject=subject, data=Tries(vain_count=failures).kept()
    )
    return asyncio.run(acquiring.do(operation))


def test_it_is_fetched_first_and_kept_beside_the_part(host: PackageHost, tmp_path: Path) -> None:
    host.put("/p.deb.sig", SIGNATURE)
    for _ in ("the first time", "after a restart"):
        assert isinstance(fetched(host, tmp_path), Done)
        assert (tmp_path / "spool/7.part").read_bytes() == b"octets"
        assert (tmp_path / "spool/7.part.sig").read_bytes() == SIGNATURE


def test_what_was_cut_is_gone_on_with(host: PackageHost, tmp_path: Path) -> None:
    host.put("/p.deb.sig", SIGNATURE, Behaviour(truncate_after=4, times=1))
    assert isinstance(fetched(host, tmp_path), Wait)
    assert isinstance(fetched(host, tmp_path), Done)
    assert (tmp_path / "spool/7.part.sig").read_bytes() == SIGNATURE
    assert [seen.range for seen in host.seen("/p.deb.sig")] == ["", "bytes=4-"]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_server_without_it_is_told_from_one_that_fails(
    host: PackageHost, tmp_path: Path, status: int
) -> None:
    host.put("/p.deb.sig", b"", Behaviour(status=status))
    with pytest.raises(VerifyError, match=rf"/p\.deb\.sig: the server answered HTTP {status}"):
        fetched(host, tmp_path)
    part = tmp_path / "spool/7.part"
    assert not part.exists() or not part.stat().st_size


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour(status=401), Reason.UNAUTHORISED),
        (Behaviour(status=503), Reason.SERVER_UNAVAILABLE),
        (Behaviour(redirect_to="ftp://h/x"), Reason.INSECURE_URL),
        (Behaviour(endless=True, length=False), Reason.SIGNATURE),
    ],
)
def test_a_server_that_fails_is_a_failed_download(
    host: PackageHost, tmp_path: Path, behaviour: Behaviour, reason: Reason
) -> None:
    host.put("/p.deb.sig", SIGNATURE, behaviour)
    with pytest.raises(OperationError) as error:
        fetched(host, tmp_path, failures=1)
    assert error.value.reason is reason
    assert isinstance(error.value, VerifyError if reason is Reason.SIGNATURE else DownloadError)
