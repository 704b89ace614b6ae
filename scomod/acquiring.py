"""Fetching a package and its signature: what is asked, and which failures are tried again.

Which failures time may heal the fetcher says (404 is final, 503 is not); how long to
wait, and how often, is decided here.  A fetch that is interrupted leaves its part.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod import net, sigfile
from scomod.download.job import FetchRequest
from scomod.errors import DownloadError, Reason, VerifyError
from scomod.package import announced_bytes, params_of
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
        request = self._request(operation)
        self._interrupted.discard(operation.id)

        def progress(done: int, total: int | None) -> None:
            self._on_progress(operation.id, done, total)

        def is_cancelled() -> bool:
            return self._is_stopping or operation.id in self._interrupted

        def fetch() -> FetchResult:
            fetcher = self._open_fetcher()
            if self._wants_signature(operation):
                self._fetch_signature(fetcher, request, is_cancelled)
            return fetcher.fetch(request, progress, is_cancelled)

        try:
            result = await asyncio.to_thread(fetch)
        except DownloadError as error:
            limits = self._settings.download
            if not error.is_retryable or operation.attempts >= limits.attempts_count:
                raise
            return Retry(after_s=wait_s(error, operation.attempts, limits), error=error)
        return Done(data={"sha256": result.sha256, "size": result.size_bytes})

    def _wants_signature(self, operation: Operation) -> bool:
        if params_of(operation).signature:
            return False
        when = self._settings.verify.fetch_signature
        return when == "always" or (when == "auto" and self._is_signature_required)

    @property
    def _is_signature_required(self) -> bool:
        return self._settings.verify.signature == "required"

    def _fetch_signature(
        self, fetcher: Fetcher, package: FetchRequest, is_cancelled: Callable[[], bool]
    ) -> None:
        """Fetch what lies beside a package, first: without a proof nothing large is fetched.

        Raises `VerifyError(SIGNATURE)` where there is none that is needed, or it is none.
        """
        request = replace(
            package,
            url=sigfile.url_of(package.url),
            part=sigfile.path_of(package.part),
            sha256="",
            size_bytes=None,
            max_bytes=self._settings.verify.max_certificate_bytes,
        )
        try:
            fetcher.fetch(request, lambda *_: None, is_cancelled)
            sigfile.read(request.part.read_bytes())
        except DownloadError as error:
            if error.reason is Reason.TOO_LARGE:
                text = f"{net.shown(request.url)} is no signature: {error}"
                raise VerifyError(Reason.SIGNATURE, text) from error
            if not error.is_absent:
                raise
            request.part.unlink(missing_ok=True)
            if self._is_signature_required:
                text = f"the package is not signed, and signatures are required: {error}"
                raise VerifyError(Reason.SIGNATURE, text) from error

    def _request(self, operation: Operation) -> FetchRequest:
        limits, transport = self._settings.download, self._settings.transport
        ca_file = limits.ca_file or transport.ca_file
        proxy, login_file = net.chosen_proxy(limits, transport)
        return FetchRequest(
            url=operation.subject.url,
            part=self._spool.part(operation.id),
            sha256=params_of(operation).sha256,
            size_bytes=announced_bytes(operation),
            max_bytes=limits.max_bytes,
            reserve_bytes=limits.reserve_bytes,
            connect_timeout_s=limits.connect_timeout_s,
            idle_timeout_s=limits.idle_timeout_s,
            total_timeout_s=limits.total_timeout_s,
            allow_http=transport.allow_http,
            ca_file=str(self._paths.below_root(ca_file)) if ca_file else "",
            proxy=proxy,
            proxy_login_file=str(self._paths.below_root(login_file)) if login_file else "",
        )


def wait_s(error: DownloadError, attempts: int, limits: Download) -> float:
    """Return the wait before the next try: doubling, or what the server asked for if longer."""
    own_s = limits.retry_wait_s * GROWTH ** (attempts - 1)
    return max(own_s, min(error.retry_after_s, limits.retry_after_max_s))
