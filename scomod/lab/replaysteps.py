# SPDX-License-Identifier: Apache-2.0
"""The steps of a recording that are to be played: what was said, without how both logged in.

Left out is what another login would not have: messages that were refused and said again after
a challenge, either way; answers that were lost, and messages that came twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus
from scomod.dmclient.model import Atomic, Sequence, Status, name_of
from scomod.lab.recording import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.dmclient.model import Command, Message
    from scomod.lab.recording import Recording, Side

Ref = tuple[str, str]  # MsgID and CmdID of a command

FIRST_MESSAGE: Final = "1"
REFUSED: Final = (DmStatus.INVALID_CREDENTIALS, DmStatus.MISSING_CREDENTIALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message of the device and its answer, or what came in place of one (`raw`).

    `session` counts the sessions of the record.
    """

    number: int
    session: int
    path: str
    request: Message
    answer: Message | None
    raw: Side
    is_first: bool = False

    @property
    def where(self) -> str:
        """Name the place in the record."""
        header = self.request.header
        return f"exchange {self.number} (message {header.msg_id} of session {header.session_id})"


def steps_of(recording: Recording) -> list[Step]:
    """Return what is to be played; raises `RecordingError` where nothing is."""
    found = _merged([step for step in _all(recording) if not _is_refusal(step)])
    if not found:
        raise RecordingError("there is nothing to play: no message that the server took")
    before = [None, *(step.session for step in found[:-1])]
    return [
        replace(step, is_first=step.session != earlier)
        for step, earlier in zip(found, before, strict=True)
    ]


def labels_of(steps: Iterable[Step]) -> dict[int, dict[Ref, str]]:
    """Return, by session, what each command of the server is called."""
    labels: dict[int, dict[Ref, str]] = {}
    for step in steps:
        known = labels.setdefault(step.session, {})
        for command in _flat(step.answer.commands if step.answer else ()):
            if step.answer is not None:
                known[step.answer.header.msg_id, command.cmd_id] = label(step.answer, command)
    return labels


def label(message: Message, command: Command) -> str:
    """Name a command of the server: what it is, on what, and where in the record."""
    items = getattr(command, "items", ())
    uri = next((item.target or item.source for item in items), None) or ""
    return f"{name_of(command)} {uri} ({message.header.msg_id}/{command.cmd_id})".replace("  ", " ")


def asked(message: Message) -> list[Command]:
    """Return the commands of a device that are no Status, in their order, nested ones too."""
    return [command for command in _flat(message.commands) if not isinstance(command, Status)]


def is_header_status(command: Command) -> bool:
    """Tell the Status of a header, which is about credentials."""
    return isinstance(command, Status) and command.cmd_ref == "0"


def _all(recording: Recording) -> Iterator[Step]:
    """Yield every message that was answered, once."""
    session, session_id, taken = 0, "", b""
    for exchange in recording.exchanges:
        request, response = exchange.request.message(), exchange.response
        if request is None or response.failed or exchange.request.body == taken:
            continue
        taken = exchange.request.body if response.status == DmStatus.OK else b""
        header = request.header
        if header.session_id != session_id or header.msg_id == FIRST_MESSAGE:
            session, session_id = session + 1, header.session_id
        yield Step(
            number=exchange.number,
            session=session,
            path=exchange.request.path,
            request=request,
            answer=response.message() if response.status == DmStatus.OK else None,
            raw=response,
        )


def _is_refusal(step: Step) -> bool:
    """Tell a message whose credentials the server did not take: it comes again."""
    return step.answer is not None and _header_code(step.answer) in REFUSED


def _merged(steps: list[Step]) -> list[Step]:
    """Put together what a server said and, as the device asked for its credentials, said again."""
    merged: list[Step] = []
    for step in steps:
        last = merged[-1] if merged else None
        is_next = last is not None and last.session == step.session
        if last is None or not is_next or _header_code(step.request) not in REFUSED:
            merged.append(step)
        elif step.answer is not None and last.answer is not None:
            statuses = (c for c in last.answer.commands if isinstance(c, Status))
            again = (c for c in step.answer.commands if not isinstance(c, Status))
            # the device's answers refer to what was said the second time
            merged[-1] = replace(last, answer=replace(step.answer, commands=(*statuses, *again)))
    return merged


def _header_code(message: Message) -> int | None:
    codes = (c.code for c in message.commands if isinstance(c, Status) and is_header_status(c))
    return next(codes, None)


def _flat(commands: Iterable[Command]) -> Iterator[Command]:
    for command in commands:
        yield command
        if isinstance(command, Atomic | Sequence):
            yield from _flat(command.commands)
