"""The session machine of the DM client: no I/O, no clock, no randomness (I1).

House rules: bytes never come here, only `Message` values; what is owed to the
server is data (`Outgoing`), not control flow; nothing is executed here.

How a session goes (omadm §1).  `begin` gives package #1: Alert 1200/1201,
DevInfo and every alert of the outbox, as far as they fit.  Each answer of the
server goes to `receive`, which checks who speaks, takes the Statuses, and
returns events: commands for the executor among them.  The executor answers
each with `complete`.  `next_message` gives what must be sent then, or None when
the session is over: a message that would hold nothing but the Status of the
header is never sent (omadm §1.1).

A package may need several messages on either side (omadm §1.2).  Ours is open
while something owed did not fit; the server's is open while its Final is missing.

    state       begin      receive                          next_message
    IDLE        MANAGING
    MANAGING               MANAGING | ENDED | FAILED        MANAGING | ENDED
    ENDED, FAILED: nothing more is taken or given.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.credentials import ClientAuth, Login, ServerAuth
from scomod.dmclient.model import (
    Alert,
    Command,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
    SyncHdr,
    name_of,
)
from scomod.dmclient.outgoing import Outgoing
from scomod.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSIONS_DTD = ("1.1", "1.2")
VERSIONS_PROTO = ("DM/1.1", "DM/1.2", "DM/1.3")

# Why a session ends with a server whose message was answered with this code, in words.
REFUSALS: Final = {
    DmStatus.MISSING_CREDENTIALS: "the server is not authenticated: it sends no credentials",
    DmStatus.INVALID_CREDENTIALS: "the server is not authenticated: its credentials are wrong",
    DmStatus.DTD_VERSION_NOT_SUPPORTED: "the server speaks a version of the DTD that we do not",
    DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED: "the server speaks a version of DM that we do not",
}


class SessionState(StrEnum):
    """Where the session stands."""

    IDLE = "idle"
    MANAGING = "managing"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAlert:
    """A generic alert of the outbox: its row id and its command."""

    id: int
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetup:
    """Everything a session knows when it begins.

    `trigger` is 1200 or 1201, `url` the address of the account, `device_info` the
    leaves of ./DevInfo as (URI, value), `size_of` the encoded size of a message.
    """

    session_id: str
    trigger: AlertCode
    url: str
    device_id: str
    device_info: tuple[tuple[str, str], ...]
    client: Login | None
    server: Login | None
    alerts: tuple[PendingAlert, ...]
    max_msg_bytes: int
    max_obj_bytes: int
    size_of: Callable[[Message], int]
    fresh_nonce: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A command to execute; answer it with `complete`."""

    msg_ref: str
    command: Command


@dataclass(frozen=True, slots=True)
class AlertAnswered:
    """The server's Status for an alert of the outbox."""

    alert_id: int
    code: int


