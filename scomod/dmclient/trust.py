# SPDX-License-Identifier: Apache-2.0
"""What a server message means for both sides' proofs: may it be carried out, must we start over.

Brings together who speaks (`credentials`), which version (`peer`) and how our own
header was answered.  Judges only: what is sent then is the session's affair.
Rules: omadm §2.2, §2.7, §3, §4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.codes import DmStatus
from scomod.dmclient import peer
from scomod.dmclient.answers import statuses
from scomod.dmclient.credentials import ClientAuth, ServerAuth
from scomod.dmclient.events import ClientNonce, ServerNonce, TypeAccepted

if TYPE_CHECKING:
    from scomod.dmclient.auth import AuthType
    from scomod.dmclient.awaited import Awaited
    from scomod.dmclient.credentials import Envelope
    from scomod.dmclient.events import Event, SessionSetup
    from scomod.dmclient.model import Message

TRUSTED: Final = (DmStatus.OK, DmStatus.AUTHENTICATION_ACCEPTED)
# Why a session ends with a server whose message was answered with this code, in words.
REFUSALS: Final = {
    DmStatus.MISSING_CREDENTIALS: "the server is not authenticated: it sends no credentials",
    DmStatus.INVALID_CREDENTIALS: "the server is not authenticated: its credentials are wrong",
    DmStatus.DTD_VERSION_NOT_SUPPORTED: "the server speaks a version of the DTD that we do not",
    DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED: "the server speaks a version of DM that we do not",
}
# Why it ends when our own header was answered so; the others are named by number.
REFUSALS_OF_US: Final = {
    DmStatus.RETRY_LATER: "the server asks to come again later",
    DmStatus.DTD_VERSION_NOT_SUPPORTED: "the server does not speak our version of the DTD",
    DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED: "the server does not speak our version of DM",
}
# Of those, what time may heal; so it may every other failure of the server (5xx).
PASSING: Final = (DmStatus.REQUEST_TIMEOUT, DmStatus.RETRY_LATER)
VERSION_FAULTS: Final = tuple(peer.SUPPORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a session ends, and whether waiting may help."""

    why: str
    is_retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`code` is for the header of the message; with a `failure` nothing more is sent.

    `is_challenged`: package #1 goes out again.  `learned` is to be kept.
    """

    code: DmStatus
    is_challenged: bool = False
    failure: Failure | None = None
    learned: tuple[Event, ...] = ()

    @property
    def is_trusted(self) -> bool:
        """Tell whether the commands are carried out."""
        return self.code in TRUSTED


class Trust:
    """The proofs of both sides in one session."""

    def __init__(self, setup: SessionSetup, awaited: Awaited) -> None:
        self._awaited = awaited
        self.client = ClientAuth(setup.client)
        self.server = ServerAuth(setup.server, setup.fresh_nonce)
        self._type_known: AuthType | None = setup.client.auth_type if setup.client else None
        self._is_version_refused = False

    def judge(self, message: Message, envelope: Envelope) -> Verdict:
        """Judge one message of the server."""
        code = peer.version_fault(message.header)
        if code is None:
            code = self.server.check(message.header.cred, envelope)
        is_challenged, failure = self._own_header(message)
        return Verdict(
            code=code,
            is_challenged=is_challenged,
            failure=failure,
            learned=self._learned() if code in TRUSTED else (),
        )

    def refusal(self, code: DmStatus, *, has_commands: bool) -> Failure | None:
        """Return why a message refused with `code` ends the session; None if it is answered.

        A message only to challenge is not allowed, and nobody is refused for ever.
        """
        is_last = self.server.is_refused
        if code in VERSION_FAULTS:
            is_last, self._is_version_refused = self._is_version_refused, True
        if has_commands and not is_last:
            return None
        return Failure(why=REFUSALS[code], is_retryable=False)

    def _own_header(self, message: Message) -> tuple[bool, Failure | None]:
        """Take the Status of our header: whether we must start over, or why we are refused."""
        for status in statuses(message):
            if not self._awaited.take_header(status):
                continue
            if self.client.answered(status.code, status.chal):
                return True, None
            if self.client.refusal:
                return False, Failure(why=self.client.refusal, is_retryable=False)
            if status.code >= DmStatus.BAD_REQUEST:
                return False, _failure(status.code)
        return False, None

    def _learned(self) -> tuple[Event, ...]:
        """Tell what the now proven server holds, wants and took (omadm §4.4, §4.5)."""
        events: list[Event] = []
        if (nonce := self.server.confirmed()) is not None:
            events.append(ServerNonce(nonce))
        if (nonce := self.client.next_nonce) is not None:
            events.append(ClientNonce(nonce))
            self.client.next_nonce = None
        kind = self.client.accepted_type
        if kind is not None and kind is not self._type_known:
            events.append(TypeAccepted(kind))
            self._type_known = kind
        return tuple(events)


def _failure(code: int) -> Failure:
    """Return why a session ends whose header was answered with `code`."""
    known = {int(status): words for status, words in REFUSALS_OF_US.items()}
    why = f"{known.get(code, 'the server refuses our message')} ({code})"
    is_passing = code >= DmStatus.COMMAND_FAILED and code not in VERSION_FAULTS
    return Failure(why=why, is_retryable=is_passing or code in PASSING)
