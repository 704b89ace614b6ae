"""All by which a server reaches this device, put together, and when the device calls by itself.

A part of the composition root (`daemon.py`).  What is heard of is imported when it is
first heard of: a waiting daemon has no memory for the rest (I16).  Nothing is decided here.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from scomod.listeners.udp import UdpListener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.agenda import Due
    from scomod.clock import Clock
    from scomod.dmclient.client import DmClient
    from scomod.dmclient.push import Push
    from scomod.pushes import Pushes
    from scomod.records import Records
    from scomod.settings import Settings
    from scomod.wishes import Wish

log = logging.getLogger(__name__)


class Waking:
    """The listeners of one daemon and what they hand to; `ring(wish)` asks for a session."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Records,
        *,
        client: Callable[[], DmClient],
        ring: Callable[[Wish], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._client = client
        self._ring = ring
        self._udp = UdpListener(self.push, clock)

    async def open(self) -> None:
        """Listen wherever that is wanted and possible."""
        await self._udp.try_open(self._settings.notification)

    def close(self) -> None:
        """Listen no longer."""
        self._udp.close()

    def push(self, octets: bytes, sender: str) -> None:
        """Take a push from its transaction id on, whoever brought it."""
        self._pushes.take(octets, sender)

    def dues(self) -> Iterator[Due]:
        """Give the moments at which the device calls by itself."""
        yield from ()

    @property
    def needs_process(self) -> bool:
        """Tell whether something can only be heard while this process lives."""
        return False

    @cached_property
    def _pushes(self) -> Pushes:
        from scomod.pushes import Pushes  # noqa: PLC0415 - for the first push
        from scomod.wakeup import Doorbell  # noqa: PLC0415 - the same

        bell = Doorbell(
            db=self._store.db,
            tree=self._store.tree,
            settings=self._settings,
            clock=self._clock,
            client=self._client,
            ring=self._ring,
        )
        return Pushes(notified=bell.notified, enrol=self._enrol)

    def _enrol(self, parcel: Push, sender: str) -> None:
        log.warning("bootstrap by push from %s dropped: %s", sender, parcel.content_type)
