# SPDX-License-Identifier: Apache-2.0
"""Plays the server of a recording to a client: a message in, a message out, no I/O.

Answers are those of the record, in order; written anew (`replaysession`) is what belongs to
this login and this client: SessionID, MsgID, references, addresses, credentials, nonces.  The
first message that differs from the record (`replaylines`) is a departure, and nothing is
played after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus
from scomod.dmclient import codec
from scomod.errors import ScomodError
from scomod.lab.recordblank import LIMITS
from scomod.lab.replaylines import difference, lines
from scomod.lab.replaysession import Session
from scomod.lab.replaysteps import FIRST_MESSAGE, labels_of

if TYPE_CHECKING:
    from scomod.dmclient.codec import Encoding
    from scomod.dmclient.model import Message, Meta
    from scomod.lab.devices import Register
    from scomod.lab.doorkeeper import Envelope
    from scomod.lab.replaysteps import Ref, Step

UNPROVEN: Final = "the client does not prove itself with the account of the profile"
DISTRUSTFUL: Final = "the client does not take our credentials"


class Departed(ScomodError):  # noqa: N818 - a condition
    """The client does not do what the record says; the text says where and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer over HTTP; `location` and `retry_after` are headers, "" for none."""

    body: bytes
    content_type: str
    status: int = DmStatus.OK
    seal: str = ""
    retry_after: str = ""
    location: str = ""


class Player:
    """A server that says the steps of a record; `origin` is what it is reached under.

    With `has_values` values are compared too.
    """

    def __init__(
        self, steps: list[Step], register: Register, origin: str, *, has_values: bool = False
    ) -> None:
        self._steps = steps
        self._labels = labels_of(self._steps)
        self._register = register
        self.home = origin + (self._steps[0].path or "/")
        self._has_values = has_values
        self._place = 0
        self._session: Session | None = None
        self._last: tuple[bytes, Reply] | None = None
        self.departure = ""

    @property
    def is_over(self) -> bool:
        """Tell whether everything was played, or the client departed."""
        return bool(self.departure) or self._place == len(self._steps)

    @property
    def progress(self) -> tuple[int, int]:
        """Return how many steps were played, and how many there are."""
        return self._place, len(self._steps)

    @property
    def missing(self) -> str:
        """Say what of the record the client never did, "" for nothing."""
        if self.is_over:
            return ""
        step = self._steps[self._place]
        wanted = (f"- {line}" for line in self._recorded(step))
        return "\n".join([f"the client ended before {step.where}:", *wanted])

    def receive(self, path: str, envelope: Envelope, encoding: Encoding) -> Reply:
        """Answer one message; raises `Departed`, `DecodeError`, `LimitExceeded`."""
        if self.departure:
            raise Departed(self.departure)
        if self._last is not None and self._last[0] == envelope.body:
            return self._last[1]  # the answer was lost on its way
        message = codec.decode(envelope.body, encoding, LIMITS)
        reply = self._answer(path, message, envelope, encoding)
        self._last = (envelope.body, reply) if reply.status == DmStatus.OK else None
        return reply

    def _answer(self, path: str, message: Message, envelope: Envelope, encoding: Encoding) -> Reply:
        session = self._session_of(message)
        verdict = session.admit(message, envelope)
        if not session.door.is_admitted:
            if session.door.is_hopeless:
                raise self._departed(UNPROVEN)
            return _reply(session.refusal(message, verdict, encoding), encoding)
        if session.is_doubted(message):
            return self._again(session, message, verdict, encoding)
        step = self._match(session, path, message)
        self._place += 1
        session.take(message, step)
        if step.answer is None:
            return _as_it_was(step, session)
        return _reply(session.answer(message, step.answer, verdict, encoding), encoding)

    def _session_of(self, message: Message) -> Session:
        """Return the session of a message, a new one where it begins one."""
        header = message.header
        known = self._session
        if known is None or known.id != header.session_id or header.msg_id == FIRST_MESSAGE:
            known = self._session = Session(self._register, self.home, header.session_id)
        return known

    def _again(
        self,
        session: Session,
        message: Message,
        verdict: tuple[DmStatus, Meta | None],
        encoding: Encoding,
    ) -> Reply:
        """Say the same with other credentials."""
        said = session.step.answer if session.step is not None else None
        if said is None or session.door.is_hopeless:
            raise self._departed(DISTRUSTFUL)
        return _reply(session.answer(message, said, verdict, encoding, is_again=True), encoding)

    def _match(self, session: Session, path: str, message: Message) -> Step:
        """Return the step that a message is; raises `Departed`."""
        begins = session.step is None
        said = _with_place(path, begins, self._lines(message, session.labels))
        if self._place == len(self._steps):
            more = "\n".join(f"+ {line}" for line in said)
            raise self._departed(f"the client goes on behind the end of the record:\n{more}")
        step = self._steps[self._place]
        wanted = self._recorded(step)
        if wanted != said:
            what = "\n".join(difference(wanted, said))
            where = f"the client departs at {step.where} (- recorded, + said):"
            raise self._departed(f"{where}\n{what}")
        return step

    def _recorded(self, step: Step) -> list[str]:
        labels = self._labels[step.session]
        return _with_place(step.path, step.is_first, self._lines(step.request, labels))

    def _lines(self, message: Message, labels: dict[Ref, str]) -> list[str]:
        return lines(message, labels, has_values=self._has_values)

    def _departed(self, text: str) -> Departed:
        self.departure = text
        return Departed(text)


def _with_place(path: str, begins: bool, found: list[str]) -> list[str]:
    return [f"{'a session begins' if begins else 'goes on'} at {path}", *found]


def _reply(envelope: Envelope, encoding: Encoding) -> Reply:
    return Reply(body=envelope.body, content_type=encoding.value, seal=envelope.seal)


def _as_it_was(step: Step, session: Session) -> Reply:
    """Return an answer that was no DM message, or no success."""
    headers = step.raw.headers
    return Reply(
        body=step.raw.body,
        content_type=step.raw.content_type,
        status=step.raw.status,
        retry_after=headers.get("retry-after", ""),
        location=session.moved(headers.get("location", "")),
    )
