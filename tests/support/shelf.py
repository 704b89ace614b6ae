# SPDX-License-Identifier: Apache-2.0
"""Packages that can be fetched without a network, and a fetcher that behaves like the real one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scomod.download.attempt import WrongType
from scomod.download.descriptor import MEDIA_TYPE
from scomod.download.job import FetchResult
from scomod.errors import DownloadError, Reason, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.download.job import FetchRequest

TYPE = "application/octet-stream"  # of all that lies there but descriptors (.dd)
NOTIFY_URL = "https://packages.example/notify"


def package(component_id: str, version: str, **more: object) -> bytes:
    """Write an archive of `tests.support.backends.FakeBackend`."""
    return json.dumps({"id": component_id, "version": version, **more}, sort_keys=True).encode()


def describing(url: str, size_bytes: int, more: str = "") -> bytes:
    """Write a descriptor of a package for dpkg, whose end is to be told to `NOTIFY_URL`."""
    return (
        f"<media><type>application/vnd.debian.binary-package</type><size>{size_bytes}</size>"
        f"<objectURI>{url}</objectURI><installNotifyURI>{NOTIFY_URL}</installNotifyURI>{more}"
        "</media>"
    ).encode()


@dataclass(slots=True)
class Shelf:
    """What lies behind each address; an address that nobody filled answers 404.

    While `is_closed` the server says 503, to what it is told too; with `retry_after_s` it
    says for how long.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    is_closed: bool = False
    retry_after_s: float = 0.0

    def put(self, name: str, content: bytes) -> str:
        """Offer some octets; returns their address."""
        url = f"https://packages.example/{name}"
        self.content[url] = content
        return url

    def describe(self, content: bytes, more: str = "") -> str:
        """Offer a package, and its descriptor; returns the address of that."""
        return self.put("p.dd", describing(self.put("p", content), len(content), more))

    def take(self, url: str, body: bytes, book: Path) -> None:
        """Take what is posted; what was said to whom stands in `book`, which outlives a kill."""
        if self.is_closed:
            raise DownloadError(Reason.SERVER_UNAVAILABLE, "503", is_retryable=True)
        with book.open("a") as told:
            told.write(f"{url} {body.decode()}")


@dataclass(frozen=True, slots=True)
class ShelfFetcher:
    """Fetches in two pieces and goes on where an earlier try was cut; boundary "half"."""

    shelf: Shelf
    observer: Callable[[str], None]

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        del is_cancelled  # two pieces are over before anybody could ask
        if self.shelf.is_closed:
            after_s = self.shelf.retry_after_s
            busy = Reason.SERVER_UNAVAILABLE
            raise DownloadError(busy, "503", is_retryable=True, retry_after_s=after_s)
        content = self.shelf.content.get(request.url)
        if content is None:
            raise DownloadError(Reason.REFUSED_BY_SERVER, "404", is_absent=True)
        kind = MEDIA_TYPE if request.url.endswith(".dd") else TYPE
        if request.types and kind not in request.types:
            raise WrongType(Reason.NOT_AS_DESCRIBED, f"the server sends {kind}")
        if len(content) > request.max_bytes:
            raise DownloadError(Reason.TOO_LARGE, f"more than {request.max_bytes} octets")
        half = len(content) // 2
        have = request.part.stat().st_size if request.part.exists() else 0
        with request.part.open("ab") as part:
            if have < half:
                part.write(content[have:half])
                part.flush()
                self.observer("half")
                have = half
            progress(have, len(content))
            part.write(content[have:])
        return _checked(request, kind)


def _checked(request: FetchRequest, kind: str) -> FetchResult:
    content = request.part.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if request.max_descriptor_bytes and kind == MEDIA_TYPE:
        return FetchResult(
            size_bytes=len(content),
            sha256=digest,
            content_type=kind,
            url=request.url,
            is_descriptor=True,
        )
    if request.sha256 and request.sha256 != digest:
        request.part.unlink()
        raise VerifyError(Reason.DIGEST, "another digest")
    return FetchResult(size_bytes=len(content), sha256=digest, content_type=kind)
