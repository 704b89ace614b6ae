# SPDX-License-Identifier: Apache-2.0
"""The digests of octets that pass by, made beside the work of him who moves them.

`hashlib` lets other threads run while it works on a long piece, so one thread of our own
hashes what came while the next comes.  It is made for the first long piece only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Collection, Iterable
    from concurrent.futures import Future, ThreadPoolExecutor

# Less than this is hashed at once: handing it over costs more.
LONG_BYTES: Final = 64 * 1024


class Digests:
    """One digest for each of `names`, those of `hashlib`; to be closed."""

    def __init__(self, names: Collection[str]) -> None:
        import hashlib  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

        self._hashes = {name: hashlib.new(name) for name in names}
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None

    def add(self, piece: memoryview) -> None:
        """Take a piece; the caller leaves its memory alone until the next call returned."""
        self._wait()
        if len(piece) < LONG_BYTES:
            _update(self._hashes.values(), piece)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - as above

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="digests")
        self._pending = self._pool.submit(_update, self._hashes.values(), piece)

    def hexdigest(self, name: str) -> str:
        """Return a digest of all that was added, in small letters."""
        self._wait()
        return self._hashes[name].hexdigest()

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None


def _update(hashes: Iterable[hashlib._Hash], piece: memoryview) -> None:
    for each in hashes:
        each.update(piece)
