# SPDX-License-Identifier: Apache-2.0
"""What we owe the server, and how it is packed into messages.

Data, not control flow: commands wait here in order and leave as many as fit in
one message of the size the server takes (omadm §1.2, §2.5).  `head` and `tail`
frame the next message whatever else fits.  What no message can hold goes in chunks,
one in each message, with nothing but Statuses before it (omadm §5, `upload.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.model import Alert, Command, Message, Results, Status, SyncHdr
from scomod.dmclient.upload import Upload, must_be_cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.dmclient.awaited import Awaited

FIRST_LOOK_ITEMS: Final = 64  # tried first; most messages owe fewer
PAIR: Final = 2


@dataclass(slots=True)
class _Owed:
    command: Command
    alert_id: int | None = None
    upload: Upload | None = None

    @property
    def is_object(self) -> bool:
        """Tell what does not go into a message as it is."""
        return self.upload is not None or must_be_cut(self.command)

    @property
    def is_begun(self) -> bool:
        """Tell an object of which chunks have left."""
        return self.upload is not None and self.upload.is_begun

    def halves(self) -> list[_Owed]:
        """Return an alert of several items as two, which stay one entry of the outbox."""
        if not isinstance(self.command, Alert) or len(self.command.items) < PAIR:
            return []
        items, middle = self.command.items, len(self.command.items) // 2
        parts = (items[:middle], items[middle:])
        return [_Owed(replace(self.command, items=part), self.alert_id) for part in parts]


class Outgoing:
    """The queue of owed commands, the numbering of messages and commands.

    `head` is the Status of the server's latest header, `tail` the alert that ends
    the next message: 1222 or 1223.
    """

    def __init__(self, size_of: Callable[[Message], int], awaited: Awaited) -> None:
        self._size_of = size_of
        self._awaited = awaited
        self._queue: list[_Owed] = []
        self._chunk_sent: tuple[str, str] | None = None
        self.head: Status | None = None
        self.tail: Alert | None = None
        self.next_msg_id = 1

    @property
    def is_waiting(self) -> bool:
        """Tell whether more than the Status of a header is owed."""
        return bool(self._queue) or self.tail is not None

    @property
    def is_cutting(self) -> bool:
        """Tell whether chunks of an object have left, and more of them wait."""
        return any(owed.is_begun for owed in self._queue)

    def owe(self, command: Command, *, alert_id: int | None = None) -> None:
        """Queue a command; `alert_id` names it in the outbox, if its Status is waited for.

        A Status does not wait for the end of an object that is on its way.
        """
        begun = next((n for n, owed in enumerate(self._queue) if owed.is_begun), None)
        at = len(self._queue) if begun is None or not isinstance(command, Status) else begun
        self._queue.insert(at, _Owed(command, alert_id))

    def owes(self, alert_id: int) -> bool:
        """Tell whether an alert of the outbox, or a part of it, has not left yet."""
        return any(owed.alert_id == alert_id for owed in self._queue)

    def clear(self) -> None:
        """Forget everything owed but the Status of the header."""
        self._queue.clear()
        self.tail = None

    def refuse_chunk(self, status: Status) -> int | None:
        """Stop sending an object whose last chunk is refused; returns its place in the outbox."""
        is_ours = self._chunk_sent == (status.msg_ref, status.cmd_ref)
        return self.drop_object() if is_ours and status.code >= DmStatus.BAD_REQUEST else None

    def drop_object(self) -> int | None:
        """Forget the object of which chunks have left; returns its place in the outbox, if any."""
        self._chunk_sent = None
        begun = [owed for owed in self._queue if owed.is_begun]
        self._queue = [owed for owed in self._queue if not owed.is_begun]
        return begun[0].alert_id if begun else None

    def pack(self, header: SyncHdr, limit_bytes: int, *, may_end: bool) -> Message:
        """Move what fits into a message; Final if nothing is left and the package may end."""
        taken = self._take(header, limit_bytes)
        message = Message(
            header=header,
            commands=self._framed(taken),
            final=may_end and not self._queue,
        )
        self._note_sent(header.msg_id, taken, message.commands)
        self.head = self.tail = None
        self.next_msg_id += 1
        return message

    def _note_sent(self, msg_id: str, taken: list[_Owed], commands: Sequence[Command]) -> None:
        """Wait for the answers that matter."""
        self._awaited.sent_header(msg_id)
        first = 0 if self.head is None else 1
        self._chunk_sent = None
        for owed, command in zip(taken, commands[first:], strict=False):
            if owed.upload is not None and not owed.upload.is_done:
                self._chunk_sent = msg_id, command.cmd_id
            elif owed.alert_id is not None:
                self._awaited.sent_alert(msg_id, command.cmd_id, owed.alert_id)

    def _take(self, header: SyncHdr, limit_bytes: int) -> list[_Owed]:
        """Take what goes into this message out of the queue."""
        self._divide_first(header, limit_bytes)
        count = self._count_that_fits(header, limit_bytes)
        taken, self._queue = self._queue[:count], self._queue[count:]
        is_leaving = self.tail is not None and self.tail.code == AlertCode.SESSION_ABORT
        if self._queue and not is_leaving:
            taken += self._next_chunk(header, limit_bytes, taken)
        if self._queue and not taken:
            # Not even one fits: it can never be sent, so say that instead.
            self._give_up_on_first()
            taken.append(self._queue.pop(0))
        return taken

    def _divide_first(self, header: SyncHdr, limit_bytes: int) -> None:
        """Make several alerts of one whose items no message can hold together (scomo §4.5)."""
        while self._queue and (halves := self._queue[0].halves()):
            if self._fits(header, self._queue[:1], limit_bytes):
                return
            self._queue[:1] = halves

    def _count_that_fits(self, header: SyncHdr, limit_bytes: int) -> int:
        """Return how many of the commands before an object fit: all of them in the usual case."""
        objects = (n for n, owed in enumerate(self._queue) if owed.is_object)
        count = next(objects, len(self._queue))
        low, high = 0, self._first_look(count)
        # Never much more than a message: a long list would be encoded whole for each one.
        while self._fits(header, self._queue[:high], limit_bytes):
            if high == count:
                return count
            low, high = high, min(count, 2 * high)
        while high - low > 1:
            middle = (low + high) // 2
            if self._fits(header, self._queue[:middle], limit_bytes):
                low = middle
            else:
                high = middle
        return low

    def _first_look(self, count: int) -> int:
        """Return how many commands have few items together, one at least."""
        items = 0
        for number, owed in enumerate(self._queue[:count], start=1):
            items += len(owed.command.items) if isinstance(owed.command, Results) else 1
            if items >= FIRST_LOOK_ITEMS:
                return number
        return count

    def _next_chunk(self, header: SyncHdr, limit_bytes: int, before: list[_Owed]) -> list[_Owed]:
        """Cut the next chunk off what is first now, if that is too large for any message."""
        first = self._queue[0]
        if first.halves():
            return []  # the next message divides it
        if first.is_object or not self._fits(header, [first], limit_bytes):
            first.upload = first.upload or Upload.of(first.command)
        if first.upload is None:
            return []
        command = first.upload.next_chunk(
            lambda command: self._size_with(header, [*before, _Owed(command)]), limit_bytes
        )
        if command is None:
            return []
        if first.upload.is_done:
            self._queue.pop(0)
        return [_Owed(command, first.alert_id, first.upload)]

    def _give_up_on_first(self) -> None:
        """Replace a Results that no message can hold by a Status 413 (omadm §5)."""
        owed = self._queue[0]
        if isinstance(owed.command, Results):
            owed.command = Status(
                msg_ref=owed.command.msg_ref,
                cmd_ref=owed.command.cmd_ref,
                cmd="Get",
                code=DmStatus.ENTITY_TOO_LARGE,
            )

    def _fits(self, header: SyncHdr, owed: list[_Owed], limit_bytes: int) -> bool:
        return self._size_with(header, owed) <= limit_bytes

    def _size_with(self, header: SyncHdr, owed: list[_Owed]) -> int:
        return self._size_of(Message(header=header, commands=self._framed(owed), final=True))

    def _framed(self, owed: list[_Owed]) -> tuple[Command, ...]:
        """Frame commands with head and tail, each with its CmdID.

        It is unique in the message and never 0 (omadm §2.4).
        """
        whole = (self.head, *(each.command for each in owed), self.tail)
        present = (command for command in whole if command is not None)
        return tuple(replace(command, cmd_id=str(n)) for n, command in enumerate(present, start=1))
