"""Fetches one file over HTTP(S) into a part file; goes on where an earlier fetch was cut.

Not a scheduler: one call is one try, whether to try again is for the caller.
Blocking, meant for a thread.  The octets are hashed as they are written, so a
file of any size costs the same memory and is read once.  Ranges and validators
are those of RFC 9110 §13 and §14.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from scomod import mishap, net
from scomod.download.descriptor import is_descriptor
from scomod.download.job import FetchResult
from scomod.download.part import Origin, PartFile
from scomod.errors import DownloadError, Reason, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import Response

    from scomod.clock import Clock
    from scomod.download.job import FetchRequest
    from scomod.wire import Line

REDIRECTS = net.REDIRECTS | {HTTPStatus.SEE_OTHER}
# What a TLS record holds: more never comes at once, and a larger buffer is made anew for each
# read, which took twice the time of all the rest (measured, bench/).
PIECE_BYTES = 16 * 1024
PROGRESS_INTERVAL_S = 0.1
CONTENT_RANGE = re.compile(r"bytes (?P<start>\d{1,18})-\d+/(?P<total>\d{1,18}|\*)", re.ASCII)

# how talking failed -> reason, and whether trying again may help
FAILURES: Mapping[mishap.Failure, tuple[Reason, bool]] = {
    mishap.Failure.UNREACHABLE: (Reason.UNREACHABLE, True),
    mishap.Failure.TIMEOUT: (Reason.TIMEOUT, True),
    mishap.Failure.BROKEN: (Reason.SERVER_UNAVAILABLE, True),
    mishap.Failure.REFUSED: (Reason.REFUSED_BY_SERVER, False),
    mishap.Failure.UNTRUSTED: (Reason.INSECURE_URL, False),
    mishap.Failure.UNTIMELY: (Reason.INSECURE_URL, True),
}
# what the server answered -> the same; the rest is in `_refusal`
STATUSES: Mapping[int, tuple[Reason, bool]] = {
    HTTPStatus.UNAUTHORIZED: (Reason.UNAUTHORISED, False),
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: (Reason.UNAUTHORISED, False),
    HTTPStatus.REQUEST_TIMEOUT: (Reason.SERVER_UNAVAILABLE, True),
    HTTPStatus.TOO_MANY_REQUESTS: (Reason.SERVER_UNAVAILABLE, True),
    HTTPStatus.SERVICE_UNAVAILABLE: (Reason.SERVER_UNAVAILABLE, True),
}
# Stores of objects say 403 of what they do not have to those who may not list them.
ABSENT = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class WrongType(DownloadError):  # noqa: N818 - a condition
    """The server sends something of another media type than was asked for."""


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
        """Fetch, resuming a part file left by an earlier try.

        `progress` gets octets done and the total, None while unknown, not more often
        than is of use to anybody.  Raises `DownloadError`, or `VerifyError(DIGEST)`
        when the digest differs.
        """
        deadline_s = self._clock.monotonic_s() + request.total_timeout_s

        def check() -> None:
            if is_cancelled():
                raise DownloadError(Reason.CANCELLED, "cancelled")
            if self._clock.monotonic_s() > deadline_s:
                text = f"not complete after {request.total_timeout_s:g} s"
                raise DownloadError(Reason.TIMEOUT, text)

        check()
        headers = {"Accept": "*/*", "User-Agent": self._user_agent}
        with ExitStack() as stack:
            fetch = _Fetch(
                request=request,
                open_line=lambda host: stack.enter_context(
                    net.open_line(request.access(host), headers)
                ),
                part=stack.enter_context(PartFile(request.part, request.reserve_bytes)),
                clock=self._clock,
                boot_id=self._boot_id,
                progress=progress,
                check=check,
            )
            try:
                return fetch.run()
            except DownloadError as error:
                error.fetched_bytes = fetch.fetched_bytes
                raise


@dataclass(slots=True, kw_only=True)
class _Fetch:
    """One try."""

    request: FetchRequest
    open_line: Callable[[str], Line]
    part: PartFile
    clock: Clock
    boot_id: str
    progress: Callable[[int, int | None], None]
    check: Callable[[], None]
    lines: dict[str, Line] = field(default_factory=dict)
    fetched_bytes: int = 0
    is_continued: bool = False
    is_descriptor: bool = False

    @property
    def sha256(self) -> str:
        """The digest that is to come out, "" for any."""
        return "" if self.is_descriptor else self.request.sha256.lower()

    @property
    def size_bytes(self) -> int | None:
        """The size that was announced."""
        return None if self.is_descriptor else self.request.size_bytes

    @property
    def max_bytes(self) -> int:
        """How large a body may be."""
        request = self.request
        return request.max_descriptor_bytes if self.is_descriptor else request.max_bytes

    def run(self) -> FetchResult:
        """Fill the part and prove it; what is complete already costs no request."""
        origin = self._take_up()
        if origin is not None:
            self._check_type(origin.media_type)
        if origin is not None and not (self.sha256 and self._is_right()):
            origin = self._continue(origin)
        if origin is None or (self.is_continued and not self._is_right()):
            # a power cut may have damaged the beginning: then all anew, once
            origin = self._start_over()
        if not self._is_right():
            self.part.remove()
            wanted, got = self.sha256, self.part.digest.hexdigest()
            raise VerifyError(Reason.DIGEST, f"SHA-256 is {got}, expected {wanted}")
        self.part.flush()
        return FetchResult(
            size_bytes=self.part.size_bytes,
            sha256=self.part.digest.hexdigest(),
            content_type=origin.media_type,
            is_descriptor=self.is_descriptor,
            url=origin.url,
            fetched_bytes=self.fetched_bytes,
        )

    def _is_right(self) -> bool:
        return self.sha256 in ("", self.part.digest.hexdigest())

    def _take_up(self) -> Origin | None:
        """Read an earlier part again, where it may be continued."""
        request, origin = self.request, self.part.origin()
        has_digest = bool(request.sha256)
        if origin is None or not origin.may_continue(
            request.url, self.boot_id, has_digest=has_digest
        ):
            return None
        self.part.reread(self.check)
        return origin if self.part.size_bytes else None

    def _continue(self, origin: Origin) -> Origin | None:
        """Fetch what is missing; None where the server leaves us no way but to start over."""
        conditions = {"Range": f"bytes={self.part.size_bytes}-", "If-Range": origin.validator}
        with closing(self._ask(conditions)) as response:
            match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None
            if response.status_code != HTTPStatus.PARTIAL_CONTENT:
                return self._take_whole(response)
            if match is None or int(match["start"]) != self.part.size_bytes:
                return None
            if not origin.is_same_file(response.headers):
                return None
            self.is_continued = True
            total = None if match["total"] == "*" else int(match["total"])
            self._copy(response, self._checked(total))
            return origin

    def _start_over(self) -> Origin:
        with closing(self._ask({})) as response:
            return self._take_whole(response)

    def _take_whole(self, response: Response) -> Origin:
        """Replace the part by the body of an answer."""
        if response.status_code != HTTPStatus.OK:
            raise _refusal(response)
        origin = Origin.of(self.request.url, response.headers, self.boot_id)
        self._check_type(origin.media_type)
        total = self._checked(net.content_length(response.headers))
        self.is_continued = False
        self.part.restart(origin)
        self._copy(response, total)
        return origin

    def _ask(self, headers: Mapping[str, str]) -> Response:
        """Send the request and follow redirects; returns with the headers read."""
        request = self.request
        limit_s = request.total_timeout_s
        timeout_s = (min(request.connect_timeout_s, limit_s), min(request.idle_timeout_s, limit_s))

        def send(url: str) -> Response:
            self.check()
            line = self._line(url)
            # a header that comes drop by drop escapes the timeout of single reads
            with line.limited(limit_s):
                return line.get(
                    url, headers=headers, stream=True, allow_redirects=False, timeout=timeout_s
                )

        try:
            return net.follow(request.url, send, redirects=REDIRECTS, allow_http=request.allow_http)
        except net.AccessRefused as error:
            raise DownloadError(Reason.INSECURE_URL, str(error)) from error
        except net.RedirectRefused as error:
            raise DownloadError(Reason.REFUSED_BY_SERVER, str(error)) from error
        except mishap.network_errors() as error:
            self._fail(error)

    def _line(self, url: str) -> Line:
        """Return the connections to the host of a URL: what is meant for one, no other gets."""
        host = urlsplit(url).hostname or ""
        if host not in self.lines:
            self.lines[host] = self.open_line(host)
        return self.lines[host]

    def _check_type(self, media_type: str) -> None:
        """Refuse what is of another type than was asked for; a descriptor has its own limit."""
        request = self.request
        if request.types and media_type not in request.types:
            text = f"the server sends {media_type or 'what it does not name'}"
            raise WrongType(Reason.REFUSED_BY_SERVER, f"{text}, not {', '.join(request.types)}")
        self.is_descriptor = bool(request.max_descriptor_bytes) and is_descriptor(media_type)

    def _checked(self, total: int | None) -> int | None:
        """Hold the announced size of the whole file against what we may and should take."""
        if total is not None and total > self.max_bytes:
            text = f"{total} octets, {self.max_bytes} are allowed"
            raise DownloadError(Reason.TOO_LARGE, text)
        if None not in (total, self.size_bytes) and total != self.size_bytes:
            text = f"the server offers {total} octets, {self.size_bytes} were announced"
            raise DownloadError(Reason.REFUSED_BY_SERVER, text)
        return total

    def _copy(self, response: Response, total: int | None) -> None:
        """Move a body into the part; `total` is what the server says of the whole file."""
        part = self.part
        wanted = self.size_bytes if total is None else total
        part.require_space(0 if wanted is None else wanted - part.size_bytes)
        read = net.piece_reader(response.raw)
        due_s = self.clock.monotonic_s()
        while total is None or part.size_bytes < total:
            self.check()
            piece = self._read(read)
            if not piece:
                break
            self.fetched_bytes += len(piece)
            self._keep(piece)
            if (now_s := self.clock.monotonic_s()) >= due_s:
                self.progress(part.size_bytes, wanted)
                due_s = now_s + PROGRESS_INTERVAL_S
        self.progress(part.size_bytes, wanted)
        if wanted is not None and part.size_bytes < wanted:
            text = f"the body ended after {part.size_bytes} of {wanted} octets"
            raise DownloadError(Reason.SERVER_UNAVAILABLE, text, is_retryable=True)

    def _keep(self, piece: bytes) -> None:
        """Store a piece, unless a server that announced nothing sends more than is allowed."""
        limit = min(self.max_bytes, self.size_bytes or self.max_bytes)
        if self.part.size_bytes + len(piece) > limit:
            self.part.remove()
            raise DownloadError(Reason.TOO_LARGE, f"more than the {limit} octets that are allowed")
        self.part.append(piece)

    def _read(self, read: Callable[[int], bytes]) -> bytes:
        try:
            return read(PIECE_BYTES)
        except mishap.network_errors() as error:
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        if any(line.is_cut for line in self.lines.values()):
            self.check()
            text = f"no complete header within {self.request.total_timeout_s:g} s"
            raise DownloadError(Reason.TIMEOUT, text) from error
        failure, text = mishap.explain(error, self.request.url)
        reason, is_retryable = FAILURES[failure]
        raise DownloadError(reason, text, is_retryable=is_retryable) from error


def _refusal(response: Response) -> DownloadError:
    """Return the error for an answer that brings no file."""
    status = response.status_code
    others = (Reason.REFUSED_BY_SERVER, False)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        others = (Reason.SERVER_ERROR, True)
    reason, is_retryable = STATUSES.get(status, others)
    text = f"{net.shown(response.url)}: the server answered HTTP {status}"
    wait_s = net.retry_after_s(response.headers)
    return DownloadError(
        reason,
        text,
        is_retryable=is_retryable,
        retry_after_s=wait_s,
        is_absent=status in ABSENT,
    )
