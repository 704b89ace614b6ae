# SPDX-License-Identifier: Apache-2.0
"""What we sent and the server has yet to answer: our headers, and the alerts that must arrive.

Other commands of ours need no answer: their Statuses are passed over, like those
that refer to nothing we sent (omadm §3, last paragraph).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scomod.dmclient.model import Status

HEADER_REF: Final = "0"
UNFINISHED: Final = (DmStatus.IN_PROGRESS, DmStatus.CHUNKED_ITEM_ACCEPTED)


class Awaited:
    """Open questions by (MsgID, CmdID) of the command asked with."""

    def __init__(self) -> None:
        self._headers: set[str] = set()
        self._alerts: dict[tuple[str, str], int] = {}
        self._codes: dict[int, list[int]] = {}

    def sent_header(self, msg_id: str) -> None:
        """Wait for the Status of a message's header."""
        self._headers.add(msg_id)

    def sent_alert(self, msg_id: str, cmd_id: str, alert_id: int) -> None:
        """Wait for the Status of an alert of the outbox, or of a part of it."""
        self._alerts[msg_id, cmd_id] = alert_id

    def forget_alerts(self) -> None:
        """Wait for no alert any more: all of them go out again."""
        self._alerts.clear()
        self._codes.clear()

    def take_header(self, status: Status) -> bool:
        """Tell whether this is the final word on a header of ours; true once."""
        is_ours = status.cmd_ref == HEADER_REF and status.msg_ref in self._headers
        if not is_ours or status.code in UNFINISHED:
            return False
        self._headers.remove(status.msg_ref)
        return True

    def take_alerts(
        self, statuses: Iterable[Status], is_owed: Callable[[int], bool]
    ) -> list[tuple[int, int]]:
        """Return the alerts that a message answers for good, each once, with the worst answer.

        An alert may have left in several commands (`is_owed`: more of them wait), and a
        command be answered item by item: the alert is answered when all of it is.
        """
        heard: dict[tuple[str, str], int] = {}
        for status in statuses:
            ref = status.msg_ref, status.cmd_ref
            is_of_an_item = bool(status.target_refs or status.source_refs)
            if status.code in UNFINISHED or (ref in heard and not is_of_an_item):
                continue
            if ref in self._alerts:
                heard[ref] = self._alerts[ref]
                self._codes.setdefault(heard[ref], []).append(status.code)
        for ref in heard:
            del self._alerts[ref]
        whole = [
            alert_id
            for alert_id in dict.fromkeys(heard.values())
            if alert_id not in self._alerts.values() and not is_owed(alert_id)
        ]
        return [(alert_id, max(self._codes.pop(alert_id))) for alert_id in whole]
