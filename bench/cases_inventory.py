# SPDX-License-Identifier: Apache-2.0
"""What an inventory of many components costs: a look at it, and a server that reads it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from bench.measure import MIB
from bench.verdict import Row

if TYPE_CHECKING:
    from bench.ground import Ground

LARGE: Final = 10_000
SHRINK: Final = 10
LOOKS: Final = {
    "nothing changed": "same",
    "one changed": "one",
    "Get of the names": "names",
}


async def inventory(ground: Ground) -> list[Row]:
    """Measure a small and a large device; how the rows grow says whether it scales."""
    large_count = LARGE // SHRINK if ground.is_quick else LARGE
    small_count = large_count // SHRINK
    small, large = [await _probe(ground, count) for count in (small_count, large_count)]
    rows = [Row(name="inventory/dpkg-query -W", value=large["query_ms"], unit="ms")]
    note = f"{large_count} components"
    for name, key in LOOKS.items():
        row = f"inventory/{name}"
        rows += [
            Row(name=row, value=large[f"{key}_ms"], unit="ms", note=note),
            Row(name=f"{row}:dpkg-query", value=large[f"{key}_ratio"], unit="ratio"),
        ]
    growth = large_count / small_count
    for name, key in (("first look", "fill_cpu_ms"), ("Get of the whole", "whole_cpu_ms")):
        ratio = large[key] / small[key] / growth
        rows.append(Row(name=f"inventory/{name}:ms per component", value=ratio, unit="ratio"))
    stop = large["fill_stop_ms"] / large["fill_ms"]
    return [
        *rows,
        Row(name="inventory/Get of the whole", value=large["whole_ms"], unit="ms", note=note),
        Row(name="inventory/first look", value=large["fill_ms"], unit="ms", note=note),
        Row(name="inventory/first look, longest stop:whole", value=stop, unit="ratio"),
        Row(name="inventory/first look, peak", value=large["peak_bytes"] / MIB, unit="MiB"),
        Row(name="inventory/one changed, rows written", value=large["one_rows"], unit="count"),
    ]


async def _probe(ground: Ground, count: int) -> dict[str, float]:
    directory = ground.directory / f"inventory-{count}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.looking", str(directory), str(count), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError("bench.looking failed")
    found: dict[str, float] = json.loads(output)
    return found
