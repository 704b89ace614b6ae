# SPDX-License-Identifier: Apache-2.0
"""Large objects on their way to us: the rules by which chunks become one value (omadm §5).

No I/O: octets go to a `Sink` that the caller opened.  One object is open at a time, for
the length of a session; it is an item that came with MoreData, and goes on with the next
item of the same command on the same Target.

    what comes                          answer          the object
    first chunk, with Size              213             opens
    first chunk without Size            412             refused
    ... larger than our MaxObjSize      413             refused
    ... no room, no right, no node      420, 425, 404   refused
    chunk in a Sequence or Atomic       406             refused
    next chunk                          213             grows
    ... with a Size again               400             refused
    ... beyond its Size                 424             refused
    last chunk, of its Size             the command's   is whole
    ... of another                      424             is dropped
    anything else meanwhile             Alert 1225      is dropped, then that is done

A refused object is remembered until something else comes: a server that sends the rest
all the same gets the same answer, for its last chunk looks like a small whole object.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from scomod import errors
from scomod.codes import AlertCode
from scomod.dmclient.model import Alert, Atomic, Item, ItemCommand, Meta, Sequence, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.dmclient.model import Command

QUAD: Final = 4  # characters of base64 that are three octets
PAD: Final = ord("=")


class Sink(Protocol):
    """Where octets go; both may be called in any state of it."""

    def write(self, octets: bytes) -> None:
        """Append; raises a `CommandError`."""

    def drop(self) -> None:
        """Forget everything."""


S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Generic[S]):
    """An object of which all is there; `command` and `meta` are those of its first chunk.

    `is_decoded` tells that base64 came and octets are in the sink.
    """

    command: ItemCommand
    meta: Meta
    sink: S
    is_decoded: bool


@dataclass(slots=True, kw_only=True)
class _Open(Generic[S]):
    command: ItemCommand
    item: Item
    meta: Meta
    size_bytes: int
    sink: S
    decoder: Base64Decoder | None
    carried_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Refused:
    """What the rest of a refused object is told by, and answered with."""

    command: str
    target: str | None
    error: type[errors.CommandError]
    text: str


class Chunks(Generic[S]):
    """The object that is open in one session, if any.

    `open_sink` is given the command, the Target, the Meta and the Size; it returns the sink
    and whether the octets are base64 to be decoded, or raises a `CommandError`.
    """

    def __init__(
        self,
        open_sink: Callable[[ItemCommand, str, Meta, int], tuple[S, bool]],
        *,
        max_object_bytes: int,
    ) -> None:
        self._open_sink = open_sink
        self._max_object_bytes = max_object_bytes
        self._open: _Open[S] | None = None
        self._refused: _Refused | None = None
        self._alerts: list[Alert] = []

    @property
    def is_open(self) -> bool:
        """Tell whether an object has come in part."""
        return self._open is not None

    def before(self, command: Command) -> list[Alert]:
        """See a command that is about to be done; returns the Alert 1225 if it breaks off."""
        items = command.items if isinstance(command, ItemCommand) else ()
        if self._open and not (items and self._goes_on(command, items[0])):
            self._break_off()
        is_container = isinstance(command, Sequence | Atomic)
        if self._refused and not is_container and self._refused.command != name_of(command):
            self._refused = None
        return self.alerts()

    def is_part(self, command: ItemCommand, item: Item) -> bool:
        """Tell whether an item is a chunk, which `take` must have."""
        if self._open:
            if self._goes_on(command, item):
                return True
            self._break_off()
        if self._refused:
            place = self._refused.command, self._refused.target
            if place == (name_of(command), item.target) and not _has_size(command, item):
                return True
            self._refused = None
        return item.more_data

    def take(
        self, command: ItemCommand, item: Item, meta: Meta, *, is_inside: bool
    ) -> Whole[S] | None:
        """Take a chunk; returns the object when this was its last, raises a `CommandError`.

        `meta` is that of the item and the command together; `is_inside` tells of a
        container, which has to fit into one message with all that is in it (omadm §1.1).
        """
        try:
            return self._append(self._going(command, item, meta, is_inside=is_inside), item)
        except errors.CommandError as error:
            self.drop()
            self._refused = None
            if item.more_data:
                self._refused = _Refused(name_of(command), item.target, type(error), str(error))
            raise

    def alerts(self) -> list[Alert]:
        """Return, once, the Alerts 1225 that are owed for objects that were broken off."""
        owed, self._alerts = self._alerts, []
        return owed

    def drop(self) -> None:
        """Forget the open object: the session is over, or something is wrong with it."""
        if self._open:
            self._open.sink.drop()
            self._open = None

    def _going(self, command: ItemCommand, item: Item, meta: Meta, *, is_inside: bool) -> _Open[S]:
        """Return the open object that a chunk belongs to, a new one for a first chunk."""
        if self._refused:
            raise self._refused.error(self._refused.text)
        if is_inside:
            raise errors.NotSupported("no chunks in a Sequence or an Atomic")
        if self._open is None:
            return self._begin(command, item, meta)
        if meta.size is not None:
            raise errors.BadRequest("a Size stands in the first chunk only")
        return self._open

    def _begin(self, command: ItemCommand, item: Item, meta: Meta) -> _Open[S]:
        if meta.size is None:
            raise errors.IncompleteCommand("the first chunk has no Size")
        if meta.size > self._max_object_bytes:
            raise errors.TooLarge(f"an object of {meta.size} octets is too large")
        sink, is_base64 = self._open_sink(command, item.target or "", meta, meta.size)
        self._open = _Open(
            command=replace(command, items=()),
            item=replace(item, data=None, meta=None),
            meta=replace(meta, size=None),
            size_bytes=meta.size,
            sink=sink,
            decoder=Base64Decoder() if is_base64 else None,
        )
        return self._open

    def _append(self, going: _Open[S], item: Item) -> Whole[S] | None:
        if item.tree is not None:
            raise errors.BadFormat("markup is not taken in chunks")
        octets = item.data or b""
        going.carried_bytes += len(octets)
        if going.carried_bytes > going.size_bytes:
            raise errors.SizeMismatch(f"more than the {going.size_bytes} octets of the Size")
        going.sink.write(going.decoder.decode(octets) if going.decoder else octets)
        if item.more_data:
            return None
        if going.carried_bytes != going.size_bytes:
            raise errors.SizeMismatch(f"{going.carried_bytes} octets, not {going.size_bytes}")
        if going.decoder:
            going.decoder.finish()
        self._open = None
        return Whole(
            command=going.command,
            meta=going.meta,
            sink=going.sink,
            is_decoded=going.decoder is not None,
        )

    def _goes_on(self, command: Command, item: Item) -> bool:
        going = self._open
        if going is None:
            return False
        return (name_of(command), item.target) == (name_of(going.command), going.item.target)

    def _break_off(self) -> None:
        """Drop the open object and owe the alert that says so (omadm §1.3)."""
        if self._open:
            broken = Item(target=self._open.item.target, source=self._open.item.source)
            self._alerts.append(Alert(code=AlertCode.NO_END_OF_DATA, items=(broken,)))
            self.drop()


@dataclass(slots=True)
class Base64Decoder:
    """Base64 text cut anywhere, to octets; white space is allowed, as in `decode_base64`."""

    _rest: bytes = b""
    _is_padded: bool = field(default=False)

    def decode(self, text: bytes) -> bytes:
        """Return what is complete; raises `BadFormat`."""
        text = self._rest + b"".join(text.split())
        if self._is_padded and text:
            raise errors.BadFormat("base64 goes on behind its padding")
        end = len(text) - len(text) % QUAD
        self._rest = text[end:]
        self._is_padded = end > 0 and text[end - 1] == PAD
        if self._is_padded and self._rest:
            raise errors.BadFormat("base64 goes on behind its padding")
        try:
            return base64.b64decode(text[:end], validate=True)
        except binascii.Error as error:
            raise errors.BadFormat("not base64") from error

    def finish(self) -> None:
        """Raise `BadFormat` if something is missing at the end."""
        if self._rest:
            raise errors.BadFormat("base64 ends in the middle")


def _has_size(command: ItemCommand, item: Item) -> bool:
    """Tell whether an item has a Size, its own or that of its command: then it is a new one."""
    return any(meta is not None and meta.size is not None for meta in (item.meta, command.meta))
