"""Commands of an authenticated server, carried out on the tree.

Runs inside the one transaction of the message (design §6): each item is a
savepoint, an Atomic a savepoint around its commands.  Nothing here awaits, and
Exec only enqueues (I4), so a roll-back undoes all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import errors
from scomod.codes import DmStatus
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Command,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    ItemCommand,
    Meta,
    Replace,
    Results,
    Sequence,
    Status,
    Unknown,
)
from scomod.dmclient.session import status_of
from scomod.mo.handler import ExecRequest
from scomod.outcome import status_for

if TYPE_CHECKING:
    from scomod.db import Database
    from scomod.mo.tree import Tree

NOT_IN_ATOMIC: Final = (Get, Atomic)  # omadm §2.6


class Executor:
    """Executes for one server; `max_result_bytes` is what fits into one of our messages."""

    def __init__(self, tree: Tree, db: Database, *, server_id: str, max_object_bytes: int) -> None:
        self._tree = tree
        self._db = db
        self._server_id = server_id
        self._max_object_bytes = max_object_bytes
        self.max_result_bytes = max_object_bytes
        self.count = 0

    def execute(self, msg_ref: str, command: Command) -> list[Status | Results]:
        """Carry out one command; returns its answers in the order the standard wants."""
        self.count += 1
        if not command.cmd_id:
            return [status_of(msg_ref, command, DmStatus.BAD_REQUEST)]  # omadm §3, 400
        match command:
            case Sequence():
                return self._sequence(msg_ref, command)
            case Atomic():
                return self._atomic(msg_ref, command)
            case Get():
                return self._get(msg_ref, command)
            case ItemCommand():
                return self._items(msg_ref, command)
        return [status_of(msg_ref, command, _refusal(command))]

    # -- containers (omadm §2.6) --------------------------------------------

    def _sequence(self, msg_ref: str, command: Sequence) -> list[Status | Results]:
        answers: list[Status | Results] = [status_of(msg_ref, command, DmStatus.OK)]
        for inner in command.commands:
            answers += self.execute(msg_ref, inner)
        return answers

    def _atomic(self, msg_ref: str, command: Atomic) -> list[Status | Results]:
        if any(isinstance(inner, NOT_IN_ATOMIC) for inner in command.commands):
            rest = [status_of(msg_ref, c, DmStatus.NOT_EXECUTED) for c in command.commands]
            return [status_of(msg_ref, command, DmStatus.COMMAND_FAILED), *rest]
        done: list[list[Status | Results]] = []
        try:
            with self._db.savepoint():
                for inner in command.commands:
                    done.append(self.execute(msg_ref, inner))
                    _raise_if_failed(done[-1])
        except _InnerFailed:
            return self._rolled_back(msg_ref, command, done)
        inner_answers = [answer for answers in done for answer in answers]
        return [status_of(msg_ref, command, DmStatus.OK), *inner_answers]

    @staticmethod
    def _rolled_back(
        msg_ref: str, command: Atomic, done: list[list[Status | Results]]
    ) -> list[Status | Results]:
        """Answer an Atomic whose command number `len(done)` failed."""
        answers: list[Status | Results] = [status_of(msg_ref, command, DmStatus.ATOMIC_FAILED)]
        failed_at = len(done) - 1
        for index, inner in enumerate(command.commands):
            if index < failed_at:
                answers.append(status_of(msg_ref, inner, DmStatus.ATOMIC_ROLL_BACK_OK))
            elif index == failed_at:
                answers += done[index]
            else:
                answers.append(status_of(msg_ref, inner, DmStatus.NOT_EXECUTED))
        return answers

    # -- commands on items ----------------------------------------------------

    def _get(self, msg_ref: str, command: Get) -> list[Status | Results]:
        answers: list[Status | Results] = []
        for item in command.items:
            code, results = self._get_item(msg_ref, command, item)
            answers.append(status_of(msg_ref, command, code, target=item.target))
            answers += results
        return answers or [status_of(msg_ref, command, DmStatus.INCOMPLETE_COMMAND)]

    def _get_item(self, msg_ref: str, command: Get, item: Item) -> tuple[int, list[Results]]:
        try:
            reading = self._tree.get(_target(item), self._server_id)
        except errors.CommandError as error:
            return status_for(error), []
        if len(reading.value) > self.max_result_bytes:
            return DmStatus.ENTITY_TOO_LARGE, []
        meta = Meta(format=reading.format, type=reading.type) if reading.format else None
        answer = Item(source=item.target, meta=meta, data=reading.value)
        return DmStatus.OK, [Results(msg_ref=msg_ref, cmd_ref=command.cmd_id, items=(answer,))]

    def _items(self, msg_ref: str, command: ItemCommand) -> list[Status | Results]:
        if not command.items:
            return [status_of(msg_ref, command, DmStatus.INCOMPLETE_COMMAND)]
        if isinstance(command, Exec) and len(command.items) > 1:
            return [status_of(msg_ref, command, DmStatus.BAD_REQUEST)]
        codes = [self._item_code(command, item) for item in command.items]
        if len(set(codes)) == 1:
            return [status_of(msg_ref, command, codes[0])]
        return [
            status_of(msg_ref, command, code, target=item.target, source=item.source)
            for code, item in zip(codes, command.items, strict=True)
        ]

    def _item_code(self, command: ItemCommand, item: Item) -> int:
        try:
            with self._db.savepoint():
                return self._run(command, item)
        except errors.CommandError as error:
            return status_for(error)

    def _run(self, command: ItemCommand, item: Item) -> int:
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


def _refusal(command: Command) -> DmStatus:
    """Return why a command that is not on items cannot be served (omadm §1.3, §2.3)."""
    if isinstance(command, Unknown):
        return DmStatus.COMMAND_NOT_IMPLEMENTED
    if isinstance(command, Alert):
        return DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED
    return DmStatus.BAD_REQUEST


class _InnerFailed(Exception):  # noqa: N818 - leaves the savepoint, nothing more
    pass


def _raise_if_failed(answers: list[Status | Results]) -> None:
    if any(isinstance(a, Status) and a.code >= DmStatus.BAD_REQUEST for a in answers):
        raise _InnerFailed


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
