# SPDX-License-Identifier: Apache-2.0
"""What is kept of an operation for those who look back: facts that billing can stand on.

Pure: from a row of the journal to a record of what JSON can carry.  A fact that is not
known is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.codes import ResultCode
from scomod.operation import Branch, Phase, Primitive
from scomod.report import component_ids
from scomod.secret import blanked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.facade import Record
    from scomod.notices import Notice
    from scomod.operation import Operation

# How the vendor ranges of scomo §5 are called.
RANGES: Final = (
    (1250, 1300, "successful (vendor)"),
    (1450, 1500, "client error (vendor)"),
    (1550, 1600, "download server error (vendor)"),
)


def facts(operation: Operation) -> Record:
    """Return when, what, how much, who agreed, how it ended, when the server took the report."""
    known = {
        "accepted": operation.created_s,
        "begun": operation.timeline[0][0] if operation.timeline else None,
        "finished": None if operation.phase.is_live else operation.changed_s,
        "components": components(operation),
        "version": operation.subject.version or None,
        "url": blanked(operation.subject.url) or None,
        "digest": operation.subject.digest or operation.data.get("sha256"),
        "size": operation.data.get("size"),
        "delta": operation.data.get("delta"),
        "consent": operation.data.get("consent"),
        "disclosure": operation.data.get("disclosure"),
        "permissions": operation.data.get("permissions"),
        "vendor": operation.data.get("vendor"),
        "info_url": operation.data.get("info_url"),
        "icon_url": operation.data.get("icon_url"),
        "next_url": operation.data.get("next_url"),
        "result_text": None if operation.result is None else result_text(operation.result),
        "reported_at": operation.reported_s,
        "report_status": operation.report_status,
        "timeline": [
            {"at": at_s, "phase": phase, "step": step} for at_s, phase, step in operation.timeline
        ],
    }
    return {key: value for key, value in known.items() if value is not None}


def told(notice: Notice) -> Record:
    """Return what the server of a descriptor is told, where, and what became of it."""
    known = {
        "status": notice.status,
        "url": blanked(notice.url),
        "tries": notice.tries,
        "outcome": notice.outcome or None,
        "settled": notice.settled_s,
    }
    return {key: value for key, value in known.items() if value is not None}


def components(operation: Operation) -> list[Record]:
    """Return the components concerned, with their versions before and after.

    "" is none.  A failed operation has changed nothing (scomo §2.6).
    """
    is_done = operation.phase is Phase.SUCCEEDED
    subject = operation.subject
    if operation.branch is Branch.DEPLOYED:
        is_gone = is_done and operation.primitive is Primitive.REMOVE
        after = "" if is_gone else subject.version
        return [{"id": subject.component_id, "before": subject.version, "after": after}]
    before = _versions(operation, "before")
    after_all = _versions(operation, "after") if is_done else before
    return [
        {"id": name, "before": before.get(name, ""), "after": after_all.get(name, "")}
        for name in component_ids(operation)
    ]


def result_text(code: int) -> str:
    """Return a result in words (scomo §5)."""
    if code in set(ResultCode):
        return ResultCode(code).name.replace("_", " ").lower()
    return next((text for low, high, text in RANGES if low <= code < high), "unknown result")


def _versions(operation: Operation, key: str) -> Mapping[str, Any]:
    found = operation.data.get(key)
    return found if isinstance(found, dict) else {}
