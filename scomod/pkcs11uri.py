# SPDX-License-Identifier: Apache-2.0
"""URIs of keys on tokens (RFC 7512): `pkcs11:token=release;object=key?module-path=/usr/lib/x.so`.

Only reading them; not the token (`clitoken`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_to_bytes

from scomod.clicall import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME: Final = "pkcs11:"
# What says which token is meant, which key, and how the two are reached.
OF_TOKEN: Final = ("token", "manufacturer", "model", "serial", "slot-id")
OF_KEY: Final = ("object", "id", "type")
OF_WAY: Final = ("module-path", "pin-value", "pin-source")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUri:
    """What a URI says, decoded; "" for what it does not; `id` in hex.

    `shown` is the URI as it may be printed: without the part that may hold a PIN.
    """

    shown: str
    token: Mapping[str, str]
    label: str
    id: str
    module: str
    pin_value: str
    pin_source: str


def parse(text: str) -> KeyUri:
    """Read a URI; raises `UsageError` for one that says what we do not understand."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    shown = SCHEME + path
    named = _pairs(path.split(";"), OF_TOKEN + OF_KEY, shown)
    way = _pairs(query.split("&"), OF_WAY, shown)
    if named.get("type", "private") != "private":
        raise UsageError(f"{shown}: only a private key signs")
    return KeyUri(
        shown=shown,
        token={key: unquote(value) for key, value in named.items() if key in OF_TOKEN},
        label=unquote(named.get("object", "")),
        id=unquote_to_bytes(named.get("id", "")).hex(),
        module=unquote(way.get("module-path", "")),
        pin_value=unquote(way.get("pin-value", "")),
        pin_source=unquote(way.get("pin-source", "")),
    )


def _pairs(parts: list[str], known: tuple[str, ...], shown: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, parts):
        key, _, value = part.partition("=")
        if key not in known:
            text = f"{shown}: {key!r:.40} is not understood, only {', '.join(known)}"
            raise UsageError(text)
        if key in found:
            raise UsageError(f"{shown}: {key} is there twice")
        found[key] = value
    return found
