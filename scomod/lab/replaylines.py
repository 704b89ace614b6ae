# SPDX-License-Identifier: Apache-2.0
"""What a device says in a message, a line for each thing: for comparing one with another.

What differs from device to device and from time to time is not in it: SessionID, MsgID, CmdID,
addresses, credentials, sizes, which of the two alerts opened the session, and values unless
they are asked for.  References to the server's commands are by their place in the record.
"""

from __future__ import annotations

from difflib import ndiff
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.model import Alert, Atomic, Results, Sequence, Status, name_of
from scomod.explain import code_name
from scomod.lab.replaysteps import FIRST_MESSAGE, is_header_status
from scomod.lab.reports import is_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scomod.dmclient.model import Command, Item, Message, Meta
    from scomod.lab.replaysteps import Ref

START: Final = "Alert: the session begins"
MAX_CHARACTERS: Final = 200


def lines(message: Message, labels: Mapping[Ref, str], *, has_values: bool) -> list[str]:
    """Describe what a device says; `labels` name the commands that it refers to."""
    found = [
        line
        for command in message.commands
        if not is_header_status(command)
        for line in _command(command, labels, has_values=has_values)
    ]
    return [*found, "Final" if message.final else "more messages follow"]


def difference(recorded: list[str], said: list[str]) -> list[str]:
    """Return what is in both and what is not: "- " in the record only, "+ " said only."""
    return [line.rstrip("\n") for line in ndiff(recorded, said) if not line.startswith("?")]


def _command(command: Command, labels: Mapping[Ref, str], *, has_values: bool) -> Iterator[str]:
    match command:
        case Status():
            code = code_name(command.code, DmStatus)
            yield f"Status {code} to {_named(command, labels)}"
        case Results():
            yield from _items(
                f"Results to {_named(command, labels)}", command.items, command.meta, has_values
            )
        case Alert() if is_start(command):
            yield START
        case Alert():
            about = f", correlator {command.correlator}" if command.correlator else ""
            head = f"Alert {code_name(command.code, AlertCode)}{about}"
            yield from _items(head, command.items, None, has_values) if command.items else [head]
        case Atomic() | Sequence():
            yield name_of(command)
            for inner in command.commands:
                yield from (f"  {line}" for line in _command(inner, labels, has_values=has_values))
        case _:
            items: tuple[Item, ...] = getattr(command, "items", ())
            meta = getattr(command, "meta", None)
            yield from _items(name_of(command), items, meta, has_values)


def _items(
    head: str, items: tuple[Item, ...], meta: Meta | None, has_values: bool
) -> Iterator[str]:
    """Yield a line for each item, by name: their order means nothing."""
    yield from sorted(_item(head, item, meta, has_values) for item in items)


def _item(head: str, item: Item, meta: Meta | None, has_values: bool) -> str:
    metas = [each for each in (item.meta, meta) if each is not None]
    kinds = (
        next((each.format for each in metas if each.format), ""),
        next((each.type for each in metas if each.type), ""),
    )
    about = " ".join(kind for kind in kinds if kind)
    parts = [head, *(uri for uri in (item.source, item.target) if uri)]
    parts += [f"[{about}]"] if about else []
    if item.more_data:
        parts.append("(more data follows)")
    if has_values and item.data is not None:
        text = item.data.decode("utf-8", "replace")
        parts.append(f"= {text[:MAX_CHARACTERS]!r}")
    return " ".join(parts)


def _named(command: Status | Results, labels: Mapping[Ref, str]) -> str:
    ref = command.msg_ref or FIRST_MESSAGE, command.cmd_ref
    return labels.get(ref, f"an unknown command {ref[0]}/{ref[1]}")
