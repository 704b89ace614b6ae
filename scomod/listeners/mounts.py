# SPDX-License-Identifier: Apache-2.0
"""Which file systems are mounted below some folders, now and from now on.

The kernel says when the table of mounts changes (proc(5): POLLPRI of mountinfo); what it
says of each is text.  Nothing is read of what is mounted.
"""

from __future__ import annotations

import asyncio
import re
import select
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOUNTINFO: Final = Path("/proc/self/mountinfo")
ESCAPED: Final = re.compile(rb"\\([0-7]{3})")
PLACE: Final = 4  # the field of the mount point; before it number, parent, device, root


def below(table: bytes, folders: Sequence[Path]) -> dict[tuple[bytes, ...], Path]:
    """Return where something is mounted at or below the folders, by what tells mounts apart."""
    found = {}
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > PLACE:
            octets = ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), fields[PLACE])
            place = Path(octets.decode("utf-8", "surrogateescape"))
            if any(place.is_relative_to(folder) for folder in folders):
                found[tuple(fields[: PLACE + 1])] = place
    return found


class Mounts:
    """Watches; `on_mounted(place)` is called for what is mounted, and for what comes."""

    def __init__(self, folders: Sequence[Path], on_mounted: Callable[[Path], None]) -> None:
        self._folders = folders
        self._on_mounted = on_mounted
        self._known: set[tuple[bytes, ...]] = set()
        self._table: IO[bytes] | None = None
        self._signal: select.epoll | None = None

    def open(self) -> None:
        """Begin; raises `OSError` where the kernel tells nothing."""
        self._table = table = MOUNTINFO.open("rb", buffering=0)
        # one of our own, as loops wait for what can be read, which this always can
        self._signal = select.epoll()
        self._signal.register(table.fileno(), select.EPOLLPRI)
        asyncio.get_running_loop().add_reader(self._signal.fileno(), self._read)
        self._look()

    def close(self) -> None:
        """Watch no longer."""
        if self._signal is not None:
            asyncio.get_running_loop().remove_reader(self._signal.fileno())
            self._signal.close()
        if self._table is not None:
            self._table.close()
        self._signal = self._table = None

    def _read(self) -> None:
        if self._signal is not None:
            self._signal.poll(0)
        self._look()

    def _look(self) -> None:
        if self._table is None:
            return
        self._table.seek(0)
        # folders may be links, and may come later than we
        found = below(self._table.read(), [each.resolve() for each in self._folders])
        new = [place for key, place in found.items() if key not in self._known]
        self._known = set(found)
        for place in new:
            self._on_mounted(place)
