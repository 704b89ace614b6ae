# SPDX-License-Identifier: Apache-2.0
"""The commands of `scomoctl`: the table, and those that ask once and end.

The parser is `cli.py`, the commands that stay are `clilive.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import clibaseline, cliget, clihistory, clilive, clitrace, cliview, cliwhy
from scomod.busaddress import find_address
from scomod.clicall import EXIT_FAILED, EXIT_OK, Call, Screen, UsageError
from scomod.clifmt import branches, moment, printable
from scomod.errors import ScomodError
from scomod.settings import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping

    from scomod.busclient import Client
    from scomod.facade import Record


# Commands that need no daemon, or not always, with the module that only they need.
ALONE: Final[Mapping[str, str]] = {
    "bootstrap": "scomod.clibootstrap",
    "doctor": "scomod.clidoctor",
    "report": "scomod.clireport",
    "sign": "scomod.clisign",
    "syncml": "scomod.clisyncml",
}


def run(arguments: argparse.Namespace) -> int:
    """Run the command of `arguments`; returns the exit status, raises what `cli.py` explains."""
    screen = Screen.of(arguments)
    if arguments.command == "config":
        return _config(arguments, screen)
    if arguments.command == "ddf":
        return _ddf(arguments, screen)
    if module := ALONE.get(arguments.command):
        return int(import_module(module).run(arguments, screen))
    return asyncio.run(_with_client(arguments, screen, ACTIONS[arguments.command]))


async def _with_client(
    arguments: argparse.Namespace, screen: Screen, action: Callable[[Call], Awaitable[int]]
) -> int:
    from scomod.busclient import Client  # noqa: PLC0415 - loads the D-Bus library

    address = find_address(os.environ, arguments.root)
    async with await Client.connect(address) as client:
        return await action(Call(client, arguments, screen))


async def _status(call: Call) -> int:
    record = await call.client.status()
    screen = call.screen
    screen.show(record, cliview.status(record, screen.style, screen.width))
    return EXIT_OK


async def _metrics(call: Call) -> int:
    from scomod import metrics, openmetrics  # noqa: PLC0415 - only this command needs them

    record = await call.client.status()
    text = openmetrics.text(metrics.families(record))
    call.screen.show(text, text.splitlines())
    return EXIT_OK


async def _inventory(call: Call) -> int:
    record = await call.client.inventory()
    screen = call.screen
    screen.show(record, cliview.inventory(record, screen.style, screen.width))
    return EXIT_OK


async def _operations(call: Call) -> int:
    if call.arguments.what:
        return await clihistory.operations(call)
    records = await call.client.operations()
    screen = call.screen
    screen.show(records, cliview.operations(records, screen.style, screen.width))
    return EXIT_OK


async def _session(call: Call) -> int:
    record = await call.client.run_session(call.arguments.server)
    call.screen.show(record, [cliview.session(record)])
    if record.get("outcome") == "ok":
        return EXIT_OK
    why = record.get("detail") or "see the log of scomod"
    sys.stderr.write(f"scomoctl: the session failed: {printable(why)}\n")
    return EXIT_FAILED


async def _install(call: Call) -> int:
    from scomod.cliinstall import install  # noqa: PLC0415 - only this command needs it

    return await install(call)


def _octets(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


async def _notify(call: Call) -> int:
    kind = "sms" if call.arguments.sms else "push"
    await call.client.push(kind, _octets(call.arguments.file), call.arguments.sender)
    call.screen.show({"kind": kind}, ["handed over; what becomes of it is in the log of scomod"])
    return EXIT_OK


async def _tree(call: Call) -> int:
    uri = call.arguments.uri
    if call.arguments.recursive:
        whole = await _subtree(call.client, uri, uri)
        call.screen.show(whole, branches(whole))
    else:
        names = await call.client.tree_children(uri)
        call.screen.show(names, map(printable, names))
    return EXIT_OK


async def _subtree(client: Client, uri: str, name: str) -> Record:
    node = await client.tree_node(uri)
    names = await client.tree_children(uri) if node.get("format") == "node" else []
    below = [await _subtree(client, f"{uri.rstrip('/')}/{child}", child) for child in names]
    return {"name": name, "text": node.get("value") or "", "children": below}


async def _confirm(call: Call) -> int:
    return await _answer(call, is_accepted=True)


async def _decline(call: Call) -> int:
    return await _answer(call, is_accepted=False)


async def _defer(call: Call) -> int:
    number = await _meant(call)
    until_s = await call.client.defer(number, call.arguments.when)
    record = {"operation": number, "until": until_s}
    call.screen.show(record, [f"operation {number} deferred until {moment(until_s)}"])
    return EXIT_OK


async def _answer(call: Call, *, is_accepted: bool) -> int:
    number = await _meant(call)
    await call.client.answer(number, is_accepted=is_accepted)
    verb = "accepted" if is_accepted else "declined"
    record = {"operation": number, "is_accepted": is_accepted}
    call.screen.show(record, [f"operation {number} {verb}"])
    return EXIT_OK


async def _meant(call: Call) -> int:
    """Return the operation named, or that of the one prompt that waits."""
    named: int | None = call.arguments.id
    return _only_prompt(await call.client.prompts()) if named is None else named


def _only_prompt(prompts: list[Record]) -> int:
    """Return the operation of the one prompt that waits."""
    numbers = [int(prompt["operation"]) for prompt in prompts]
    if not numbers:
        raise ScomodError("nothing waits for an answer: see 'scomoctl operations'")
    if len(numbers) > 1:
        raise UsageError(f"several prompts wait, say which: {', '.join(map(str, numbers))}")
    return numbers[0]


ACTIONS: Final[Mapping[str, Callable[[Call], Awaitable[int]]]] = {
    "status": _status,
    "metrics": _metrics,
    "inventory": _inventory,
    "baseline": clibaseline.baseline,
    "operations": _operations,
    "why": cliwhy.why,
    "plan": cliwhy.plan,
    "history": clihistory.history,
    "request": clihistory.request,
    "session": _session,
    "install": _install,
    "notify": _notify,
    "tree": _tree,
    "get": cliget.get,
    "confirm": _confirm,
    "decline": _decline,
    "defer": _defer,
    "watch": clilive.watch,
    "agent": clilive.agent,
    "trace": clitrace.trace,
}


def _config(arguments: argparse.Namespace, screen: Screen) -> int:
    from scomod import config  # noqa: PLC0415 - only this command needs it

    paths = Paths(arguments.root.absolute())
    record = asdict(config.load(paths))
    named = {"servers": config.SERVER_SECTION, "sources": config.SOURCE_SECTION}
    for field, section in named.items():
        of = record.pop(field)
        record[section] = {config.in_toml(name): of[name] for name in of}
    screen.show(record, cliview.settings(record, config.origins(paths)))
    return EXIT_OK


def _ddf(arguments: argparse.Namespace, screen: Screen) -> int:
    from scomod import config  # noqa: PLC0415 - only this command and `config` need it
    from scomod.mo import ddfwriter, registry, uri  # noqa: PLC0415 - as above

    settings = config.load(Paths(arguments.root.absolute()))
    text = ddfwriter.document(
        registry.load_ddf(settings.scomo.root, settings.scomo.version),
        uri.as_typed(arguments.uri),
        manufacturer=settings.device.manufacturer,
        model=settings.device.model,
    )
    screen.show(text, text.splitlines())
    return EXIT_OK
