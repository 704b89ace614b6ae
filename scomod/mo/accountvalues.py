# SPDX-License-Identifier: Apache-2.0
"""What the leaves of an account may hold (omadm §8.3): checks by name of the leaf.

Pure.  A value that would cut the device off from its server is refused when it is
written, not when it is used.  Types of authentication are not checked: there are more
of them than the standard lists.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scomod.errors import BadFormat
from scomod.mo.acl import is_server_id
from scomod.shapes import WINDOW_SHAPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PORT_MAX: Final = 65535
LEVELS: Final = frozenset(("CLCRED", "SRVCRED", "OBEX", "HTTP"))
ADDRESS_TYPES: Final = frozenset(("", "URI", "IPv4", "IPv6", "1"))  # "1": HTTP of DM 1.1.2

POLL_MAX_S: Final = 90 * 86400
WINDOWS_MAX_COUNT: Final = 16

_URL: Final = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_IP_LITERAL: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_WHOLE: Final = re.compile(r"[0-9]{1,8}")
_WINDOWS: Final = re.compile(
    rf"(({WINDOW_SHAPE})(; *({WINDOW_SHAPE})){{0,{WINDOWS_MAX_COUNT - 1}}})?", re.ASCII
)


def check(leaf: str, value: bytes) -> None:
    """Raise `BadFormat` if the leaf of that name must not hold the value; others may."""
    rule = _RULES.get(leaf)
    if rule is not None and not rule[0](value.decode("utf-8", "replace")):
        raise BadFormat(f"{leaf} is {rule[1]}")


def check_poll(leaf: str, value: bytes, min_interval_s: float) -> None:
    """Raise `BadFormat` if the leaf of that name below Ext/Poll must not hold the value."""
    text = value.decode("utf-8", "replace")
    if leaf == "Interval" and not _is_interval(text, min_interval_s):
        raise BadFormat(f"Interval is 0, or from {min_interval_s:g} to {POLL_MAX_S} seconds")
    if leaf == "Windows" and not _WINDOWS.fullmatch(text):
        raise BadFormat("Windows are such as Mon-Fri 22:00-04:00, with ; between them")


def windows(text: str) -> tuple[str, ...]:
    """Return the windows that a leaf holds."""
    return tuple(each.strip() for each in text.split(";") if each.strip())


def _is_interval(text: str, min_interval_s: float) -> bool:
    """0 leaves it to the device; no server can stop it calling, which may be the only way back."""
    return bool(_WHOLE.fullmatch(text)) and (
        int(text) == 0 or min_interval_s <= int(text) <= POLL_MAX_S
    )


def _is_address(text: str) -> bool:
    return bool(_URL.fullmatch(text) or _IP_LITERAL.fullmatch(text))


def _is_port(text: str) -> bool:
    return bool(_PORT.fullmatch(text)) and int(text) <= PORT_MAX


_RULES: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "AppID": (lambda text: text == "w7", "always w7"),
    "ServerID": (is_server_id, "a name that an ACL can hold"),
    "ServerId": (is_server_id, "a name that an ACL can hold"),
    "Addr": (_is_address, "an http or https URI, or an IP address"),
    "AddrType": (lambda text: text in ADDRESS_TYPES, "URI, IPv4 or IPv6"),
    "PortNbr": (_is_port, "a number up to 65535"),
    "AAuthLevel": (lambda text: text in LEVELS, "one of CLCRED, SRVCRED, OBEX, HTTP"),
}
