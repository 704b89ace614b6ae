# SPDX-License-Identifier: Apache-2.0
"""Sends pushes, each as one datagram to a device's push port: package #0, bootstrap documents.

A notification is a WSP push with the short content type and application id (omadm §10.3)
around package #0 (omadm §10.1); a document one whose content type says how it is sealed
(omadm §9.3, §9.4).  Nothing comes back; what shows that it worked is the session.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from scomod.dmclient import notification, seal
from scomod.dmclient.notification import UiMode
from scomod.dmclient.seal import Method, Profile
from scomod.errors import ScomodError
from scomod.lab import profile
from scomod.secret import Secret

if TYPE_CHECKING:
    from scomod.lab.devices import Account, Register

PORT: Final = 2948
# TID 1, Push, 3 octets of headers: type vnd.syncml.notification, application id syncml.dm
WSP_PUSH: Final = bytes.fromhex("01 06 03 c4 af 87")
# TID 1, Push; then the length of the headers: a content type with parameters, application id
WSP_SEALED: Final = bytes.fromhex("01 06")
WSP_LENGTH: Final = 0x1F
WSP_APPLICATION: Final = bytes.fromhex("af 87")
WSP_TYPES: Final = {Profile.CP: 0x35, Profile.DM: 0x42}  # the XML form; WBXML
WSP_SEC, WSP_MAC = 0x11, 0x12
WSP_SHORT: Final = 0x80
SECS: Final = {method: number for number, method in enumerate(Method)}
PROFILES: Final = {"cp": Profile.CP, "dm": Profile.DM}


class NoSeal(ScomodError):  # noqa: N818 - a condition
    """A document cannot be sealed like that; says what is missing."""


def ask(
    register: Register,
    account: Account,
    host: str,
    port: int,
    ui_mode: UiMode = UiMode.BACKGROUND,
) -> int:
    """Ask a device for a session and note it; returns the session id, raises `OSError`."""
    session_id = account.next_session_id()
    send(push_of(account, session_id, ui_mode), host, port)
    session = notification.session_id_text(session_id)
    register.record(account, "push", host=host, port=port, session=session)
    register.save(account)
    return session_id


def push_of(account: Account, session_id: int, ui_mode: UiMode = UiMode.BACKGROUND) -> bytes:
    """Return the datagram that asks for a session, signed with the server's nonce."""
    body = notification.build(
        server_id=account.server_id,
        password=account.server_password,
        nonce=account.server_nonce,
        session_id=session_id,
        ui_mode=ui_mode,
    )
    return WSP_PUSH + body


def bootstrap(
    register: Register,
    account: Account,
    url: str,
    where: tuple[str, int],
    *,
    kind: Profile,
    method: Method,
    pin: Secret,
    imsi: str,
) -> Secret:
    """Send a sealed document for an account; returns what the person has to enter, or "".

    Raises `NoSeal`, `OSError`.
    """
    if (method.needs_pin and not pin.reveal()) or (method.needs_network and not imsi):
        raise NoSeal(f"{method} needs a PIN" if method.needs_pin else f"{method} needs the IMSI")
    if kind is Profile.CP:
        document = profile.profile_of(account, url).encode()
    else:
        document = profile.message_of(account, url)
    mac = seal.mac_of(seal.key_of(method, kind, imsi, pin), document)
    send(sealed_push(document, kind, method, mac), *where)
    register.record(account, "bootstrap", host=where[0], port=where[1], seal=str(method))
    register.save(account)
    return entered(method, pin, mac)


def sealed_push(document: bytes, kind: Profile, method: Method, mac: str) -> bytes:
    """Return the datagram of a sealed document; USERPINMAC has no MAC in it."""
    content = bytes((WSP_SHORT | WSP_TYPES[kind], WSP_SHORT | WSP_SEC, WSP_SHORT | SECS[method]))
    if method is not Method.USERPINMAC:
        content += bytes((WSP_SHORT | WSP_MAC,)) + mac.encode() + b"\0"
    headers = bytes((WSP_LENGTH, len(content))) + content + WSP_APPLICATION
    return WSP_SEALED + bytes((len(headers),)) + headers + document


def entered(method: Method, pin: Secret, mac: str) -> Secret:
    """Return what a person types: the PIN, and for USERPINMAC a digit for each of its own."""
    if not method.needs_pin:
        return Secret("")
    digits = "".join(str(octet % 10) for octet in bytes.fromhex(mac)[: len(pin.reveal())])
    return Secret(pin.reveal() + digits) if method is Method.USERPINMAC else pin


def send(datagram: bytes, host: str, port: int) -> None:
    """Send it; raises `OSError` for an address that cannot be."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as udp:
        udp.sendto(datagram, address)
