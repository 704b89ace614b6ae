# SPDX-License-Identifier: Apache-2.0
"""What a server is told of a finished operation: its OperationComplete alert (scomo §4.1, §4.5).

Pure: from an operation and the places of its results to a row of the outbox, which is
sent as it is, also the second time.  Some servers expect it otherwise (`quirk`).
Not the outbox, not the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import (
    ALERT_TYPE_OPERATION_COMPLETE,
    ALERT_TYPE_OPERATION_COMPLETE_2008,
    ResultCode,
)
from scomod.operation import Branch, Operation, Phase, Primitive
from scomod.outbox import AlertItem, OutboxAlert
from scomod.quirk import Quirk
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK_SUCCESS: Final = "informational"  # scomo §4.1: a failure must not be informational
MARK_FAILURE: Final = "critical"
MARK_EITHER: Final = "warning"  # what NOK says of everything


@frozen
class Places:
    """Where things are in the tree when an operation has ended.

    `item` is the package or component the Exec was about, `delivered` where a download
    went, `components` the URI of each component by its id, "" for one without a node.
    """

    item: str
    delivered: str
    components: Mapping[str, str]


def report(
    operation: Operation, places: Places, quirks: frozenset[str] = frozenset()
) -> OutboxAlert:
    """Return the alert of a finished operation: an item per component, or one for the whole."""
    code = int(operation.result or ResultCode.UNDEFINED_ERROR)
    return OutboxAlert(
        operation_id=operation.id,
        server_id=operation.server_id,
        correlator=operation.correlator,
        source=operation.exec_uri,
        type=_type(quirks),
        mark=_mark(operation, quirks),
        items=tuple(
            _item(code, target, identifier, quirks, is_component=_is_component(operation))
            for target, identifier in _subjects(operation, places)
        ),
        created_s=operation.changed_s,
    )


def component_ids(operation: Operation) -> list[str]:
    """Return the ids of the components an install-type operation has produced."""
    found = operation.data.get("components", [])
    return [str(name) for name in found] if isinstance(found, list) else []


def concerned(operation: Operation) -> list[str]:
    """Return the ids of the components that were made, else of the one that was there."""
    return component_ids(operation) or [operation.subject.component_id]


def _subjects(operation: Operation, places: Places) -> list[tuple[str, str]]:
    """Return what is told of as (target, identifier); the table of scomo §4.1."""
    subject = operation.subject
    if _is_component(operation):
        return [(places.item, subject.component_id)]
    if operation.phase is not Phase.SUCCEEDED:
        return [(places.item, subject.pkg_id)]
    if operation.primitive is Primitive.DOWNLOAD:
        return [(places.delivered, subject.pkg_id)]
    made = [(places.components.get(name) or places.item, name) for name in component_ids(operation)]
    return made or [(places.item, subject.pkg_id)]


def _item(
    code: int, target: str, identifier: str, quirks: frozenset[str], *, is_component: bool
) -> AlertItem:
    if Quirk.REPORT_IDENTIFIER_NODE in quirks:
        identifier = target.rpartition("/")[2]
    if Quirk.REPORT_NO_COMPONENT_TARGET in quirks and is_component:
        target = ""
    return AlertItem(
        target=target,
        data=f"<ResultCode>{code}</ResultCode><Identifier>{escaped(identifier)}</Identifier>",
    )


def _is_component(operation: Operation) -> bool:
    return operation.branch is Branch.DEPLOYED


def _type(quirks: frozenset[str]) -> str:
    is_old = Quirk.REPORT_TYPE_2008 in quirks
    return ALERT_TYPE_OPERATION_COMPLETE_2008 if is_old else ALERT_TYPE_OPERATION_COMPLETE


def _mark(operation: Operation, quirks: frozenset[str]) -> str:
    if Quirk.REPORT_MARK_WARNING in quirks:
        return MARK_EITHER
    return MARK_SUCCESS if operation.phase is Phase.SUCCEEDED else MARK_FAILURE


def escaped(text: str) -> str:
    """Return a text as XML content; xml.sax.saxutils would bring an HTTP client along."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
