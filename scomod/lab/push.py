"""Sends package #0: asks a device for a session, by one datagram to its push port.

The octets are a WSP push with the short content type and application id
(omadm §10.3), the body a notification (omadm §10.1).  Nothing comes back; what
shows that it worked is the session.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from scomod.dmclient import notification
from scomod.dmclient.notification import UiMode

if TYPE_CHECKING:
    from scomod.lab.devices import Account, Register

PORT: Final = 2948
# TID 1, Push, 3 octets of headers: type vnd.syncml.notification, application id syncml.dm
WSP_PUSH: Final = bytes.fromhex("01 06 03 c4 af 87")


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


def send(datagram: bytes, host: str, port: int) -> None:
    """Send it; raises `OSError` for an address that cannot be."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as udp:
        udp.sendto(datagram, address)
