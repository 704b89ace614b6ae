# SPDX-License-Identifier: Apache-2.0
"""What a person is told of bootstrap documents that wait: the question, and why they do.

Words only; who is asked when is `doorstep`'s.  All names in them were chosen by strangers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.causes import Word, cause
from scomod.codes import AlertCode
from scomod.dmclient import seal
from scomod.dmclient.bootstrap import Lack
from scomod.dmclient.useralert import UserAlert
from scomod.parcels import Parcels
from scomod.wording import filled, joined, worded, worded_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.causes import Cause
    from scomod.db import Database
    from scomod.parcels import Waiting

UNTIL: Final = {
    Lack.PIN: "the person enters the PIN",
    Lack.IMSI: "the IMSI is known: [bootstrap] imsi, or a modem tells it",
}
FOR: Final = {
    Lack.PIN: "a person with its PIN, whom 'scomoctl agent' asks",
    Lack.IMSI: "the IMSI: [bootstrap] imsi, or a modem",
}
TEXT: Final = worded(
    "{sender} sent this device the settings of a management server: {servers}. "
    "Enter the PIN you were given for them. Tries left: {tries}. "
    "Cancel if you did not expect that."
)
NAMES_COUNT, NAME_COUNT = 4, 64  # servers in a question, characters of each
WRONG: Final = worded("That PIN was wrong.")


def question(waiting: Waiting, servers: list[str], tries_count: int, max_count: int) -> UserAlert:
    """Return what asks for a PIN of at most `max_count` characters."""
    tries = tries_count - waiting.wrong_count
    text = filled(TEXT, sender=waiting.sender, servers=named(servers), tries=tries)
    return UserAlert(
        code=AlertCode.TEXT_INPUT,
        text=joined((WRONG, text)) if waiting.wrong_count else text,
        max_count=max_count,
        is_hidden=True,
    )


def named(servers: list[str]) -> str:
    """Name servers to a person, not more than fits a question: a stranger chose the names."""
    names = [each[:NAME_COUNT] for each in servers[:NAMES_COUNT]]
    more = len(servers) - len(names)
    listed = ", ".join(names)
    if not more:
        return listed
    return worded_many("{names} and {count} more", "{names} and {count} more", more, names=listed)


def documents(db: Database, key: str, longest_s: float) -> Iterator[Cause]:
    """Tell what waits below `key`, at most `longest_s`, and for what."""
    for each in Parcels(db, key).waiting():
        found = seal.read(each.parcel.sec, each.parcel.mac)
        lack = Lack.PIN if found is not None and found.method.needs_pin else Lack.IMSI
        yield cause(
            Word.DOCUMENT,
            since_s=each.since_s,
            until_s=each.since_s + longest_s,
            sender=each.sender,
            what=FOR[lack],
        )
