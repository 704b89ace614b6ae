# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a package server: as values, and as words in a path.

    /reset-at=65536/first=1/hello.deb     the first answer is reset after 64 KiB
    /no-etag/no-date/portal/hello.deb     a web page, and nothing to recognise it by

Not a server (`faultserver`): nothing is sent here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import ScomodError

if TYPE_CHECKING:
    from collections.abc import Mapping

HTML: Final = "text/html; charset=utf-8"
WEB_PAGE: Final = (
    b"<!DOCTYPE html>\n<html><title>Welcome</title>Log in to use this network.</html>\n"
)
DRIP_WAIT_S: Final = 0.05


class UnknownFault(ScomodError):  # noqa: N818 - a condition
    """A path with a word that is none of ours, or with a number that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one path answers; the faults hold for the first `times` requests (None: for all).

    `stall_after`, `truncate_after` and `reset_after` count octets of one answer's body.
    `later` is the file from the second request on.  `blind_ranges` is a server that
    answers ranges without looking at If-Range.  `length_error` is added to the announced
    length, `range_error` to the place that a range begins at; the header tells of that only
    where `is_range_told`.  `redirect_to` may name `{host}` and `{path}` of the request.
    """

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: int | None = None
    redirect_to: str = ""
    ranges: bool = True
    blind_ranges: bool = False
    range_error: int = 0
    is_range_told: bool = True
    etag: bool = True
    is_weak: bool = False
    last_modified: bool = True
    length: bool = True
    length_error: int = 0
    chunked: bool = False
    no_answer: bool = False
    is_silent: bool = False
    endless: bool = False
    stall_after: int | None = None
    truncate_after: int | None = None
    reset_after: int | None = None
    drip_bytes: int | None = None
    drip_wait_s: float = 0.0
    header_wait_s: float = 0.0
    header_end_after: int | None = None
    content_type: str = "application/octet-stream"
    content: bytes | None = None
    later: bytes | None = None
    is_changing: bool = False
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One fault: for people, and as fields of `Behaviour`; `number` is the one `=N` gives."""

    says: str
    number: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


WORDS: Final[Mapping[str, Word]] = {
    "first": Word(says="only the first N requests meet the faults", number="times"),
    "status": Word(says="HTTP status N in place of the file", number="status"),
    "retry-after": Word(says="asks to come again after N seconds", number="retry_after_s"),
    "hang-up": Word(says="closes the connection without an answer", fields={"no_answer": True}),
    "silent": Word(says="takes the request and never answers", fields={"is_silent": True}),
    "slow-header": Word(
        says="an octet of the header now and then", fields={"header_wait_s": DRIP_WAIT_S}
    ),
    "header-end-at": Word(
        says="the connection ends after N octets of the header", number="header_end_after"
    ),
    "reset-at": Word(says="the connection is reset after N octets", number="reset_after"),
    "end-at": Word(
        says="the connection ends after N octets; TLS without its good-bye",
        number="truncate_after",
    ),
    "stall-at": Word(says="silence after N octets", number="stall_after"),
    "drip": Word(
        says="N octets every 50 ms", number="drip_bytes", fields={"drip_wait_s": DRIP_WAIT_S}
    ),
    "endless": Word(says="octets without an end", fields={"endless": True}),
    "chunked": Word(says="in chunks, of no announced length", fields={"chunked": True}),
    "no-length": Word(says="of no announced length", fields={"length": False}),
    "length-error": Word(
        says="announces N octets more (less: -N) than it sends", number="length_error"
    ),
    "no-ranges": Word(says="always sends the whole file", fields={"ranges": False}),
    "blind-ranges": Word(
        says="sends ranges without looking at If-Range", fields={"blind_ranges": True}
    ),
    "range-error": Word(
        says="sends another range, N octets further on, and says so", number="range_error"
    ),
    "range-lie": Word(
        says="the same, and says that it is the right one",
        number="range_error",
        fields={"is_range_told": False},
    ),
    "no-etag": Word(says="gives no ETag", fields={"etag": False}),
    "weak-etag": Word(says="gives an ETag that promises no equal octets", fields={"is_weak": True}),
    "no-date": Word(says="gives no Last-Modified", fields={"last_modified": False}),
    "changing": Word(
        says="from the second request on another file of that length",
        fields={"is_changing": True},
    ),
    "portal": Word(
        says="the page of a captive portal, with status 200",
        fields={
            "content": WEB_PAGE,
            "content_type": HTML,
            "ranges": False,
            "etag": False,
            "last_modified": False,
        },
    ),
    "loop": Word(says="redirects to itself", fields={"redirect_to": "{path}"}),
    "to-http": Word(
        says="redirects to the same without TLS", fields={"redirect_to": "http://{host}{path}"}
    ),
}


def told(path: str) -> tuple[str, Behaviour]:
    """Read a path: the name of the file, its last part, and how it is to be served.

    Raises `UnknownFault`.
    """
    *words, name = path.strip("/").split("/")
    fields: dict[str, Any] = {}
    for word in words:
        key, _, number = word.partition("=")
        fields |= _fields(key, number)
    return name, Behaviour(**fields)


def _fields(key: str, number: str) -> dict[str, Any]:
    word = WORDS.get(key)
    if word is None:
        raise UnknownFault(f"no fault is called {key!r:.40}")
    if bool(word.number) != bool(number):
        raise UnknownFault(f"{key} is followed by {'=N' if word.number else 'no number'}")
    if not word.number:
        return dict(word.fields)
    try:
        return {**word.fields, word.number: int(number)}
    except ValueError as error:
        raise UnknownFault(f"{number!r:.40} is no number") from error


def listed() -> str:
    """Return all words, one a line, for a person."""
    names = {key + ("=N" if word.number else ""): word.says for key, word in WORDS.items()}
    return "".join(f"{name:<16} {says}\n" for name, says in names.items())
