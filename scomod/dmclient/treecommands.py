"""Commands on items, carried out on the tree for one server.

Not the containers and not the alerts (`executor.py`).  Each item is a savepoint, so
that one which fails leaves nothing behind; Exec only enqueues (I4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scomod import errors
from scomod.codes import DmStatus
from scomod.dmclient.model import Add, Copy, Delete, Exec, Get, Item, Meta, Replace, Results
from scomod.dmclient.session import status_of
from scomod.mo.handler import ExecRequest
from scomod.outcome import status_for

if TYPE_CHECKING:
    from scomod.db import Database
    from scomod.dmclient.model import Command, ItemCommand
    from scomod.mo.tree import Tree


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one item: `result` is what a Get found."""

    code: int
    result: Item | None = None


class TreeCommands:
    """Executes for one server; `max_result_bytes` is what fits into one of our messages."""

    def __init__(self, tree: Tree, db: Database, *, server_id: str, max_object_bytes: int) -> None:
        self._tree = tree
        self._db = db
        self._server_id = server_id
        self._max_object_bytes = max_object_bytes
        self.max_result_bytes = max_object_bytes

    def execute(self, msg_ref: str, command: ItemCommand) -> list[Command]:
        """Carry out one command; returns its Statuses, then its Results (omadm §2.4)."""
        if not command.items:
            return [status_of(msg_ref, command, DmStatus.INCOMPLETE_COMMAND)]
        if isinstance(command, Exec) and len(command.items) > 1:
            return [status_of(msg_ref, command, DmStatus.BAD_REQUEST)]
        done = [self._do(command, item) for item in command.items]
        results = [
            Results(msg_ref=msg_ref, cmd_ref=command.cmd_id, items=(each.result,))
            for each in done
            if each.result is not None
        ]
        return [*_statuses(msg_ref, command, done), *results]

    def _do(self, command: ItemCommand, item: Item) -> _Done:
        try:
            if isinstance(command, Get):
                return self._get(item)
            with self._db.savepoint():
                return _Done(self._change(command, item))
        except errors.CommandError as error:
            return _Done(status_for(error))

    def _get(self, item: Item) -> _Done:
        reading = self._tree.get(_target(item), self._server_id)
        if len(reading.value) > self.max_result_bytes:
            return _Done(DmStatus.ENTITY_TOO_LARGE)
        meta = Meta(format=reading.format, type=reading.type) if reading.format else None
        return _Done(DmStatus.OK, Item(source=item.target, meta=meta, data=reading.value))

    def _change(self, command: ItemCommand, item: Item) -> int:
        uri, server = _target(item), self._server_id
        meta = _merged(command.meta, item.meta)
        if item.more_data:
            raise errors.NotSupported("large objects are not taken yet")
        match command:
            case Add():
                kind, value = self._value(item, meta)
                self._tree.add(uri, server, format=kind, type=meta.type, value=value)
            case Replace():
                kind, value = self._value(item, meta)
                self._tree.replace(uri, server, format=kind, type=meta.type, value=value)
            case Delete():
                self._tree.delete(uri, server)
            case Copy():
                self._tree.copy(uri, item.source or _text(item), server)
            case Exec():
                request = ExecRequest(
                    server_id=server, correlator=command.correlator, data=item.data or b""
                )
                is_done = self._tree.execute(uri, request)
                return DmStatus.OK if is_done else DmStatus.ACCEPTED_FOR_PROCESSING
            case _:
                raise errors.BadRequest("no command on items")
        return DmStatus.OK

    def _value(self, item: Item, meta: Meta) -> tuple[str | None, bytes | None]:
        """Return format and octets of an item, as carried."""
        if item.tree is not None:
            raise errors.BadFormat("markup is not taken as a value")
        data = item.data
        if data is not None and len(data) > self._max_object_bytes:
            raise errors.TooLarge(f"{len(data)} octets are too many")
        return meta.format, data


def _statuses(msg_ref: str, command: ItemCommand, done: list[_Done]) -> list[Command]:
    """Return one Status if all items fared alike, else one for each, naming it (omadm §2.4)."""
    if len({each.code for each in done}) == 1:
        return [status_of(msg_ref, command, done[0].code)]
    return [
        status_of(msg_ref, command, each.code, target=item.target, source=item.source)
        for each, item in zip(done, command.items, strict=True)
    ]


def _target(item: Item) -> str:
    """Return the URI an item is about; without one the command is malformed (400)."""
    if not item.target:
        raise errors.BadRequest("the item has no Target")
    return item.target


def _text(item: Item) -> str:
    return (item.data or b"").decode("utf-8", "replace")


def _merged(outer: Meta | None, inner: Meta | None) -> Meta:
    """Return an item's Meta over the command's, element by element (omadm §2.4)."""
    if inner is None or outer is None:
        return inner or outer or Meta()
    return Meta(format=inner.format or outer.format, type=inner.type or outer.type)
