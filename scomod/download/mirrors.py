# SPDX-License-Identifier: Apache-2.0
"""The fetcher of the daemon: a file from the first of its addresses that gives it.

Chooses the fetcher of a scheme, and says which failures are left for the next address.
What one address gave is continued at the next where that is safe (`part.Origin`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from scomod.errors import DownloadError, OperationError, Reason, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scomod.clock import Clock
    from scomod.download.job import Fetcher, FetchRequest, FetchResult

# What another address cannot heal: it is about this device, or about the person.
OURS: Final = frozenset({Reason.CANCELLED, Reason.NO_SPACE, Reason.INTERNAL})
# Which of several failures is told, the most telling first: what a person can do something
# about comes before what only says that nobody was there.
TELLING: Final = (
    Reason.DIGEST,
    Reason.UNAUTHORISED,
    Reason.TOO_LARGE,
    Reason.NOT_AS_DESCRIBED,
    Reason.SERVER_UNAVAILABLE,
    Reason.SERVER_ERROR,
    Reason.TIMEOUT,
    Reason.REFUSED_BY_SERVER,
    Reason.UNREACHABLE,
    Reason.INSECURE_URL,
)


class MirrorFetcher:
    """Fetches from `request.url` and its mirrors, over all the schemes there are."""

    def __init__(self, *, clock: Clock, schemes: Mapping[str, Callable[[], Fetcher]]) -> None:
        self._clock = clock
        self._schemes = schemes

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Fetch as `job.Fetcher` says; the time for all holds for all addresses together."""
        deadline_s = self._clock.monotonic_s() + request.total_timeout_s
        failures: list[OperationError] = []
        fetched_bytes = 0
        for one in _addresses(request):
            left_s = request.total_timeout_s
            if failures:
                left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0:
                break
            try:
                found = self._fetcher(one).fetch(
                    replace(one, total_timeout_s=left_s), progress, is_cancelled
                )
            except (DownloadError, VerifyError) as error:
                fetched_bytes += getattr(error, "fetched_bytes", 0)
                failures.append(error)
                if error.reason in OURS:
                    break
            else:
                return replace(found, fetched_bytes=found.fetched_bytes + fetched_bytes)
        raise _most_telling(failures, fetched_bytes)

    def _fetcher(self, request: FetchRequest) -> Fetcher:
        try:
            scheme = urlsplit(request.url).scheme
        except ValueError as error:
            raise DownloadError(Reason.INSECURE_URL, f"no usable URL: {error}") from error
        if scheme not in request.schemes or scheme not in self._schemes:
            text = f"scheme not supported: {scheme or '(none)'}"
            raise DownloadError(Reason.INSECURE_URL, text)
        return self._schemes[scheme]()


def open_fetcher(*, clock: Clock, boot_id: str, user_agent: str) -> MirrorFetcher:
    """Return a fetcher for all schemes; those that are not used are not loaded."""

    def http() -> Fetcher:
        from scomod.download.http import HttpFetcher  # noqa: PLC0415 - brings requests

        return HttpFetcher(clock=clock, boot_id=boot_id, user_agent=user_agent)

    def ftp() -> Fetcher:
        from scomod.download.ftp import FtpFetcher  # noqa: PLC0415 - off by default

        return FtpFetcher(clock=clock, boot_id=boot_id)

    def file() -> Fetcher:
        from scomod.download.local import FileFetcher  # noqa: PLC0415 - off by default

        return FileFetcher(clock=clock, boot_id=boot_id)

    schemes = {"https": http, "http": http, "ftps": ftp, "ftp": ftp, "file": file}
    return MirrorFetcher(clock=clock, schemes=schemes)


def _addresses(request: FetchRequest) -> Iterator[FetchRequest]:
    """Yield a request for each address, with the others as its mirrors."""
    urls = tuple(dict.fromkeys((request.url, *request.mirrors)))
    for url in urls:
        yield replace(request, url=url, mirrors=tuple(each for each in urls if each != url))


def _most_telling(failures: Sequence[OperationError], fetched_bytes: int) -> OperationError:
    """Return the failure that is told; its text names the others.

    What may heal comes first, so that it is tried again.
    """

    def rank(error: OperationError) -> tuple[bool, bool, int]:
        place = TELLING.index(error.reason) if error.reason in TELLING else len(TELLING)
        return error.reason not in OURS, not getattr(error, "is_retryable", False), place

    told = min(failures, key=rank)
    if isinstance(told, DownloadError):
        tried = [error for error in failures if isinstance(error, DownloadError)]
        told.fetched_bytes = fetched_bytes
        told.retry_after_s = max(error.retry_after_s for error in tried)
        told.is_absent = told.is_absent and all(error.is_absent for error in tried)
    others = [str(error) for error in failures if error is not told]
    if others:
        told.args = (f"{told} (other addresses: {'; '.join(others)})",)
    return told
