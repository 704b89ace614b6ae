# SPDX-License-Identifier: Apache-2.0
"""Who decides about an operation: the rules of `[confirm]`, the first that fits counts.

Pure; asking is `confirm.py`.  A rule that refuses is not softened by anything; only
where a person would be asked may a yes that the server got, or nobody's being there,
take that place (ADC-1, ADC-2, USA-5).  About what a medium offers a person is asked
wherever it is not refused: nobody who is known has ordered it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from scomod.operation import CONFIRMED, OFFER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scomod.operation import Operation
    from scomod.settings import Confirm, Rule

SERVER: Final = "server"  # how: a yes that the server got counts


class Mode(StrEnum):
    """What is done about an operation before it begins."""

    ASK = "ask"
    INFORM = "inform"
    SILENT = "silent"
    REFUSE = "refuse"


# What `no_agent` makes of a question.
ABSENT: Final[Mapping[str, Mode]] = {
    "defer": Mode.ASK,
    "accept": Mode.SILENT,
    "decline": Mode.REFUSE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What is done, what says so ("rule 2", "default"), and how that reads in the history."""

    mode: Mode
    by: str
    how: str


def ruling(policy: Confirm, operation: Operation, *, is_agent_here: bool) -> Ruling:
    """Return what the policy says about an operation now."""
    mode, by = first(policy.rule, lambda rule: _fits(rule, operation), policy.default)
    is_offer = OFFER in operation.data
    if is_offer and mode is not Mode.REFUSE:
        mode = Mode.ASK
    if mode is not Mode.ASK:
        return Ruling(mode=mode, by=by, how=str(mode))
    if policy.server_confirmation == "counts" and operation.data.get(CONFIRMED):
        return Ruling(mode=Mode.SILENT, by=operation.server_id, how=SERVER)
    absent = Mode.ASK if is_agent_here else ABSENT[policy.no_agent]
    if absent is Mode.ASK or (is_offer and absent is Mode.SILENT):
        return Ruling(mode=Mode.ASK, by=by, how=str(Mode.ASK))
    return Ruling(mode=absent, by=f"{by}, no agent", how=str(absent))


def first(rules: Iterable[Rule], fits: Callable[[Rule], bool], default: str) -> tuple[Mode, str]:
    """Return what the first rule that fits says, and which that is; else the default."""
    for number, rule in enumerate(rules, start=1):
        if fits(rule):
            return Mode(rule.mode), f"rule {number}"
    return Mode(default), "default"


def _fits(rule: Rule, operation: Operation) -> bool:
    """Tell whether all parts fit; a component by its ID or by the PkgID it came with."""
    subject = operation.subject
    names = [name for name in (subject.component_id, subject.pkg_id) if name] or [operation.node]
    return (
        fnmatchcase(operation.server_id, rule.server)
        and fnmatchcase(operation.primitive, rule.operation)
        and any(fnmatchcase(name, rule.component) for name in names)
    )
