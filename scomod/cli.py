# SPDX-License-Identifier: Apache-2.0
"""`scomoctl`: the command line of a running daemon; stateless, over D-Bus.

This is the parser and what turns errors into exit codes; the commands are in
`cliactions.py`.  Neither D-Bus nor XML nor HTTP is loaded for `--help`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import __version__
from scomod.busaddress import (
    ERROR_ACCESS_DENIED,
    ERROR_REFUSED,
    ERROR_WRONG_PIN,
    NotReachable,
    RemoteError,
)
from scomod.clicall import (
    EXIT_FAILED,
    EXIT_NOT_REACHABLE,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_USAGE,
    UsageError,
)
from scomod.clicommands import COMMANDS
from scomod.clifmt import COLOURS
from scomod.errors import ScomodError
from scomod.facade import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSALS: Final = (ERROR_REFUSED, ERROR_WRONG_PIN, ERROR_ACCESS_DENIED)
EPILOG: Final = (
    "exit status: 0 done, 1 failed, 2 usage, 3 daemon not reachable, 4 refused. "
    "environment: SCOMOD_ROOT, DBUS_SYSTEM_BUS_ADDRESS, NO_COLOR, TERM."
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `scomoctl`."""
    parser = argparse.ArgumentParser(
        prog="scomoctl", description="Look at and steer the scomod daemon.", epilog=EPILOG
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(os.environ.get("SCOMOD_ROOT") or "/"),
        metavar="DIR",
        help="where the device has its files ($SCOMOD_ROOT, /)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--color",
        choices=COLOURS,
        default=COLOURS[0],
        help="colour: on a terminal (auto), always or never",
    )
    parser.add_argument("--version", action="version", version=f"scomoctl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        _add_again(command)
        for argument in arguments:
            command.add_argument(argument.name, help=argument.help, **dict(argument.more))  # type: ignore[arg-type]
    return parser


def _add_again(command: argparse.ArgumentParser) -> None:
    """Take what is said of the output behind the command as well."""
    unsaid = argparse.SUPPRESS
    command.add_argument("--json", action="store_true", default=unsaid, help=unsaid)
    command.add_argument("--color", choices=COLOURS, default=unsaid, help=unsaid)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "help":
        parser.parse_args([arguments.topic, "--help"] if arguments.topic else ["--help"])
    from scomod import cliactions  # noqa: PLC0415 - a parser alone answers --help

    try:
        return cliactions.run(arguments)
    except KeyboardInterrupt:
        return EXIT_OK if arguments.command in ("watch", "agent") else EXIT_FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return EXIT_FAILED
    except (ScomodError, OSError) as error:
        print(f"scomoctl: {_one_line(error)}", file=sys.stderr)
        return _exit_code(error)


def _one_line(error: Exception) -> str:
    if isinstance(error, RemoteError) and error.name == ERROR_ACCESS_DENIED:
        return "you may not do that: run it as root or in the group scomod, or have polkit allow it"
    if isinstance(error, OSError):
        return f"{error.filename or 'input'}: {error.strerror}"
    return " ".join(str(error).split())


def _exit_code(error: Exception) -> int:
    match error:
        case UsageError():
            return EXIT_USAGE
        case NotReachable():
            return EXIT_NOT_REACHABLE
        case Refused():
            return EXIT_REFUSED
        case RemoteError() if error.name in REFUSALS:
            return EXIT_REFUSED
        case _:
            return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
