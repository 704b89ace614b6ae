# SPDX-License-Identifier: Apache-2.0
"""`script/bench`: measures everything in one run, prints the table, judges the budgets."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import (
    cases_codec,
    cases_daemon,
    cases_delta,
    cases_download,
    cases_idle,
    cases_inventory,
    cases_object,
    cases_operation,
    cases_order,
    cases_tree,
    fleet,
    verdict,
)
from bench.ground import ground

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bench.ground import Ground
    from bench.verdict import Row, Verdict

RESULTS: Final = Path(__file__).with_name("results.json")
CASES: Final[dict[str, Callable[[Ground], Awaitable[list[Row]]]]] = {
    "start": cases_daemon.start,
    "idle": cases_daemon.idle,
    "gone": cases_idle.gone,
    "check-in": cases_daemon.check_in,
    "memory": cases_download.memory,
    "download": cases_download.speed,
    "delta": cases_delta.delta,
    "fetch": cases_download.huge,
    "operation": cases_operation.operation,
    "order": cases_order.order,
    "packages": cases_order.packages,
    "codec": cases_codec.codec,
    "large-object": cases_object.large_object,
    "tree": cases_tree.lists,
    "inventory": cases_inventory.inventory,
    "fleet": fleet.fleet,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; returns 0 if all budgets are kept, 1 if one is broken."""
    options = _parser().parse_args(argv)
    return asyncio.run(_main(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument(
        "--only", choices=CASES, action="append", metavar="CASE",
        help=f"measure this case only, may be repeated: {', '.join(CASES)}",
    )  # fmt: skip
    return parser


async def _main(options: argparse.Namespace) -> int:
    budgets = verdict.load()
    rows: list[Row] = []
    began = time.monotonic()
    async with ground(is_quick=options.quick) as here:
        for name in options.only or CASES:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            rows += await CASES[name](here)
    verdicts = verdict.judge(budgets, rows)
    surroundings = _surroundings(is_quick=options.quick, took_s=time.monotonic() - began)
    _write(rows, verdicts, surroundings)
    print("\n".join(verdict.table(rows)))
    print()
    print("\n".join(one.text for one in verdicts))
    print("\n" + ", ".join(f"{name} {value}" for name, value in surroundings.items()))
    return int(any(one.is_broken for one in verdicts))


def _surroundings(*, is_quick: bool, took_s: float) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "quick": is_quick,
        "seconds": round(took_s),
    }


def _write(rows: list[Row], verdicts: Sequence[Verdict], surroundings: dict[str, Any]) -> None:
    document = {
        "surroundings": surroundings,
        "rows": [asdict(row) for row in rows],
        "budgets": [
            asdict(one.budget) | {"value": one.value, "broken": one.is_broken} for one in verdicts
        ],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
