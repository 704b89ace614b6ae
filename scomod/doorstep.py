# SPDX-License-Identifier: Apache-2.0
"""Bootstrap documents that come by push: who may send them, and what they wait for (omadm §9).

    nothing is missing              taken at once
    the IMSI is not known           kept until it is
    sealed with a PIN               kept, and the person is asked, one document at a time
    nobody there, or no answer      kept, asked again when an agent comes or at the next start
    declined, wrong too often       dropped

A document is kept before anybody is asked; it is taken, and leaves what is kept, in one
transaction.  Not here: what a document says (`dmclient.bootstrap`), what is kept
(`parcels`), how it is said (`parceltalk`), first sessions (`enrolment`).
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from scomod.dmclient import seal
from scomod.dmclient.bootstrap import NO_PIN, Bootstrap, Lack, NotTrusted, Parcel, WrongPin
from scomod.dmclient.useralert import Verdict
from scomod.enrolment import WAITING_KEY
from scomod.errors import ScomodError, StoreError, StoreFull
from scomod.log import Event, announce
from scomod.mo.account import paths_of
from scomod.mo.acl import EVERYONE, is_server_id
from scomod.parcels import Parcels, Waiting
from scomod.parceltalk import UNTIL, named, question
from scomod.secret import Secret

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator

    from scomod.clock import Clock
    from scomod.dmclient.bootstrap import Enrolled
    from scomod.dmclient.push import Push
    from scomod.enrolment import Enrolment
    from scomod.interview import Interview
    from scomod.records import Records
    from scomod.settings import Settings

log = logging.getLogger(__name__)


class Doorstep:
    """Takes pushes for one device; `start` starts the task in which a person is asked."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Records,
        *,
        enrolment: Enrolment,
        interview: Interview,
        imsi: Callable[[], str],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._policy = settings.bootstrap
        self._max_pin_count = settings.session.max_input_count
        self._clock = clock
        self._db = store.db
        self._tree = store.tree
        self._enrolment = enrolment
        self._interview = interview
        self._start = start
        self._parcels = Parcels(store.db, WAITING_KEY)
        self._bootstrap = partial(Bootstrap, store.db, store.tree, settings, imsi=imsi)
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_asking(self) -> bool:
        """Tell whether a person is being asked."""
        return self._asking is not None and not self._asking.done()

    def take(self, push: Push, sender: str) -> None:
        """Take a push from somebody; what is no good is dropped with a line in the log."""
        with _room_for(f"bootstrap document from {sender} is lost"):
            self._take(push, sender)

    def _take(self, push: Push, sender: str) -> None:
        self._expire()
        parcel = Parcel(document=push.body, sec=push.sec, mac=push.mac)
        if self._parcels.find(parcel) is not None:
            log.info("bootstrap document from %s: it waits already", sender)
            self.look()
            return
        waiting = Waiting(parcel=parcel, sender=sender, since_s=self._clock.wall_s())
        lack = self._moved_on(waiting)
        if lack is not Lack.NOTHING and self._is_kept(waiting):
            log.warning("bootstrap document from %s waits until %s", sender, UNTIL[lack])
            self.look()

    def look(self) -> None:
        """Go on with what waits: an agent came, the IMSI is known, the daemon started."""
        with _room_for("bootstrap documents wait as they are"):
            self._look()

    def _look(self) -> None:
        self._expire()
        lacks = [self._moved_on(waiting) for waiting in self._parcels.waiting()]
        if Lack.PIN in lacks and not self.is_asking:
            self._asking = self._start(self._ask_all())

    # -- one document ----------------------------------------------------------

    def _moved_on(self, waiting: Waiting) -> Lack:
        """Take a document that misses nothing, drop one that is no good; return what it misses."""
        try:
            lack = self._reader(waiting).lack(waiting.parcel)
            if lack is Lack.NOTHING:
                self._open(waiting, NO_PIN)
            else:
                self._admit(waiting)
        except StoreError:
            raise
        except ScomodError as error:
            self._drop(waiting, str(error))
            return Lack.NOTHING
        return lack

    def _open(self, waiting: Waiting, pin: Secret) -> None:
        """Do what a document says and let go of it; raises `WrongPin`, what it is refused for."""
        reader = self._reader(waiting)
        reader.check(waiting.parcel, pin)
        self._admit(waiting)
        self._enrolment.greet(reader.apply(waiting.parcel.document))

    def _reader(self, waiting: Waiting) -> Bootstrap:
        return self._bootstrap(on_enrolled=partial(self._note, waiting))

    def _note(self, waiting: Waiting, made: list[Enrolled]) -> None:
        """Keep what follows from new accounts, in the transaction that makes them."""
        self._enrolment.owe(made)
        self._parcels.note_taken(waiting.parcel)

    def _admit(self, waiting: Waiting) -> None:
        """Raise `NotTrusted` for servers that may not come, or not this way."""
        parcel, policy = waiting.parcel, self._policy
        if self._parcels.is_taken(parcel):
            raise NotTrusted("it was taken before; a new one must differ, by its nonces at least")
        for server_id in self._servers(waiting):
            if not is_server_id(server_id):
                raise NotTrusted(f"not a server identifier: {named([server_id])!r}")
            if EVERYONE not in policy.push_servers and server_id not in policy.push_servers:
                raise NotTrusted(f"{server_id} is none of [bootstrap] push_servers")
            if paths_of(self._tree, server_id) and not self._may_replace(parcel):
                text = "%s has an account, and [bootstrap] push_existing is %s"
                raise NotTrusted(text % (server_id, policy.push_existing))

    def _may_replace(self, parcel: Parcel) -> bool:
        found = seal.read(parcel.sec, parcel.mac)
        has_pin = found is not None and found.method.needs_pin
        return self._policy.push_existing in (("pin", "replace") if has_pin else ("replace",))

    def _servers(self, waiting: Waiting) -> list[str]:
        return self._reader(waiting).servers(waiting.parcel.document)

    def _is_kept(self, waiting: Waiting) -> bool:
        """Keep a document that waits; False if there are too many."""
        if len(self._parcels.waiting()) >= self._policy.max_waiting_count:
            self._drop(waiting, "[bootstrap] max_waiting_count wait already")
            return False
        with self._db.transaction():
            self._parcels.add(waiting)
        return True

    def _expire(self) -> None:
        if not self._parcels.waiting():
            return
        with self._db.transaction():
            late = self._parcels.expire(self._clock.wall_s(), self._policy.max_waiting_s)
        for waiting in late:
            self._refused(waiting, "it waited for [bootstrap] max_waiting_s")

    def _drop(self, waiting: Waiting, why: str) -> None:
        with self._db.transaction():
            self._parcels.drop(waiting.parcel)
        self._refused(waiting, why)

    def _refused(self, waiting: Waiting, why: str) -> None:
        text = "bootstrap document from %s is not taken: %s"
        announce(log, Event.BOOTSTRAP_REFUSED, text, waiting.sender, why)

    # -- the person --------------------------------------------------------------

    async def _ask_all(self) -> None:
        """Ask for the PIN of each document that misses only that, the oldest first."""
        asked: list[Parcel] = []
        with _room_for("bootstrap documents wait until they are asked about again"):
            while waiting := self._next(asked):
                asked.append(waiting.parcel)
                await self._ask(waiting.parcel)

    def _next(self, asked: list[Parcel]) -> Waiting | None:
        left = (each for each in self._parcels.waiting() if each.parcel not in asked)
        return next((each for each in left if self._moved_on(each) is Lack.PIN), None)

    async def _ask(self, parcel: Parcel) -> None:
        """Ask until the PIN is right, wrong too often, or not given."""
        while waiting := self._parcels.find(parcel):
            servers = self._servers(waiting)
            answer = await self._interview.ask(
                question(waiting, servers, self._policy.pin_tries_count, self._max_pin_count),
                server_id=named(servers),
                server_name="",
                longest_s=self._policy.pin_timeout_s,
            )
            if answer.verdict is not Verdict.DONE:
                self._unanswered(waiting, answer.verdict)
                return
            if self._moved_on(waiting) is not Lack.PIN:
                return  # the modem has gone meanwhile, or the server has an account
            self._try(waiting, Secret(answer.text))

    def _try(self, waiting: Waiting, pin: Secret) -> None:
        """Take a document with what was entered; a wrong PIN is counted for good."""
        try:
            self._open(waiting, pin)
        except StoreError:
            raise
        except WrongPin as error:
            if waiting.wrong_count + 1 >= self._policy.pin_tries_count:
                self._drop(waiting, "the PIN was wrong too often")
                return
            log.warning("bootstrap document from %s: %s", waiting.sender, error)
            with self._db.transaction():
                self._parcels.count_wrong(waiting)
        except ScomodError as error:
            self._drop(waiting, str(error))

    def _unanswered(self, waiting: Waiting, verdict: Verdict) -> None:
        if verdict is Verdict.CANCELLED:
            self._drop(waiting, "the person declined it")
        else:
            log.warning("bootstrap document from %s waits: PIN %s", waiting.sender, verdict)


@contextmanager
def _room_for(otherwise: str) -> Iterator[None]:
    """Say what becomes of it where the disk is full; nothing is half done then."""
    try:
        yield
    except StoreFull as error:
        log.error("%s: %s", otherwise, error)
