"""What we sent and the server has yet to answer: our headers, and the alerts that must arrive.

Other commands of ours need no answer: their Statuses are passed over, like those
that refer to nothing we sent (omadm §3, last paragraph).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus

if TYPE_CHECKING:
    from scomod.dmclient.model import Status

HEADER_REF: Final = "0"
UNFINISHED: Final = (DmStatus.IN_PROGRESS, DmStatus.CHUNKED_ITEM_ACCEPTED)


class Awaited:
    """Open questions by (MsgID, CmdID) of the command asked with."""

    def __init__(self) -> None:
        self._headers: set[str] = set()
        self._alerts: dict[tuple[str, str], int] = {}

    def sent_header(self, msg_id: str) -> None:
        """Wait for the Status of a message's header."""
        self._headers.add(msg_id)

    def sent_alert(self, msg_id: str, cmd_id: str, alert_id: int) -> None:
        """Wait for the Status of an alert of the outbox."""
        self._alerts[msg_id, cmd_id] = alert_id

    def forget_alerts(self) -> None:
        """Wait for no alert any more: all of them go out again."""
        self._alerts.clear()

    def take_header(self, status: Status) -> bool:
        """Tell whether this is the final word on a header of ours; true once."""
        is_ours = status.cmd_ref == HEADER_REF and status.msg_ref in self._headers
        if not is_ours or status.code in UNFINISHED:
            return False
        self._headers.remove(status.msg_ref)
        return True

    def take_alert(self, status: Status) -> int | None:
        """Return the alert on which this is the final word, or None; once."""
        if status.code in UNFINISHED:
            return None
        return self._alerts.pop((status.msg_ref, status.cmd_ref), None)
