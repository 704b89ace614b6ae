# SPDX-License-Identifier: Apache-2.0
"""Figures as monitoring reads them: with the parsers of Prometheus' own client library."""

from __future__ import annotations

from typing import Any

from prometheus_client import parser as classic
from prometheus_client.openmetrics import parser


def openmetrics(text: str) -> dict[str, Any]:
    """Read OpenMetrics 1.0; raises `ValueError` for what is none.  Families by name."""
    families = parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return {each.name: each for each in families}


def prometheus(text: str) -> dict[str, Any]:
    """Read the older format, as the textfile collector does.  Families by name."""
    return {each.name: each for each in classic.text_string_to_metric_families(text)}
