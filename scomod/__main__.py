# SPDX-License-Identifier: Apache-2.0
"""`scomod`: the daemon's command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scomod import __version__, slim
from scomod.errors import ConfigError, ScomodError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Sequence

HELP_WIDTH = 80
ROOT_VARIABLE = "SCOMOD_ROOT"
EXIT_FAILED = 1
# EX_CONFIG of sysexits(3): starting us again helps nobody, and the unit does not.
EXIT_CONFIG = 78


def parser() -> ArgumentParser:
    """Return the parser; its texts are what the man page says."""
    import argparse  # noqa: PLC0415 - stays in memory, see `_usual`

    class Formatter(argparse.HelpFormatter):
        """Of a fixed width: argparse would import shutil and three compressors to ask for it."""

        def __init__(self, prog: str) -> None:
            super().__init__(prog, width=HELP_WIDTH)

    result = argparse.ArgumentParser(
        prog="scomod",
        description="OMA DM client that manages software on this device (SCOMO)",
        formatter_class=Formatter,
    )
    result.add_argument(
        "--root",
        metavar="DIR",
        default=os.environ.get(ROOT_VARIABLE, "/"),
        help="the device's directory: configuration, state and the root that packages go to"
        " lie below it (default: $SCOMOD_ROOT or /)",
    )
    result.add_argument(
        "--resident",
        action="store_true",
        help="stay in the foreground also when there is nothing to do",
    )
    result.add_argument("--version", action="version", version=f"scomod {__version__}")
    return result


def _usual(arguments: Sequence[str]) -> tuple[str, bool] | None:
    """Read the ways in which a daemon is usually started, without a parser; None for others."""
    match arguments:
        case ["--resident", *others] | [*others, "--resident"]:
            is_resident = True
        case others:
            is_resident = False
    match others:
        case []:
            return os.environ.get(ROOT_VARIABLE, "/"), is_resident
        case ["--root", root] if not root.startswith("-"):
            return root, is_resident
    return None


def main(argv: list[str] | None = None, observer: Callable[[str], None] | None = None) -> int:
    """Run the daemon; returns the exit code. `observer` is told each step boundary."""
    arguments = sys.argv[1:] if argv is None else argv
    if (usual := _usual(arguments)) is None:
        options = parser().parse_args(arguments)
        usual = options.root, options.resident
    root, is_resident = usual
    with slim.postponed():
        slim.import_asyncio()
        from scomod import serve  # noqa: PLC0415 - `--help` needs none of it

    try:
        serve.run(
            Path(root).resolve(), is_resident=is_resident, observer=observer or serve.log.debug
        )
    except ScomodError as error:
        print(f"scomod: {error}", file=sys.stderr)  # noqa: T201 - the command's answer
        return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
