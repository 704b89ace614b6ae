# SPDX-License-Identifier: Apache-2.0
"""One session that is played: the client's credentials and ours, numbers, references.

Writes a recorded answer anew for this client and this login.  Which answer comes when is
`replay`'s.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scomod.dmclient import codec
from scomod.dmclient.model import Atomic, Message, Sequence, Status, SyncHdr, name_of
from scomod.lab.doorkeeper import Doorkeeper, Envelope
from scomod.lab.replaysteps import asked, is_header_status, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.codes import DmStatus
    from scomod.dmclient.codec import Encoding
    from scomod.dmclient.model import Command, Meta
    from scomod.lab.devices import Register
    from scomod.lab.replaysteps import Ref, Step


class Session:
    """A session with one client; `home` is the URL it begins at.

    `labels` name the commands of ours that the client may refer to, as the record does.
    """

    def __init__(self, register: Register, home: str, session_id: str) -> None:
        self.id = session_id
        self.door = Doorkeeper(register)
        self.labels: dict[Ref, str] = {}
        self.step: Step | None = None
        self._register = register
        self._home = home
        self._msg_id = 0
        self._theirs: dict[Ref, Ref] = {}

    def admit(self, message: Message, envelope: Envelope) -> tuple[DmStatus, Meta | None]:
        """Judge the client's credentials, and count its message."""
        self._msg_id += 1
        return self.door.admit(message.header, envelope)

    def is_doubted(self, message: Message) -> bool:
        """Take the client's judgement of us; True if it wants us to prove ourselves again."""
        for command in message.commands:
            if isinstance(command, Status) and is_header_status(command):
                return self.door.answered(command.code, command.chal)
        return False

    def take(self, message: Message, step: Step) -> None:
        """Note that the client's message is that of a step, and what stands for what."""
        self.step = step
        for recorded, command in zip(asked(step.request), asked(message), strict=False):
            key = step.request.header.msg_id, recorded.cmd_id
            self._theirs[key] = message.header.msg_id, command.cmd_id

    def refusal(
        self, message: Message, verdict: tuple[DmStatus, Meta | None], encoding: Encoding
    ) -> Envelope:
        """Return the challenge for a client that has not proven itself."""
        header = message.header
        refused = [
            Status(
                msg_ref=header.msg_id, cmd_ref=command.cmd_id, cmd=name_of(command), code=verdict[0]
            )
            for command in asked(message)
        ]
        return self._sealed(self._header(message), [_judged(message, verdict), *refused], encoding)

    def answer(
        self,
        message: Message,
        recorded: Message,
        verdict: tuple[DmStatus, Meta | None],
        encoding: Encoding,
        *,
        is_again: bool = False,
    ) -> Envelope:
        """Return a recorded answer as our own next message; said again it is without Statuses."""
        kept = [
            self._referring(command)
            for command in recorded.commands
            if not isinstance(command, Status) or not (is_again or is_header_status(command))
        ]
        header = replace(
            self._header(message),
            source_name=recorded.header.source_name,
            resp_uri=self.moved(recorded.header.resp_uri or "") or None,
            meta=recorded.header.meta,
        )
        ids = count(1)
        numbered = list(_numbered([_judged(message, verdict), *kept], ids))
        for old, new in zip(_every(kept), _every(numbered[1:]), strict=True):
            self.labels[header.msg_id, new.cmd_id] = label(recorded, old)
        return self._sealed(header, numbered, encoding, is_final=recorded.final)

    def _header(self, message: Message) -> SyncHdr:
        return SyncHdr(
            session_id=self.id,
            msg_id=str(self._msg_id),
            target=message.header.source,
            source=self._home,
            cred=self.door.cred(),
        )

    def _referring(self, command: Command) -> Command:
        """Return a Status with the client's own numbers."""
        if not isinstance(command, Status):
            return command
        msg, cmd = self._theirs.get(
            (command.msg_ref, command.cmd_ref), (command.msg_ref, command.cmd_ref)
        )
        return replace(command, msg_ref=msg, cmd_ref=cmd)

    def moved(self, uri: str) -> str:
        """Return an address of the record as one of ours, "" for none."""
        if not uri:
            return ""
        theirs, ours = urlsplit(uri), urlsplit(self._home)
        return theirs._replace(scheme=ours.scheme, netloc=ours.netloc).geturl()

    def _sealed(
        self,
        header: SyncHdr,
        commands: Iterable[Command],
        encoding: Encoding,
        *,
        is_final: bool = True,
    ) -> Envelope:
        numbered = tuple(_numbered(commands, count(1)))
        body = codec.encode(Message(header=header, commands=numbered, final=is_final), encoding)
        seal = self.door.seal(body)
        if self.door.account is not None:
            self._register.save(self.door.account)  # the nonces
        return Envelope(body, seal)


def _judged(message: Message, verdict: tuple[DmStatus, Meta | None]) -> Status:
    header = message.header
    return Status(
        msg_ref=header.msg_id,
        cmd_ref="0",
        cmd="SyncHdr",
        code=verdict[0],
        target_refs=(header.target,),
        source_refs=(header.source,),
        chal=verdict[1],
    )


def _numbered(commands: Iterable[Command], ids: Iterator[int]) -> Iterator[Command]:
    """Give commands numbers in their order, inner ones too."""
    for command in commands:
        new = replace(command, cmd_id=str(next(ids)))
        if isinstance(new, Atomic | Sequence):
            new = replace(new, commands=tuple(_numbered(new.commands, ids)))
        yield new


def _every(commands: Iterable[Command]) -> Iterator[Command]:
    for command in commands:
        yield command
        if isinstance(command, Atomic | Sequence):
            yield from _every(command.commands)