@dataclass(frozen=True, slots=True)
class ClientNonce:
    """The nonce for our credentials in the next session: persist it."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class ServerNonce:
    """The server holds this nonce now: persist it."""

    nonce: bytes


Event = CommandReceived | AlertAnswered | ClientNonce | ServerNonce


class Session:
    """One DM session with one server."""

    def __init__(self, setup: SessionSetup) -> None:
        self._setup = setup
        self._client = ClientAuth(setup.client)
        self._server = ServerAuth(setup.server, setup.fresh_nonce)
        self._out = Outgoing(setup.size_of)
        self._limit = setup.max_msg_bytes
        self._is_our_package_open = True  # no Final of ours since the server's last Final
        self._is_due = False
        self._nonce_sent: bytes | None = None
        self.peer_max_obj_bytes: int | None = None
        self.state = SessionState.IDLE
        self.failure = ""
        self.url = setup.url

    @property
    def peer_max_msg_bytes(self) -> int:
        """The largest message the server takes, as far as it said."""
        return self._limit

    @property
    def pending_server_nonce(self) -> bytes | None:
        """A nonce in the message about to be sent; the server may or may not get it."""
        return self._nonce_sent

    # -- our turn -----------------------------------------------------------

    def begin(self) -> Message:
        """Return the first message of package #1."""
        if self.state is not SessionState.IDLE:
            raise LocalProtocolError("a session begins once")
        self.state = SessionState.MANAGING
        self._owe_setup()
        return self._build()

    def complete(self, answers: Sequence[Status | Results]) -> None:
        """Queue what a command is answered with, in order (omadm §2.4)."""
        for answer in answers:
            self._out.owe(answer)
        self._is_due = self._is_due or bool(answers)

    def next_message(self) -> Message | None:
        """Return the next message, or None when nothing is to be sent: the session is over."""
        if self.state is not SessionState.MANAGING:
            return None
        if not self._is_due:
            self.state = SessionState.ENDED
            return None
        return self._build()

    def _owe_setup(self) -> None:
        """Owe the contents of package #1 (omadm §1.1)."""
        items = tuple(
            Item(source=uri, meta=Meta(format="chr", type="text/plain"), data=value.encode())
            for uri, value in self._setup.device_info
        )
        self._out.owe(Alert(code=self._setup.trigger))
        self._out.owe(Replace(items=items))
        for pending in self._setup.alerts:
            self._out.owe(pending.alert, tag=pending.id)

    def _build(self) -> Message:
        """Pack what is owed, as much as fits, into one message."""
        self._is_due = False
        header = SyncHdr(
            session_id=self._setup.session_id,
            msg_id=str(self._out.next_msg_id),
            target=self.url,
            source=self._setup.device_id,
            source_name=self._client.name,
            cred=self._client.cred(),
            meta=Meta(
                max_msg_size=self._setup.max_msg_bytes, max_obj_size=self._setup.max_obj_bytes
            ),
        )
        message = self._out.pack(header, self._limit, may_end=self._is_our_package_open)
        if message.final:
            self._is_our_package_open = False
        self._nonce_sent = self._server.issued
        return message

    # -- the server's turn --------------------------------------------------

    def receive(self, message: Message) -> list[Event]:
        """Take a server message; returns what is to be done, in order.

        Raises `RemoteProtocolError` if it does not belong to this session.
        """
        if self.state is not SessionState.MANAGING:
            raise LocalProtocolError("this session takes no messages")
        self._check_identity(message.header)
        self._take_limits(message.header)
        if message.final:
            self._is_our_package_open = True
        code = self._judge_header(message.header)
        if self._is_challenged(message):
            return self._start_over(message, code)
        return [] if self.failure else self._receive_body(message, code)

    def _check_identity(self, header: SyncHdr) -> None:
        """Refuse a message of another session (omadm §1.1)."""
        ours, theirs = self._setup.session_id.lstrip("0"), header.session_id.lstrip("0")
        if ours.upper() != theirs.upper():
            raise RemoteProtocolError(f"SessionID {header.session_id!r} is not ours")

    def _take_limits(self, header: SyncHdr) -> None:
        """Note the sizes the server takes and where it wants the next message (omadm §2.5)."""
        if header.meta and header.meta.max_msg_size:
            self._limit = min(self._setup.max_msg_bytes, header.meta.max_msg_size)
        if header.meta and header.meta.max_obj_size:
            self.peer_max_obj_bytes = header.meta.max_obj_size
        if header.resp_uri:
            self.url = header.resp_uri

    def _judge_header(self, header: SyncHdr) -> DmStatus:
        """Return the Status code for the server's header."""
        if header.ver_dtd not in VERSIONS_DTD:
            return DmStatus.DTD_VERSION_NOT_SUPPORTED
        if header.ver_proto not in VERSIONS_PROTO:
            return DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED
        return self._server.check(header.cred)

    def _is_challenged(self, message: Message) -> bool:
        """Take the Status of our own header; True if we must start over."""
        for command in message.commands:
            if isinstance(command, Status) and command.cmd_ref == "0":
                if self._client.answered(command.code, command.chal):
                    return True
                if self._client.is_refused:
                    self._fail("the server refuses our credentials")
                elif command.code >= DmStatus.BAD_REQUEST:
                    self._fail(f"the server refuses our message with {command.code}")
        return False

    def _start_over(self, message: Message, code: DmStatus) -> list[Event]:
        """Send package #1 again with the credentials that were demanded (omadm §2.7)."""
        self._out.clear()
        self._is_our_package_open = True
        self._owe_header_status(message.header, code)
        self._owe_setup()
        self._is_due = True
        return []

    def _receive_body(self, message: Message, code: DmStatus) -> list[Event]:
        """Sort the commands of a message whose sender has been judged."""
        self._owe_header_status(message.header, code)
        is_executed = code in (DmStatus.OK, DmStatus.AUTHENTICATION_ACCEPTED)
        if not is_executed:
            return self._refuse_body(message, code)
        events = self._confirmed_nonces()
        for command in message.commands:
            if isinstance(command, Status):
                events += self._alert_answered(command)
            elif isinstance(command, Alert) and command.code == AlertCode.SESSION_ABORT:
                self._fail("the server aborted the session")
                return events
            elif isinstance(command, Alert) and command.code == AlertCode.NEXT_MESSAGE:
                self.complete([status_of(message.header.msg_id, command, DmStatus.OK)])
            elif not isinstance(command, Results):
                events.append(CommandReceived(message.header.msg_id, command))
        if not message.final and not self._out.is_waiting:
            # The server has more of its package: ask for it (omadm §1.2).
            self._out.owe(Alert(code=AlertCode.NEXT_MESSAGE), is_last=True)
            self._is_due = True
        self._is_due = self._is_due or self._out.is_waiting
        return events

    def _refuse_body(self, message: Message, code: DmStatus) -> list[Event]:
        """Answer every command with the code of the header; execute nothing (omadm §2.7)."""
        commands = [c for c in message.commands if not isinstance(c, Status | Results)]
        if not commands or self._server.is_refused:
            # A message only to challenge is not allowed: the session ends here.
            self._fail(REFUSALS.get(code, f"the server is refused with {int(code)}"))
            return []
        self.complete([status_of(message.header.msg_id, c, code) for c in commands])
        return []

    def _owe_header_status(self, header: SyncHdr, code: DmStatus) -> None:
        """Owe the Status of the server's header, first of the next message."""
        self._out.drop_header_status()
        self._out.owe(
            Status(
                msg_ref=header.msg_id,
                cmd_ref="0",
                cmd="SyncHdr",
                code=code,
                target_refs=(header.target,),
                source_refs=(header.source,),
                chal=None if code == DmStatus.OK else self._server.challenge(),
            ),
            is_first=True,
        )

    def _confirmed_nonces(self) -> list[Event]:
        """Tell which nonces the now trusted server holds or wants (omadm §4.5)."""
        events: list[Event] = []
        if self._nonce_sent is not None:
            events.append(ServerNonce(self._nonce_sent))
            self._nonce_sent = None
        if self._client.next_nonce is not None:
            events.append(ClientNonce(self._client.next_nonce))
            self._client.next_nonce = None
        return events

    def _alert_answered(self, status: Status) -> list[Event]:
        """Match a Status with the alert of the outbox it answers."""
        alert_id = self._out.sent_tag(status.msg_ref, status.cmd_ref)
        return [] if alert_id is None else [AlertAnswered(alert_id, status.code)]

    def _fail(self, why: str) -> None:
        self.state = SessionState.FAILED
        self.failure = why


def status_of(
    msg_ref: str,
    command: Command,
    code: int,
    *,
    target: str | None = None,
    source: str | None = None,
) -> Status:
    """Return the Status that answers a command, or one item of it (omadm §2.4)."""
    return Status(
        msg_ref=msg_ref,
        cmd_ref=command.cmd_id or "0",
        cmd=name_of(command),
        code=code,
        target_refs=(target,) if target is not None else (),
        source_refs=(source,) if source is not None else (),
    )
