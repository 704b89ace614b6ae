"""`scomod`: the daemon's command line."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scomod import __version__, slim
from scomod.errors import ScomodError
from scomod.settings import Paths

if TYPE_CHECKING:
    from collections.abc import Callable

HELP_WIDTH = 80


class _Formatter(argparse.HelpFormatter):
    """Of a fixed width: argparse would import shutil and three compressors to ask for it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=HELP_WIDTH)


def parser() -> argparse.ArgumentParser:
    """Return the parser; its texts are what the man page says."""
    result = argparse.ArgumentParser(
        prog="scomod",
        description="OMA DM client that manages software on this device (SCOMO)",
        formatter_class=_Formatter,
    )
    result.add_argument(
        "--root",
        metavar="DIR",
        default=os.environ.get("SCOMOD_ROOT", "/"),
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


def main(argv: list[str] | None = None, observer: Callable[[str], None] | None = None) -> int:
    """Run the daemon; returns the exit code. `observer` is told each step boundary."""
    options = parser().parse_args(argv)
    slim.import_asyncio()
    import asyncio  # noqa: PLC0415 - as above

    from scomod.serve import log, serve  # noqa: PLC0415 - `--help` needs none of it

    paths = Paths(Path(options.root).resolve())
    try:
        asyncio.run(serve(paths, is_resident=options.resident, observer=observer or log.debug))
    except ScomodError as error:
        print(f"scomod: {error}", file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
