# SPDX-License-Identifier: Apache-2.0
"""A Get of large sub-trees: time, peak memory, and whether both grow with the nodes only."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.measure import MIB
from bench.verdict import Row

if TYPE_CHECKING:
    from pathlib import Path

    from bench.ground import Ground

SMALL: Final = 10_000
LARGE: Final = 100_000
ATTRIBUTES: Final = ("Struct", "TNDS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one Get took: up to the last message packed, beyond what the process had before."""

    ms: float
    octets: float
    peak_bytes: float


async def lists(ground: Ground) -> list[Row]:
    """Make a small and a large tree, and get each as a list and as a document."""
    sizes = (SMALL // 10, LARGE // 10) if ground.is_quick else (SMALL, LARGE)
    rows: list[Row] = []
    for count in sizes:
        await _probe("make", _place(ground, count), str(count))
    for attribute in ATTRIBUTES:
        small, large = [await _get(ground, count, attribute) for count in sizes]
        rows += _rows(attribute, sizes[0], small) + _rows(attribute, sizes[1], large)
        growth = sizes[1] / sizes[0]
        name = f"tree/{attribute}"
        rows.append(
            Row(name=f"{name}:ms per node", value=large.ms / small.ms / growth, unit="ratio")
        )
        rows.append(
            Row(name=f"{name}:peak to octets", value=large.peak_bytes / large.octets, unit="ratio")
        )
    return rows


def _rows(attribute: str, count: int, answer: Answer) -> list[Row]:
    name = f"tree/{attribute} of {count} nodes"
    note = f"{answer.octets / count:.0f} octets per node"
    return [
        Row(name=name, value=answer.ms, unit="ms", note=note),
        Row(name=f"{name}, peak", value=answer.peak_bytes / MIB, unit="MiB"),
    ]


def _place(ground: Ground, count: int) -> Path:
    return ground.directory / f"tree-{count}"


async def _get(ground: Ground, count: int, attribute: str) -> Answer:
    found = json.loads(await _probe("get", _place(ground, count), attribute))
    return Answer(ms=found["ms"], octets=found["octets"], peak_bytes=found["peak_bytes"])


async def _probe(what: str, directory: Path, argument: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listing", what, str(directory), argument,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"bench.listing {what} failed")
    return output.decode()
