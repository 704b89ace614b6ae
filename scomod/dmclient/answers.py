# SPDX-License-Identifier: Apache-2.0
"""Statuses as the standard wants them, and the commands they answer (omadm §2.4).

What code a command deserves is decided elsewhere: `trust` and the executor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.dmclient.awaited import HEADER_REF
from scomod.dmclient.model import Alert, Atomic, Results, Sequence, Status, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.codes import AlertCode
    from scomod.dmclient.model import Command, Item, Message, Meta, SyncHdr


def status_of(
    msg_ref: str,
    command: Command,
    code: int,
    *,
    target: str | None = None,
    source: str | None = None,
) -> Status:
    """Return the Status that answers a command, or one item of it."""
    return Status(
        msg_ref=msg_ref,
        cmd_ref=command.cmd_id or HEADER_REF,
        cmd=name_of(command),
        code=code,
        target_refs=(target,) if target is not None else (),
        source_refs=(source,) if source is not None else (),
    )


def status_of_header(
    header: SyncHdr, code: int, *, chal: Meta | None, items: tuple[Item, ...]
) -> Status:
    """Return the Status that answers the header of a message; both addresses as they came."""
    return Status(
        msg_ref=header.msg_id,
        cmd_ref=HEADER_REF,
        cmd="SyncHdr",
        code=code,
        target_refs=(header.target,),
        source_refs=(header.source,),
        chal=chal,
        items=items,
    )


def same_for_all(message: Message, code: int) -> list[Status]:
    """Return Statuses that answer every command of a message with one code.

    What stands in an Atomic or a Sequence has its own, behind that of the container.
    """
    return [status_of(message.header.msg_id, each, code) for each in _flat(message.commands)]


def statuses(message: Message) -> list[Status]:
    """Return the Statuses of a message, in order."""
    return [command for command in message.commands if isinstance(command, Status)]


def outcomes(command: Command, given: Iterable[Command]) -> Iterator[tuple[str, str, int, int]]:
    """Tell what became of a command and of what it holds: verb, URI of the first item, count, code.

    `given` are the answers to it.  A Status for one item of several tells of that item.
    """
    held = {each.cmd_id: each for each in _flat([command])}
    for answer in given:
        if isinstance(answer, Status) and answer.cmd_ref in held:
            items = getattr(held[answer.cmd_ref], "items", ())
            own = answer.target_refs[:1] or tuple(_uri(item) for item in items[:1])
            count = 1 if answer.target_refs else len(items)
            yield answer.cmd, next(iter(own), ""), count, answer.code


def _uri(item: Item) -> str:
    return item.target or item.source or ""


def is_alert(command: Command, code: AlertCode) -> bool:
    """Tell an alert of that code."""
    return isinstance(command, Alert) and command.code == code


def _flat(commands: Iterable[Command]) -> Iterator[Command]:
    """Yield the commands that are owed a Status, containers before what they hold."""
    for command in commands:
        if isinstance(command, Status | Results):
            continue
        yield command
        if isinstance(command, Atomic | Sequence):
            yield from _flat(command.commands)
