# SPDX-License-Identifier: Apache-2.0
"""What the console shows of an account: how it is, its orders, what happened; no secrets.

Rows of limited size for a page, not everything there is (`api`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.codes import DmStatus, ResultCode
from scomod.explain import code_name
from scomod.lab.sentences import sentence_of

if TYPE_CHECKING:
    from scomod.lab.devices import Account, Order, Record

QUIET_S: Final = 30.0  # a session in which nothing happened for so long was cut off
EVENTS_COUNT: Final = 300
STEPS_COUNT: Final = 100
PARAM_CHARACTERS: Final = 300
TEXT_CHARACTERS: Final = 1000
AFTER: Final = {"end": "idle", "abort": "idle", "challenged": "refused"}
IN_SESSION: Final = ("admitted", "start", "judged us", "status", "results", "order", "alert")


def summary(account: Account, now_s: float) -> dict[str, Any]:
    """Return the row of a device: who it is, when it came last, how it is now.

    `state` is "new" (never came), "session", "cut off" (in a session), "refused" or "idle".
    """
    return {
        "user": account.user,
        "device_id": account.device_id,
        "server_id": account.server_id,
        "auth": account.auth,
        "devinfo": {name: _cut(value) for name, value in account.devinfo.items()},
        "sessions": sum(record["what"] == "admitted" for record in account.records),
        "waiting": sum(order.phase.is_due for order in account.orders),
        "offers": list(account.offers),
        **_presence(account, now_s),
    }


def _presence(account: Account, now_s: float) -> dict[str, Any]:
    known = (*AFTER, *IN_SESSION)
    last = next((each for each in reversed(account.records) if each["what"] in known), None)
    if last is None:
        return {"last_seen_s": None, "state": "new"}
    state = AFTER.get(last["what"], "")
    if not state:
        state = "session" if now_s - last["at_s"] < QUIET_S else "cut off"
    return {"last_seen_s": last["at_s"], "state": state}


def orders(account: Account) -> list[dict[str, Any]]:
    """Return the orders, the newest first."""
    return [_order(order) for order in reversed(account.orders)]


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "kind": order.kind,
        "phase": order.phase.value,
        "correlator": order.correlator,
        "detail": _cut(order.detail),
        "result": "" if order.result is None else code_name(order.result, ResultCode),
        "is_good": order.result in (None, ResultCode.SUCCESSFUL),
        "params": {
            name: _cut(value, PARAM_CHARACTERS) for name, value in order.params.items() if value
        },
        "steps": [
            {**{key: step[key] for key in ("command", "uri")}, "code": _code(step["code"])}
            for step in order.steps[-STEPS_COUNT:]
        ],
        "steps_count": len(order.steps),
    }


def events(account: Account) -> list[dict[str, Any]]:
    """Return the last records as sentences, the newest first."""
    return [_event(record) for record in reversed(account.records[-EVENTS_COUNT:])]


def _event(record: Record) -> dict[str, Any]:
    said = sentence_of(record)
    return {
        "at_s": record["at_s"],
        "what": record["what"],
        "session": record.get("session", ""),
        "type": _cut(str(record.get("type", ""))),
        "actors": said.actors,
        "text": _cut(said.text),
        "more": [_cut(line) for line in said.more],
        "tone": said.tone,
    }


def _code(code: int) -> str:
    return code_name(code, DmStatus) if code else "no answer"


def _cut(text: str, characters: int = TEXT_CHARACTERS) -> str:
    return text if len(text) <= characters else f"{text[:characters]} …"
