# SPDX-License-Identifier: Apache-2.0
"""Writes the tables and diagrams of docs/operations.md from the tables of the code.

`python -m tests.support.operations_page` refreshes the page between its markers; a
test compares it.  What a step does in words stands here, everything else is read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import outcome
from scomod.codes import DeliveredStatus, DeployedStatus, DownloadStatus
from scomod.mo.leftovers import BECOMES
from scomod.mo.projection import Projection
from scomod.operation import (
    CANCELS,
    PLANS,
    UNDOABLE,
    Branch,
    Extra,
    Operation,
    Primitive,
    StepKind,
    Subject,
    operation_leaf,
    plan_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from enum import IntEnum

PAGE: Final = Path(__file__).parents[2] / "docs/operations.md"
STATUS: Final[Mapping[Branch, type[IntEnum]]] = {
    Branch.DOWNLOAD: DownloadStatus,
    Branch.DELIVERED: DeliveredStatus,
    Branch.DEPLOYED: DeployedStatus,
}
K = StepKind
# step: what it does; what becomes of it when it is killed in the middle
WORDS: Final[Mapping[StepKind, tuple[str, str]]] = {
    K.CONSENT: ("policy, then the person", "asked again, an answer given is kept"),
    K.ADMIT: ("waits for the window and for quiet conditions", "looked at again"),
    K.ACQUIRE: (
        "ranged fetch into a part file, SHA-256 on the way",
        "resumed from its length, validators permitting",
    ),
    K.VERIFY: ("signature over that digest", "run again"),
    K.DISCLOSE: (
        "policy, then the person, if the package asks for what it may not do now",
        "asked again, an answer given is kept",
    ),
    K.DELIVER: ("part renamed to `delivered/<sha256>`", "run again"),
    K.INSTALL: ("job for the installing side: all components or none", "same job again"),
    K.INSTALL_INACTIVE: ("the same, but nothing becomes usable", "same job again"),
    K.ACTIVATE: ("job: the kept archive is installed again", "same job again"),
    K.DEACTIVATE: ("job: withdrawn, configuration and archive kept", "same job again"),
    K.START: ("job: the component is started, its units or by its backend", "same job again"),
    K.STOP: ("job: the component is stopped, its units or by its backend", "same job again"),
    K.REBOOT: ("restarts the device, or waits until somebody does", "over when the boot differs"),
    K.HEALTH: ("units must stay up, the component's check succeed", "looked at again"),
    K.REMOVE: ("job: component and kept archive go", "same job again"),
    K.DISCARD: ("payload and node go", "run again"),
    K.SETTLE: ("Deployed made equal to what the backends report", "run again"),
}
FILES: Final = (K.ACQUIRE, K.VERIFY, K.DELIVER)  # leave a file behind
# where a step brings a package or component, for the diagram of their states
LEADS_TO: Final[Mapping[StepKind, str]] = {
    K.DELIVER: "Delivered",
    K.INSTALL: "Active",
    K.INSTALL_INACTIVE: "Inactive",
    K.ACTIVATE: "Active",
    K.DEACTIVATE: "Inactive",
    K.REMOVE: "[*]",
    K.DISCARD: "[*]",
}
STARTS_FROM: Final[Mapping[tuple[Branch, Primitive], tuple[str, ...]]] = {
    (Branch.DEPLOYED, Primitive.ACTIVATE): ("Inactive",),
    (Branch.DEPLOYED, Primitive.DEACTIVATE): ("Active",),
    (Branch.DEPLOYED, Primitive.REMOVE): ("Active", "Inactive"),
    (Branch.DELIVERED, Primitive.REMOVE): ("Delivered",),
}
BRANCH_START: Final = {Branch.DOWNLOAD: "Announced", Branch.DELIVERED: "Delivered"}


class Shown(Projection):
    """The projection itself, with a notepad instead of a tree."""

    def __init__(self) -> None:
        self.status = 0

    def _set_status(self, operation: Operation, status: int) -> None:
        del operation
        self.status = status


def table(head: str, rows: Iterable[tuple[object, ...]]) -> str:
    """Return a Markdown table; `head` are the titles, separated by |."""
    titles = head.split("|")
    lines = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def diagram(lines: Iterable[str]) -> str:
    """Return a state diagram as Mermaid, each edge once."""
    return "".join(
        ["```mermaid\nstateDiagram-v2\n", *dict.fromkeys(f"  {e}\n" for e in lines), "```\n"]
    )


# -- plans and steps ----------------------------------------------------------------


def plans() -> str:
    """Each Exec and its steps; those that policy or a package adds are in italics."""
    return table("Exec on|steps", ((_exec_of(*key), _steps_of(*key)) for key in PLANS))


def _exec_of(branch: Branch, primitive: Primitive) -> str:
    return f"`{branch}/x/{operation_leaf(primitive)}`"


def _steps_of(branch: Branch, primitive: Primitive) -> str:
    """Return the plan with everything that may be added."""
    plain = list(PLANS[branch, primitive])
    words = []
    for step in plan_for(branch, primitive, frozenset(Extra)):
        is_plain = bool(plain) and step is plain[0]
        words.append(str(step) if is_plain else f"*{step}*")
        del plain[: int(is_plain)]
    return ", ".join(words)


def steps() -> str:
    """What each step does, how it is undone, survives a crash, and what cancelling does then."""
    rows = ((step, WORDS[step][0], _undo_of(step), WORDS[step][1], CANCELS[step]) for step in K)
    return table("step|does|undo|killed in the middle|cancel", rows)


def _undo_of(step: StepKind) -> str:
    if step in FILES:
        return "the file goes"
    return "what was there before comes back" if step in UNDOABLE else "-"


# -- status --------------------------------------------------------------------------


def status_values() -> str:
    """All Status values; for those that say "at work", what a crash turns them into."""
    rows = (
        (f"`{branch}/x`", int(value), _words(value), _after_crash(branch, value))
        for branch, values in STATUS.items()
        for value in values
    )
    return table("node|Status|name|left without an operation, it becomes", rows)


def _after_crash(branch: Branch, value: IntEnum) -> str:
    found = BECOMES[branch].get(int(value))
    return "" if found is None else str(int(found))


def _words(value: IntEnum) -> str:
    return value.name.capitalize().replace("_", " ")


def status_diagram(branch: Branch) -> str:
    """The walk of one branch's Status through every plan, each edge once."""
    names = STATUS[branch]
    lines = [f"{_state(value)} : {int(value)} {_words(value)}" for value in names]
    for key in PLANS:
        if key[0] is branch:
            lines += _edges(*key)
    return diagram(lines)


