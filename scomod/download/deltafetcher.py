# SPDX-License-Identifier: Apache-2.0
"""Fetches a package as a delta to something that is here already, else as a whole.

A fetcher around another one, for one package: it fetches the delta with it, has it applied
by `Patch`, which the caller brings, and proves the result by the digest of the package.
Beside the part file lie `<part>.delta`, fetched like any file, and `<part>.patched`, what the
tool writes; that becomes the part by a rename, when it is right and on disk.  A kill at any
instant leaves nothing but these three names.

Not a judge of deltas: what they may cost is limited by `Patch`, what they make by the digest.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from scomod import verify
from scomod.download.job import FetchResult
from scomod.download.part import free_bytes, state_path
from scomod.download.spool import delta_path, patched_path
from scomod.errors import DownloadError, OperationError, Reason, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.download.delta import Chosen, Offer
    from scomod.download.job import Fetcher, FetchRequest

log = logging.getLogger(__name__)


class Patch(Protocol):
    """Applies a delta; blocking, meant for a thread."""

    def __call__(
        self,
        *,
        base: Path,
        delta: Path,
        result: Path,
        max_bytes: int,
        check: Callable[[], None],
    ) -> None:
        """Write `result`, at most `max_bytes`; raises `OperationError`, or what `check` raises."""


@dataclass(slots=True, kw_only=True)
class DeltaFetcher:
    """The fetcher for `whole`, and for whatever else is asked of it the one inside.

    `choice` is what to start from, or why there is nothing.  `keeps_trying`: a failure that
    time may heal is none of the delta yet.  `tell` hears what became of the delta.
    """

    fetcher: Fetcher
    whole: FetchRequest
    choice: Chosen | str
    patch: Patch
    may_fall_back: bool
    keeps_trying: bool
    tell: Callable[[str], None]
    fetched_bytes: int = 0

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Fetch like the one inside; raises what that raises."""
        if request != self.whole:  # a signature, or what may only be a descriptor
            return self.fetcher.fetch(request, progress, is_cancelled)
        try:
            return self._by_delta(progress, is_cancelled)
        except OperationError as error:
            self._fall_back(error)
        return self._whole(progress, is_cancelled)

    def _by_delta(
        self, progress: Callable[[int, int | None], None], is_cancelled: Callable[[], bool]
    ) -> FetchResult:
        part = self.whole.part
        if isinstance(self.choice, str):
            raise DownloadError(Reason.POLICY, self.choice)
        if _size(part) and state_path(part).exists():
            raise DownloadError(Reason.POLICY, "the whole package has been begun")
        if not (_size(part) and self._is_right(part)):  # else it was made, and then came a kill
            self._fetch_delta(self.choice.offer, progress, is_cancelled)
            self._apply(self.choice, is_cancelled)
        self._drop()
        size_bytes = _size(part)
        self.tell(f"used: {self.fetched_bytes} octets fetched for {size_bytes}")
        return FetchResult(
            size_bytes=size_bytes,
            sha256=self.whole.sha256.lower(),
            content_type="",
            url=self.whole.url,
            fetched_bytes=self.fetched_bytes,
        )

    def _fetch_delta(
        self,
        offer: Offer,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        request = _request(self.whole, offer)
        try:
            self.fetched_bytes = self.fetcher.fetch(request, progress, is_cancelled).fetched_bytes
        except DownloadError as error:
            self.fetched_bytes = error.fetched_bytes
            raise

    def _apply(self, choice: Chosen, is_cancelled: Callable[[], bool]) -> None:
        """Make the part out of base and delta."""
        part, result = self.whole.part, patched_path(self.whole.part)

        def check() -> None:
            if is_cancelled():
                raise DownloadError(Reason.CANCELLED, "cancelled")

        try:
            self.patch(
                base=choice.base,
                delta=delta_path(part),
                result=result,
                max_bytes=self._room_bytes(),
                check=check,
            )
            if not self._is_right(result):
                raise VerifyError(Reason.DIGEST, "what the delta makes is not the package")
            _flush(result)
            result.rename(part)
        except OSError as error:
            text = f"cannot store what the delta makes: {error.strerror}"
            raise DownloadError(Reason.NO_SPACE, text) from error
        finally:
            result.unlink(missing_ok=True)

    def _room_bytes(self) -> int:
        """Return how large the result may be; the reserve is kept."""
        whole = self.whole
        free = free_bytes(whole.part.parent) - whole.reserve_bytes
        if free < (whole.size_bytes or 1):
            raise DownloadError(Reason.NO_SPACE, f"{free} octets may be stored")
        return min(free, whole.size_bytes or whole.max_bytes)

    def _fall_back(self, error: OperationError) -> None:
        """Say why the delta is not used; raises `error` where the whole must wait or never comes.

        A fetch that is interrupted or shall be tried again leaves its part.
        """
        is_retryable = isinstance(error, DownloadError) and error.is_retryable
        if error.reason is Reason.CANCELLED or (is_retryable and self.keeps_trying):
            raise error
        log.warning("the delta is not used: %s", error)
        self.tell(f"not used: {error}")
        if not self.may_fall_back:
            if not is_retryable:
                self._drop()
            raise error
        self._drop()

    def _whole(
        self,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Fetch the package itself; what the delta has cost is added to what it costs."""
        try:
            result = self.fetcher.fetch(self.whole, progress, is_cancelled)
        except DownloadError as error:
            error.fetched_bytes += self.fetched_bytes
            raise
        return replace(result, fetched_bytes=result.fetched_bytes + self.fetched_bytes)

    def _is_right(self, path: Path) -> bool:
        with path.open("rb") as file:
            return verify.sha256_of(file) == self.whole.sha256.lower()

    def _drop(self) -> None:
        delta = delta_path(self.whole.part)
        for path in (delta, state_path(delta), patched_path(self.whole.part)):
            path.unlink(missing_ok=True)


def _request(whole: FetchRequest, offer: Offer) -> FetchRequest:
    """Ask for a delta as for the package, under the same limits; its octets are known before."""
    return replace(
        whole,
        url=offer.url,
        mirrors=(),
        part=delta_path(whole.part),
        sha256=offer.sha256,
        sha512="",
        size_bytes=offer.size_bytes,
        types=(),
        max_descriptor_bytes=0,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
