# SPDX-License-Identifier: Apache-2.0
"""Commands on items, carried out on the tree for one server.

Not the containers and not the alerts (`executor.py`).  Each item is a savepoint, so
that one which fails leaves nothing behind; Exec only enqueues (I4).  An item that comes
in chunks is carried out with the last of them (`chunks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod import errors
from scomod.codes import DmStatus
from scomod.dmclient.answers import status_of
from scomod.dmclient.chunks import Chunks, Whole
from scomod.dmclient.codec import Encoding
from scomod.dmclient.gate import source_of
from scomod.dmclient.model import (
    Add,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    Meta,
    Replace,
    Results,
    Status,
)
from scomod.dmclient.subtreecommands import SubtreeCommands
from scomod.mo.acl import Right
from scomod.mo.handler import ExecRequest
from scomod.mo.node import Blob, Format
from scomod.outcome import status_for
from scomod.settings import Subtree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.db import Database
    from scomod.dmclient.gate import Gate
    from scomod.dmclient.model import Command, ItemCommand
    from scomod.mo.blob import Incoming
    from scomod.mo.tree import Tree

# What may come in chunks, and the right that it needs.
IN_CHUNKS: Final[Mapping[type[ItemCommand], Right]] = {
    Add: Right.ADD,
    Replace: Right.REPLACE,
    Exec: Right.EXEC,
}


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one item: a Results for each of `results`, `culprit` see `CommandError`."""

    code: int
    results: tuple[tuple[Item, ...], ...] = ()
    culprit: str = ""


