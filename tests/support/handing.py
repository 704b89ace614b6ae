# SPDX-License-Identifier: Apache-2.0
"""A device that takes files handed in, and files as people sign them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from scomod.download.spool import Spool
from scomod.handin import HandIn
from scomod.trust import trust_of
from tests.support.media import PluggedHandset, by_maker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def signed(content: bytes, sign: Callable[[bytes], str] = by_maker) -> bytes:
    """What lies in the file beside a package."""
    return sign(hashlib.sha256(content).digest()).encode()


class HandInHandset(PluggedHandset):
    """A device of the server "srv" to which files are handed in by "root"."""

    def __init__(self, root: Path, *given: Any, **named: Any) -> None:
        super().__init__(root, *given, **named)
        self.hand_in = self.with_observer(self._observer)

    def with_observer(self, observer: Callable[[str], None]) -> HandIn:
        """Return what takes files, with another observer."""
        return HandIn(
            self.records,
            self.settings,
            self.clock,
            spool=Spool(self.paths.spool_dir, self.paths.delivered_dir),
            kinds=self._runner.kinds,
            inspect=self._runner.inspect,
            trust=trust_of(self.settings, self.paths, self.clock),
            observer=observer,
        )

    def bring(self, file: Path, signature: bytes, **what: str) -> int:
        """Hand in a file, and let happen what can happen then; raises `Refused`."""
        told = {"name": file.name, "server": "srv", **what}
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        try:
            taking = self.hand_in.take(opened, signature, told, "root")
            number = self.loop.run_until_complete(taking)
        finally:
            os.close(opened)
        self.settle()
        return number