def _edges(branch: Branch, primitive: Primitive) -> list[str]:
    """The edges of one primitive: Exec, steps, end, failures."""
    names, shown, edges = STATUS[branch], Shown(), []
    before = names(DownloadStatus.IDLE)
    for cursor, step in enumerate(PLANS[branch, primitive]):
        operation = _operation(branch, primitive, cursor)
        shown.show_progress(operation)
        now = names(shown.status)
        if now is not before:
            edges.append(_edge(before, now, str(primitive) if cursor == 0 else str(step)))
        shown.show_failure(replace(operation, failed_step=step))
        if names(shown.status) is not now:
            edges.append(_edge(now, names(shown.status), "fails"))
        before = now
    edges.append(_ending(branch, primitive, before))
    return [edge for edge in edges if edge]


def _ending(branch: Branch, primitive: Primitive, last: IntEnum) -> str:
    if branch is Branch.DOWNLOAD or primitive is Primitive.REMOVE:
        return f"{_state(last)} --> [*] : done"
    idle = STATUS[branch](DownloadStatus.IDLE)
    return _edge(last, idle, "done") if last is not idle else ""


def _edge(before: IntEnum, after: IntEnum, label: str) -> str:
    return f"{_state(before)} --> {_state(after)} : {label}"


def _state(value: IntEnum) -> str:
    return value.name.lower()


def _operation(branch: Branch, primitive: Primitive, cursor: int) -> Operation:
    return Operation(
        id=1,
        branch=branch,
        primitive=primitive,
        node="x",
        exec_uri="",
        server_id="",
        subject=Subject(),
        cursor=cursor,
    )


def state_diagram() -> str:
    """What becomes of packages and components, by primitive."""
    lines = ["[*] --> Announced : Add"]
    for (branch, primitive), plan in PLANS.items():
        ends = [LEADS_TO[step] for step in plan if step in LEADS_TO]
        starts = STARTS_FROM.get((branch, primitive)) or (BRANCH_START.get(branch, "Active"),)
        lines += [f"{start} --> {end} : {primitive}" for start in starts for end in ends]
    return diagram(lines)


# -- results -------------------------------------------------------------------------


def results() -> str:
    """Which result a failure gives: by reason first, then by step and reason, then by step."""
    rows: list[tuple[object, ...]] = [
        ("any", reason, int(code), _words(code)) for reason, code in outcome.ANY_STEP.items()
    ]
    for step, code in outcome.STEP_DEFAULT.items():
        special = [(r, c) for (at, r), c in outcome.ONE_STEP.items() if at is step]
        rows += [(step, reason, int(own), _words(own)) for reason, own in special]
        rows.append((step, "any other" if special else "any", int(code), _words(code)))
    return table("step that failed|reason|result|name", rows)


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "plans": plans,
    "steps": steps,
    "states": state_diagram,
    "status": status_values,
    "status of Download": lambda: status_diagram(Branch.DOWNLOAD),
    "status of Delivered": lambda: status_diagram(Branch.DELIVERED),
    "status of Deployed": lambda: status_diagram(Branch.DEPLOYED),
    "results": results,
}


def refreshed(text: str) -> str:
    """Return the page with every part made anew; raises `ValueError` for a missing marker."""
    for name, make in PARTS.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        head, tail = text.index(start) + len(start), text.index(end)
        text = f"{text[:head]}{make()}{text[tail:]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text()))
