# SPDX-License-Identifier: Apache-2.0
"""Figures as text for monitoring: OpenMetrics 1.0, and the older format of Prometheus.

Pure.  What the figures are is `metrics`.  The older format is what the textfile collector of
node_exporter reads: a counter's family is named as its samples are, and no unit is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

COUNTER = "counter"
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@frozen
class Sample:
    """One figure; `labels` by name."""

    value: float
    labels: Mapping[str, Any]


@frozen
class Family:
    """Figures of one name; that ends with the unit, if there is one (OpenMetrics 1.0)."""

    name: str
    kind: str
    unit: str
    help: str
    samples: tuple[Sample, ...]


def text(families: Iterable[Family], *, is_classic: bool = False) -> str:
    """Return all of them as OpenMetrics, or in the older format; families without a figure not."""
    lines = [line for each in families if each.samples for line in _lines(each, is_classic)]
    end = [] if is_classic else ["# EOF"]
    return "".join(f"{line}\n" for line in [*lines, *end])


def _lines(family: Family, is_classic: bool) -> Iterator[str]:
    sampled = f"{family.name}_total" if family.kind == COUNTER else family.name
    named = sampled if is_classic else family.name
    yield f"# TYPE {named} {family.kind}"
    if family.unit and not is_classic:
        yield f"# UNIT {named} {family.unit}"
    yield f"# HELP {named} {_escaped(family.help)}"
    for sample in family.samples:
        pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
        yield f"{sampled}{{{pairs}}} {sample.value}" if pairs else f"{sampled} {sample.value}"


def _escaped(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
