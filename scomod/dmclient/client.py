"""Drives one DM session to its end: bytes out, bytes in, one transaction per message.

Commit before reply (I3): what a message asked for is durable before its answer
leaves.  Next nonces are part of the same transaction.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus, is_success
from scomod.dmclient import codec
from scomod.dmclient.auth import AuthType, decode_nonce, encode_nonce
from scomod.dmclient.credentials import Login
from scomod.dmclient.executor import Executor
from scomod.dmclient.model import Alert, Item, Message, Meta
from scomod.dmclient.session import (
    AlertAnswered,
    ClientNonce,
    CommandReceived,
    PendingAlert,
    ServerNonce,
    Session,
    SessionSetup,
    SessionState,
)
from scomod.dmclient.useralert import AlertLimits, UserAlert, UserAnswer, Verdict
from scomod.errors import ScomodError, TransportError
from scomod.mo import dmacc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable

    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.dmclient.session import Event
    from scomod.dmclient.transport import Transport
    from scomod.mo.dmacc import Account, Credential
    from scomod.mo.tree import Tree
    from scomod.outbox import Outbox, OutboxAlert
    from scomod.settings import Settings

    AskPerson = Callable[[Account, UserAlert], Awaitable[UserAnswer]]
    MessageWork = Generator[UserAlert, UserAnswer, None]

log = logging.getLogger(__name__)

# DMAcc's words for authentication (omadm §8.3); HMAC comes later.
AUTH_TYPES: Final = {"BASIC": AuthType.BASIC, "DIGEST": AuthType.MD5}
# Answers to an alert that no repetition will better (scomo §4.4).
FINAL_REFUSALS: Final = (DmStatus.NOT_FOUND, DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED)
RESULT_MARGIN_BYTES: Final = 1024  # what surrounds a value in a message


@dataclass(slots=True, kw_only=True)
class SessionReport:
    """How a session went; `outcome` is "ok" or "failed"."""

    server: str
    outcome: str = "failed"
    detail: str = ""
    is_retryable: bool = False
    retry_after_s: float = 0.0
    messages: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    duration_s: float = 0.0
    alerts_delivered: int = 0
    commands: int = 0


async def nobody(_account: Account, _alert: UserAlert) -> UserAnswer:
    """Answer user alerts on a device without a person: they are not supported (406)."""
    return UserAnswer(verdict=Verdict.NOT_SHOWN)


class DmClient:
    """Runs sessions; `fresh_nonce`, `open_transport` and `ask_person` are the world's part."""

    def __init__(
        self,
        *,
        db: Database,
        tree: Tree,
        outbox: Outbox,
        settings: Settings,
        device_id: str,
        clock: Clock,
        open_transport: Callable[[Account], Transport],
        fresh_nonce: Callable[[], bytes],
        ask_person: AskPerson = nobody,
    ) -> None:
        self._db = db
        self._tree = tree
        self._outbox = outbox
        self._settings = settings
        self._device_id = device_id
        self._clock = clock
        self._open_transport = open_transport
        self._fresh_nonce = fresh_nonce
        self._ask_person = ask_person
        self._encoding = codec.Encoding[settings.transport.encoding.upper()]
        limits = settings.session
        self._limits = codec.Limits(
            max_bytes=limits.max_msg_bytes * 2,  # peers overrun what they were told
            max_depth=limits.max_depth_count,
            max_elements=limits.max_commands_count * 20,
        )
        self._alert_limits = AlertLimits(
            max_text_bytes=limits.max_alert_text_bytes,
            max_choices_count=limits.max_choices_count,
            max_choice_bytes=limits.max_choice_bytes,
            max_input_count=limits.max_input_count,
        )

    async def run(self, account: Account, trigger: AlertCode, session_id: str) -> SessionReport:
        """Run one session; never raises for what the network or the server do."""
        report = SessionReport(server=account.server_id)
        began_s = self._clock.monotonic_s()
        transport = self._open_transport(account)
        try:
            session = Session(self._setup(account, trigger, session_id))
            await self._converse(session, account, transport, report)
        except TransportError as error:
            report.detail, report.is_retryable = str(error), error.is_retryable
            report.retry_after_s = error.retry_after_s
        except ScomodError as error:
            report.detail, report.is_retryable = str(error), True
        finally:
            transport.close()
        report.duration_s = self._clock.monotonic_s() - began_s
        return report

    async def _converse(
        self, session: Session, account: Account, transport: Transport, report: SessionReport
    ) -> None:
        executor = Executor(
            self._tree,
            self._db,
            server_id=account.server_id,
            max_object_bytes=self._settings.session.max_obj_bytes,
            alert_limits=self._alert_limits,
        )
        message: Message | None = session.begin()
        while message is not None:
            if report.messages >= self._settings.session.max_messages_count:
                report.detail = "the session takes more messages than max_messages_count"
                return
            reply = await self._exchange(session, account, transport, message, report)
            events = session.receive(reply)
            await self._carry_out(account, self._work(session, executor, account, events, report))
            message = session.next_message()
        report.commands = executor.count
        report.detail = session.failure
        report.outcome = "ok" if session.state is SessionState.ENDED else "failed"
        report.is_retryable = report.outcome == "failed"

    async def _exchange(
        self,
        session: Session,
        account: Account,
        transport: Transport,
        message: Message,
        report: SessionReport,
    ) -> Message:
        """Send one message and return the answer."""
        self._keep_pending_nonce(account, session.pending_server_nonce)
        body = codec.encode(message, self._encoding)
        report.messages += 1
        report.bytes_sent += len(body)
        reply = await transport.exchange(session.url, body, self._encoding.value)
        report.bytes_received += len(reply.body)
        log.debug("message %s: %d out, %d in", message.header.msg_id, len(body), len(reply.body))
        return codec.decode(reply.body, codec.encoding_of(reply.content_type), self._limits)

    async def _carry_out(self, account: Account, work: MessageWork) -> None:
        """Do the work on one message, outside of transactions while a person thinks (adr/0011)."""
        alert = self._work_on(work, None)
        while alert is not None:
            alert = self._work_on(work, await self._ask_person(account, alert))

    def _work_on(self, work: MessageWork, answer: UserAnswer | None) -> UserAlert | None:
        """Work in one transaction up to the next alert; None when the message is done."""
        with self._db.transaction():
            try:
                return next(work) if answer is None else work.send(answer)
            except StopIteration:
                return None

    def _work(
        self,
        session: Session,
        executor: Executor,
        account: Account,
        events: Iterable[Event],
        report: SessionReport,
    ) -> MessageWork:
        for event in events:
            yield from self._apply(session, executor, account, event, report)

    def _apply(
        self,
        session: Session,
        executor: Executor,
        account: Account,
        event: Event,
        report: SessionReport,
    ) -> MessageWork:
        """Carry out one event, inside a transaction; yields what a person must be asked."""
        match event:
            case CommandReceived(msg_ref, command):
                room = session.peer_max_msg_bytes - RESULT_MARGIN_BYTES
                limit = session.peer_max_obj_bytes or room
                executor.tree_commands.max_result_bytes = max(0, min(room, limit))
                session.complete((yield from executor.execute(msg_ref, command)))
            case AlertAnswered(alert_id, code):
                if is_success(code) or code in FINAL_REFUSALS:
                    self._outbox.delivered(alert_id)
                    report.alerts_delivered += 1
                if not is_success(code):
                    log.warning("the server answered an alert with %d", code)
            case ClientNonce(nonce):
                dmacc.set_client_nonce(self._tree, account, nonce)
            case ServerNonce(nonce):
                dmacc.set_server_nonce(self._tree, account, nonce)

    # -- what a session starts from --------------------------------------------

    def _setup(self, account: Account, trigger: AlertCode, session_id: str) -> SessionSetup:
        limits = self._settings.session
        waiting = self._outbox.waiting(account.server_id)
        if waiting:
            with self._db.transaction():
                self._outbox.count_sent(account.server_id)
        return SessionSetup(
            session_id=session_id,
            trigger=trigger,
            url=address_of(account),
            device_id=self._device_id,
            device_info=self._device_info(),
            client=_login(account.client, ()),
            server=_login(account.server, self.pending_nonces(account)),
            alerts=tuple(PendingAlert(id=a.id, alert=generic_alert(a)) for a in waiting),
            max_msg_bytes=limits.max_msg_bytes,
            max_obj_bytes=limits.max_obj_bytes,
            size_of=lambda message: codec.encoded_size(message, self._encoding),
            fresh_nonce=self._fresh_nonce,
        )

    def _device_info(self) -> tuple[tuple[str, str], ...]:
        """Return the leaves of ./DevInfo (omadm §8.1)."""
        names = self._tree.children("./DevInfo")
        found = [(f"./DevInfo/{name}", self._tree.value(f"./DevInfo/{name}")) for name in names]
        return tuple((uri, value) for uri, value in found if value is not None)

    # -- nonces that the server may or may not have got (omadm §4.5 rules 5, 6) ----

    def pending_nonces(self, account: Account) -> tuple[bytes, ...]:
        """Return the nonce that was sent last without a sign that it arrived."""
        kept = self._db.meta(_pending_key(account))
        return (decode_nonce(kept),) if kept else ()

    def _keep_pending_nonce(self, account: Account, nonce: bytes | None) -> None:
        if nonce is not None and self.pending_nonces(account) != (nonce,):
            with self._db.transaction():
                self._db.set_meta(_pending_key(account), encode_nonce(nonce))


