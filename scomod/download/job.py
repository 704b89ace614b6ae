"""Requests and results of a fetch, and what a fetcher is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One file to fetch into `part`; all limits come from the configuration.

    `sha256` (hex) and `size_bytes` are what the result must have, "" and None
    where the server gave none; `types` are the media types it may have, () any.
    A download descriptor is taken in place of the file, whatever the two say, if it is
    not larger than `max_descriptor_bytes`; 0 where none is expected.
    """

    url: str
    part: Path
    sha256: str = ""
    size_bytes: int | None = None
    types: tuple[str, ...] = ()
    max_bytes: int
    max_descriptor_bytes: int = 0
    reserve_bytes: int
    connect_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float
    allow_http: bool = False
    ca_file: str = ""
    proxy: str = ""
    proxy_login_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What lies in `part` now: complete, flushed to disk, digest computed on the way.

    `is_descriptor` says that it describes the file and is not the file.
    """

    size_bytes: int
    sha256: str
    content_type: str
    is_descriptor: bool = False


class Fetcher(Protocol):
    """Fetches; blocking, meant for a thread."""

    def fetch(
        self,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> FetchResult:
        """Fetch, resuming a part file left by an earlier try.

        `progress` gets octets done and the total, None while unknown.  Raises
        `DownloadError`, or `VerifyError(DIGEST)` when the digest differs.
        """
