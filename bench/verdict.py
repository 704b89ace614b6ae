# SPDX-License-Identifier: Apache-2.0
"""Rows, budgets and what follows from them: the table, and whether each budget is kept.

Nothing is measured here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE: Final = Path(__file__).with_name("budgets.toml")
DIGITS: Final = {"ms": 0, "s": 3, "MiB": 2, "MiB/s": 1, "bytes": 0, "count": 1, "ratio": 2}


class Kind(StrEnum):
    """What sort of number a budget limits."""

    RATIO = "ratio"
    BYTES = "bytes"
    COUNT = "count"
    MS = "ms"


class Bound(StrEnum):
    """On which side of the limit the number must stay; the limit itself is kept."""

    MOST = "most"
    LEAST = "least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number that was measured; `unit` is a key of `DIGITS`."""

    name: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One promise about the row of the same name.

    Some hold on some machines only (a time on fast ones): they are judged while the row
    `yardstick` is not above `yardstick_limit`.
    """

    name: str
    measures: str
    limit: float
    unit: str
    kind: Kind
    bound: Bound = Bound.MOST
    yardstick: str = ""
    yardstick_limit: float = 0.0

    def is_kept(self, value: float) -> bool:
        """Tell whether a value is on the right side."""
        return value <= self.limit if self.bound is Bound.MOST else value >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A budget and its row's value; None where it was not measured in this run.

    `is_fair` is false where the yardstick says that this machine cannot be judged.
    """

    budget: Budget
    value: float | None
    is_fair: bool = True

    @property
    def is_broken(self) -> bool:
        """Tell whether the promise is broken; what was not measured, or not fairly, is not."""
        return self.is_fair and self.value is not None and not self.budget.is_kept(self.value)

    @property
    def text(self) -> str:
        """One line for a person."""
        budget = self.budget
        wanted = f"at {budget.bound} {shown(budget.limit, budget.unit)}"
        if self.value is None:
            return f"not run  {budget.name}: {wanted}"
        word = ("BROKEN" if self.is_broken else "kept") if self.is_fair else "unjudged"
        least = f" (where {budget.yardstick} is at most {budget.yardstick_limit:g})"
        why = "" if self.is_fair else least
        return f"{word:<8} {budget.name}: {shown(self.value, budget.unit)}, {wanted}{why}"


def load(path: Path = FILE) -> tuple[Budget, ...]:
    """Read the budgets; raises `ValueError` for a field or word that is none."""
    tables: Sequence[Mapping[str, Any]] = tomllib.loads(path.read_text())["budget"]
    try:
        return tuple(_budget(table) for table in tables)
    except TypeError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _budget(table: Mapping[str, Any]) -> Budget:
    bound = Bound(table.get("bound", Bound.MOST))
    return Budget(**{**table, "kind": Kind(table["kind"]), "bound": bound})


def judge(budgets: Iterable[Budget], rows: Iterable[Row]) -> tuple[Verdict, ...]:
    """Set each budget against its row; raises `ValueError` where the units differ."""
    found = {row.name: row for row in rows}
    verdicts = []
    for budget in budgets:
        row = found.get(budget.name)
        if row is not None and row.unit != budget.unit:
            raise ValueError(f"{budget.name} is measured in {row.unit}, not {budget.unit}")
        yardstick = found.get(budget.yardstick)
        verdicts.append(
            Verdict(
                budget=budget,
                value=None if row is None else row.value,
                is_fair=yardstick is None or yardstick.value <= budget.yardstick_limit,
            )
        )
    return tuple(verdicts)


def shown(value: float, unit: str) -> str:
    """Return a value with its unit; a ratio has none."""
    text = f"{value:,.{DIGITS[unit]}f}"
    return text if unit in ("ratio", "count") else f"{text} {unit}"


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table: name, value to the right, note."""
    cells = [(row.name, shown(row.value, row.unit), row.note) for row in rows]
    names, values = (max((len(cell[i]) for cell in cells), default=0) for i in (0, 1))
    return [f"{name:<{names}}  {value:>{values}}  {note}".rstrip() for name, value, note in cells]
