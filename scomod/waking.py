# SPDX-License-Identifier: Apache-2.0
"""All by which a server reaches this device, put together, and when the device calls by itself.

A part of the composition root (`daemon.py`).  What is heard of is imported when it is
first heard of: a waiting daemon has no memory for the rest (I16).  Nothing is decided here.
"""

from __future__ import annotations

import logging
import math
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from scomod.bootid import boot_id
from scomod.enrolment import WAITING_KEY
from scomod.errors import RemoteProtocolError
from scomod.facade import Refused
from scomod.listeners.udp import UdpListener
from scomod.wishes import OPEN_KEY

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
    from scomod.handin import HandIn
    from scomod.interview import Interview
    from scomod.listeners.modems import Modems
    from scomod.network import Network
    from scomod.plugged import Plugged
    from scomod.poll import Polls
    from scomod.pushes import Pushes
    from scomod.reaching import Reaching
    from scomod.records import Records
    from scomod.settings import Paths, Settings
    from scomod.summons import Summonses
    from scomod.updaterequest import Requests, SelfCheck
    from scomod.wishes import Wish

MAX_SENDER_CHARS: Final = 64

log = logging.getLogger(__name__)


class Waking:
    """The listeners of one daemon and what they hand to; `ring(wish)` asks for a session.

    `rest` is called when `needs_process` may have become false by the lapse of time.
    """

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
        requests: Callable[[], Requests],
        rest: Callable[[], None],
        hurry: Callable[[], None],
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
        self._requests = requests
        self._rest = rest
        self._hurry = hurry
        self._bus: PacedBus | None = None
        self._network: Network | None = None
        self._hurried_s = -math.inf
        self._udp = UdpListener(self.push, clock, rest)
        self._modems: Modems | None = None
        self._plugged: Plugged | None = None
        self._reaching: Reaching | None = None

    async def open(self, bus: PacedBus) -> None:
        """Listen wherever that is wanted and possible; `bus` is the way to modems."""
        self._bus = bus
        await self._udp.try_open(self._settings.notification)
        self._open_modems(bus)
        self._open_plugged()
        if self._settings.calls_by_itself:
            self._start(self._polls.run())
        self._watch_network()
        if self._settings.request.check_interval_s:
            self._start(self._self_check.run())
        self.look()
        self._open_reaching()

    def _open_reaching(self) -> None:
        """Call all servers if this is a new version that has to show that it works."""
        if not (self._paths.way_back.exists() or self._paths.last_way_back.exists()):
            return
        from scomod import reaching  # noqa: PLC0415 - after an upgrade of scomod
        from scomod.mo import dmacc  # noqa: PLC0415 - the same
        from scomod.wishes import Wish  # noqa: PLC0415 - the same

        self._reaching = reaching.begin(self._paths, self._store.db)
        if self._reaching is not None and self._reaching.pending is not None:
            for account in dmacc.accounts(self._store.tree):
                self._ring(Wish(server_id=account.server_id, is_kept=True))

    def _open_modems(self, bus: PacedBus) -> None:
        wanted = self._settings.modem
        if wanted.service != "off":
            from scomod.listeners.modems import Modems  # noqa: PLC0415 - where they may be

            self._modems = Modems(wanted, bus, self._start, self.push, self.look)
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
                rest=self._rest,
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

    def brought(self, kind: str, octets: bytes, sender: str) -> None:
        """Take a "push", or the user data of an "sms", from another program; raises `Refused`."""
        take = {"push": self.push, "sms": self._pushes.sms}.get(kind)
        if take is None:
            raise Refused(f"{kind} is none of: push, sms")
        try:
            take(octets, sender[:MAX_SENDER_CHARS])
        except RemoteProtocolError as error:
            raise Refused(f"it is not taken: {error}") from error
        if self._pushes.is_waiting:
            import asyncio  # noqa: PLC0415 - where short messages come so

            wait_s = self._settings.notification.sms_wait_s
            asyncio.get_running_loop().call_later(wait_s, self._rest)

    @cached_property
    def hand_in(self) -> HandIn:
        """What takes files that people at the device hand in: one for all, as they take turns."""
        from scomod.download.spool import Spool  # noqa: PLC0415 - for the first file
        from scomod.handin import HandIn  # noqa: PLC0415 - the same
        from scomod.installers import registry  # noqa: PLC0415 - the same
        from scomod.trust import trust_of  # noqa: PLC0415 - the same

        settings, paths, clock = self._settings, self._paths, self._clock
        stock = registry.stock(settings, paths, clock)
        return HandIn(
            self._store,
            settings,
            clock,
            spool=Spool(paths.spool_dir, paths.delivered_dir),
            kinds=stock.kinds,
            inspect=stock.inspect,
            trust=trust_of(settings, paths, clock, partial(self._store.unset_clock, clock)),
        )

    def dues(self) -> Iterator[Due]:
        """Give the moments at which the device calls by itself."""
        yield from self._polls.dues()
        if self._settings.request.check_interval_s:
            yield from self._self_check.dues()

    def met(self, report: Record, session_id: str) -> None:
        """Remember a session that ended, and what it told of the time: one write."""
        from scomod.tally import count_session  # noqa: PLC0415 - for sessions

        with self._store.db.transaction():
            if self._store.db.meta(OPEN_KEY):
                self._summonses.over(report, session_id)
            self._polls.ended(report)
            self._store.known_time.keep()
            count_session(self._store.db, report)
        if report["outcome"] == "ok":
            self._store.db.drop_copy()
            if self._reaching is not None:
                self._reaching.reached()
        self._watch_network()

    def _watch_network(self) -> None:
        """Hear when the network comes up, as long as something failed that is tried again."""
        is_wanted = self._settings.poll.on_network and self._polls.has_failed
        if self._network is None and is_wanted and self._bus is not None:
            from scomod.network import Network  # noqa: PLC0415 - where a session failed

            self._network = Network(self._bus, self._start, self._network_up)
        if self._network is not None:
            self._network.watch(is_wanted=is_wanted)

    def _network_up(self) -> None:
        """Try again what failed; a network that comes and goes does not use up all tries."""
        now_s = self._clock.monotonic_s()
        if now_s - self._hurried_s >= self._settings.session.retry_wait_s:
            self._hurried_s = now_s
            self._polls.hurry()
            self._hurry()
        self._rest()

    @property
    def needs_process(self) -> bool:
        """Tell whether something can only be heard while this process lives."""
        is_parted = "_pushes" in self.__dict__ and self._pushes.is_waiting
        is_plugged = self._plugged is not None and self._plugged.needs_process
        return (
            is_parted
            or (self._network is not None and self._network.is_down)
            or self._udp.is_pressed
            or is_plugged
            or (self._modems is not None and self._modems.is_listening)
        )

    def ways(self) -> dict[str, bool]:
        """Say on which ways others are to call the device, and whether each is open."""
        wanted = self._settings.notification
        udp = {f"UDP port {wanted.udp_port}": self._udp.is_open} if wanted.udp else {}
        return udp if self._modems is None else {**udp, "modem": self._modems.is_listening}

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
    def _self_check(self) -> SelfCheck:
        from random import SystemRandom  # noqa: PLC0415 - only if it is switched on

        from scomod.mo import dmacc  # noqa: PLC0415 - the same
        from scomod.updaterequest import SelfCheck  # noqa: PLC0415 - the same
        from scomod.wishes import Wish  # noqa: PLC0415 - the same

        def want(server_id: str) -> None:
            self._ring(Wish(server_id=server_id, is_kept=True, is_poll=True))

        return SelfCheck(
            self._requests(),
            servers=lambda: [each.server_id for each in dmacc.accounts(self._store.tree)],
            last=self._store.journal.last,
            want=want,
            random=SystemRandom().random,
        )

    @cached_property
    def _pushes(self) -> Pushes:
        from scomod.pushes import Pushes  # noqa: PLC0415 - for the first push
        from scomod.wakeup import Doorbell  # noqa: PLC0415 - the same

        bell = Doorbell(
            self._settings,
            self._clock,
            self._store,
            client=self._client,
            summonses=self._summonses,
        )
        return Pushes(
            self._settings.notification,
            self._clock.monotonic_s,
            notified=bell.notified,
            enrol=lambda *push: self._doorstep.take(*push),
        )

    @cached_property
    def _summonses(self) -> Summonses:
        from scomod.summons import Summonses  # noqa: PLC0415 - for the first notification

        return Summonses(
            self._settings.notification,
            self._clock,
            self._store,
            interview=lambda: self.interview,
            start=self._start,
            ring=self._ring,
        )

    def look(self) -> None:
        """Go on with what waits: the daemon started, an agent came, or the IMSI is known."""
        if self._store.db.meta(WAITING_KEY):
            self._doorstep.look()
        if self._store.db.meta(OPEN_KEY):
            self._summonses.look()

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
