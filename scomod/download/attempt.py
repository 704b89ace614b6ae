# SPDX-License-Identifier: Apache-2.0
"""One try to get a file from one address into its part; goes on where an earlier one was cut.

Not how octets come over a network: that is for a `Source`, one for each scheme.  The octets
are hashed as they are written, so a file of any size costs the same memory, is written once
and flushed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from scomod.download.descriptor import is_descriptor
from scomod.download.job import FetchResult
from scomod.download.part import PartFile
from scomod.errors import DownloadError, Reason, VerifyError
from scomod.verify import spoken

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from scomod.download.job import FetchRequest
    from scomod.download.meter import Meter
    from scomod.download.part import Origin


COMBINED: Final = ("multipart/related", "multipart/mixed")


class WrongType(DownloadError):  # noqa: N818 - a condition
    """The server sends something of another media type than was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body that begins to come, `start` octets after the beginning of the file.

    `total_bytes` is the size of the whole file, None where it is not known.  `read_into`
    fills memory with what has arrived and tells how much that is; 0 means the end.
    """

    origin: Origin
    start: int
    total_bytes: int | None
    read_into: Callable[[memoryview], int]


class Source(Protocol):
    """Where the octets of one address come from."""

    def open(self, start: int, origin: Origin | None) -> AbstractContextManager[Answer | None]:
        """Ask for a file, from `start` on if an `origin` says what lies before.

        The answer may begin at 0 all the same; None means that it can only be asked for so.
        Raises `DownloadError`.
        """

    def failure(self, error: Exception) -> DownloadError:
        """Return the error for one of `errors` that came while reading."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What reading may raise."""


