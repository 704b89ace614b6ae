"""The acquire step: a package is fetched, and its signature; which failures are tried again.

What is asked is `fetchrequest`, the signature `sigfetch`.  What lies at PkgURL may be a
download descriptor (scomo §6.4): then what it describes (`described`) is fetched by a step
of its own, right after.

Which failures time may heal the fetcher says (404 is final, 503 is not); how long to
wait, and how often, is decided here.  A fetch that is interrupted leaves its part.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from scomod import sigfetch
from scomod.errors import DownloadError
from scomod.fetchrequest import request_for
from scomod.stepresult import Done, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.download.job import Fetcher, FetchResult
    from scomod.download.spool import Spool
    from scomod.operation import Operation
    from scomod.settings import Download, Paths, Settings
    from scomod.stepresult import StepResult

GROWTH: Final = 2.0


class Acquiring:
    """The acquire step; `on_progress(operation_id, octets, total)` is told from a thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        paths: Paths,
        open_fetcher: Callable[[], Fetcher],
        spool: Spool,
        on_progress: Callable[[int, int, int | None], None],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._open_fetcher = open_fetcher
        self._spool = spool
        self._on_progress = on_progress
        self._interrupted: set[int] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """End a running fetch soon, and let none begin; part files stay."""
        self._is_stopping = True

    def interrupt(self, operation_id: int) -> None:
        """End the fetch of one operation soon."""
        self._interrupted.add(operation_id)

    async def do(self, operation: Operation) -> StepResult:
        """Fetch; raises `DownloadError`, or `VerifyError` where the digest differs."""
        self._interrupted.discard(operation.id)
        try:
            result = await asyncio.to_thread(self._fetch, operation)
        except DownloadError as error:
            limits = self._settings.download
            if not error.is_retryable or operation.attempts >= limits.attempts_count:
                raise
            return Retry(after_s=wait_s(error, operation.attempts, limits), error=error)
        if result.is_descriptor:
            return self._described(operation)
        return Done(data={"sha256": result.sha256, "size": result.size_bytes})

    def _fetch(self, operation: Operation) -> FetchResult:
        part = self._spool.part(operation.id)
        request = request_for(operation, self._settings, self._paths, part)

        def progress(done: int, total: int | None) -> None:
            self._on_progress(operation.id, done, total)

        def is_cancelled() -> bool:
            return self._is_stopping or operation.id in self._interrupted

        fetcher, verify = self._open_fetcher(), self._settings.verify
        if sigfetch.is_wanted(operation, verify):
            return sigfetch.fetch_signed(fetcher, request, verify, progress, is_cancelled)
        return fetcher.fetch(request, progress, is_cancelled)

    def _described(self, operation: Operation) -> Done:
        from scomod.described import described  # noqa: PLC0415 - most packages come without

        octets = self._spool.part(operation.id).read_bytes()
        result = described(operation, octets, self._settings, self._paths)
        self._spool.discard(operation.id)
        return result


def wait_s(error: DownloadError, attempts: int, limits: Download) -> float:
    """Return the wait before the next try: doubling, or what the server asked for if longer."""
    own_s = limits.retry_wait_s * GROWTH ** (attempts - 1)
    return max(own_s, min(error.retry_after_s, limits.retry_after_max_s))
