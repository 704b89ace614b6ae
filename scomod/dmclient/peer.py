# SPDX-License-Identifier: Apache-2.0
"""What the headers of a server's messages tell of it: session, version, sizes, address.

Not its credentials: those are judged in `credentials`.  Nothing here waits or
sends.  Rules: omadm §1.1, §2.2, §2.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from scomod.codes import DmStatus
from scomod.dmclient.model import Item
from scomod.errors import RemoteProtocolError

if TYPE_CHECKING:
    from scomod.dmclient.model import SyncHdr

# What we write, by the version of the account; what we read from any server.
WRITTEN: Final = {"1.1": ("1.1", "DM/1.1"), "1.2": ("1.2", "DM/1.2")}
VERSIONS_DTD: Final = ("1.1", "1.2")
VERSIONS_PROTO: Final = ("DM/1.1", "DM/1.2", "DM/1.3")

# What is said with a code that refuses a header for its version.
SUPPORTED: Final = {
    DmStatus.DTD_VERSION_NOT_SUPPORTED: VERSIONS_DTD,
    DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED: VERSIONS_PROTO,
}
HEX: Final = 16
DECIMAL: Final = 10


class Peer:
    """The server, as far as its headers say; sizes are octets, `None` where it names none."""

    def __init__(self, *, session_id: str, url: str, max_msg_bytes: int) -> None:
        self._session_id = session_id
        self._own_max_msg_bytes = max_msg_bytes
        self._executed: set[str] = set()
        self.url = url
        self.max_msg_bytes = max_msg_bytes
        self.max_obj_bytes: int | None = None

    def check_identity(self, header: SyncHdr) -> None:
        """Refuse a message of another session, and one that was carried out already.

        Raises `RemoteProtocolError`.
        """
        if not _is_same_session(self._session_id, header.session_id):
            raise RemoteProtocolError(f"SessionID {header.session_id!r} is not ours")
        if header.msg_id in self._executed:
            raise RemoteProtocolError(f"MsgID {header.msg_id!r} comes twice in the session")

    def take(self, header: SyncHdr) -> None:
        """Note the sizes it takes and where it wants the next message, until it says otherwise."""
        if header.meta and header.meta.max_msg_size:
            self.max_msg_bytes = min(self._own_max_msg_bytes, header.meta.max_msg_size)
        if header.meta and header.meta.max_obj_size:
            self.max_obj_bytes = header.meta.max_obj_size
        if header.resp_uri:
            self.url = _resolved(self.url, header.resp_uri)

    def note_executed(self, header: SyncHdr) -> None:
        """Remember a message whose commands are carried out: never a second time."""
        self._executed.add(header.msg_id)


def version_fault(header: SyncHdr) -> DmStatus | None:
    """Return the code for a header of a version that is not read here, None for the others."""
    if header.ver_dtd not in VERSIONS_DTD:
        return DmStatus.DTD_VERSION_NOT_SUPPORTED
    if header.ver_proto not in VERSIONS_PROTO:
        return DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED
    return None


def supported(code: DmStatus) -> tuple[Item, ...]:
    """Return the Items of a Status with that code: the versions that would do (omadm §2.2)."""
    return tuple(Item(data=version.encode()) for version in SUPPORTED.get(code, ()))


def _is_same_session(ours: str, theirs: str) -> bool:
    """Compare as numbers: some servers take our hexadecimal text for decimal, or write so."""
    in_hex, in_decimal = _number(ours, HEX), _number(ours, DECIMAL)
    return (
        ours == theirs
        or (in_hex is not None and in_hex in (_number(theirs, HEX), _number(theirs, DECIMAL)))
        or (in_decimal is not None and in_decimal == _number(theirs, HEX))
    )


def _number(text: str, base: int) -> int | None:
    """Return what a text means in a base; a plain text of letters and digits only."""
    try:
        return int(text, base) if text.isascii() and text.isalnum() else None
    except ValueError:
        return None


def _resolved(url: str, resp_uri: str) -> str:
    """Return where a RespURI points to, which may be relative.

    Raises `RemoteProtocolError` for one that cannot be read.
    """
    try:
        return urljoin(url, resp_uri.strip())
    except ValueError as error:
        raise RemoteProtocolError(f"RespURI {resp_uri!r} cannot be read: {error}") from error
