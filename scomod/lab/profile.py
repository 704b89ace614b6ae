# SPDX-License-Identifier: Apache-2.0
"""Writes the bootstrap documents of an account: what a device is bootstrapped from.

Client provisioning, application w7 (omadm §8.3, §9.2), in its XML form; or a DM message
that adds the account node by node (omadm §9.4).  Writes only: the device has its own
readers.  Not here: seals (`push`).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from scomod.dmclient import codec
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Item, Message, Meta, SyncHdr

if TYPE_CHECKING:
    from scomod.lab.devices import Account
    from scomod.secret import Secret

NAME: Final = "scomod-lab"
TYPES: Final = {"md5": "DIGEST", "basic": "BASIC", "mac": "HMAC"}


def profile_of(account: Account, url: str) -> str:
    """Return the document; it holds the secrets of both sides.

    APPSRV is how the device proves itself to the server, CLIENT the other way round.
    """
    device = [
        _parm("AAUTHLEVEL", "APPSRV"),
        *_auth(account.auth, account.user, account.password, account.client_nonce),
    ]
    server = [
        _parm("AAUTHLEVEL", "CLIENT"),
        *_auth(account.auth, account.server_id, account.server_password, account.server_nonce),
    ]
    application = [
        _parm("APPID", "w7"),
        _parm("PROVIDER-ID", account.server_id),
        _parm("NAME", NAME),
        _parm("ADDR", url),
        *_characteristic("APPAUTH", device),
        *_characteristic("APPAUTH", server),
    ]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<wap-provisioningdoc version="1.1">',
        *_indent(_characteristic("APPLICATION", application)),
        "</wap-provisioningdoc>",
    ]
    return "\n".join(lines) + "\n"


def message_of(account: Account, url: str) -> bytes:
    """Return the same account as a DM message in WBXML."""
    top = f"./DMAcc/{account.server_id}"
    leaves = {
        "AppID": "w7",
        "ServerID": account.server_id,
        "Name": NAME,
        "AppAddr/1/Addr": url,
        "AppAddr/1/AddrType": "URI",
        **_login("CLCRED", account.auth, account.user, account.password, account.client_nonce),
        **_login(
            "SRVCRED",
            account.auth,
            account.server_id,
            account.server_password,
            account.server_nonce,
        ),
    }
    meta = Meta(format="chr", type="text/plain")
    items = (
        Item(target=f"{top}/{leaf}", meta=meta, data=value.encode())
        for leaf, value in leaves.items()
    )
    header = SyncHdr(session_id="0", msg_id="1", target="device", source=account.server_id)
    add = Add(cmd_id="1", items=tuple(items))
    return codec.encode(Message(header=header, commands=(add,)), Encoding.WBXML)


def _login(level: str, auth: str, name: str, secret: Secret, nonce: bytes) -> dict[str, str]:
    values = {
        "AAuthLevel": level,
        "AAuthType": TYPES[auth],
        "AAuthName": name,
        "AAuthSecret": secret.reveal(),
        "AAuthData": base64.b64encode(nonce).decode(),
    }
    return {f"AppAuth/{level}/{leaf}": value for leaf, value in values.items()}


def _auth(auth: str, name: str, secret: Secret, nonce: bytes) -> list[str]:
    return [
        _parm("AAUTHTYPE", TYPES[auth]),
        _parm("AAUTHNAME", name),
        _parm("AAUTHSECRET", secret.reveal()),
        _parm("AAUTHDATA", base64.b64encode(nonce).decode()),
    ]


def _characteristic(kind: str, inner: list[str]) -> list[str]:
    return [f"<characteristic type={quoteattr(kind)}>", *_indent(inner), "</characteristic>"]


def _parm(name: str, value: str) -> str:
    return f"<parm name={quoteattr(name)} value={quoteattr(value)}/>"


def _indent(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
