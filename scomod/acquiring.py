# SPDX-License-Identifier: Apache-2.0
"""The acquire step: a package is fetched, and its signature; which failures are tried again.

What is asked is `fetchrequest`, the signature `sigfetch`.  What lies at PkgURL may be a
download descriptor (scomo §6.4): then what it describes (`described`) is fetched by a step
of its own, right after.

Which failures time may heal the fetcher says (404 is final, 503 is not), when and how often
it is tried `patience`.  A fetch that is interrupted leaves its part.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from scomod import sigfetch
from scomod.errors import DownloadError
from scomod.fetchrequest import request_for
from scomod.knowntime import believed
from scomod.package import DELTA
from scomod.stepresult import Done
from scomod.tries import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.download.job import Fetcher, FetchResult
    from scomod.download.spool import Spool
    from scomod.knowntime import UnsetClock
    from scomod.leash import Leash
    from scomod.operation import Operation
    from scomod.patience import Patience
    from scomod.settings import Paths, Settings
    from scomod.stepresult import StepResult


class Acquiring:
    """The acquire step; `on_progress(operation_id, octets, total)` is told from a thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        paths: Paths,
        patience: Patience,
        open_fetcher: Callable[[], Fetcher],
        spool: Spool,
        on_progress: Callable[[int, int, int | None], None],
        unset: Callable[[], UnsetClock | None] = believed,
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._patience = patience
        self._open_fetcher = open_fetcher
        self._spool = spool
        self._on_progress = on_progress
        self._unset = unset
        self._interrupted: set[int] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """End a running fetch soon, and let none begin; part files stay."""
        self._is_stopping = True

    def interrupt(self, operation_id: int) -> None:
        """End the fetch of one operation soon."""
        self._interrupted.add(operation_id)

    def reconsider(self) -> None:
        """End those fetches soon that may not go on now; they do later."""
        self._patience.reconsider()

    def forget(self, operation_id: int) -> None:
        """Take note that an operation fetches no more."""
        self._patience.forget(operation_id)

    def gained(self, operation: Operation) -> Mapping[str, object]:
        """Return what is to be noted where a life was killed that had got on, else {}."""
        return self._patience.gained(operation, self._part_bytes(operation))

    async def do(self, operation: Operation) -> StepResult:
        """Fetch; raises `DownloadError`, or `VerifyError` where the digest differs."""
        self._interrupted.discard(operation.id)
        not_yet = self._patience.before(operation)
        if not_yet is not None:
            return not_yet
        leash = self._patience.leash(operation, self._part_bytes(operation))
        notes: dict[str, object] = {}
        try:
            result = await asyncio.to_thread(self._fetch, operation, leash, notes)
        except DownloadError as error:
            is_wanted = not self._is_stopping and operation.id not in self._interrupted
            part_bytes = self._part_bytes(operation)
            wait = self._patience.after(
                operation, leash, error, part_bytes=part_bytes, is_wanted=is_wanted
            )
            return replace(wait, data={**wait.data, **notes})
        finally:
            # what is fetched when the daemon stops is counted when the part is found
            self._patience.ended(operation, leash, is_counted=not self._is_stopping)
        self._patience.forget(operation.id)
        if result.is_descriptor:
            done = self._described(operation, result)
            self._spool.discard(operation.id)
            return done
        data = {"sha256": result.sha256, "size": result.size_bytes, KEY: None, **notes}
        done = self._described(operation, result) if result.descriptor else Done()
        return replace(done, data={**done.data, **data})

    def _fetch(self, operation: Operation, leash: Leash, notes: dict[str, object]) -> FetchResult:
        """Fetch in a thread; what the operation shall remember comes into `notes`."""
        part = self._spool.part(operation.id)
        request = request_for(operation, self._settings, self._paths, part, self._unset)

        def progress(done: int, total: int | None) -> None:
            leash.progress(done, total)
            self._on_progress(operation.id, done, total)

        def is_cancelled() -> bool:
            return self._is_stopping or operation.id in self._interrupted or leash.is_over()

        fetcher, verify = self._open_fetcher(), self._settings.verify
        if DELTA in operation.subject.install_params:
            from scomod import deltafetch  # noqa: PLC0415 - few packages come so

            tell = partial(notes.__setitem__, DELTA)
            limits, paths = self._settings.download, self._paths
            fetcher = deltafetch.around(
                fetcher, request, operation, limits=limits, paths=paths, tell=tell
            )
        if sigfetch.is_wanted(operation, verify):
            return sigfetch.fetch_signed(fetcher, request, verify, progress, is_cancelled)
        return fetcher.fetch(request, progress, is_cancelled)

    def _described(self, operation: Operation, came: FetchResult) -> Done:
        from scomod.described import described  # noqa: PLC0415 - most packages come without

        part = self._spool.part(operation.id)
        done = described(operation, came, part, self._settings, self._paths)
        return replace(done, data={**done.data, KEY: None})

    def _part_bytes(self, operation: Operation) -> int:
        return self._spool.fetched_bytes(operation.id)
