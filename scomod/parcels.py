# SPDX-License-Identifier: Apache-2.0
"""Bootstrap documents that came by push: those that wait, and marks of those that were taken.

They wait for a person with the PIN, or for the IMSI, and are kept in the database as they
came, which survives every end of the daemon; there are few of them, and not for ever.
A mark keeps a document from being taken twice: it would bring old passwords and nonces
back.  Not here: what is done with them (`doorstep`).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scomod.dmclient.bootstrap import Parcel
from scomod.terms import dated_s

if TYPE_CHECKING:
    from scomod.db import Database

TAKEN_KEY: Final = "bootstrap-taken"
TAKEN_COUNT: Final = 32  # marks remembered against replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A document with who brought it, when (wall time), and how many PINs were wrong."""

    parcel: Parcel
    sender: str
    since_s: float
    wrong_count: int = 0


class Parcels:
    """Keeps them for one device below `key`; what writes is part of the caller's transaction."""

    def __init__(self, db: Database, key: str) -> None:
        self._db = db
        self._key = key

    def waiting(self) -> list[Waiting]:
        """Return what waits, oldest first."""
        return [_read(row) for row in json.loads(self._db.meta(self._key) or "[]")]

    def find(self, parcel: Parcel) -> Waiting | None:
        """Return what is kept of a document with this seal, if it waits."""
        return next((each for each in self.waiting() if each.parcel == parcel), None)

    def add(self, waiting: Waiting) -> None:
        """Keep one more."""
        self._keep([*self.waiting(), waiting])

    def count_wrong(self, waiting: Waiting) -> None:
        """Note that a PIN was wrong."""
        more = replace(waiting, wrong_count=waiting.wrong_count + 1)
        self._keep([more if each == waiting else each for each in self.waiting()])

    def expire(self, now_s: float, longest_s: float) -> list[Waiting]:
        """Let go of what waited for too long; returns it.

        What came before the clock was set, or at a time that is still to come, came now.
        """
        stamped = [replace(each, since_s=dated_s(each.since_s, now_s)) for each in self.waiting()]
        late = [each for each in stamped if now_s - each.since_s >= longest_s]
        self._keep([each for each in stamped if each not in late])
        return late

    def drop(self, parcel: Parcel) -> None:
        """Let go of one, if it is there."""
        self._keep([each for each in self.waiting() if each.parcel != parcel])

    def is_taken(self, parcel: Parcel) -> bool:
        """Tell whether the document was taken before, whatever its seal."""
        return _mark(parcel) in self._taken()

    def note_taken(self, parcel: Parcel) -> None:
        """Remember that a document was taken; it waits no longer."""
        self.drop(parcel)
        self._db.set_meta(TAKEN_KEY, json.dumps([*self._taken(), _mark(parcel)][-TAKEN_COUNT:]))

    def _taken(self) -> list[str]:
        taken: list[str] = json.loads(self._db.meta(TAKEN_KEY) or "[]")
        return taken

    def _keep(self, waiting: list[Waiting]) -> None:
        text = json.dumps([_row(each) for each in waiting]) if waiting else ""
        if text != (self._db.meta(self._key) or ""):
            self._db.set_meta(self._key, text)


def _mark(parcel: Parcel) -> str:
    import hashlib  # noqa: PLC0415 - brings OpenSSL, only for a push

    return hashlib.sha256(parcel.document).hexdigest()


def _row(waiting: Waiting) -> dict[str, Any]:
    parcel = waiting.parcel
    return {
        "document": b64encode(parcel.document).decode(),
        "sec": parcel.sec,
        "mac": parcel.mac,
        "sender": waiting.sender,
        "since_s": waiting.since_s,
        "wrong_count": waiting.wrong_count,
    }


def _read(row: dict[str, Any]) -> Waiting:
    return Waiting(
        parcel=Parcel(document=b64decode(row["document"]), sec=row["sec"], mac=row["mac"]),
        sender=row["sender"],
        since_s=row["since_s"],
        wrong_count=row["wrong_count"],
    )