def run(request: FetchRequest, source: Source, meter: Meter, boot_id: str) -> FetchResult:
    """Fetch `request.url`; its mirrors say only whose part may be continued.

    Raises `DownloadError`, or `VerifyError(DIGEST)` when a digest differs.
    """
    meter.check()
    digests = ("sha512",) if request.sha512 else ()
    with PartFile(request.part, request.reserve_bytes, digests) as part:
        attempt = _Attempt(request=request, source=source, meter=meter, part=part, boot_id=boot_id)
        try:
            return attempt.run()
        except DownloadError as error:
            error.fetched_bytes = meter.fetched_bytes
            raise


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One try."""

    request: FetchRequest
    source: Source
    meter: Meter
    part: PartFile
    boot_id: str
    is_continued: bool = False
    is_descriptor: bool = False
    descriptor: bytes = b""

    @property
    def wanted(self) -> dict[str, str]:
        """The digests that are to come out."""
        if self.is_descriptor:
            return {}
        named = {"sha256": self.request.sha256, "sha512": self.request.sha512}
        return {name: text.lower() for name, text in named.items() if text}

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
        if origin is not None and not (self.wanted and self._is_right()):
            origin = self._continue(origin)
        if origin is None or (self.is_continued and not self._is_right()):
            # a power cut may have damaged the beginning: then all anew, once
            origin = self._start_over()
        self._require_right()
        self.part.flush()
        return FetchResult(
            size_bytes=self.part.size_bytes,
            sha256=self.part.hexdigest(),
            content_type=origin.media_type,
            is_descriptor=self.is_descriptor,
            descriptor=self.descriptor,
            url=self.request.url if self.meter.fetched_bytes else origin.url,
            fetched_bytes=self.meter.fetched_bytes,
        )

    def _is_right(self) -> bool:
        return all(self.part.hexdigest(name) == text for name, text in self.wanted.items())

    def _require_right(self) -> None:
        for name, wanted in self.wanted.items():
            if (got := self.part.hexdigest(name)) != wanted:
                self.part.remove()
                raise VerifyError(Reason.DIGEST, f"{spoken(name)} is {got}, expected {wanted}")

    def _take_up(self) -> Origin | None:
        """Read an earlier part again, where it may be continued."""
        request, origin = self.request, self.part.origin()
        urls = (request.url, *request.mirrors)
        if origin is None or not origin.may_continue(
            urls, self.boot_id, has_digest=self.request.has_digest
        ):
            return None
        self.part.reread(self.meter.check)
        return origin if self.part.size_bytes else None

    def _continue(self, origin: Origin) -> Origin | None:
        """Fetch what is missing; None where the server leaves us no way but to start over."""
        with self.source.open(self.part.size_bytes, origin) as answer:
            if answer is None:
                return None
            if answer.start == 0:
                return self._take_whole(answer)
            self.is_continued = True
            self._copy(answer, self._checked(answer.total_bytes))
            return origin

    def _start_over(self) -> Origin:
        with self.source.open(0, None) as answer:
            if answer is None:
                raise DownloadError(Reason.REFUSED_BY_SERVER, "the server sends only a piece")
            return self._take_whole(answer)

    def _take_whole(self, answer: Answer) -> Origin:
        """Replace the part by the body of an answer, or by the object in it."""
        self._check_type(answer.origin.media_type)
        if self.request.max_descriptor_bytes and answer.origin.media_type in COMBINED:
            answer = self._opened(answer)
        total = self._checked(answer.total_bytes)
        self.is_continued = False
        self.part.restart(answer.origin)
        self._copy(answer, total)
        return answer.origin

    def _opened(self, answer: Answer) -> Answer:
        """Take the descriptor out of a body that brings it and then the object.

        What comes of the object cannot be asked for by a range: it is fetched anew.
        """
        from scomod.download.multipart import Parts  # noqa: PLC0415 - few servers send it

        parts = Parts(answer.read_into, answer.origin.content_type)
        try:
            if not is_descriptor(parts.next() or ""):
                raise DownloadError(Reason.DESCRIPTOR, "multipart: a descriptor must come first")
            self.descriptor = parts.whole(self.request.max_descriptor_bytes)
            kind = parts.next()
        except self.source.errors as error:
            raise self.source.failure(error) from error
        if kind is None:
            raise DownloadError(Reason.DESCRIPTOR, "multipart: no object after the descriptor")
        # of no address: nothing may be gone on with, though a digest be known
        origin = replace(answer.origin, url="", content_type=kind)
        return Answer(origin=origin, start=0, total_bytes=None, read_into=parts.read_into)

    def _check_type(self, media_type: str) -> None:
        """Refuse what is of another type than was asked for; a descriptor has its own limit."""
        request = self.request
        if request.types and media_type not in request.types:
            text = f"the server sends {media_type or 'what it does not name'}"
            raise WrongType(Reason.NOT_AS_DESCRIBED, f"{text}, not {', '.join(request.types)}")
        self.is_descriptor = bool(request.max_descriptor_bytes) and is_descriptor(media_type)

    def _checked(self, total: int | None) -> int | None:
        """Hold the announced size of the whole file against what we may and should take."""
        if total is not None and total > self.max_bytes:
            text = f"{total} octets, {self.max_bytes} are allowed"
            raise DownloadError(Reason.TOO_LARGE, text)
        if None not in (total, self.size_bytes) and total != self.size_bytes:
            text = f"the server offers {total} octets, {self.size_bytes} were announced"
            raise DownloadError(Reason.NOT_AS_DESCRIBED, text)
        return total

    def _copy(self, answer: Answer, total: int | None) -> None:
        """Move a body into the part; `total` is what the server says of the whole file."""
        part, meter, read_into = self.part, self.meter, answer.read_into
        wanted = self.size_bytes if total is None else total
        part.require_space(0 if wanted is None else wanted - part.size_bytes)
        limit = min(self.max_bytes, self.size_bytes or self.max_bytes)
        meter.check()
        meter.begin_body()
        try:
            while total is None or part.size_bytes < total:
                room = part.room()
                came = read_into(room[: meter.piece_bytes(len(room))])
                if not came:
                    break
                if part.size_bytes + came > limit:
                    self._refuse_more(limit)
                part.append(came)
                meter.count(came, part.size_bytes, wanted)
        except self.source.errors as error:
            raise self.source.failure(error) from error
        meter.tell(part.size_bytes, wanted)
        if wanted is not None and part.size_bytes < wanted:
            text = f"the body ended after {part.size_bytes} of {wanted} octets"
            raise DownloadError(Reason.SERVER_UNAVAILABLE, text, is_retryable=True)

    def _refuse_more(self, limit: int) -> None:
        """Refuse what a server that announced nothing sends above the limit."""
        self.part.remove()
        if limit == self.size_bytes:
            text = f"more than the {limit} octets that were announced"
            raise DownloadError(Reason.NOT_AS_DESCRIBED, text)
        raise DownloadError(Reason.TOO_LARGE, f"more than the {limit} octets that are allowed")
