# SPDX-License-Identifier: Apache-2.0
"""Fetching: which failures are tried again, after how long, and how a fetch is interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scomod.acquiring import Acquiring
from scomod.download.job import FetchRequest, FetchResult
from scomod.download.spool import Spool
from scomod.errors import DownloadError, Reason
from scomod.operation import StepKind
from scomod.patience import ASKED, RETRY
from scomod.settings import Download, Paths, Settings, Verify
from scomod.stepresult import Done, Wait
from scomod.tries import KEY, Tries
from tests.support.operations import an_operation
from tests.support.patient import patience_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.stepresult import StepResult

LIMITS = Download(attempts_count=3, retry_wait_s=10.0, retry_after_max_s=100.0)


class PackageServer:
    """A fetcher that fails as it is told, and looks once a piece whether it is to end."""

    def __init__(self, error: DownloadError | None = None) -> None:
        self.error = error
        self.on_piece: Callable[[], None] = lambda: None

    def fetch(
        self,
        _request: FetchRequest,
        _progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        self.on_piece()
        if is_cancelled():
            raise DownloadError(Reason.CANCELLED, "cancelled")
        if self.error is not None:
            raise self.error
        return FetchResult(size_bytes=5, sha256="ab" * 32, content_type="")


def acquiring(path: Path, server: PackageServer) -> Acquiring:
    return Acquiring(
        settings=Settings(download=LIMITS, verify=Verify(signature="optional")),
        paths=Paths(path),
        patience=patience_of(path, LIMITS),
        open_fetcher=lambda: server,
        spool=Spool(path / "spool", path / "delivered"),
        on_progress=lambda *_: None,
    )


def fetch(path: Path, error: DownloadError | None = None, failures: int = 0) -> StepResult:
    """Run the step after so many tries in vain."""
    data = Tries(count=failures, vain_count=failures).kept()
    operation = an_operation(StepKind.ACQUIRE, data=data)
    return asyncio.run(acquiring(path, PackageServer(error)).do(operation))


def test_what_was_fetched_is_kept_with_the_operation(tmp_path: Path) -> None:
    assert fetch(tmp_path) == Done(data={"sha256": "ab" * 32, "size": 5, KEY: None})


def busy(retry_after_s: float = 0.0) -> DownloadError:
    return DownloadError(
        Reason.SERVER_UNAVAILABLE, "503", is_retryable=True, retry_after_s=retry_after_s
    )


@pytest.mark.parametrize(
    ("failures", "retry_after_s", "wait_s"),
    [(0, 0.0, 10.0), (1, 0.0, 20.0), (0, 45.0, 55.0), (1, 3.0, 23.0), (0, 9e9, 110.0)],
)
def test_span_doubles_and_begins_when_the_server_asks_within_limits(
    tmp_path: Path, failures: int, retry_after_s: float, wait_s: float
) -> None:
    result = fetch(tmp_path, busy(retry_after_s), failures)
    assert isinstance(result, Wait)
    assert result.again_s == wait_s
    tries = Tries.of(result.data)
    pause = ASKED if retry_after_s else RETRY
    assert (tries.pause, tries.due_s, tries.vain_count) == (pause, wait_s, failures + 1)


@pytest.mark.parametrize(
    ("error", "failures"), [(DownloadError(Reason.REFUSED_BY_SERVER, "404"), 0), (busy(), 2)]
)
def test_what_is_final_or_was_tried_often_enough_fails(
    tmp_path: Path, error: DownloadError, failures: int
) -> None:
    with pytest.raises(DownloadError, match=str(error)):
        fetch(tmp_path, error, failures)


def test_only_the_fetch_that_is_meant_ends(tmp_path: Path) -> None:
    server = PackageServer()
    room = acquiring(tmp_path, server)
    server.on_piece = lambda: room.interrupt(8)
    assert isinstance(asyncio.run(room.do(an_operation(StepKind.ACQUIRE, id=7))), Done)
    server.on_piece = lambda: room.interrupt(7)
    with pytest.raises(DownloadError, match="cancelled"):
        asyncio.run(room.do(an_operation(StepKind.ACQUIRE, id=7)))
    server.on_piece = lambda: None
    assert isinstance(asyncio.run(room.do(an_operation(StepKind.ACQUIRE, id=7))), Done)


def test_no_fetch_goes_on_when_the_daemon_stops(tmp_path: Path) -> None:
    room = acquiring(tmp_path, PackageServer())
    room.stop()
    with pytest.raises(DownloadError, match="cancelled"):
        asyncio.run(room.do(an_operation(StepKind.ACQUIRE)))
