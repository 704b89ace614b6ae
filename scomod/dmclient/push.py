# SPDX-License-Identifier: Apache-2.0
"""WAP push: the connectionless WSP datagram around a notification or a bootstrap document.

Pure.  Takes what follows the ports: a UDP payload, or the user data of a push
SMS after concatenation (omadm §10.3).  Not a WSP stack: of all headers only the
content type with its parameters SEC and MAC (omadm §9.3) and X-Wap-Application-Id
are understood, others are stepped over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scomod.errors import DecodeError, LimitExceeded

MAX_DATAGRAM_BYTES: Final = 65536
CONTENT_TYPE_NOTIFICATION: Final = "application/vnd.syncml.notification"
CONTENT_TYPE_CP_XML: Final = "text/vnd.wap.connectivity-xml"
CONTENT_TYPE_CP_WBXML: Final = "application/vnd.wap.connectivity-wbxml"
CONTENT_TYPE_DM_WBXML: Final = "application/vnd.syncml.dm+wbxml"
APPLICATION_ID_DM: Final = "x-wap-application:syncml.dm"

_PDU_TYPES: Final = (0x06, 0x07)  # push; confirmed push, tolerated
_UINTVAR_MAX_OCTETS: Final = 5

# first octet of a header value; the rest follows from it
_LENGTH_QUOTE: Final = 31  # below: the octet is the length itself
_TEXT_FIRST: Final = 32
_SHORT: Final = 0x80  # from here on: the value is the octet without its top bit
_TEXT_QUOTE: Final = 0x7F  # hides a first octet above 0x7F in a text

_SHIFT_DELIMITER: Final = 0x7F
_SHORT_CUT_SHIFT_MAX: Final = 31
_DEFAULT_PAGE: Final = 1
_APPLICATION_ID_HEADER: Final = 0x2F
_APPLICATION_ID_NAME: Final = "x-wap-application-id"

_PARAMETERS: Final = {0x11: "sec", 0x12: "mac"}

_CONTENT_TYPES: Final = {
    0x35: CONTENT_TYPE_CP_XML,
    0x36: CONTENT_TYPE_CP_WBXML,
    0x42: CONTENT_TYPE_DM_WBXML,
    0x43: "application/vnd.syncml.dm+xml",
    0x44: CONTENT_TYPE_NOTIFICATION,
    0x47: "application/vnd.oma.dd+xml",
    0x4E: "application/vnd.syncml.ds.notification",
    0x58: "application/vnd.syncml.dm.notification",
}
_APPLICATION_IDS: Final = {0x05: "x-wap-application:push.syncml", 0x07: APPLICATION_ID_DM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One push: media type in lower case without parameters, application or None, content.

    A code without a name in our tables shows as `wsp-code:0x..`.  `sec` and `mac` are
    those parameters of the content type as text, a number in decimal, "" if absent.
    """

    content_type: str
    application_id: str | None
    body: bytes
    sec: str = ""
    mac: str = ""


def parse_push(datagram: bytes) -> Push:
    """Read a Push PDU from its transaction id on.

    Raises `DecodeError` for what is none, `LimitExceeded` above `MAX_DATAGRAM_BYTES`.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise LimitExceeded("push.MAX_DATAGRAM_BYTES", len(datagram))
    reader = _Reader(datagram)
    reader.octet()  # transaction id: any (omadm §10.3)
    if reader.octet() not in _PDU_TYPES:
        raise DecodeError("WSP PDU that is no push", 1)
    headers = _Reader(reader.take(reader.uintvar()))
    content_type, parameters = _content_type(headers)
    return Push(
        content_type=content_type,
        application_id=_application_id(headers),
        body=reader.rest(),
        sec=parameters.get("sec", ""),
        mac=parameters.get("mac", ""),
    )


class _Reader:
    """Octets read from the front; reading past the end raises `DecodeError`."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._offset = 0

    def is_at_end(self) -> bool:
        """Tell whether all is read."""
        return self._offset >= len(self._octets)

    def peek(self) -> int:
        """Return the next octet without reading it."""
        if self.is_at_end():
            raise DecodeError("push ends too early", self._offset)
        return self._octets[self._offset]

    def octet(self) -> int:
        """Read one octet."""
        value = self.peek()
        self._offset += 1
        return value

    def take(self, count: int) -> bytes:
        """Read that many octets."""
        if count > len(self._octets) - self._offset:
            raise DecodeError(f"push ends before the {count} octets it announces", self._offset)
        self._offset += count
        return self._octets[self._offset - count : self._offset]

    def rest(self) -> bytes:
        """Read what is left."""
        return self.take(len(self._octets) - self._offset)

    def uintvar(self) -> int:
        """Read a number of 7-bit groups."""
        value = 0
        for _ in range(_UINTVAR_MAX_OCTETS):
            octet = self.octet()
            value = value << 7 | octet & 0x7F
            if octet < _SHORT:
                return value
        raise DecodeError("number of more than five octets", self._offset)

    def text(self) -> str:
        """Read a text up to its zero octet."""
        end = self._octets.find(0, self._offset)
        if end < 0:
            raise DecodeError("text without end", self._offset)
        text = self.take(end - self._offset)
        self._offset += 1
        return text.removeprefix(bytes((_TEXT_QUOTE,))).decode("utf-8", "replace")

    def value(self) -> str | int | _Reader:
        """Read any header value: a text, a short integer, or the inside of the general form."""
        first = self.peek()
        if first >= _SHORT:
            return self.octet() & 0x7F
        if first >= _TEXT_FIRST:
            return self.text()
        self.octet()
        return _Reader(self.take(self.uintvar() if first == _LENGTH_QUOTE else first))


