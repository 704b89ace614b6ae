# SPDX-License-Identifier: Apache-2.0
"""WBXML of client provisioning documents: octets to tags with attributes (omadm §9.2).

Not the WBXML of SyncML: this vocabulary has no text, only attributes, and its
own code pages.  Elements nest at most `MAX_DEPTH` deep; the size is limited by
the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.errors import DecodeError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 16
PUBLIC_ID: Final = 0x0B
VERSIONS: Final = range(1, 4)  # WBXML 1.1 to 1.3

Tag = tuple[str, dict[str, str]]

_PUBLIC_ID_TEXT: Final = b"-//WAPFORUM//DTD PROV 1.0//EN"
_CHARSETS: Final = (0x00, 0x03, 0x6A)  # unknown, US-ASCII, UTF-8

_SWITCH_PAGE: Final = 0x00
_END: Final = 0x01
_ENTITY: Final = 0x02
_STR_I: Final = 0x03
_STR_T: Final = 0x83
_OPAQUE: Final = 0xC3
_NOT_READ: Final = (0x04, 0x40, 0x41, 0x42, 0x43, 0x44, 0x84, 0xC0, 0xC1, 0xC2, 0xC4)
_UINTVAR_MAX_OCTETS: Final = 5
_LAST_CHARACTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)

_WITH_ATTRIBUTES: Final = 0x80
_WITH_CONTENT: Final = 0x40
_TAGS: Final = {0x05: "wap-provisioningdoc", 0x06: "characteristic", 0x07: "parm"}


def _numbered(*runs: tuple[int, str]) -> dict[int, str]:
    """Give words their tokens: each run is the first token and the words from there on."""
    return {token: word for first, words in runs for token, word in enumerate(words.split(), first)}


def _starts(names: dict[int, str], kinds: dict[int, str]) -> dict[int, tuple[str, str]]:
    """Return attribute starts: token -> (attribute, first part of its value)."""
    return {token: ("name", word) for token, word in names.items()} | {
        token: ("type", word) for token, word in kinds.items()
    }


_LITERALS: Final = {0x05: ("name", ""), 0x06: ("value", ""), 0x50: ("type", "")}
_ON_BOTH: Final = _numbered((0x07, "NAME"), (0x14, "INTERNET"), (0x1C, "STARTPAGE"))
_STARTS: Final = {
    0: _LITERALS
    | {0x45: ("version", ""), 0x46: ("version", "1.0")}
    | _starts(
        _ON_BOTH
        | _numbered(
            (0x08, "NAP-ADDRESS NAP-ADDRTYPE CALLTYPE VALIDUNTIL AUTHTYPE AUTHNAME AUTHSECRET"),
            (0x0F, "LINGER BEARER NAPID COUNTRY NETWORK INTERNET PROXY-ID PROXY-PROVIDER-ID"),
            (0x17, "DOMAIN PROVURL PXAUTH-TYPE PXAUTH-ID PXAUTH-PW STARTPAGE BASAUTH-ID"),
            (0x1E, "BASAUTH-PW PUSHENABLED PXADDR PXADDRTYPE TO-NAPID PORTNBR SERVICE LINKSPEED"),
            (0x26, "DNLINKSPEED LOCAL-ADDR LOCAL-ADDRTYPE CONTEXT-ALLOW TRUST MASTER SID SOC"),
            (0x2E, "WSP-VERSION PHYSICAL-PROXY-ID CLIENT-ID DELIVERY-ERR-SDU DELIVERY-ORDER"),
            (0x33, "TRAFFIC-CLASS MAX-SDU-SIZE MAX-BITRATE-UPLINK MAX-BITRATE-DNLINK"),
            (0x37, "RESIDUAL-BER SDU-ERROR-RATIO TRAFFIC-HANDL-PRIO TRANSFER-DELAY"),
            (0x3B, "GUARANTEED-BITRATE-UPLINK GUARANTEED-BITRATE-DNLINK PXADDR-FQDN PROXY-PW"),
            (0x3F, "PPGAUTH-TYPE"),
            (0x47, "PULLENABLED DNS-ADDR MAX-NUM-RETRY FIRST-RETRY-TIMEOUT REREG-THRESHOLD T-BIT"),
            (0x4E, "AUTH-ENTITY SPI"),
        ),
        _numbered(
            (0x51, "PXLOGICAL PXPHYSICAL PORT VALIDITY NAPDEF BOOTSTRAP VENDORCONFIG"),
            (0x58, "CLIENTIDENTITY PXAUTHINFO NAPAUTHINFO ACCESS"),
        ),
    ),
    1: _LITERALS
    | _starts(
        _ON_BOTH
        | _numbered(
            (0x22, "TO-NAPID PORTNBR SERVICE"),
            (0x2E, "AACCEPT AAUTHDATA AAUTHLEVEL AAUTHNAME AAUTHSECRET AAUTHTYPE ADDR ADDRTYPE"),
            (0x36, "APPID APROTOCOL PROVIDER-ID TO-PROXY URI RULE"),
        ),
        _numbered((0x53, "PORT"), (0x55, "APPLICATION APPADDR APPAUTH CLIENTIDENTITY RESOURCE")),
    ),
}
_FIRST_VALUE: Final = 0x80  # tokens below start an attribute, others are parts of a value

# Parts of values, page -> token -> text; encoders use them inside any value, even a password.
# 80..83 on page 1 are those of CP 1.0; E0 and E1 are found on either page (omadm §9.2).
_EITHER_PAGE: Final = _numbered((0x86, "IPV6 E164 ALPHA"), (0xE0, "AAA HA"))
_VALUES: Final = {
    0: _EITHER_PAGE
    | _numbered(
        (0x85, "IPV4 IPV6 E164 ALPHA APN SCODE TETRA-ITSI MAN"),
        (0x90, "ANALOG-MODEM V.120 V.110 X.31 BIT-TRANSPARENT DIRECT-ASYNCHRONOUS-DATA-SERVICE"),
        (0x9A, "PAP CHAP HTTP-BASIC HTTP-DIGEST WTLS-SS MD5"),
        (0xA2, "GSM-USSD GSM-SMS ANSI-136-GUTS IS-95-CDMA-SMS IS-95-CDMA-CSD IS-95-CDMA-PACKET"),
        (0xA8, "ANSI-136-CSD ANSI-136-GPRS GSM-CSD GSM-GPRS AMPS-CDPD PDC-CSD PDC-PACKET"),
        (0xAF, "IDEN-SMS IDEN-CSD IDEN-PACKET FLEX/REFLEX PHS-SMS PHS-CSD TRETRA-SDS"),
        (0xB6, "TRETRA-PACKET ANSI-136-GHOST MOBITEX-MPAK"),
        (0xB9, "CDMA2000-1X-SIMPLE-IP CDMA2000-1X-MOBILE-IP"),
        (0xC5, "AUTOBAUDING"),
        (0xCA, "CL-WSP CO-WSP CL-SEC-WSP CO-SEC-WSP CL-SEC-WTA CO-SEC-WTA"),
        (0xD0, "OTA-HTTP-TO OTA-HTTP-TLS-TO OTA-HTTP-PO OTA-HTTP-TLS-PO"),
    ),
    1: _EITHER_PAGE
    | _numbered((0x80, ", HTTP- BASIC"), (0x8D, "APPSRV OBEX"), (0x90, ", HTTP- BASIC DIGEST")),
}


def is_wbxml(document: bytes) -> bool:
    """Tell WBXML from text by its first octet, the version."""
    return bool(document) and document[0] in VERSIONS


def is_provisioning(document: bytes) -> bool:
    """Tell whether WBXML is a provisioning document, by its public identifier."""
    try:
        _Decoder(document).header()
    except DecodeError:
        return False
    return True


def events(document: bytes) -> Iterator[Tag | None]:
    """Yield (name, attributes) where an element starts and None where it ends.

    Raises `DecodeError` for anything that is no provisioning document,
    `LimitExceeded` if elements nest too deep.
    """
    yield from _Decoder(document).events()


class _Decoder:
    """One document, read from the front."""

    def __init__(self, document: bytes) -> None:
        self._octets = document
        self._offset = 0
        self._attribute_page = 0
        self._strings = b""

    def events(self) -> Iterator[Tag | None]:
        """Read the header, then the elements."""
        self.header()
        depth = 0
        while True:
            token = self._octet()
            if token == _SWITCH_PAGE:
                self._octet()  # both tag pages name the same elements
            elif token == _STR_I:
                self._until_zero()  # blanks between elements, kept by some encoders
            elif token == _END:
                depth -= 1
                yield None
            else:
                yield self._tag(token)
                depth += 1
                if depth > MAX_DEPTH:
                    raise LimitExceeded("provwbxml.MAX_DEPTH", depth)
                if not token & _WITH_CONTENT:
                    depth -= 1
                    yield None
            if depth <= 0:
                return

    def header(self) -> None:
        """Read version, public id, charset and string table."""
        self._octet()
        public_id = self._uintvar()
        text_at = self._uintvar() if public_id == 0 else None
        if self._uintvar() not in _CHARSETS:
            raise self._error("character set is not UTF-8")
        self._strings = self._take(self._uintvar())
        named = text_at is not None and self._strings[text_at:].startswith(_PUBLIC_ID_TEXT)
        if public_id != PUBLIC_ID and not named:
            raise self._error("public id is not that of client provisioning")

    def _tag(self, token: int) -> Tag:
        """Read one element start with its attributes."""
        name = _TAGS.get(token & 0x3F)
        if name is None:
            raise self._error(f"element token 0x{token:02x} is not known")
        return name, self._attributes() if token & _WITH_ATTRIBUTES else {}

    def _attributes(self) -> dict[str, str]:
        """Read attributes up to their end."""
        found: dict[str, str] = {}
        current: str | None = None
        while (token := self._octet()) != _END:
            if token == _SWITCH_PAGE:
                self._switch_page()
            elif token in _NOT_READ:
                raise self._error(f"token 0x{token:02x} has no place here")
            elif _STR_I < token < _FIRST_VALUE:
                current, found[current] = _STARTS[self._attribute_page].get(token, ("name", ""))
            elif current is None:
                raise self._error("attribute value without attribute")
            else:
                found[current] += self._value(token)
        return found

    def _switch_page(self) -> None:
        """Take another attribute page."""
        page = self._octet()
        if page not in _STARTS:
            raise self._error(f"attribute page {page} is not known")
        self._attribute_page = page

    def _value(self, token: int) -> str:
        """Return one part of a value."""
        if token == _STR_I:
            return self._text(self._until_zero())
        if self._is_old_digest(token):
            return "DIGEST"
        if token == _STR_T:
            table_text = self._strings[self._uintvar() :]
            return self._text(table_text.partition(b"\0")[0])
        if token == _OPAQUE:
            return self._text(self._take(self._uintvar()))
        if token == _ENTITY:
            return self._character(self._uintvar())
        text = _VALUES[self._attribute_page].get(token)
        if text is None:
            raise self._error(f"value token 0x{token:02x} is not known")
        return text

    def _is_old_digest(self, token: int) -> bool:
        """Tell CP 1.0's DIGEST from a reference into a string table, which then exists."""
        return token == _STR_T and self._attribute_page == 1 and not self._strings

    def _octet(self) -> int:
        """Read one octet."""
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        """Read that many octets."""
        if count > len(self._octets) - self._offset:
            raise self._error("document ends too early")
        self._offset += count
        return self._octets[self._offset - count : self._offset]

    def _until_zero(self) -> bytes:
        """Read up to a zero octet."""
        end = self._octets.find(0, self._offset)
        if end < 0:
            raise self._error("text without end")
        text = self._take(end - self._offset)
        self._offset += 1
        return text

    def _uintvar(self) -> int:
        """Read a number of 7-bit groups."""
        value = 0
        for _ in range(_UINTVAR_MAX_OCTETS):
            octet = self._octet()
            value = value << 7 | octet & 0x7F
            if octet < 0x80:  # noqa: PLR2004 - the top bit says that another octet follows
                return value
        raise self._error("number of more than five octets")

    def _text(self, octets: bytes) -> str:
        """Return octets as text."""
        try:
            return octets.decode()
        except UnicodeDecodeError as error:
            raise self._error("text is no UTF-8") from error

    def _character(self, code: int) -> str:
        """Return a character entity."""
        if code > _LAST_CHARACTER or code in _SURROGATES:
            raise self._error(f"no such character: {code}")
        return chr(code)

    def _error(self, text: str) -> DecodeError:
        """Return an error that tells where."""
        return DecodeError(f"provisioning document: {text}", self._offset)
