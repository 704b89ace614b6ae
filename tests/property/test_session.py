# SPDX-License-Identifier: Apache-2.0
"""Whatever a server says, in whatever order: the session keeps its promises and ends.

Seeded dice instead of drawn examples: a conversation is long, and each seed tells its own.
"""

from __future__ import annotations

import dataclasses
import random

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.answers import status_of
from scomod.dmclient.events import AnswerReady, CommandReceived, PendingAlert
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Command,
    Get,
    Item,
    Message,
    Meta,
    Results,
    Status,
    SyncHdr,
    Unknown,
)
from scomod.dmclient.session import Session, SessionState
from scomod.errors import RemoteProtocolError
from tests.support.dialogue import challenge, cred, generic, setup

ROUNDS = 12
LIMIT_BYTES = 2048
CODES = (0, 101, 200, 200, 202, 212, 212, 212, 213, 304, 401, 407, 417, 500, 513)
NONCES = (b"server-nonce", b"server-nonce", b"fresh-1", b"fresh-2", b"stale")
GET = Get(items=(Item(target="./DevInfo"),))
ORDERS: tuple[Command, ...] = (
    GET,
    Get(items=()),
    Add(items=(Item(target="./x", data=b"v", more_data=True),)),
    Atomic(commands=(dataclasses.replace(GET, cmd_id="9"),)),
    Unknown(name="Put"),
    Results(msg_ref="1", cmd_ref="1"),
    *(Alert(code=code) for code in (*AlertCode, 0, 1299) if code != AlertCode.SESSION_ABORT),
)


class Dice:
    """A server that says what falls."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - dice
        self._msg_id = 0

    def _may(self, chance: float) -> bool:
        return self._random.random() < chance

    def reply(self, to: Message) -> Message:
        """Answer a message of the client, with or without sense."""
        one_of = self._random.choice
        self._msg_id += 1
        statuses = [
            Status(
                cmd_id=str(number),
                msg_ref=to.header.msg_id if self._may(0.9) else "77",
                cmd_ref="0" if number == 0 else str(one_of(range(5))),
                cmd="SyncHdr" if number == 0 else "Alert",
                code=one_of(CODES),
                chal=challenge(one_of(NONCES), one_of(["syncml:auth-md5", "syncml:auth-basic"])),
            )
            for number in range(one_of([0, 1, 1, 2, 4]))
        ]
        orders = [dataclasses.replace(c, cmd_id=f"5{n}") for n, c in enumerate(self._orders())]
        abort = [Alert(cmd_id="99", code=AlertCode.SESSION_ABORT)] if self._may(0.02) else []
        return Message(
            header=SyncHdr(
                ver_dtd=one_of(["1.1", "1.2", "1.2", "1.2", "3"]) if self._may(0.2) else "1.2",
                session_id=one_of(["A1", "a1", "161", "0A1"]),
                msg_id=str(self._msg_id if self._may(0.95) else 1),
                target="urn:uuid:1",
                source="https://dm.example/dm",
                cred=cred(one_of(NONCES)) if self._may(0.7) else None,
                meta=Meta(max_msg_size=one_of([0, 700, 1500, 10**6])) if self._may(0.3) else None,
            ),
            commands=(*statuses, *orders, *abort),
            final=self._may(0.6),
        )

    def _orders(self) -> list[Command]:
        return self._random.sample(ORDERS, self._random.choice([0, 1, 1, 2, 5]))

    def values(self) -> bytes:
        """What is read at the device: seldom more than one message holds."""
        return b"v" * self._random.choice([1, 100, 600, 5000])


class Watch:
    """Looks at one conversation from both sides; `check` says what may not be."""

    def __init__(self) -> None:
        self.right_proofs = {cred().data}
        self.is_admitted = False
        self.numbers: set[str] = set()
        self.executed: set[str] = set()
        self.is_final_owed = True
        self.count = 0

    def sent(self, session: Session, message: Message) -> None:
        self.count += 1
        assert message.header.msg_id == str(self.count)
        numbers = [str(n) for n in range(1, len(message.commands) + 1)]
        assert [command.cmd_id for command in message.commands] == numbers
        if self.count > 1:
            first = message.commands[0]
            assert isinstance(first, Status)
            assert (first.cmd, first.cmd_ref) == ("SyncHdr", "0")
            assert len(message.commands) > 1, "never the Status of the header alone"
        alerts = [c.code for c in message.commands if isinstance(c, Alert)]
        aborts = AlertCode.SESSION_ABORT in alerts
        asks = AlertCode.NEXT_MESSAGE in alerts
        assert not (message.final and asks)
        if message.final and not aborts:
            assert self.is_final_owed, "one Final for each of the server's"
            self.is_final_owed = False
        if (nonce := session.pending_server_nonce) is not None:
            self.right_proofs.add(cred(nonce).data)

    def received(self, reply: Message, orders: list[CommandReceived]) -> None:
        starts_over = any(isinstance(c, Status) and c.code in (401, 407) for c in reply.commands)
        self.is_final_owed = self.is_final_owed or reply.final or starts_over
        self.numbers.add(reply.header.msg_id)
        proof = reply.header.cred
        self.is_admitted |= proof is not None and proof.data in self.right_proofs
        if orders:
            assert self.is_admitted, "nothing is carried out for a stranger"
            assert reply.header.msg_id not in self.executed, "nothing is carried out twice"
            assert not any(c.command.cmd_id == "99" for c in orders)
            self.executed.add(reply.header.msg_id)


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_session_keeps_its_promises_whatever_is_said(start: int) -> None:
    lengths = [converse(seed) for seed in range(start, start + 100)]
    assert max(lengths) > ROUNDS / 2, "some go on for long"
    assert min(lengths) == 1


def converse(seed: int) -> int:
    """Hold one conversation to its end; returns how many messages the device sent."""
    reports = (PendingAlert(id=1, alert=generic()), PendingAlert(id=2, alert=generic("x" * 900)))
    session = Session(setup(alerts=reports, max_msg_bytes=LIMIT_BYTES))
    server, watch = Dice(seed), Watch()
    message: Message | None = session.begin()
    while message is not None:
        watch.sent(session, message)
        assert session._setup.size_of(message) <= LIMIT_BYTES
        if session.state is not SessionState.MANAGING:
            assert session.next_message() is None
            break
        reply = server.reply(message)
        try:
            events = session.receive(reply)
        except RemoteProtocolError:
            assert reply.header.msg_id in watch.numbers, "it had that number before"
            return watch.count
        watch.received(reply, [e for e in events if isinstance(e, CommandReceived)])
        for event in events:
            if isinstance(event, CommandReceived):
                item = Item(source="./x", data=server.values())
                result = Results(msg_ref=event.msg_ref, cmd_ref="5", items=(item,))
                status = status_of(event.msg_ref, event.command, DmStatus.OK)
                session.complete([status, result])
            elif isinstance(event, AnswerReady):
                session.complete([event.answer])
        if watch.count == ROUNDS - 1 and session.is_due:
            session.abort("enough")
        message = session.next_message()
    assert session.state in (SessionState.ENDED, SessionState.FAILED)
    assert bool(session.failure) == (session.state is SessionState.FAILED)
    return watch.count
