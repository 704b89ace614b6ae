# SPDX-License-Identifier: Apache-2.0
"""`scomoctl bootstrap`: a document for the daemon or, where none runs, for its database.

A PIN that the document needs and that was not given is asked for on the terminal, where
it does not show, and again while it is wrong.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.busaddress import ERROR_WRONG_PIN, NotReachable, RemoteError, find_address
from scomod.clicall import EXIT_OK, UsageError
from scomod.clifmt import printable
from scomod.facade import WrongPin
from scomod.secret import Secret
from scomod.settings import Paths

if TYPE_CHECKING:
    import argparse

    from scomod.clicall import Screen

STANDARD_INPUT: Final = "-"


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Run the command; returns the exit status, raises what `cli.py` explains."""
    document = _read(arguments.file)
    if arguments.pin is not None or not _needs_pin(arguments):
        servers = _take(arguments, document, Secret(arguments.pin or ""))
    else:
        servers = _take_asking(arguments, document)
    screen.show(servers, [printable(f"account {server} is ready") for server in servers])
    return EXIT_OK


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()


def _needs_pin(arguments: argparse.Namespace) -> bool:
    from scomod.dmclient import seal  # noqa: PLC0415 - only a sealed document needs it

    try:
        found = seal.read(arguments.sec, arguments.mac)
    except seal.BadSeal as error:
        raise UsageError(str(error)) from error
    return found is not None and found.method.needs_pin


def _take_asking(arguments: argparse.Namespace, document: bytes) -> list[str]:
    from scomod import config, terminal  # noqa: PLC0415 - only who is asked needs them

    if arguments.file == STANDARD_INPUT or not sys.stdin.isatty():
        raise UsageError("the document needs a PIN, and there is no terminal: give it with --pin")
    tries_count = config.load(_paths(arguments)).bootstrap.pin_tries_count
    for tries_left in range(tries_count, 0, -1):
        entered = asyncio.run(terminal.read_line("PIN: ", is_hidden=True))
        if entered is None:
            break
        try:
            return _take(arguments, document, Secret(entered))
        except (WrongPin, RemoteError) as error:
            if tries_left == 1 or not _is_wrong_pin(error):
                raise
            sys.stderr.write("scomoctl: the PIN is wrong\n")
    raise WrongPin("no PIN was entered")


def _is_wrong_pin(error: WrongPin | RemoteError) -> bool:
    return isinstance(error, WrongPin) or error.name == ERROR_WRONG_PIN


def _take(arguments: argparse.Namespace, document: bytes, pin: Secret) -> list[str]:
    """Give the document to the daemon or, where none runs, write the accounts ourselves."""
    seal = (arguments.sec, arguments.mac)
    try:
        return asyncio.run(_online(arguments, document, *seal, pin))
    except NotReachable:
        from scomod.records import bootstrap_offline  # noqa: PLC0415 - loads database and tree

        return bootstrap_offline(_paths(arguments), document, *seal, pin)


async def _online(
    arguments: argparse.Namespace, document: bytes, sec: str, mac: str, pin: Secret
) -> list[str]:
    from scomod.busclient import Client  # noqa: PLC0415 - loads the D-Bus library

    address = find_address(os.environ, arguments.root)
    async with await Client.connect(address) as client:
        return await client.bootstrap(document, sec, mac, pin)


def _paths(arguments: argparse.Namespace) -> Paths:
    return Paths(arguments.root.absolute())
