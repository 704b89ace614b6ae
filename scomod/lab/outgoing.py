# SPDX-License-Identifier: Apache-2.0
"""Packs the commands of a batch into messages of the size that the device takes.

A command that does not fit alone is sent in chunks, its Size in the first one
only (omadm §5); every chunk is alone in its message.  Values are as carried by the
encoding already.  Not meant for text: what is larger than a message is a package,
binary or base64.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod.dmclient.model import Alert, Item, ItemCommand, Meta
from scomod.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SLACK_BYTES: Final = 8  # per command: code page switches, lengths that need an octet more
LEAST_CHUNK_BYTES: Final = 64

Sendable = ItemCommand | Alert  # what a server asks of a device


@dataclass(slots=True)
class _Waiting:
    """A command of the batch, `index` its place there, `done` the octets already sent."""

    index: int
    command: Sendable
    done: int = 0


class Outgoing:
    """Commands that wait to be sent.

    `size_of` measures one command as encoded.
    """

    def __init__(self, size_of: Callable[[Sendable], int]) -> None:
        self._size_of = size_of
        self._waiting: deque[_Waiting] = deque()

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._waiting)

    def put(self, batch: Sequence[Sendable]) -> None:
        """Take the commands of a new batch."""
        self._waiting.extend(_Waiting(index, command) for index, command in enumerate(batch))

    def put_back(self, sent: Mapping[int, Sendable]) -> None:
        """Take commands back that the device refused to look at, by their place in the batch.

        A command sent in chunks begins again.
        """
        again = [_Waiting(index, command) for index, command in sent.items()]
        rest = [waiting for waiting in self._waiting if waiting.index not in sent]
        self._waiting = deque([*again, *rest])

    def take(self, room: int) -> list[tuple[int, Sendable, Sendable]]:
        """Return what fits into `room` octets: (place in the batch, whole command, what to send).

        Raises `LimitExceeded` when not even a chunk of the first command fits.
        """
        taken: list[tuple[int, Sendable, Sendable]] = []
        while self._waiting:
            first = self._waiting[0]
            rest = _rest_of(first)
            size = self._size_of(rest) + SLACK_BYTES
            if size <= room:
                room -= size
                taken.append((first.index, first.command, rest))
                self._waiting.popleft()
                continue
            if not taken:
                taken.append((first.index, first.command, self._chunk(first, room)))
            break
        return taken

    def _chunk(self, waiting: _Waiting, room: int) -> Sendable:
        """Cut as much off the command's value as fits."""
        item = waiting.command.items[0]
        data = item.data or b""
        meta = replace(item.meta or Meta(), size=None if waiting.done else len(data))
        bare = Item(target=item.target, meta=meta, data=b"", more_data=True)
        around = self._size_of(replace(waiting.command, items=(bare,))) + SLACK_BYTES
        length = min(room - around, len(data) - waiting.done - 1)
        if length < LEAST_CHUNK_BYTES:
            raise LimitExceeded("MaxMsgSize of the device", room)
        chunk = replace(bare, data=data[waiting.done : waiting.done + length])
        waiting.done += length
        return replace(waiting.command, items=(chunk,))


def as_text(command: Sendable) -> Sendable:
    """Return the command with binary values as base64, which is what XML carries (omadm §6.2)."""
    return replace(command, items=tuple(_item_as_text(item) for item in command.items))


def _item_as_text(item: Item) -> Item:
    if item.data is None or item.meta is None or item.meta.format != "bin":
        return item
    meta = replace(item.meta, format="b64")
    return replace(item, meta=meta, data=base64.b64encode(item.data))


def _rest_of(waiting: _Waiting) -> Sendable:
    """Return the command with what of its value was not sent yet."""
    if not waiting.done:
        return waiting.command
    item = waiting.command.items[0]
    return replace(waiting.command, items=(replace(item, data=(item.data or b"")[waiting.done :]),))
