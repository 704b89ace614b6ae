# SPDX-License-Identifier: Apache-2.0
"""Reads the alerts of a device: codes, correlators, results (omadm §1.3, §1.5, scomo §4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scomod.codes import ALERT_TYPE_OPERATION_COMPLETE, AlertCode, DmStatus, ResultCode
from scomod.lab import offers
from scomod.lab.devices import Account, Phase, Record, Register

if TYPE_CHECKING:
    from scomod.dmclient.model import Alert, Item

RESULT: Final = re.compile(rb"<ResultCode>\s*(\d{3,5})\s*</ResultCode>")
IDENTIFIER: Final = re.compile(rb"<Identifier>(.*?)</Identifier>", re.DOTALL)


def take_alert(register: Register, account: Account, session: str, alert: Alert) -> DmStatus:
    """Note an alert, item by item, and return what it is answered with.

    The report of an order also ends that order; a request may bring one.
    """
    code = DmStatus.OK
    for item in alert.items:
        record = _read(alert, item)
        register.record(account, "alert", session=session, **record)
        if record["type"] == ALERT_TYPE_OPERATION_COMPLETE and record["result"] is not None:
            _settle(account, record)
        elif record["type"] in offers.REQUESTS:
            code = offers.answer(register, account, record["identifier"])
    if not alert.items:
        register.record(account, "alert", session=session, code=alert.code)
    return code


def _read(alert: Alert, item: Item) -> Record:
    """Take one item apart; fields that are not there are "" or None."""
    data = item.data or b""
    result = RESULT.search(data)
    identifier = IDENTIFIER.search(data)
    return {
        "code": alert.code,
        "type": (item.meta and item.meta.type) or "",
        "correlator": alert.correlator or "",
        "source": item.source or "",
        "target": item.target or "",
        "mark": (item.meta and item.meta.mark) or "",
        "result": int(result[1]) if result else None,
        "identifier": identifier[1].decode("utf-8", "replace") if identifier else "",
    }


def _settle(account: Account, record: Record) -> None:
    """Write the result into its order; with several components the first failure counts."""
    for order in account.orders:
        if order.correlator != record["correlator"] or not order.correlator:
            continue
        if order.result in (None, ResultCode.SUCCESSFUL):
            order.result = record["result"]
        if order.phase in (Phase.ACCEPTED, Phase.RUNNING):
            order.phase = Phase.DONE  # RUNNING: its 202 was lost, the report says it all


def is_start(alert: Alert) -> bool:
    """Tell whether the alert opens a session."""
    return alert.code in (
        AlertCode.SERVER_INITIATED_MANAGEMENT,
        AlertCode.CLIENT_INITIATED_MANAGEMENT,
    )