class TreeCommands:
    """Executes for one server, one session long.

    `is_confirmed` says whether the last confirmation of the session (user alert 1101) got
    a yes, `max_result_bytes` what fits into one of our messages, `takes` whether the server
    takes a value of so many octets and that format; `chunks` holds an object half come,
    `subtrees` does what concerns more than one node, `gate` stands before the inventory.
    """

    def __init__(self, tree: Tree, db: Database, *, server_id: str, max_object_bytes: int) -> None:
        self._tree = tree
        self._db = db
        self._server_id = server_id
        self._max_object_bytes = max_object_bytes
        self.max_result_bytes = max_object_bytes
        self.is_confirmed = False
        self.takes: Callable[[int, str], bool] = lambda _size_bytes, _format: True
        self.gate: Gate | None = None
        self.chunks = Chunks(self._receive, max_object_bytes=max_object_bytes)
        self.subtrees = SubtreeCommands(
            tree, server_id=server_id, encoding=Encoding.WBXML, limits=Subtree()
        )

    def execute(
        self, msg_ref: str, command: ItemCommand, *, is_inside: bool = False
    ) -> list[Command]:
        """Carry out one command; returns its Statuses, then its Results (omadm §2.4).

        `is_inside` tells of a container.  An Alert 1225 for an object that breaks off
        inside of the command comes first.
        """
        if not command.items:
            return [status_of(msg_ref, command, DmStatus.INCOMPLETE_COMMAND)]
        if isinstance(command, Exec) and len(command.items) > 1:
            return [status_of(msg_ref, command, DmStatus.BAD_REQUEST)]
        done = [self._do(command, item, is_inside=is_inside) for item in command.items]
        results = [
            Results(msg_ref=msg_ref, cmd_ref=command.cmd_id, items=items)
            for each in done
            for items in each.results
        ]
        return [*self.chunks.alerts(), *_statuses(msg_ref, command, done), *results]

    def _do(self, command: ItemCommand, item: Item, *, is_inside: bool) -> _Done:
        try:
            if isinstance(command, Get):
                return self._get(item)
            with self._db.savepoint():
                if self.chunks.is_part(command, item):
                    return _Done(self._take_chunk(command, item, is_inside=is_inside))
                return _Done(self._change(command, item))
        except errors.CommandError as error:
            return _Done(status_for(error), culprit=error.culprit)

    def _get(self, item: Item) -> _Done:
        self._check_gate(_target(item))
        results = self.subtrees.get(_target(item), self.max_result_bytes)
        if results is None:
            reading = self._tree.get(_target(item), self._server_id)
            meta = Meta(format=reading.format, type=reading.type) if reading.format else None
            data = None if reading.body else reading.value
            results = [(Item(source=item.target, meta=meta, data=data, body=reading.body),)]
        if not all(self._is_taken(each) for items in results for each in items):
            return _Done(DmStatus.ENTITY_TOO_LARGE)
        return _Done(DmStatus.OK, tuple(results))

    def _check_gate(self, uri: str) -> None:
        if self.gate is not None:
            self.gate.check(uri)

    def _is_taken(self, item: Item) -> bool:
        size_bytes = item.body.size_bytes if item.body else len(item.data or b"")
        return self.takes(size_bytes, (item.meta.format if item.meta else None) or "")

    def _take_chunk(self, command: ItemCommand, item: Item, *, is_inside: bool) -> int:
        """Take a chunk; the last one carries the command out with all of it."""
        meta = _merged(command.meta, item.meta)
        whole = self.chunks.take(command, item, meta, is_inside=is_inside)
        return DmStatus.CHUNKED_ITEM_ACCEPTED if whole is None else self._change_by(whole, item)

    def _change_by(self, whole: Whole[Incoming], item: Item) -> int:
        value = whole.sink.finish()
        meta = replace(whole.meta, format=Format.BIN) if whole.is_decoded else whole.meta
        if isinstance(value, Blob):
            return self._change(whole.command, replace(item, meta=meta, data=None), value)
        return self._change(whole.command, replace(item, meta=meta, data=value))

    def _receive(
        self, command: ItemCommand, target: str, meta: Meta, size_bytes: int
    ) -> tuple[Incoming, bool]:
        """Open the place for an object that comes in chunks."""
        right = IN_CHUNKS.get(type(command))
        if right is None or not target:
            raise errors.BadRequest("this cannot come in chunks")
        if self.subtrees.are_in(command, Item(), meta):
            return self.subtrees.receive(size_bytes), False
        return self._tree.receive(
            target, right, self._server_id, format=meta.format, size_bytes=size_bytes
        )

    def _change(self, command: ItemCommand, item: Item, blob: Blob | None = None) -> int:
        """Carry out one item, whose value is a long one instead of its data if there is one."""
        uri, server = _target(item), self._server_id
        meta = _merged(command.meta, item.meta)
        if self.subtrees.are_in(command, item, meta):
            self.subtrees.change(command, uri, item, blob)
            return DmStatus.OK
        match command:
            case Add():
                kind, value = meta.format, blob or self._octets(item)
                self._tree.add(uri, server, format=kind, type=meta.type, value=value)
            case Replace():
                kind, value = meta.format, blob or self._octets(item)
                self._tree.replace(uri, server, format=kind, type=meta.type, value=value)
            case Delete():
                self._tree.delete(uri, server)
            case Copy():
                self._check_gate(source_of(item))
                self._tree.copy(uri, source_of(item), server)
            case Exec():
                request = ExecRequest(
                    server_id=server,
                    correlator=command.correlator,
                    data=item.data or b"",
                    is_confirmed=self.is_confirmed,
                )
                is_done = self._tree.execute(uri, request)
                return DmStatus.OK if is_done else DmStatus.ACCEPTED_FOR_PROCESSING
            case _:
                raise errors.BadRequest("no command on items")
        return DmStatus.OK

    def _octets(self, item: Item) -> bytes | None:
        """Return the octets of an item, as carried."""
        if item.tree is not None:
            raise errors.BadFormat("markup is not taken as a value")
        data = item.data
        if data is not None and len(data) > self._max_object_bytes:
            raise errors.TooLarge(f"{len(data)} octets are too many")
        return data


def _statuses(msg_ref: str, command: ItemCommand, done: list[_Done]) -> list[Command]:
    """Return one Status if all items fared alike, else one for each, naming it (omadm §2.4)."""
    if len({(each.code, each.culprit) for each in done}) == 1:
        return [_blaming(status_of(msg_ref, command, done[0].code), done[0].culprit)]
    return [
        _blaming(
            status_of(msg_ref, command, each.code, target=item.target, source=item.source),
            each.culprit,
        )
        for each, item in zip(done, command.items, strict=True)
    ]


def _blaming(status: Status, culprit: str) -> Status:
    """Name the node on the way that could not be made (omadm §7.6)."""
    return replace(status, items=(Item(target=culprit),)) if culprit else status


def _target(item: Item) -> str:
    """Return the URI an item is about; without one the command is malformed (400)."""
    if not item.target:
        raise errors.BadRequest("the item has no Target")
    return item.target


def _merged(outer: Meta | None, inner: Meta | None) -> Meta:
    """Return an item's Meta over the command's, element by element (omadm §2.4)."""
    if inner is None or outer is None:
        return inner or outer or Meta()
    return Meta(
        format=inner.format or outer.format,
        type=inner.type or outer.type,
        size=outer.size if inner.size is None else inner.size,
    )
