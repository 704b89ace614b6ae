# SPDX-License-Identifier: Apache-2.0
"""A device over its lives, packages with descriptors, and a server that is told how it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.errors import DownloadError, Reason
from scomod.notices import Notice, Notices
from scomod.operation import Operation, Primitive
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.handset import Handset, settings_of
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scomod.settings import Settings

DOWNLOAD = "./SCOMO/Download/x"
NOW_S = 1_800_000_000.0
PACKAGE = package("editor", "1")
LIMITS = replace(
    settings_of().download,
    notice_attempts_count=3,
    retry_wait_s=10.0,
    retry_wait_max_s=1000.0,
    retry_after_max_s=100.0,
    notice_max_age_s=500.0,
    max_notices_count=2,
)


class Stage:
    """A device over its lives, a shelf of packages, and what was told to whom."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shelf = Shelf()
        self.clock = FakeClock()
        self.clock.now_s = NOW_S
        self.settings = replace(settings_of(), download=LIMITS)
        self.refusal: DownloadError | None = None
        self.tries: list[float] = []
        self.orders = 0
        self.device = self._boot()

    def _boot(self) -> Handset:
        return Device(self)

    def begin_life(self, settings: Settings | None = None) -> None:
        self.device.close()
        self.settings = settings or self.settings
        self.device = self._boot()
        self.device.settle()

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.device.settle()

    def order(self, url: str, **leaves: str) -> Operation:
        self.orders += 1
        leaves = {"PkgID": f"p{self.orders}", "PkgURL": url, **leaves}
        item = f"{DOWNLOAD}{self.orders}"
        codes = self.device.codes("srv", *(add(f"{item}/{k}", v) for k, v in leaves.items()))
        assert set(codes) == {200}
        uri = f"{item}/Operations/{Primitive.DOWNLOAD_INSTALL}"
        assert self.device.codes("srv", execute(uri, f"order {self.orders}")) == [202]
        self.device.settle()
        return self.last

    def reported(self) -> None:
        """Let the server take all reports."""
        for alert, _ in self.device.reports("srv"):
            self.device.taken([alert])

    def kept(self) -> set[int]:
        return {operation.id for operation in self.device.records.journal.all()}

    @property
    def last(self) -> Operation:
        return self.device.records.journal.all()[-1]

    @property
    def notices(self) -> Mapping[int, Notice]:
        return Notices(self.device.records.db).all()

    @property
    def told(self) -> list[str]:
        book = self.root / "told"
        return book.read_text().splitlines() if book.exists() else []


class Device(Handset):
    """Its server may refuse what it is told."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        super().__init__(stage.root, stage.shelf, stage.clock, settings=stage.settings)

    def post(self, url: str, body: bytes) -> None:
        self._stage.tries.append(self.clock.now_s - NOW_S)
        if self._stage.refusal is not None:
            raise self._stage.refusal
        super().post(url, body)


def busy(retry_after_s: float = 0.0) -> DownloadError:
    return DownloadError(
        Reason.SERVER_UNAVAILABLE, "HTTP 503", is_retryable=True, retry_after_s=retry_after_s
    )
