# SPDX-License-Identifier: Apache-2.0
"""Commands of an authenticated server: containers, alerts to the person, order of answers.

Runs inside transactions that the caller opens (design §6); an Atomic is a savepoint
around its commands (`treecommands.py` does the single command).  Nothing here awaits:
`execute` is a generator that yields what the person must be asked, or that the inventory
is about to be read (`gate.py`), and is sent the answer.  It never yields inside a
savepoint, so the caller may commit before it asks and go on in a new transaction
(adr/0011).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import useralert
from scomod.dmclient.answers import status_of
from scomod.dmclient.gate import Glance
from scomod.dmclient.model import (
    Alert,
    Atomic,
    Command,
    Get,
    ItemCommand,
    Sequence,
    Status,
    Unknown,
)
from scomod.dmclient.treecommands import TreeCommands
from scomod.dmclient.useralert import AlertLimits, UserAlert, UserAnswer, Verdict
from scomod.errors import CommandError
from scomod.outcome import status_for

if TYPE_CHECKING:
    from scomod.db import Database
    from scomod.mo.tree import Tree

Question = UserAlert | Glance  # before the inventory is read, only the verdict counts
Work = Generator[Question, UserAnswer, list[Command]]

NOT_IN_ATOMIC: Final = (Get, Atomic)  # omadm §2.6; Exec is not listed there either, see adr/0011
REFUSED: Final = (DmStatus.NOT_MODIFIED, DmStatus.OPERATION_CANCELLED)
DATA_SYNC: Final = frozenset({"Put", "Search", "Sync", "Map"})  # not used in DM (omadm §2.3)


class Executor:
    """Executes for one server, one session long; `tree_commands` does what has items."""

    def __init__(
        self,
        tree: Tree,
        db: Database,
        *,
        server_id: str,
        max_object_bytes: int,
        alert_limits: AlertLimits,
    ) -> None:
        self._db = db
        self._alert_limits = alert_limits
        self._cancelled_msg_ref: str | None = None
        self._depth = 0  # of containers around what is being executed
        self.tree_commands = TreeCommands(
            tree, db, server_id=server_id, max_object_bytes=max_object_bytes
        )
        self.count = 0

    def execute(self, msg_ref: str, command: Command) -> Work:
        """Carry out one command; returns its answers in the order the standard wants.

        `msg_ref` is the MsgID of the server's message.  Yields each alert that a person
        must see and each glance, outside of any savepoint, and wants the answer sent.
        """
        broken = self.tree_commands.chunks.before(command)
        return [*broken, *(yield from self._execute(msg_ref, command))]

    @property
    def is_receiving(self) -> bool:
        """Tell whether a large object has come in part."""
        return self.tree_commands.chunks.is_open

    def close(self) -> None:
        """End with the session: what came of a large object is of no use any more."""
        self.tree_commands.chunks.drop()

    def _execute(self, msg_ref: str, command: Command) -> Work:
        if msg_ref == self._cancelled_msg_ref:
            return _each(msg_ref, [command], DmStatus.NOT_EXECUTED)
        if command.cmd_id:
            match command:
                case Sequence():
                    return (yield from self._inside(self._sequence(msg_ref, command)))
                case Atomic():
                    return (yield from self._inside(self._atomic(msg_ref, command)))
                case Alert():
                    return (yield from self._alert(msg_ref, command))
            yield from self._glance(msg_ref, command)
        inner = _each(msg_ref, _inner(command), DmStatus.NOT_EXECUTED)
        return [*self._single(msg_ref, command), *inner]

    def _single(self, msg_ref: str, command: Command) -> list[Command]:
        """Carry out what needs no person; a Sequence is answered as one that begins."""
        self.count += 1
        if not command.cmd_id:
            return [status_of(msg_ref, command, DmStatus.BAD_REQUEST)]  # omadm §3, 400
        match command:
            case Sequence():
                return [status_of(msg_ref, command, DmStatus.OK)]  # omadm §2.6
            case ItemCommand():
                return self.tree_commands.execute(msg_ref, command, is_inside=self._depth > 0)
        return [status_of(msg_ref, command, _refusal(command))]

    def _glance(self, msg_ref: str, command: Command) -> Generator[Question, UserAnswer, None]:
        """Let somebody look and decide before a command reads the inventory."""
        gate = self.tree_commands.gate
        glance = gate.glance(msg_ref, command) if gate else None
        if gate and glance:
            answer = yield glance
            gate.answered(may_read=answer.verdict is Verdict.DONE)

    # -- alerts (omadm §1.4) ----------------------------------------------------

    def _alert(self, msg_ref: str, alert: Alert) -> Work:
        """Have an alert shown; a Cancel ends the work on this message."""
        self.count += 1
        try:
            question = useralert.parse(alert, self._alert_limits)
        except CommandError as error:
            return [status_of(msg_ref, alert, status_for(error))]
        answer = yield question
        if question.code is AlertCode.CONFIRM_OR_REJECT:
            self.tree_commands.is_confirmed = answer.verdict is Verdict.DONE
        if answer.verdict is Verdict.CANCELLED:
            self._cancelled_msg_ref = msg_ref
        code, items = useralert.reply(question, answer)
        return [replace(status_of(msg_ref, alert, code), items=items)]

    # -- containers (omadm §2.6) --------------------------------------------------

    def _inside(self, work: Work) -> Work:
        """Do the work of a container, which must be in one message with all it holds."""
        self._depth += 1
        try:
            return (yield from work)
        finally:
            self._depth -= 1

    def _sequence(self, msg_ref: str, command: Sequence) -> Work:
        """Go on after failures, but not after a confirmation that was not given (omadm §1.4)."""
        answers = self._single(msg_ref, command)
        for index, inner in enumerate(command.commands):
            own = yield from self.execute(msg_ref, inner)
            answers += own
            if _is_unconfirmed(inner, own):
                rest = command.commands[index + 1 :]
                return answers + _each(msg_ref, rest, DmStatus.NOT_EXECUTED)
        return answers

    def _atomic(self, msg_ref: str, command: Atomic) -> Work:
        """Ask everything first, then do all or nothing."""
        self.count += 1
        members = list(_flat(command.commands))
        if any(isinstance(member, NOT_IN_ATOMIC) for member in members):
            rest = _each(msg_ref, command.commands, DmStatus.NOT_EXECUTED)
            return [status_of(msg_ref, command, DmStatus.COMMAND_FAILED), *rest]
        asked: dict[int, list[Command]] = {}
        for index, member in enumerate(members):
            yield from self._glance(msg_ref, member)
            if isinstance(member, Alert) and member.cmd_id:
                asked[index] = yield from self._alert(msg_ref, member)
                if _is_failed(asked[index]):
                    break
        return self._all_or_nothing(msg_ref, command, members, asked)

    def _all_or_nothing(
        self, msg_ref: str, command: Atomic, members: list[Command], asked: dict[int, list[Command]]
    ) -> list[Command]:
        """Run the members in order, with the answers of `asked` in their places.

        The answers are those of a run in document order, also where a person's No ends it.
        """
        done: list[list[Command]] = []
        try:
            with self._db.savepoint():
                for index, member in enumerate(members):
                    own = asked[index] if index in asked else self._single(msg_ref, member)
                    done.append(own)
                    _raise_if_failed(own)
        except _MemberFailed:
            undone, rest = members[: len(done) - 1], members[len(done) :]
            return [
                status_of(msg_ref, command, DmStatus.ATOMIC_FAILED),
                *(status_of(msg_ref, each, DmStatus.ATOMIC_ROLL_BACK_OK) for each in undone),
                *done[-1],
                *(status_of(msg_ref, each, DmStatus.NOT_EXECUTED) for each in rest),
            ]
        return [status_of(msg_ref, command, DmStatus.OK), *(each for own in done for each in own)]


class _MemberFailed(Exception):  # noqa: N818 - leaves the savepoint, nothing more
    pass


def _refusal(command: Command) -> DmStatus:
    """Return why a command cannot be served that is none of ours (omadm §2.3, §3)."""
    if not isinstance(command, Unknown):
        return DmStatus.BAD_REQUEST
    is_known = command.name in DATA_SYNC
    return DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED if is_known else DmStatus.COMMAND_NOT_IMPLEMENTED


def _inner(command: Command) -> tuple[Command, ...]:
    return command.commands if isinstance(command, Sequence | Atomic) else ()


def _flat(commands: Iterable[Command]) -> Iterator[Command]:
    """Yield the members of an Atomic in document order, a Sequence before what is in it."""
    for command in commands:
        yield command
        if isinstance(command, Sequence):
            yield from _flat(command.commands)


def _each(msg_ref: str, commands: Iterable[Command], code: DmStatus) -> list[Command]:
    """Answer commands and all that is in them with one code."""
    answers: list[Command] = []
    for command in commands:
        answers.append(status_of(msg_ref, command, code))
        answers += _each(msg_ref, _inner(command), code)
    return answers


def _is_failed(answers: list[Command]) -> bool:
    """Tell whether a member's answers make its Atomic fail; No and Cancel do (omadm §1.4)."""
    return any(
        answer.code >= DmStatus.BAD_REQUEST or answer.code in REFUSED
        for answer in answers
        if isinstance(answer, Status)
    )


def _raise_if_failed(answers: list[Command]) -> None:
    if _is_failed(answers):
        raise _MemberFailed


def _is_unconfirmed(command: Command, answers: list[Command]) -> bool:
    """Tell whether this was a confirmation that got no Yes, for whatever reason."""
    is_question = isinstance(command, Alert) and command.code == AlertCode.CONFIRM_OR_REJECT
    return is_question and any(isinstance(a, Status) and a.code != DmStatus.OK for a in answers)
