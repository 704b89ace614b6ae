# SPDX-License-Identifier: Apache-2.0
"""Why something does not happen now: each cause is a word for programs and a sentence for people.

Pure.  Who finds them is `reasons`; this is the table of what may be said, and how.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.clifmt import moment
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Word(StrEnum):
    """The causes; the words are part of the D-Bus interface."""

    # of an operation
    OVER = "over"
    AT_WORK = "at work"
    GOES_ON = "goes on"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    SESSION = "session"
    IN_LINE = "in line"
    FETCHES = "fetches"
    PERSON = "person"
    NO_AGENT = "no agent"
    DEFERRED = "deferred"
    WINDOW = "window"
    POWER = "mains power"
    METERED = "metered network"
    NEWS = "news"
    ADMISSION = "admission"
    DAY = "day"
    BACKING_OFF = "backing off"
    RETRY_AFTER = "retry after"
    GIVING_UP = "giving up"
    RESTART = "restart"
    HEALTH = "health"
    REPORT = "report"
    # of a server
    TALKING = "talking"
    CALLED_NEXT = "called next"
    CALLING_LATER = "calling later"
    LEFT_ALONE = "left alone"
    REPORTS = "reports"
    QUARANTINE = "quarantine"
    NOTHING = "nothing"
    # of the device
    NO_ACCOUNT = "no account"
    DOCUMENT = "document"
    SUMMONS = "summons"


# What is in braces is filled in; {since} and {until} are moments in local time.
SENTENCES: Final[Mapping[Word, str]] = {
    Word.OVER: "It is over: {how}",
    Word.AT_WORK: "It is at work since {since}: {step}.",
    Word.GOES_ON: "Nothing keeps it: it goes on at once.",
    Word.CANCELLED: "It was cancelled by {by} and ends as soon as what it does now lets go.",
    Word.UNDOING: "It failed, and what it changed is being taken back: {how}.",
    Word.SESSION: "It begins when the session with {server} is over: the answer to the order"
    " leaves first.",
    Word.IN_LINE: "It waits for its turn, {others} goes first.",
    Word.FETCHES: "Older orders of {server} are fetched first, as it may need what they bring.",
    Word.PERSON: "It has waited for the answer of a person since {since}; without one it is"
    " {what} at {until}.",
    Word.NO_AGENT: "No agent is registered that could ask: 'scomoctl confirm {id}' or"
    " 'scomoctl decline {id}' answers too.",
    Word.DEFERRED: "A person put it off; the question comes again at {until}.",
    Word.WINDOW: "The {kind} window is closed until {until}.",
    Word.POWER: "It waits for mains power.",
    Word.METERED: "The network is metered, or nobody knows; it waits for one that is not.",
    Word.NEWS: "It waits to hear of power and network, which have just been asked for.",
    Word.ADMISSION: "It waits for that until {until}; then it {what}.",
    Word.DAY: "The {size} that all downloads may fetch in a day are used up; it goes on at"
    " {until}.",
    Word.BACKING_OFF: "The last try failed ({how}); the next, number {count}, is at {until}.",
    Word.RETRY_AFTER: "The server with the package asked to be left alone ({how}); the next try,"
    " number {count}, is at {until}.",
    Word.GIVING_UP: "The download is given up if it is not complete at {until}.",
    Word.RESTART: "It waits since {since} for a restart of the device, which {by}; without one it"
    " fails at {until}.",
    Word.HEALTH: "What it brought is watched until {until}: it must stay well.",
    Word.REPORT: "The server has not taken its report yet.",
    Word.TALKING: "A session with it is running.",
    Word.CALLED_NEXT: "It is called as soon as no other session runs.",
    Word.CALLING_LATER: "The last session failed ({how}); the next, after {count} in vain, is at"
    " {until}.",
    Word.LEFT_ALONE: "It asked to be left alone until {until}.",
    Word.REPORTS: "{count} reports or requests wait for it, the oldest since {since}.",
    Word.QUARANTINE: "{what} failed and is left alone until {until}: before that the device asks"
    " it for no updates by itself.",
    Word.NOTHING: "Nothing waits for it.",
    Word.NO_ACCOUNT: "There is no account, so there is no server to call:"
    " 'scomoctl bootstrap FILE' makes one.",
    Word.DOCUMENT: "A bootstrap document from {sender} waits since {since} for {what}; it is"
    " dropped at {until}.",
    Word.SUMMONS: "{server} asks for a session since {since}, and a person must say yes first;"
    " it is dropped at {until}.",
}


@frozen
class Cause:
    """One cause; times are wall time, None where there is none to tell."""

    word: Word
    text: str
    since_s: float | None = None
    until_s: float | None = None

    def record(self) -> dict[str, Any]:
        """Return what is told of it."""
        known = {
            "why": str(self.word),
            "text": self.text,
            "since": self.since_s,
            "until": self.until_s,
        }
        return {key: value for key, value in known.items() if value is not None}


def cause(
    word: Word, *, since_s: float | None = None, until_s: float | None = None, **facts: object
) -> Cause:
    """Make a cause with its sentence, of which `facts` are the other parts."""
    times = {
        "since": "" if since_s is None else moment(since_s),
        "until": "" if until_s is None else moment(until_s),
    }
    text = SENTENCES[word].format(**times, **facts)
    return Cause(word=word, text=text, since_s=since_s, until_s=until_s)
