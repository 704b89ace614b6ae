# SPDX-License-Identifier: Apache-2.0
"""The MAC around a bootstrap document: who may have sent it (omadm §9.3, §9.4).

Pure.  Four methods, told by the parameter SEC; the key comes from the network's
secret (the IMSI), from a PIN that reached the person another way, or from both.
Not here: what is done with a document without a MAC, and asking for the PIN.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

from scomod.errors import RemoteProtocolError

if TYPE_CHECKING:
    from scomod.secret import Secret


class Profile(Enum):
    """The two kinds of bootstrap documents (omadm §9.1)."""

    CP = "client provisioning"
    DM = "DM message"


class Method(StrEnum):
    """How a document is sealed, spelled as in client provisioning."""

    NETWPIN = "NETWPIN"
    USERPIN = "USERPIN"
    USERNETWPIN = "USERNETWPIN"
    USERPINMAC = "USERPINMAC"

    @property
    def needs_network(self) -> bool:
        """Tell whether the network's secret is part of the key."""
        return self in (Method.NETWPIN, Method.USERNETWPIN)

    @property
    def needs_pin(self) -> bool:
        """Tell whether a person must enter a PIN."""
        return self is not Method.NETWPIN


# WSP counts, HTTP spells, and the DM profile has names of its own (omadm §9.4).
METHODS: Final = {
    "0": Method.NETWPIN,
    "1": Method.USERPIN,
    "2": Method.USERNETWPIN,
    "3": Method.USERPINMAC,
    **{method.value: method for method in Method},
    "NETWORKID": Method.NETWPIN,
    "USERPIN_NETWORKID": Method.USERNETWPIN,
}
SHORTEST_HALF_DIGITS: Final = 5  # of what a person enters for USERPINMAC


class BadSeal(RemoteProtocolError):  # noqa: N818 - a condition, like its siblings
    """The parameters SEC and MAC say nothing that can be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A method and the MAC that came with the document; USERPINMAC has none of its own."""

    method: Method
    mac: str = ""


def read(sec: str, mac: str) -> Seal | None:
    """Return what the parameters SEC and MAC say, None if both are absent ("").

    Raises `BadSeal` for an unknown method, a MAC without a method, a method without
    its MAC.
    """
    if not sec and not mac:
        return None
    method = METHODS.get(sec.strip().upper())
    if method is None:
        raise BadSeal(f"SEC={sec!r} is not known" if sec else "there is a MAC, but no SEC")
    if method is not Method.USERPINMAC and not mac.strip():
        raise BadSeal(f"SEC={method} without a MAC")
    return Seal(method=method, mac=mac.strip())


def is_genuine(document: bytes, seal: Seal, profile: Profile, imsi: str, pin: Secret) -> bool:
    """Tell whether a document was sealed with this IMSI (digits) and PIN.

    What the method does not need is not looked at; without what it needs the answer
    is no.  The time taken does not depend on where texts differ.
    """
    if (seal.method.needs_network and not imsi) or (seal.method.needs_pin and not pin.reveal()):
        return False
    if seal.method is Method.USERPINMAC:
        return _is_pin_mac(document, pin.reveal())
    key = key_of(seal.method, profile, imsi, pin)
    return _equal(seal.mac.upper(), mac_of(key, document))


def key_of(method: Method, profile: Profile, imsi: str, pin: Secret) -> bytes:
    """Return the key of a method with a MAC of its own.

    The two profiles put PIN and network secret together differently (omadm §9.3, §9.4).
    """
    digits = pin.reveal().encode("utf-8", "replace")
    match method:
        case Method.NETWPIN:
            return network_secret(imsi)
        case Method.USERNETWPIN if profile is Profile.CP:
            return network_secret(imsi) + digits
        case Method.USERNETWPIN:
            return digits + b":" + network_secret(imsi)
        case _:
            return digits


def network_secret(imsi: str) -> bytes:
    """Return an IMSI in semi-octets as a SIM keeps it: parity, digits, filler, swapped."""
    is_odd = len(imsi) % 2 == 1
    nibbles = f"9{imsi}" if is_odd else f"1{imsi}F"
    swapped = (second + first for first, second in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes.fromhex("".join(swapped))


def mac_of(key: bytes, document: bytes) -> str:
    """Return the MAC as it is sent: 40 hexadecimal digits, upper case."""
    return _digest(key, document).hex().upper()


def _digest(key: bytes, document: bytes) -> bytes:
    import hmac  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    return hmac.digest(key, document, "sha1")


def _is_pin_mac(document: bytes, entered: str) -> bool:
    """Check USERPINMAC: the person enters the PIN and, behind it, a digit per MAC octet."""
    half = len(entered) // 2
    if len(entered) % 2 or half < SHORTEST_HALF_DIGITS or not entered.isdecimal():
        return False
    pin, digits = entered[:half], entered[half:]
    octets = _digest(pin.encode(), document)
    return _equal(digits, "".join(str(octet % 10) for octet in octets[:half]))


def _equal(received: str, expected: str) -> bool:
    import hmac  # noqa: PLC0415 - as above

    return hmac.compare_digest(received.encode("utf-8", "replace"), expected.encode())