def _content_type(headers: _Reader) -> tuple[str, dict[str, str]]:
    """Read the content type: C4, a text, or the general form; and its parameters, by name."""
    value = headers.value()
    parameters = {}
    if isinstance(value, _Reader):
        inner = value.value()
        parameters = _parameters(value)
        value = _integer(inner) if isinstance(inner, _Reader) else inner
    if isinstance(value, int):
        return _CONTENT_TYPES.get(value, f"wsp-code:0x{value:02x}"), parameters
    media_type, _, more = value.partition(";")
    return media_type.strip().lower(), _in_text(more) | parameters


def _parameters(reader: _Reader) -> dict[str, str]:
    """Read the parameters of the general form: each a code or a name, then its value."""
    found: dict[str, str] = {}
    while not reader.is_at_end():
        name = _parameter_name(reader.value())
        if not reader.is_at_end():
            found[name] = _parameter_text(reader.value())
    return found


def _parameter_name(value: str | int | _Reader) -> str:
    """Return the name of a parameter; a code that is not ours becomes its number."""
    if isinstance(value, str):
        return value.strip().lower()
    number = _integer(value) if isinstance(value, _Reader) else value
    return _PARAMETERS.get(number, str(number))


def _parameter_text(value: str | int | _Reader) -> str:
    """Return the value of a parameter as text, without quotes."""
    if isinstance(value, str):
        return value.strip().strip('"')
    return str(_integer(value) if isinstance(value, _Reader) else value)


def _in_text(parameters: str) -> dict[str, str]:
    """Read parameters written as in HTTP: `SEC=USERPIN; MAC=0F..`."""
    pairs = (each.partition("=") for each in parameters.split(";"))
    return {name.strip().lower(): _parameter_text(text) for name, _, text in pairs}


def _application_id(headers: _Reader) -> str | None:
    """Read the other headers; return the application id among them, the last if several."""
    found: str | None = None
    page = _DEFAULT_PAGE
    while not headers.is_at_end():
        first = headers.octet() if _is_token(headers.peek()) else None
        if first is None:
            is_wanted = headers.text().lower() == _APPLICATION_ID_NAME
        elif first == _SHIFT_DELIMITER or first <= _SHORT_CUT_SHIFT_MAX:
            page = headers.octet() if first == _SHIFT_DELIMITER else first
            continue
        else:
            is_wanted = page == _DEFAULT_PAGE and first & 0x7F == _APPLICATION_ID_HEADER
        value = headers.value()
        if is_wanted:
            found = _application_name(value)
    return found


def _is_token(octet: int) -> bool:
    """Tell a coded header name or a page shift from a name in letters."""
    return octet >= _SHIFT_DELIMITER or octet <= _SHORT_CUT_SHIFT_MAX


def _application_name(value: str | int | _Reader) -> str:
    """Return the application id as a name, whichever way it was written."""
    if isinstance(value, str):
        return value.lower()
    number = _integer(value) if isinstance(value, _Reader) else value
    return _APPLICATION_IDS.get(number, f"wsp-code:0x{number:02x}")


def _integer(reader: _Reader) -> int:
    """Return a long integer, of which `reader` holds the octets."""
    return int.from_bytes(reader.rest(), "big")
