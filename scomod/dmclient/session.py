# SPDX-License-Identifier: Apache-2.0
"""The session machine of the DM client: no I/O, no clock, no randomness (I1).

House rules: bytes come here only to be proven (`Envelope`), what is read are
`Message` values; what is owed to the server is data (`Outgoing`), not control
flow; nothing is executed here.

How a session goes (omadm §1).  `begin` gives package #1: Alert 1200/1201,
DevInfo and every alert of the outbox, as far as they fit.  Each answer of the
server goes to `receive`, which checks who speaks, takes the Statuses, and
returns events: commands for the executor among them.  Each is answered with
`complete`, in order.  `next_message` gives what must be sent then, or None when
the session is over: a message that would hold nothing but the Status of the
header is never sent (omadm §1.1).  `headers` go beside a message's octets.

A package may need several messages on either side (omadm §1.2).  Ours is open
while something owed did not fit; the server's is open while its Final is missing,
and each of its messages is answered with 1222 then.

    state       begin      receive                          next_message  abort
    IDLE        MANAGING
    MANAGING               MANAGING | FAILED                MANAGING | ENDED  CLOSING
    CLOSING                                                 FAILED (1223 leaves)
    ENDED, FAILED: nothing more is taken or given.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import peer
from scomod.dmclient.answers import (
    is_alert,
    same_for_all,
    status_of,
    status_of_header,
    statuses,
)
from scomod.dmclient.awaited import Awaited
from scomod.dmclient.credentials import Envelope
from scomod.dmclient.events import AlertAnswered, AnswerReady, CommandReceived
from scomod.dmclient.model import (
    Alert,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
    SyncHdr,
)
from scomod.dmclient.outgoing import Outgoing
from scomod.dmclient.peer import Peer
from scomod.dmclient.trust import Failure, Trust
from scomod.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scomod.dmclient.events import Event, SessionSetup
    from scomod.dmclient.model import Command
    from scomod.dmclient.trust import Verdict

# What SyncML DM 1.1 does not know yet (omadm §2.2): it waits in the outbox.
NEW_IN_1_2: Final = (AlertCode.GENERIC_ALERT,)
UNADORNED: Final = Envelope()


class SessionState(StrEnum):
    """Where the session stands."""

    IDLE = "idle"
    MANAGING = "managing"
    CLOSING = "closing"
    ENDED = "ended"
    FAILED = "failed"


class Session:
    """One DM session with one server; a failed one says why, and whether waiting may help."""

    def __init__(self, setup: SessionSetup) -> None:
        self._setup = setup
        self._peer = Peer(
            session_id=setup.session_id, url=setup.url, max_msg_bytes=setup.max_msg_bytes
        )
        self._awaited = Awaited()
        self._trust = Trust(setup, self._awaited)
        self._out = Outgoing(setup.size_of, self._awaited)
        self._is_our_package_open = True  # no Final of ours since the server's last Final
        self._unproven: list[Status] = []  # Statuses of a server that is not proven yet
        self.state = SessionState.IDLE
        self.failure = ""
        self.is_retryable = False

    @property
    def url(self) -> str:
        """Where the next message goes."""
        return self._peer.url

    @property
    def peer_max_msg_bytes(self) -> int:
        """The largest message the server takes, as far as it said."""
        return self._peer.max_msg_bytes

    @property
    def peer_max_obj_bytes(self) -> int | None:
        """The largest object the server takes, None where it names no limit."""
        return self._peer.max_obj_bytes

    @property
    def pending_server_nonce(self) -> bytes | None:
        """A nonce in the message about to be sent; the server may or may not get it."""
        return self._trust.server.in_flight

    @property
    def is_sending_object(self) -> bool:
        """Tell whether an object of ours has left in part."""
        return self._out.is_cutting

    @property
    def is_due(self) -> bool:
        """Tell whether the server must get another message."""
        return self.state is SessionState.MANAGING and self._out.is_waiting

    # -- our turn -----------------------------------------------------------

    def begin(self) -> Message:
        """Return the first message of package #1."""
        if self.state is not SessionState.IDLE:
            raise LocalProtocolError("a session begins once")
        self.state = SessionState.MANAGING
        self._owe_setup()
        return self._build()

    def complete(self, answers: Iterable[Command]) -> None:
        """Queue what a command is answered with, in order (omadm §2.4)."""
        for answer in answers:
            self._out.owe(answer)

    def abort(self, why: str, *, are_answers_void: bool = False) -> None:
        """Stop before the end: the next message holds 1223 and is the last (omadm §1.2).

        It takes along what is owed, as far as it fits, unless that is void.
        """
        if self.state is not SessionState.MANAGING:
            raise LocalProtocolError("only a running session is aborted")
        if are_answers_void:
            self._out.clear()
        self._out.tail = Alert(code=AlertCode.SESSION_ABORT)
        self._fail(Failure(why=why, is_retryable=True))
        self.state = SessionState.CLOSING

    def next_message(self) -> Message | None:
        """Return the next message, or None when nothing is to be sent: the session is over."""
        if self.state is SessionState.CLOSING:
            self.state = SessionState.FAILED
            return replace(self._build(), final=True)
        if self.is_due:
            return self._build()
        if self.state is SessionState.MANAGING:
            self.state = SessionState.ENDED
        return None

    def headers(self, body: bytes) -> dict[str, str]:
        """Return what goes beside the message just built, of which these are the octets."""
        return self._trust.client.headers(body)

    def _owe_setup(self) -> None:
        """Owe the contents of package #1 (omadm §1.1)."""
        items = tuple(
            Item(source=uri, meta=Meta(format="chr", type="text/plain"), data=value.encode())
            for uri, value in self._setup.device_info
        )
        self._out.owe(Alert(code=self._setup.trigger))
        self._out.owe(Replace(items=items))
        for pending in self._setup.alerts:
            if self._setup.protocol != "1.1" or pending.alert.code not in NEW_IN_1_2:
                self._out.owe(pending.alert, alert_id=pending.id)

    def _build(self) -> Message:
        """Pack what is owed, as much as fits, into one message."""
        ver_dtd, ver_proto = peer.WRITTEN[self._setup.protocol]
        header = SyncHdr(
            ver_dtd=ver_dtd,
            ver_proto=ver_proto,
            session_id=self._setup.session_id,
            msg_id=str(self._out.next_msg_id),
            target=self.url,
            source=self._setup.device_id,
            source_name=self._trust.client.name,
            cred=self._trust.client.cred(),
            meta=Meta(
                max_msg_size=self._setup.max_msg_bytes, max_obj_size=self._setup.max_obj_bytes
            ),
        )
        may_end = self._is_our_package_open and self._out.tail is None
        message = self._out.pack(header, self._peer.max_msg_bytes, may_end=may_end)
        if message.final:
            self._is_our_package_open = False
        self._trust.server.sent()
        return message

    # -- the server's turn --------------------------------------------------

    def receive(self, message: Message, envelope: Envelope = UNADORNED) -> list[Event]:
        """Take a server message and how it came; returns what is to be done, in order.

        Raises `RemoteProtocolError` if it does not belong to this session.
        """
        if self.state is not SessionState.MANAGING:
            raise LocalProtocolError("this session takes no messages")
        self._peer.check_identity(message.header)
        self._peer.take(message.header)
        verdict = self._trust.judge(message, envelope)
        if any(is_alert(command, AlertCode.SESSION_ABORT) for command in message.commands):
            return self._aborted(message, verdict)
        if verdict.failure is not None:
            self._fail(verdict.failure)
            return []
        self._answer_header(message.header, verdict.code)
        if verdict.is_challenged:
            return self._start_over(message, verdict)
        if not verdict.is_trusted:
            return self._refuse(message, verdict.code)
        self._peer.note_executed(message.header)
        return [*verdict.learned, *self._alerts_answered(message), *self._commands(message)]

    def _answer_header(self, header: SyncHdr, code: DmStatus) -> None:
        """Owe the Status of the server's header, first of the next message."""
        chal = self._trust.server.challenge(code)
        self._out.head = status_of_header(header, code, chal=chal, items=peer.supported(code))

    def _aborted(self, message: Message, verdict: Verdict) -> list[Event]:
        """End without an answer; only what was answered to us counts (omadm §1.3)."""
        aborted = Failure(why="the server aborted the session", is_retryable=True)
        self._fail(verdict.failure or aborted)
        return [*verdict.learned, *self._alerts_answered(message)] if verdict.is_trusted else []

    def _start_over(self, message: Message, verdict: Verdict) -> list[Event]:
        """Send package #1 again with the credentials that were demanded (omadm §2.7)."""
        self._out.clear()
        self._awaited.forget_alerts()
        self._unproven.clear()
        self._is_our_package_open = True
        code = DmStatus.NOT_EXECUTED if verdict.is_trusted else verdict.code
        self.complete(same_for_all(message, code))
        self._owe_setup()
        return list(verdict.learned)

    def _refuse(self, message: Message, code: DmStatus) -> list[Event]:
        """Answer every command with the code of the header; execute nothing (omadm §2.7)."""
        self._is_our_package_open = self._is_our_package_open or message.final
        self._unproven += statuses(message)
        answers = same_for_all(message, code)
        failure = self._trust.refusal(code, has_commands=bool(answers))
        if failure is not None:
            self._fail(failure)
        self.complete(answers)
        return []

    def _commands(self, message: Message) -> list[Event]:
        """Return the commands of a proven server, and ask for more if its package goes on."""
        events: list[Event] = []
        for command in message.commands:
            if is_alert(command, AlertCode.NEXT_MESSAGE):
                answer = status_of(message.header.msg_id, command, DmStatus.OK)
                events.append(AnswerReady(answer))
            elif is_alert(command, AlertCode.NO_END_OF_DATA):
                self._out.drop_object()  # the server gave up waiting for the rest of it
                answer = status_of(message.header.msg_id, command, DmStatus.OK)
                events.append(AnswerReady(answer))
            elif not isinstance(command, Status | Results):
                events.append(CommandReceived(message.header.msg_id, command))
        is_reply_only = not any(isinstance(event, CommandReceived) for event in events)
        if not message.final and not (self._is_our_package_open and is_reply_only):
            self._out.tail = Alert(code=AlertCode.NEXT_MESSAGE)  # omadm §1.2
        self._is_our_package_open = self._is_our_package_open or message.final
        return events

    def _alerts_answered(self, message: Message) -> list[Event]:
        """Match Statuses with the alerts of the outbox, those of earlier messages first."""
        answers = (*self._unproven, *statuses(message))
        self._unproven.clear()
        refused = [(self._out.refuse_chunk(status), status.code) for status in answers]
        whole = self._awaited.take_alerts(answers, self._out.owes)
        return [
            AlertAnswered(alert_id, code)
            for alert_id, code in (*whole, *refused)
            if alert_id is not None
        ]

    def _fail(self, failure: Failure) -> None:
        self.state = SessionState.FAILED
        self.failure = failure.why
        self.is_retryable = failure.is_retryable
