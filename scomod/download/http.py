# SPDX-License-Identifier: Apache-2.0
"""Fetches one file over HTTP(S) into a part file; goes on where an earlier fetch was cut.

Not a scheduler: one call is one try, whether to try again is for the caller.  Not what
becomes of the octets (`attempt`).  Blocking, meant for a thread.  Ranges and validators
are those of RFC 9110 §13 and §14.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scomod import mishap, net
from scomod.download import attempt, webpage
from scomod.download.attempt import Answer
from scomod.download.failures import explained, failure_of, refusal_of
from scomod.download.meter import Meter
from scomod.download.part import Origin
from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests import Response

    from scomod.clock import Clock
    from scomod.download.job import FetchRequest, FetchResult
    from scomod.wire import Line

REDIRECTS = net.REDIRECTS | {HTTPStatus.SEE_OTHER}
PEEK_BYTES = 512
CONTENT_RANGE = re.compile(r"bytes (?P<start>\d{1,18})-\d+/(?P<total>\d{1,18}|\*)", re.ASCII)


class HttpFetcher:
    """The fetcher for http and https; `boot_id` tells parts of this boot from older ones."""

    def __init__(self, *, clock: Clock, boot_id: str, user_agent: str) -> None:
        self._clock = clock
        self._boot_id = boot_id
        self._user_agent = user_agent

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Fetch from `request.url`, resuming a part file left by an earlier try.

        `progress` gets octets done and the total, None while unknown, not more often
        than is of use to anybody.  Raises `DownloadError`, or `VerifyError(DIGEST)`
        when a digest differs.
        """
        meter = Meter(
            clock=self._clock, request=request, progress=progress, is_cancelled=is_cancelled
        )
        headers = {"Accept": "*/*", "User-Agent": self._user_agent}
        with closing(_HttpSource(request, meter, headers, self._boot_id)) as source:
            return attempt.run(request, source, meter, self._boot_id)


class _HttpSource:
    """The address of a request, and the connections to the hosts it leads to."""

    def __init__(
        self, request: FetchRequest, meter: Meter, headers: dict[str, str], boot_id: str
    ) -> None:
        self._request = request
        self._meter = meter
        self._headers = headers
        self._boot_id = boot_id
        self._lines: dict[str, Line] = {}
        self._opened = ExitStack()
        self.errors = mishap.network_errors()

    def close(self) -> None:
        """Close all connections."""
        self._opened.close()

    @contextmanager
    def open(self, start: int, origin: Origin | None) -> Iterator[Answer | None]:
        """Ask for the file, or for the rest of it; see `attempt.Source`."""
        with closing(self._ask(self._conditions(start, origin))) as response:
            status = response.status_code
            if origin is not None and status == HTTPStatus.PARTIAL_CONTENT:
                yield self._rest(response, start, origin)
            elif origin is not None and status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                yield None
            else:
                yield self._whole(response)

    def failure(self, error: Exception) -> DownloadError:
        """Return the error for what went wrong on the way."""
        if any(line.is_cut for line in self._lines.values()):
            self._meter.check()
            text = f"no complete header within {self._request.total_timeout_s:g} s"
            return DownloadError(Reason.TIMEOUT, text, is_retryable=True)
        return failure_of(error, self._request.url)

    def _conditions(self, start: int, origin: Origin | None) -> dict[str, str]:
        if origin is None:
            return {}
        condition = origin.condition(self._request.url, has_digest=self._request.has_digest)
        return {"Range": f"bytes={start}-"} | ({"If-Range": condition} if condition else {})

    def _rest(self, response: Response, start: int, origin: Origin) -> Answer | None:
        match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match["start"]) != start:
            return None
        total = None if match["total"] == "*" else int(match["total"])
        url, headers = self._request.url, response.headers
        if not origin.is_same_file(url, headers, total, has_digest=self._request.has_digest):
            return None
        return self._answer(response, origin, start, total or origin.total_bytes)

    def _whole(self, response: Response) -> Answer:
        if response.status_code != HTTPStatus.OK:
            raise refusal_of(response)
        total = net.content_length(response.headers)
        origin = Origin.of(self._request.url, response.headers, self._boot_id, total)
        self._refuse_web_page(response, origin.media_type)
        return self._answer(response, origin, 0, total)

    def _answer(self, response: Response, origin: Origin, start: int, total: int | None) -> Answer:
        host = urlsplit(response.url).hostname or ""
        self._meter.limit_rate(self._request.access(host).max_rate_bytes)
        return Answer(
            origin=origin,
            start=start,
            total_bytes=total,
            read_into=net.body_reader(response.raw),
        )

    def _refuse_web_page(self, response: Response, media_type: str) -> None:
        """Refuse what a captive portal sends in place of the file, before the part is touched."""
        if media_type in webpage.TYPES and media_type not in self._request.types:
            with explained(self.failure):
                start = net.piece_peeker(response.raw)(PEEK_BYTES)
            if webpage.is_web_page(media_type, start):
                text = f"{net.shown(response.url)}: a web page came instead (captive portal?)"
                raise DownloadError(Reason.SERVER_UNAVAILABLE, text, is_retryable=True)

    def _ask(self, headers: Mapping[str, str]) -> Response:
        """Send the request and follow redirects; returns with the headers read."""
        request = self._request
        limit_s = request.total_timeout_s
        timeout_s = (min(request.connect_timeout_s, limit_s), min(request.idle_timeout_s, limit_s))

        def send(url: str) -> Response:
            self._meter.check()
            line = self._line(url)
            # a header that comes drop by drop escapes the timeout of single reads
            with line.limited(limit_s):
                return line.get(
                    url, headers=headers, stream=True, allow_redirects=False, timeout=timeout_s
                )

        with explained(self.failure):
            return net.follow(request.url, send, redirects=REDIRECTS, allow_http=request.allow_http)

    def _line(self, url: str) -> Line:
        """Return the connections to the host of a URL: what is meant for one, no other gets."""
        host = urlsplit(url).hostname or ""
        if host not in self._lines:
            line = net.open_line(self._request.access(host), self._headers)
            self._lines[host] = self._opened.enter_context(line)
        return self._lines[host]
