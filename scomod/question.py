# SPDX-License-Identifier: Apache-2.0
"""What a person is told of an operation: before it what it means, after it how it ended.

Records for agents (docs/dbus.md), made of the operation alone, with the words of
`meanings.py`; who is asked and when is `confirm.py` (USA-2, USA-4), what a package asks
for `permissions.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scomod.clifmt import size
from scomod.errors import Reason
from scomod.meanings import (
    DISCLOSED,
    FETCHED,
    FETCHED_UNKNOWN,
    FROM_FILE,
    HANDED_ASKS,
    HANDED_IN,
    LIES_THERE,
    MEANING,
    METERED,
    NO_RESTART,
    NOTHING_FETCHED,
    OFFER_ASKS,
    OFFERED,
    RESTART_ASKS,
    RESTART_TEXT,
    RESTART_WHAT,
    RESTARTS,
    STOPPING,
    TOLD_LATER,
    TOLD_SINCE,
    UNDONE,
    WHY,
)
from scomod.operation import OWN_PRIMITIVES, Branch, Operation, Phase, StepKind, name_of
from scomod.package import (
    DESCRIBED_BYTES,
    ICON_URL,
    INFO_URL,
    VENDOR,
    announced_bytes,
    handed_of,
    medium_mark,
    offer_of,
)
from scomod.secret import blanked
from scomod.wording import Figure, Wording, filled, joined, worded, worded_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scomod.meanings import Meaning

_IT_ASKS: Final = worded("It asks for what it may not do now:")


def prompt_of(
    operation: Operation,
    *,
    server_name: str,
    units: Sequence[str] = (),
    permissions: Sequence[str] = (),
    is_metered: bool | None = None,
    windows: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a person must know to decide: who asks, what happens, what it costs.

    `units` are the services of what is there already, `permissions` what a yes allows that
    is not allowed now; nothing is said of them where there are none, or nobody knows.
    `is_metered` tells whether the network costs by volume, `windows` when it may begin.
    """
    subject, meaning = operation.subject, MEANING[operation.branch, operation.primitive]
    offer, handed = offer_of(operation), handed_of(operation)
    prompt = {
        "operation": operation.id,
        "primitive": str(operation.primitive),
        "what": OFFERED if offer else FROM_FILE if handed else meaning.what,
        "effect": _effect(operation, meaning),
        "name": name_of(operation),
        "description": subject.description,
        "version": (offer or handed).get("version", subject.version),
        "size": operation.data.get("size", announced_bytes(operation)),
        "server": operation.server_id,
        "server_name": server_name,
        "url": blanked(subject.url),  # everybody on the bus may look
        "units": list(units) if operation.primitive in STOPPING else [],
        "reboot": StepKind.REBOOT in operation.plan,
        "reversible": meaning.is_reversible,
        "metered": is_metered if is_fetched(operation) else None,
        "permissions": list(permissions) or None,
        "vendor": operation.data.get(VENDOR),
        "info_url": operation.data.get(INFO_URL),
        "icon_url": operation.data.get(ICON_URL),
    }
    asks = OFFER_ASKS if offer else HANDED_ASKS if handed else meaning.asks
    if operation.step is StepKind.DISCLOSE:
        prompt |= {key: DISCLOSED[key] for key in ("what", "effect")}
        asks = DISCLOSED["asks"]
    who = server_name or operation.server_id
    begins = windows if operation.primitive not in OWN_PRIMITIVES else ()
    return prompt | {
        "summary": filled(asks, server=who, name=_named(prompt), **_bringer(handed)),
        "text": joined(_sentences(operation, prompt, begins), "\n"),
    }


def is_fetched(operation: Operation) -> bool:
    """Tell whether a yes makes the device fetch something from a network."""
    is_brought = bool(offer_of(operation) or handed_of(operation))
    is_here = operation.step is StepKind.DISCLOSE or is_brought
    return operation.branch is Branch.DOWNLOAD and not is_here


def _bringer(handed: Mapping[str, object]) -> dict[str, str]:
    return {"by": str(handed["by"])} if handed else {}


def _sentences(
    operation: Operation, prompt: Mapping[str, Any], windows: Sequence[str]
) -> Iterator[str]:
    """Say what happens, what it costs and what can be undone, a line for each."""
    yield prompt["effect"]
    if prompt["permissions"]:
        yield _IT_ASKS
        yield from (worded("- {text}", text=text) for text in prompt["permissions"])
    yield from _costs(prompt, is_coming=is_fetched(operation))
    if units := prompt["units"]:
        yield worded_many(
            "This service stops, at least for a moment: {units}.",
            "These services stop, at least for a moment: {units}.",
            len(units),
            units=", ".join(units),
        )
    if windows:
        yield worded("It begins only at these times: {windows}.", windows="; ".join(windows))
    yield RESTARTS if prompt["reboot"] else NO_RESTART
    yield UNDONE[prompt["reversible"]]


def _costs(prompt: Mapping[str, Any], *, is_coming: bool) -> Iterator[str]:
    if not is_coming:
        yield NOTHING_FETCHED
        return
    octets = prompt["size"]
    yield FETCHED_UNKNOWN if octets is None else filled(FETCHED, size=amount(octets))
    yield METERED[prompt["metered"]]


def amount(octets: int) -> Wording:
    """Return octets for people, "1.5 MiB"."""
    number, unit = size(octets).split()
    return worded("{number} {unit}", number=Figure(number), unit=unit)


def _effect(operation: Operation, meaning: Meaning) -> Wording:
    is_described = operation.step is StepKind.CONSENT and DESCRIBED_BYTES in operation.data
    since = TOLD_SINCE if is_described else ""
    mark = medium_mark(operation)
    where = filled(LIES_THERE, place=str(mark.parent)) if mark else ""
    if handed := handed_of(operation):
        where = filled(HANDED_IN, **_bringer(handed))
    later = TOLD_LATER if StepKind.DISCLOSE in operation.plan else ""
    return joined(filter(None, (where, since, meaning.effect, later)))


def restart_prompt(operation: Operation) -> dict[str, Any]:
    """Return what a person is told who is to restart the device."""
    subject = operation.subject
    told = {
        "operation": operation.id,
        "what": RESTART_WHAT,
        "name": subject.name or subject.pkg_id or subject.component_id,
        "version": subject.version,
        "server": operation.server_id,
    }
    return {**told, "summary": filled(RESTART_ASKS, name=_named(told)), "text": RESTART_TEXT}


def sentence(operation: Operation) -> Wording:
    """Say how an operation ended."""
    meaning = MEANING[operation.branch, operation.primitive]
    name = " ".join(filter(None, (name_of(operation), operation.subject.version)))
    if operation.phase is Phase.SUCCEEDED:
        return filled(meaning.done, name=name)
    return filled(meaning.failed, name=name, why=WHY[operation.reason or Reason.INTERNAL])


def _named(prompt: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (prompt["name"], str(prompt["version"] or ""))))
