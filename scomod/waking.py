"""All by which a server reaches this device, put together, and when the device calls by itself.

A part of the composition root (`daemon.py`).  What is heard of is imported when it is
first heard of: a waiting daemon has no memory for the rest (I16).  Nothing is decided here.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scomod.bootid import boot_id
from scomod.enrolment import WAITING_KEY
from scomod.listeners.udp import UdpListener

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator

    from scomod.agenda import Due
    from scomod.buswire import PacedBus
    from scomod.clock import Clock
    from scomod.dmclient.client import DmClient
    from scomod.doorstep import Doorstep
    from scomod.enrolment import Enrolment
    from scomod.facade import AlertPort, Record
    from scomod.interview import Interview
    from scomod.listeners.modems import Modems
    from scomod.plugged import Plugged
    from scomod.poll import Polls
    from scomod.pushes import Pushes
    from scomod.records import Records
    from scomod.settings import Paths, Settings
    from scomod.wishes import Wish

log = logging.getLogger(__name__)


class Waking:
    """The listeners of one daemon and what they hand to; `ring(wish)` asks for a session."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        clock: Clock,
        store: Records,
        *,
        client: Callable[[], DmClient],
        ring: Callable[[Wish], None],
        enrolment: Enrolment,
        agent: Callable[[], AlertPort | None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        is_busy: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._clock = clock
        self._store = store
        self._client = client
        self._ring = ring
        self._enrolment = enrolment
        enrolment.imsi = self.imsi
        self._agent = agent
        self._start = start
        self._is_busy = is_busy
        self._udp = UdpListener(self.push, clock)
        self._modems: Modems | None = None
        self._plugged: Plugged | None = None

    async def open(self, bus: PacedBus) -> None:
        """Listen wherever that is wanted and possible; `bus` is the way to modems."""
        await self._udp.try_open(self._settings.notification)
        self._open_modems(bus)
        self._open_plugged()
        if self._settings.calls_by_itself:
            self._start(self._polls.run())

    def _open_modems(self, bus: PacedBus) -> None:
        wanted = self._settings.modem
        if wanted.service != "off":
            from scomod.listeners.modems import Modems  # noqa: PLC0415 - where they may be

            self._modems = Modems(wanted, bus, self._start, self.push)
            self._modems.present(not wanted.hotplug)

    def _open_plugged(self) -> None:
        is_for_modems = self._modems is not None and self._settings.modem.hotplug
        if is_for_modems or self._settings.media.offers:
            from scomod.plugged import Plugged  # noqa: PLC0415 - off by default

            self._plugged = Plugged(
                self._settings,
                self._paths,
                self._clock,
                self._store,
                start=self._start,
                on_modem=self._modems.present if self._modems and is_for_modems else None,
            )
            self._plugged.open()

    def close(self) -> None:
        """Listen no longer."""
        if self._plugged is not None:
            self._plugged.close()
        self._udp.close()

    def push(self, octets: bytes, sender: str) -> None:
        """Take a push from its transaction id on, whoever brought it."""
        self._pushes.take(octets, sender)

    def dues(self) -> Iterator[Due]:
        """Give the moments at which the device calls by itself."""
        return self._polls.dues()

    def met(self, report: Record) -> None:
        """Remember a session that ended, and what it told of the time: one write."""
        with self._store.db.transaction():
            self._polls.ended(report)
            self._store.known_time.keep()

    @property
    def needs_process(self) -> bool:
        """Tell whether something can only be heard while this process lives."""
        is_plugged = self._plugged is not None and self._plugged.needs_process
        return is_plugged or (self._modems is not None and self._modems.is_listening)

    def imsi(self) -> str:
        """Return the identity of the subscriber that the modem says, "" if none does."""
        return "" if self._modems is None else self._modems.imsi()

    @cached_property
    def _polls(self) -> Polls:
        from scomod.poll import Polls  # noqa: PLC0415 - few devices do without

        return Polls(
            self._settings,
            self._clock,
            self._store,
            known=self._store.known_time,
            boot=boot_id(self._paths.root),
            ring=self._ring,
            is_busy=self._is_busy,
        )

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
        return Pushes(notified=bell.notified, enrol=lambda *push: self._doorstep.take(*push))

    def look(self) -> None:
        """Go on with documents that wait: an agent came, or the IMSI is known."""
        if self._store.db.meta(WAITING_KEY):
            self._doorstep.look()

    @cached_property
    def _doorstep(self) -> Doorstep:
        from scomod.doorstep import Doorstep  # noqa: PLC0415 - for the first document

        return Doorstep(
            self._settings,
            self._clock,
            self._store,
            enrolment=self._enrolment,
            interview=self.interview,
            imsi=self.imsi,
            start=self._start,
        )

    @cached_property
    def interview(self) -> Interview:
        """What asks the person: one for all, as what is asked is counted."""
        from scomod.interview import Interview  # noqa: PLC0415 - who is asked nothing needs none

        interview = Interview(self._settings.session, self._clock)
        interview.agent = self._agent()
        return interview
