# SPDX-License-Identifier: Apache-2.0
"""A scripted DM server for sessions in memory: builds the messages a server would send."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import auth, codec
from scomod.dmclient.answers import status_of
from scomod.dmclient.auth import AuthType
from scomod.dmclient.credentials import Login
from scomod.dmclient.events import AnswerReady, CommandReceived, PendingAlert, SessionSetup
from scomod.dmclient.model import (
    Alert,
    Command,
    Cred,
    Item,
    Message,
    Meta,
    Status,
    SyncHdr,
    name_of,
)
from scomod.dmclient.session import Session
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENT = Login(
    auth_type=AuthType.MD5, name="dev", secret=Secret("client-pw"), nonces=(b"client-nonce",)
)
SERVER = Login(
    auth_type=AuthType.MD5, name="srv", secret=Secret("server-pw"), nonces=(b"server-nonce",)
)
WBXML = codec.Encoding.WBXML


def setup(
    *,
    server: Login | None = SERVER,
    client: Login | None = CLIENT,
    alerts: tuple[PendingAlert, ...] = (),
    max_msg_bytes: int = 16384,
    protocol: str = "1.2",
) -> SessionSetup:
    fresh = count(1)
    return SessionSetup(
        session_id="A1",
        trigger=AlertCode.CLIENT_INITIATED_MANAGEMENT,
        url="https://dm.example/dm",
        protocol=protocol,
        device_id="urn:uuid:1",
        device_info=(("./DevInfo/DevId", "urn:uuid:1"), ("./DevInfo/Man", "maker")),
        client=client,
        server=server,
        alerts=alerts,
        max_msg_bytes=max_msg_bytes,
        max_obj_bytes=65536,
        size_of=lambda message: codec.encoded_size(message, WBXML),
        fresh_nonce=lambda: f"fresh-{next(fresh)}".encode(),
    )


def started(**options: object) -> tuple[Session, Message]:
    session = Session(setup(**options))  # type: ignore[arg-type]
    return session, session.begin()


def cred(nonce: bytes = b"server-nonce", password: str = "server-pw") -> Cred:
    return Cred(type=AuthType.MD5, data=auth.md5("srv", Secret(password), nonce))


class Server:
    """Numbers messages and commands, answers what it is given."""

    def __init__(self) -> None:
        self._msg_ids = count(1)

    def reply(
        self,
        to: Message,
        commands: Sequence[Command] = (),
        *,
        credential: Cred | None = None,
        header_code: int = DmStatus.AUTHENTICATION_ACCEPTED,
        chal: Meta | None = None,
        final: bool = True,
        meta: Meta | None = None,
        resp_uri: str | None = None,
        session_id: str = "A1",
        ver_dtd: str = "1.2",
    ) -> Message:
        statuses: list[Command] = [
            Status(
                cmd_id="1",
                msg_ref=to.header.msg_id,
                cmd_ref="0",
                cmd="SyncHdr",
                code=header_code,
                chal=chal,
            )
        ]
        for command in to.commands:
            if not isinstance(command, Status) and name_of(command) != "Results":
                statuses.append(
                    Status(
                        cmd_id=str(len(statuses) + 1),
                        msg_ref=to.header.msg_id,
                        cmd_ref=command.cmd_id,
                        cmd=name_of(command),
                        code=DmStatus.OK,
                    )
                )
        return Message(
            header=SyncHdr(
                ver_dtd=ver_dtd,
                session_id=session_id,
                msg_id=str(next(self._msg_ids)),
                target="urn:uuid:1",
                source="https://dm.example/dm",
                cred=credential,
                meta=meta,
                resp_uri=resp_uri,
            ),
            commands=(*statuses, *commands),
            final=final,
        )


def challenge(nonce: bytes, auth_type: str = AuthType.MD5) -> Meta:
    return Meta(type=auth_type, format="b64", next_nonce=auth.encode_nonce(nonce))


def generic(text: str = "1200") -> Alert:
    return Alert(
        code=AlertCode.GENERIC_ALERT,
        correlator="c-1",
        items=(Item(source="./SCOMO/x", meta=Meta(type="t", format="chr"), data=text.encode()),),
    )


def statuses(message: Message) -> list[tuple[str, str, int]]:
    """The Statuses of a message as (cmd, cmd_ref, code)."""
    return [(c.cmd, c.cmd_ref, c.code) for c in message.commands if isinstance(c, Status)]


def next_of(session: Session) -> Message:
    """The next message, which there must be."""
    message = session.next_message()
    assert message is not None
    return message


def serve(session: Session, reply: Message, *answers: Command) -> list[Command]:
    """Give a reply to the session and do what a driver does; returns the commands."""
    commands: list[Command] = []
    for event in session.receive(reply):
        match event:
            case CommandReceived(msg_ref, command):
                commands.append(command)
                session.complete([status_of(msg_ref, command, DmStatus.OK), *answers])
            case AnswerReady(answer):
                session.complete([answer])
    return commands


def alerts(message: Message) -> list[int]:
    """The codes of the Alerts of a message."""
    return [c.code for c in message.commands if isinstance(c, Alert)]
