# SPDX-License-Identifier: Apache-2.0
"""Drives one DM session to its end: bytes out, bytes in, one transaction per message.

Commit before reply (I3): what a message asked for is durable before its answer
leaves.  Next nonces are part of the same transaction.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.codes import is_success
from scomod.dmclient import codec
from scomod.dmclient.credentials import Envelope
from scomod.dmclient.events import (
    AlertAnswered,
    AnswerReady,
    ClientNonce,
    CommandReceived,
    ServerNonce,
    TypeAccepted,
)
from scomod.dmclient.executor import Executor
from scomod.dmclient.gate import Gate, Glance
from scomod.dmclient.logins import Logins
from scomod.dmclient.opening import Opening
from scomod.dmclient.session import Session, SessionState
from scomod.dmclient.subtreecommands import SubtreeCommands
from scomod.dmclient.useralert import AlertLimits, UserAnswer, Verdict
from scomod.errors import LimitExceeded, ScomodError, TransportError
from scomod.trace import Traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator

    from scomod.clock import Clock
    from scomod.codes import AlertCode
    from scomod.db import Database
    from scomod.dmclient.events import Event
    from scomod.dmclient.executor import Question
    from scomod.dmclient.model import Command, Message
    from scomod.dmclient.transport import Reply, Transport
    from scomod.facade import Record
    from scomod.mo.dmacc import Account
    from scomod.mo.tree import Tree
    from scomod.outbox import Outbox
    from scomod.settings import Settings
    from scomod.trace import Traces

    AskPerson = Callable[[Account, Question], Awaitable[UserAnswer]]
    MessageWork = Generator[Question, UserAnswer, None]

log = logging.getLogger(__name__)

# The limits of codec and transport, as the configuration names them.
LIMIT_KEYS: Final = {
    "max_reply_bytes": "session.max_msg_bytes",
    "max_bytes": "session.max_msg_bytes",
    "max_depth": "session.max_depth_count",
    "max_elements": "session.max_commands_count",
    "max_cookies_count": "transport.max_cookies_count",
}
RESULT_MARGIN_BYTES: Final = 1024  # what surrounds a value in a message


@dataclass(slots=True, kw_only=True)
class SessionReport:
    """How a session went; `outcome` is "ok" or "failed".

    `requests` says what the server answered to what we asked of it: `id`, `status`, and
    `is_waiting` where it will be asked again.
    """

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
    requests: list[Record] = field(default_factory=list)


def unheard(*_: object) -> None:
    """Hear of a command or a message, and do nothing about it."""


async def nobody(_account: Account, question: Question) -> UserAnswer:
    """Answer on a device without a person: no alerts (406), and an inventory open to all."""
    is_glance = isinstance(question, Glance)
    return UserAnswer(verdict=Verdict.DONE if is_glance else Verdict.NOT_SHOWN)


class DmClient:
    """Runs sessions; `fresh_nonce`, `open_transport` and `ask_person` are the world's part.

    `on_command` is told each command with its answers, `on_message` of each exchange.
    """

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
        traces: Traces,
        ask_person: AskPerson = nobody,
        on_command: Callable[[Command, list[Command]], None] = unheard,
        on_message: Callable[[], None] = unheard,
    ) -> None:
        self._db = db
        self._tree = tree
        self._outbox = outbox
        self._settings = settings
        self._clock = clock
        self._open_transport = open_transport
        self._traces = traces
        self._ask_person = ask_person
        self._on_command = on_command
        self._on_message = on_message
        self._logins = Logins(db, tree, settings)
        self._opening = Opening(
            db=db,
            tree=tree,
            outbox=outbox,
            settings=settings,
            logins=self._logins,
            device_id=device_id,
            fresh_nonce=fresh_nonce,
        )
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
        trace = self._traces.begin(account.server_id, session_id)
        transport = Traced(self._open_transport(account), trace)
        try:
            session = Session(self._opening.setup(account, trigger, session_id))
            with contextlib.closing(self._executor(session, account)) as executor:
                await self._converse(session, executor, account, transport, report)
        except TransportError as error:
            report.detail, report.is_retryable = str(error), error.is_retryable
            report.retry_after_s = error.retry_after_s
        except ScomodError as error:
            report.detail, report.is_retryable = str(error), True
        finally:
            transport.close()
            trace.end(report.outcome, report.detail)
        report.duration_s = self._clock.monotonic_s() - began_s
        return report

    def _executor(self, session: Session, account: Account) -> Executor:
        """Return who executes in this session; it knows how long objects may be both ways."""
        executor = Executor(
            self._tree,
            self._db,
            server_id=account.server_id,
            max_object_bytes=self._settings.session.max_obj_bytes,
            alert_limits=self._alert_limits,
        )
        encoding = self._opening.encoding(account)

        def takes(size_bytes: int, format_: str) -> bool:
            limit = session.peer_max_obj_bytes
            return limit is None or codec.carried_bytes(size_bytes, format_, encoding) <= limit

        executor.tree_commands.takes = takes
        executor.tree_commands.gate = Gate(
            self._tree, server_id=account.server_id, scomo_root=self._settings.scomo.root
        )
        executor.tree_commands.subtrees = SubtreeCommands(
            self._tree,
            server_id=account.server_id,
            encoding=encoding,
            limits=self._settings.subtree,
        )
        return executor

    async def _converse(
        self,
        session: Session,
        executor: Executor,
        account: Account,
        transport: Transport,
        report: SessionReport,
    ) -> None:
        ends_s = self._clock.monotonic_s() + self._settings.session.max_duration_s
        message: Message | None = session.begin()
        count = 0
        while message is not None:
            reply = await self._exchange(session, account, transport, message, report)
            events = session.receive(*self._opened(reply))
            work = self._work(session, executor, account, events, report)
            await self._carry_out_or_abort(session, account, work)
            # what moves a large object is limited by the size of the object
            count += not (executor.is_receiving or session.is_sending_object)
            self._keep_limits(session, count, ends_s)
            message = session.next_message()
            if message is not None and session.state is SessionState.FAILED:
                await self._leave(session, account, transport, message, report)
                break
        report.commands = executor.count
        report.detail = session.failure
        report.outcome = "ok" if session.state is SessionState.ENDED else "failed"
        report.is_retryable = session.is_retryable

    def _keep_limits(self, session: Session, count: int, ends_s: float) -> None:
        """Abort a session that would go on beyond what one may take."""
        limits = self._settings.session
        if not session.is_due:
            return
        if count >= limits.max_messages_count - 1:  # the last one says goodbye
            session.abort(f"session.max_messages_count reached: {limits.max_messages_count}")
        elif self._clock.monotonic_s() >= ends_s:
            session.abort(f"session.max_duration_s reached: {limits.max_duration_s:g}")

    async def _leave(
        self,
        session: Session,
        account: Account,
        transport: Transport,
        message: Message,
        report: SessionReport,
    ) -> None:
        """Send the message that aborts the session; nothing depends on what becomes of it."""
        try:
            await self._exchange(session, account, transport, message, report)
        except ScomodError as error:
            log.info("the server was not told that the session is aborted: %s", error)

    async def _exchange(
        self,
        session: Session,
        account: Account,
        transport: Transport,
        message: Message,
        report: SessionReport,
    ) -> Reply:
        """Send one message and return the answer, as it came."""
        if session.pending_server_nonce is not None:
            self._logins.keep_pending(account, session.pending_server_nonce)
        encoding = self._opening.encoding(account)
        body = codec.encode(message, encoding)
        self._on_message()
        report.messages += 1
        report.bytes_sent += len(body)
        with _limits_by_key():
            reply = await transport.exchange(
                session.url, body, encoding.value, session.headers(body)
            )
        report.bytes_received += len(reply.body)
        self._on_message()
        log.debug("message %s: %d out, %d in", message.header.msg_id, len(body), len(reply.body))
        return reply

    def _opened(self, reply: Reply) -> tuple[Message, Envelope]:
        """Read an answer; a MAC is later compared with its octets as they came."""
        with _limits_by_key():
            message = codec.decode(reply.body, codec.encoding_of(reply.content_type), self._limits)
        return message, Envelope(body=reply.body, headers=reply.headers)

    async def _carry_out_or_abort(
        self, session: Session, account: Account, work: MessageWork
    ) -> None:
        """Do the work on one message; where our records fail, nothing of it is answered."""
        try:
            await self._carry_out(account, work)
        except ScomodError as error:
            if session.state is not SessionState.MANAGING:
                raise
            log.error("the session is aborted: %s", error)
            session.abort(str(error), are_answers_void=True)

    async def _carry_out(self, account: Account, work: MessageWork) -> None:
        """Do the work on one message, outside of transactions while a person thinks (adr/0011)."""
        question = self._work_on(work, None)
        while question is not None:
            question = self._work_on(work, await self._ask_person(account, question))

    def _work_on(self, work: MessageWork, answer: UserAnswer | None) -> Question | None:
        """Work in one transaction up to the next question; None when the message is done."""
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
                answers = yield from executor.execute(msg_ref, command)
                self._on_command(command, answers)
                session.complete(answers)
            case AlertAnswered(alert_id, code):
                self._alert_answered(alert_id, code, report)
            case AnswerReady(answer):
                session.complete([answer])
            case ClientNonce() | ServerNonce() | TypeAccepted():
                self._logins.learn(account, event)

    def _alert_answered(self, alert_id: int, code: int, report: SessionReport) -> None:
        """Let an alert go that the server has judged; what it did not take is sent again."""
        alert = self._outbox.answered(alert_id, code, self._clock.wall_s())
        if alert is None:
            return
        is_over = alert.is_settled_by(code)
        report.alerts_delivered += is_over
        if alert.is_request:
            report.requests.append({"id": alert_id, "status": code, "is_waiting": not is_over})
        if not is_success(code):
            then = "it is dropped" if is_over else "it is sent again"
            log.warning("the server answered an alert with %d: %s", code, then)

    def pending_nonces(self, account: Account) -> tuple[bytes, ...]:
        """Return the nonce that was sent last without a sign that it arrived."""
        return self._logins.pending_nonces(account)

    def expect_resync(self, account: Account) -> None:
        """Begin the next session with a server that lost its nonce (omadm §10.4)."""
        self._logins.expect_resync(account)


@contextlib.contextmanager
def _limits_by_key() -> Iterator[None]:
    """Name a limit that was passed as the configuration names it."""
    try:
        yield
    except LimitExceeded as error:
        raise LimitExceeded(LIMIT_KEYS.get(error.limit, error.limit), error.value) from error