def address_of(account: Account) -> str:
    """Return the URL of an account; the port is added where the address has none (omadm §6.1)."""
    scheme, separator, rest = account.address.partition("://")
    host, slash, path = rest.partition("/")
    if account.port is None or not separator or host.rpartition("]")[2].count(":"):
        return account.address
    return f"{scheme}://{host}:{account.port}{slash}{path}"


def generic_alert(row: OutboxAlert) -> Alert:
    """Return the command for a row of the outbox (scomo §4.1, omadm §1.5)."""
    item = Item(
        source=row.source,
        target=row.target,
        meta=Meta(type=row.type, format="text/plain", mark=row.mark),
        data=row.data.encode(),
    )
    return Alert(code=AlertCode.GENERIC_ALERT, correlator=row.correlator, items=(item,))


def _pending_key(account: Account) -> str:
    return f"pending-nonce:{account.server_id}"


def _login(credential: Credential | None, more_nonces: tuple[bytes, ...]) -> Login | None:
    """Return one side's login; a type we do not speak is challenged by the other side."""
    if credential is None:
        return None
    return Login(
        auth_type=AUTH_TYPES.get(credential.auth_type, AuthType.MD5),
        name=credential.name,
        secret=credential.secret,
        nonces=(credential.nonce, *more_nonces),
    )
