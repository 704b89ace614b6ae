# SPDX-License-Identifier: Apache-2.0
"""Requests and results of a fetch, and what a fetcher is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.net import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One file to fetch into `part`; all limits come from the configuration.

    `mirrors` are other addresses of the same file, in the order in which they are tried.
    `sha256`, `sha512` (hex) and `size_bytes` are what the result must have, "" and None
    where the server gave none; `types` are the media types it may have, () any.
    `max_rate_bytes` is in octets a second, 0 is no limit; a fetch that is slower than
    `min_rate_bytes` over `stall_s` is given up.  `schemes` are those that may be used,
    `file_dirs` the folders below which `file:` may lead; `access` says of the name of a host
    how it is reached.  `medium` is a file that lies on the removable medium that the
    package comes from, as long as that is there; None for every other package.
    A download descriptor is taken in place of the file, whatever the two say, if it is
    not larger than `max_descriptor_bytes`; 0 where none is expected.
    """

    url: str
    mirrors: tuple[str, ...] = ()
    part: Path
    sha256: str = ""
    sha512: str = ""
    size_bytes: int | None = None
    types: tuple[str, ...] = ()
    max_bytes: int
    max_descriptor_bytes: int = 0
    reserve_bytes: int
    connect_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float
    max_rate_bytes: int = 0
    min_rate_bytes: int = 0
    stall_s: float = 60.0
    allow_http: bool = False
    schemes: tuple[str, ...] = ("https", "http")
    file_dirs: tuple[Path, ...] = ()
    medium: Path | None = None
    access: Callable[[str], Access]

    @property
    def has_digest(self) -> bool:
        """Tell whether a digest proves the result: then any beginning may be gone on with."""
        return bool(self.sha256 or self.sha512)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What lies in `part` now: complete, flushed to disk, digest computed on the way.

    `is_descriptor` says that it describes the file and is not the file; `descriptor` is one
    that came before the file in the same body, b"" where none did; `url` is the address
    that gave it, `fetched_bytes` how many octets of bodies crossed the network in this call.
    """

    size_bytes: int
    sha256: str
    content_type: str
    url: str = ""
    fetched_bytes: int = 0
    is_descriptor: bool = False
    descriptor: bytes = b""


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
