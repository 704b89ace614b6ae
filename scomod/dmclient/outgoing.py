"""What we owe the server, and how it is packed into messages.

Data, not control flow: commands wait here in order and leave as many as fit in
one message of the size the server takes (omadm §1.2, §2.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scomod.codes import DmStatus
from scomod.dmclient.model import Command, Message, Results, Status, SyncHdr

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class _Owed:
    command: Command
    tag: int | None = None
    is_first: bool = False
    is_last: bool = False


class Outgoing:
    """The queue of owed commands, the numbering of messages and commands."""

    def __init__(self, size_of: Callable[[Message], int]) -> None:
        self._size_of = size_of
        self._queue: list[_Owed] = []
        self._tags: dict[tuple[str, str], int] = {}
        self.next_msg_id = 1

    @property
    def is_waiting(self) -> bool:
        """Tell whether more than the Status of a header is owed."""
        return any(not owed.is_first for owed in self._queue)

    def owe(
        self,
        command: Command,
        *,
        tag: int | None = None,
        is_first: bool = False,
        is_last: bool = False,
    ) -> None:
        """Queue a command; `tag` identifies it when its Status comes.

        `is_first` puts it before, `is_last` behind everything else of the next message.
        """
        owed = _Owed(command, tag, is_first, is_last)
        if is_first:
            self._queue.insert(0, owed)
            return
        end = len(self._queue)
        while not is_last and end and self._queue[end - 1].is_last:
            end -= 1
        self._queue.insert(end, owed)

    def clear(self) -> None:
        """Forget everything owed."""
        self._queue.clear()

    def drop_header_status(self) -> None:
        """Forget the Status of an earlier header: only the latest message is answered."""
        self._queue = [owed for owed in self._queue if not owed.is_first]

    def sent_tag(self, msg_ref: str, cmd_ref: str) -> int | None:
        """Return the tag of the command that a Status refers to, once."""
        return self._tags.pop((msg_ref, cmd_ref), None)

    def pack(self, header: SyncHdr, limit_bytes: int, *, may_end: bool) -> Message:
        """Move what fits into a message; Final if nothing is left and the package may end."""
        count = self._count_that_fits(header, limit_bytes)
        taken, self._queue = self._queue[:count], self._queue[count:]
        message = Message(
            header=header,
            commands=_numbered(taken),
            final=may_end and not self._queue,
        )
        for owed, command in zip(taken, message.commands, strict=True):
            if owed.tag is not None:
                self._tags[header.msg_id, command.cmd_id] = owed.tag
        self.next_msg_id += 1
        return message

    def _count_that_fits(self, header: SyncHdr, limit_bytes: int) -> int:
        """Return how many of the owed commands fit: all of them in the usual case."""
        if self._fits(header, len(self._queue), limit_bytes):
            return len(self._queue)
        low, high = 0, len(self._queue)
        while high - low > 1:
            middle = (low + high) // 2
            if self._fits(header, middle, limit_bytes):
                low = middle
            else:
                high = middle
        if low <= self._first_count():
            # Not even one more fits: it can never be sent, so say that instead.
            self._give_up_on(self._first_count())
            low = min(self._first_count() + 1, len(self._queue))
        return low

    def _first_count(self) -> int:
        return sum(owed.is_first for owed in self._queue)

    def _give_up_on(self, index: int) -> None:
        """Replace a Results that no message can hold by a Status 413 (omadm §5)."""
        owed = self._queue[index]
        if isinstance(owed.command, Results):
            owed.command = Status(
                msg_ref=owed.command.msg_ref,
                cmd_ref=owed.command.cmd_ref,
                cmd="Get",
                code=DmStatus.ENTITY_TOO_LARGE,
            )

    def _fits(self, header: SyncHdr, count: int, limit_bytes: int) -> bool:
        message = Message(header=header, commands=_numbered(self._queue[:count]), final=True)
        return self._size_of(message) <= limit_bytes


def _numbered(owed: list[_Owed]) -> tuple[Command, ...]:
    """Give each command its CmdID (omadm §2.4: unique in the message, never 0)."""
    return tuple(replace(o.command, cmd_id=str(n)) for n, o in enumerate(owed, start=1))
