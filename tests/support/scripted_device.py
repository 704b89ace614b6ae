# SPDX-License-Identifier: Apache-2.0
"""A small DM client for tests of the bench: a tree of texts, no state beyond one account.

Built from model and codec only.  It does what it is told and remembers what it saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import auth
from scomod.dmclient.auth import AuthType
from scomod.dmclient.codec import Encoding, decode, encode
from scomod.dmclient.model import (
    Add,
    Alert,
    Command,
    Cred,
    Delete,
    Exec,
    Get,
    Item,
    ItemCommand,
    Message,
    Meta,
    Replace,
    Results,
    Status,
    SyncHdr,
    name_of,
)
from scomod.dmclient.wbxml import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.secret import Secret

LIMITS = Limits(max_bytes=1 << 20, max_depth=64, max_elements=50000)
DEVINFO = {"DevId": "urn:test:1", "Man": "we", "Mod": "m1", "DmV": "1", "Lang": "en"}
MAX_ROUNDS = 400


@dataclass(kw_only=True)
class ScriptedDevice:
    """One device; `post` carries octets to the server and back."""

    post: Callable[[bytes, Encoding], bytes]
    user: str
    password: Secret
    server_id: str
    server_password: Secret
    client_nonce: bytes
    server_nonce: bytes
    encoding: Encoding = Encoding.WBXML
    auth_type: AuthType | None = AuthType.MD5
    device_id: str = "urn:test:1"
    max_msg_size: int | None = None
    tree: dict[str, bytes] = field(default_factory=dict)
    executed: list[tuple[str, str | None]] = field(default_factory=list)
    received: list[Message] = field(default_factory=list)
    alert_answers: list[int] = field(default_factory=list)
    says: DmStatus = DmStatus.OK  # to whatever the person is asked
    is_server_trusted: bool = False
    rounds: int = 0

    def run(self, session_id: str = "1", alerts: tuple[Alert, ...] = ()) -> None:
        """Run one session to its end."""
        self.is_server_trusted = False
        self.rounds = 0
        setup: tuple[Command, ...] = (
            Alert(code=AlertCode.CLIENT_INITIATED_MANAGEMENT),
            self._devinfo(),
            *alerts,
        )
        message: Message | None = self._message(session_id, setup, with_cred=True)
        open_chunks: dict[str, bytes] = {}
        while message is not None and self.rounds < MAX_ROUNDS:
            self.rounds += 1
            reply = self.post(encode(message, self.encoding), self.encoding)
            answer = decode(reply, self.encoding, LIMITS)
            self.received.append(answer)
            message = self._next(session_id, answer, setup, open_chunks)

    def _next(
        self,
        session_id: str,
        answer: Message,
        setup: tuple[Command, ...],
        chunks: dict[str, bytes],
    ) -> Message | None:
        code, chal = self._judge(answer)
        header = self._header_status(answer, code, chal)
        mine = self._take_statuses(answer)
        if mine in (DmStatus.INVALID_CREDENTIALS, DmStatus.MISSING_CREDENTIALS):
            has_chal = any(isinstance(c, Status) and c.chal for c in answer.commands)
            return self._message(session_id, (header, *setup), with_cred=True) if has_chal else None
        commands = [c for c in answer.commands if isinstance(c, ItemCommand | Alert)]
        if not commands:
            return None
        if not self.is_server_trusted:
            refused = [self._status(answer, command, code) for command in commands]
            return self._message(session_id, (header, *refused))
        replies: list[Command] = [header]
        for command in commands:
            replies += self._obey(answer, command, chunks)
        if not answer.final:
            replies.append(Alert(code=AlertCode.NEXT_MESSAGE))
        return self._message(session_id, tuple(replies), final=answer.final)

    def _judge(self, answer: Message) -> tuple[DmStatus, Meta | None]:
        if self.is_server_trusted:
            return DmStatus.OK, None
        cred = answer.header.cred
        fresh = bytes([self.rounds]) * 16
        chal = Meta(type=AuthType.MD5.value, format="b64", next_nonce=auth.encode_nonce(fresh))
        expected = self.server_nonce
        self.server_nonce = fresh
        if cred is not None and auth.verify(
            AuthType(cred.type), cred.data, self.server_id, self.server_password, (expected,)
        ):
            self.is_server_trusted = True
            if not any(isinstance(c, ItemCommand) for c in answer.commands):
                self.server_nonce = expected  # our answer, and the nonce in it, is never sent
            return DmStatus.AUTHENTICATION_ACCEPTED, chal
        return DmStatus.INVALID_CREDENTIALS, chal

    def _take_statuses(self, answer: Message) -> int:
        mine = 0
        for command in answer.commands:
            if isinstance(command, Status) and command.cmd_ref == "0":
                mine = command.code
                if command.chal and command.chal.next_nonce:
                    self.client_nonce = auth.decode_nonce(command.chal.next_nonce)
            elif isinstance(command, Status) and command.cmd == "Alert":
                self.alert_answers.append(command.code)
        return mine

    def _obey(self, answer: Message, command: Command, chunks: dict[str, bytes]) -> list[Command]:
        if isinstance(command, Alert):
            return [self._status(answer, command, self.says)]
        assert isinstance(command, ItemCommand)
        (item,) = command.items
        uri = item.target or ""
        if isinstance(command, Get):
            return self._get(answer, command, uri)
        return [self._status(answer, command, self._change(command, item, uri, chunks))]

    def _change(
        self, command: ItemCommand, item: Item, uri: str, chunks: dict[str, bytes]
    ) -> DmStatus:
        if isinstance(command, Exec):
            self.executed.append((uri, command.correlator))
            return DmStatus.ACCEPTED_FOR_PROCESSING
        if isinstance(command, Delete):
            return DmStatus.OK if self.tree.pop(uri, None) is not None else DmStatus.NOT_FOUND
        if isinstance(command, Add) and uri in self.tree:
            return DmStatus.ALREADY_EXISTS
        chunks[uri] = chunks.get(uri, b"") + (item.data or b"")
        if item.more_data:
            return DmStatus.CHUNKED_ITEM_ACCEPTED
        self.tree[uri] = chunks.pop(uri)
        return DmStatus.OK

    def _get(self, answer: Message, command: Get, uri: str) -> list[Command]:
        prefix = f"{uri}/"
        inside = [path.removeprefix(prefix) for path in self.tree if path.startswith(prefix)]
        below = {path.split("/")[0] for path in inside}
        if uri not in self.tree and not below:
            return [self._status(answer, command, DmStatus.NOT_FOUND)]
        form = "node" if below else "chr"
        data = "/".join(sorted(below)).encode() if below else self.tree[uri]
        item = Item(source=uri, meta=Meta(format=form, type="text/plain"), data=data)
        results = Results(msg_ref=answer.header.msg_id, cmd_ref=command.cmd_id, items=(item,))
        return [self._status(answer, command, DmStatus.OK), results]

    def _status(self, answer: Message, command: Command, code: DmStatus) -> Status:
        return Status(
            msg_ref=answer.header.msg_id, cmd_ref=command.cmd_id, cmd=name_of(command), code=code
        )

    def _header_status(self, answer: Message, code: DmStatus, chal: Meta | None) -> Status:
        return Status(
            msg_ref=answer.header.msg_id, cmd_ref="0", cmd="SyncHdr", code=code, chal=chal
        )

    def _devinfo(self) -> Replace:
        items = tuple(
            Item(source=f"./DevInfo/{name}", data=value.encode()) for name, value in DEVINFO.items()
        )
        return Replace(items=items)

    def _message(
        self,
        session_id: str,
        commands: tuple[Command, ...],
        *,
        with_cred: bool = False,
        final: bool = True,
    ) -> Message:
        header = SyncHdr(
            session_id=session_id,
            msg_id=str(self.rounds + 1),
            target="https://localhost/dm",
            source=self.device_id,
            source_name=self.user,
            cred=self._cred() if with_cred else None,
            meta=Meta(max_msg_size=self.max_msg_size) if self.max_msg_size else None,
        )
        numbered = (replace(command, cmd_id=str(n)) for n, command in enumerate(commands, start=1))
        return Message(header=header, commands=tuple(numbered), final=final)

    def _cred(self) -> Cred | None:
        if self.auth_type is None:
            return None
        if self.auth_type is AuthType.BASIC:
            return Cred(type=self.auth_type.value, data=auth.basic(self.user, self.password))
        data = auth.md5(self.user, self.password, self.client_nonce)
        return Cred(type=self.auth_type.value, data=data)
