# SPDX-License-Identifier: Apache-2.0
"""`scomod-lab fault`: the switches of what the running bench does wrong (`switches`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scomod.lab.admin import Admin, BenchError
from scomod.lab.switches import ALL, OFF

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add(commands: Any) -> None:
    """Add the command to the parser."""
    fault = commands.add_parser("fault", help="list, set and clear what the bench does wrong")
    fault.add_argument(
        "settings", nargs="*", metavar="NAME=VALUE", help=f"NAME={OFF} clears one, {OFF} all"
    )
    fault.add_argument("--count", type=int, metavar="N", help="only for the next N requests")
    fault.set_defaults(action=run)


def run(arguments: argparse.Namespace) -> None:
    """Set what is asked for, then list what is on, or everything where nothing was set."""
    admin = Admin(arguments.dir)
    for text in arguments.settings:
        for name, value in pairs([text]):
            admin.call("faults", {"name": name, "value": value, "count": arguments.count})
    rows = admin.call("faults")
    if arguments.settings:
        rows = [row for row in rows if row["value"] != OFF]
    print(*(_line(row) for row in rows) if rows else ["nothing is done wrong"], sep="\n")


def pairs(texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield names and values; raises `BenchError` for a word that is neither."""
    for text in texts:
        name, equals, value = text.partition("=")
        if text == OFF:
            yield ALL, OFF
        elif equals:
            yield name, value
        else:
            raise BenchError(f"{text!r:.40} is neither NAME=VALUE nor {OFF}")


def _line(row: dict[str, Any]) -> str:
    value = row["value"] + (f" ({row['count']} times)" if row["count"] else "")
    unit = f" [{row['unit']}]" if row["unit"] else ""
    return f"{row['name']:<17} {value:<16} {row['says']}{unit}"
