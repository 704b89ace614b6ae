# SPDX-License-Identifier: Apache-2.0
"""From the offer of a medium to an operation of the server that it names, once.

The device itself announces the package, in that server's name and with its rights: from
then on it is an operation like all others (`announcing`), and its end is told to that server.
The note that the offer was taken is in the same transaction.  What an offer is says `offer`;
a person is asked by `policy`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from scomod import offer as offers
from scomod.announcing import Announcing
from scomod.errors import CommandError, Reason, StoreError
from scomod.facade import Refused
from scomod.mo import dmacc
from scomod.mo.handler import ExecRequest
from scomod.operation import Phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.db import Database
    from scomod.journal import Journal
    from scomod.mo.scomo import Scomo
    from scomod.mo.tree import Tree
    from scomod.offer import Offer
    from scomod.settings import Settings
    from scomod.trust import Trust

log = logging.getLogger(__name__)

TAKEN_KEY: Final = "offers-taken"
NODE_DIGITS: Final = 16  # of the offer's digest, in the name of its node


class Offers:
    """Takes offers; `now_s` is the time as far as it is known, `observer` is told each boundary."""

    def __init__(
        self,
        *,
        db: Database,
        tree: Tree,
        journal: Journal,
        scomo: Scomo,
        settings: Settings,
        now_s: Callable[[], float],
        trust: Trust,
        observer: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._db = db
        self._tree = tree
        self._journal = journal
        self._announcing = Announcing(
            db=db,
            tree=tree,
            journal=journal,
            scomo=scomo,
            settings=settings,
            observer=lambda boundary: observer(f"offer {boundary}"),
        )
        self._settings = settings
        self._now_s = now_s
        self._trust = trust
        self._observe = observer
        self._one_at_a_time = asyncio.Lock()
        self.looking_count = 0

    async def look(self, place: Path) -> None:
        """Take the offer of the medium mounted at `place`, if there is one; never raises."""
        self.looking_count += 1
        try:
            async with self._one_at_a_time:
                await self._look(place)
        except (Refused, CommandError, StoreError) as error:
            log.warning("the offer at %s is not taken: %s", place, error)
        except OSError as error:
            log.warning("the medium at %s cannot be read: %s", place, error.strerror)
        finally:
            self.looking_count -= 1

    async def _look(self, place: Path) -> None:
        # in threads: a medium may be slow, or gone
        found = await asyncio.to_thread(
            offers.find,
            place,
            max_offer_bytes=self._settings.media.max_offer_bytes,
            max_signature_bytes=self._settings.verify.max_certificate_bytes,
        )
        if found is None:
            log.debug("no offer at %s", place)
            return
        self._observe("offer found")
        if (number := self._taken_as(found.digest)) is not None:
            log.info("the offer at %s was taken before, as operation %d", place, number)
            return
        said = await asyncio.to_thread(offers.judged, found, self._trust)
        self._check(said)
        await asyncio.to_thread(offers.check_file, place, said)
        self._observe("offer judged")
        number = self._queue(place, said, found.digest)
        self._observe("offer taken")
        log.info("%s %s, offered at %s, is operation %d", said.name, said.version, place, number)

    def _check(self, said: Offer) -> None:
        """Raise `Refused` for what is not for this device, or too late; `TooLarge`."""
        if dmacc.by_server(self._tree, said.server_id) is None:
            raise Refused(f"it is of {said.server_id!r:.80}, and no server of this device is that")
        if said.expires is not None and self._now_s() >= said.expires.timestamp():
            raise Refused(f"it expired at {said.expires.isoformat()}")
        if said.size_bytes > self._settings.download.max_bytes:
            most = self._settings.download.max_bytes
            raise Refused(f"{said.size_bytes} octets, {most} are allowed ([download] max_bytes)")

    def _queue(self, place: Path, said: Offer, digest: str) -> int:
        """Write nodes and operation; returns its number."""
        name = f"offer-{digest[:NODE_DIGITS]}"
        leaves = {
            "PkgID": said.pkg_id,
            "PkgURL": (place / said.file).as_uri(),
            "Name": said.name,
            "Description": said.description,
            "InstallParams": said.params,
            "EnvType": said.environment,
            "PkgType": said.pkg_type,
        }
        path = str(place / offers.NAME)
        request = ExecRequest(
            server_id=said.server_id, offer={"path": path, "version": said.version}
        )
        return self._announcing.order(
            name, leaves, request, lambda number: self._note(digest, number)
        )

    def _taken(self) -> dict[str, int]:
        """Return which offers were taken as which operations, the latest last."""
        taken: dict[str, int] = json.loads(self._db.meta(TAKEN_KEY) or "{}")
        return taken

    def _taken_as(self, digest: str) -> int | None:
        """Return the operation of an offer that is not to be taken again."""
        number = self._taken().get(digest)
        known = None if number is None else self._journal.load(number)
        if known and known.phase is Phase.FAILED and known.reason is Reason.MEDIUM_GONE:
            return None
        return number

    def _note(self, digest: str, number: int) -> None:
        taken = self._taken()
        taken.pop(digest, None)
        taken[digest] = number
        kept = list(taken.items())[-self._settings.media.remembered_count :]
        self._db.set_meta(TAKEN_KEY, json.dumps(dict(kept)))
