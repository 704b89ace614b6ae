# SPDX-License-Identifier: Apache-2.0
"""One DM session, seen from the server: a message in, a message out, no I/O.

Rules: omadm §1.1 (packages), §1.2 (several messages), §2.4 (Status), §2.7.  It
answers what the device says, sends the batches of `worker.py`, and ends with a
package that holds neither command nor challenge.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.auth import AuthType
from scomod.dmclient.codec import Encoding, encode
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
from scomod.lab import reports
from scomod.lab.commands import Value
from scomod.lab.doorkeeper import Doorkeeper, Envelope
from scomod.lab.outgoing import Outgoing, as_text
from scomod.lab.worker import Worker

if TYPE_CHECKING:
    from scomod.lab.devices import Account, Register
    from scomod.lab.outgoing import Sendable
    from scomod.lab.switches import Wrong

MAX_MSG_BYTES: Final = 65536  # what we take, and send to a device that names no limit
MAX_OBJ_BYTES: Final = 1 << 20
MAX_RESULT_BYTES: Final = 16 << 20
VER_DTD: Final = "1.2"
VER_PROTO: Final = "DM/1.2"
DEVICE_INFO: Final = "./DevInfo/"
SILENT: Final = (Status, Results)  # no Status is owed to these (omadm §2.4)


class Conversation:
    """The server's end of one session."""

    def __init__(self, register: Register, encoding: Encoding, uri: str, first: SyncHdr) -> None:
        self._register = register
        self._encoding = encoding
        self._uri = uri
        self.session_id = first.session_id
        self._door = Doorkeeper(register)
        self._worker: Worker | None = None
        self._out = Outgoing(self._size_of)
        self._flight: dict[tuple[str, str], tuple[int, Sendable]] = {}
        self._chunks: dict[str, bytes] = {}
        self._room = MAX_MSG_BYTES
        self._msg_id = 0
        self._answers: list[Command] = []
        self._has_more = False
        self.is_over = False

    @property
    def account(self) -> Account | None:
        """Whose session this is, once its credentials were right."""
        return self._door.account if self._door.is_admitted else None

    def receive(self, message: Message, envelope: Envelope, wrong: Wrong) -> Message:
        """Take one message of the device, as it came, and return the answer to it.

        `wrong` is what is done wrong on demand.
        """
        header = message.header
        self._door.wrong = wrong
        self._msg_id += 1
        self._note_limits(header.meta)
        code, chal = self._judge(header, envelope)
        self._answers = [_header_status(header, code, chal)]
        for command in message.commands:
            self._take(header, command, code)
        self.is_over = self.is_over or self._door.is_hopeless
        answer = self._compose(message)
        if self.account is not None:
            self._register.save(self.account)
        return answer

    def seal(self, body: bytes) -> str:
        """Return the value of x-syncml-hmac for an answer of these octets, or ""."""
        return self._door.seal(body)

    # -- what came in

    def _judge(self, header: SyncHdr, envelope: Envelope) -> tuple[DmStatus, Meta | None]:
        if header.ver_dtd != VER_DTD or header.ver_proto != VER_PROTO:
            self.is_over = True
            if header.ver_dtd != VER_DTD:
                return DmStatus.DTD_VERSION_NOT_SUPPORTED, None
            return DmStatus.PROTOCOL_VERSION_NOT_SUPPORTED, None
        code, chal = self._door.admit(header, envelope)
        if self.account is not None and self._worker is None:
            self._worker = Worker(self._register, self.account, self.session_id)
            self._register.record(
                self.account,
                "admitted",
                session=self.session_id,
                encoding=self._encoding.name,
                auth=header.cred.type if header.cred else AuthType.MAC.value,
                code=int(code),
            )
        elif self._door.account is not None and self.account is None:
            self._register.record(
                self._door.account, "challenged", session=self.session_id, code=int(code)
            )
        return code, chal

    def _note_limits(self, meta: Meta | None) -> None:
        if meta is not None and meta.max_msg_size is not None:
            self._room = min(meta.max_msg_size, MAX_MSG_BYTES)

    def _take(self, header: SyncHdr, command: Command, code: DmStatus) -> None:
        """Handle one command of an admitted device; from anybody else nothing counts."""
        account = self.account
        if account is None:
            if not isinstance(command, SILENT):
                self._answers.append(_status(header, command, code))
        elif isinstance(command, Status):
            self._take_status(account, command)
        elif isinstance(command, Results):
            self._take_results(header, command)
        else:
            self._answers.append(_status(header, command, self._obey(account, command)))

    def _obey(self, account: Account, command: Command) -> DmStatus:
        """Do what little a device may ask of a server (omadm §1.1)."""
        if isinstance(command, Alert):
            return self._take_alert(account, command)
        if isinstance(command, Replace):
            for item in command.items:
                name = (item.source or item.target or "").removeprefix(DEVICE_INFO)
                account.devinfo[name] = (item.data or b"").decode("utf-8", "replace")
            return DmStatus.OK
        return DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED

    def _take_alert(self, account: Account, alert: Alert) -> DmStatus:
        if reports.is_start(alert):
            self._register.record(account, "start", session=self.session_id, code=alert.code)
        elif alert.code == AlertCode.SESSION_ABORT:
            self._register.record(account, "abort", session=self.session_id)
            self.is_over = True
        elif alert.code != AlertCode.NEXT_MESSAGE:
            return reports.take_alert(self._register, account, self.session_id, alert)
        return DmStatus.OK

    def _take_status(self, account: Account, status: Status) -> None:
        if status.cmd_ref == "0":
            self._take_header_status(account, status)
            return
        sent = self._flight.get((status.msg_ref, status.cmd_ref))
        is_complete = status.code != DmStatus.CHUNKED_ITEM_ACCEPTED
        if sent is not None and self._worker is not None and is_complete:
            self._worker.take_code(sent[0], status.code)
            if isinstance(sent[1], Alert):
                self._take_user_answers(self._worker, sent[0], status)

    def _take_user_answers(self, worker: Worker, index: int, status: Status) -> None:
        """Take what a person typed or chose, in the Items of the Status (omadm §1.3)."""
        for number, item in enumerate(status.items, start=1):
            worker.take_value(index, str(number), _value(None, item, item.data or b""))

    def _take_header_status(self, account: Account, status: Status) -> None:
        """Note how the device judged us; what it did not look at is sent again."""
        was_accepted = self._door.is_accepted
        if self._door.answered(status.code, status.chal):
            refused = [key for key in self._flight if key[0] == status.msg_ref]
            self._out.put_back(dict(self._flight.pop(key) for key in refused))
        elif status.code >= DmStatus.BAD_REQUEST:
            self.is_over = True
        if not was_accepted:
            self._register.record(account, "judged us", session=self.session_id, code=status.code)

    def _take_results(self, header: SyncHdr, results: Results) -> None:
        sent = self._flight.get((results.msg_ref or "1", results.cmd_ref))
        for item in results.items:
            uri = item.source or (sent[1].items[0].target if sent else None) or ""
            data = self._chunks.pop(uri, b"") + (item.data or b"")
            if item.more_data and len(data) <= MAX_RESULT_BYTES:
                self._chunks[uri] = data
                code = DmStatus.CHUNKED_ITEM_ACCEPTED
                self._answers.append(_status(header, results, code))
            elif sent is not None and self._worker is not None:
                self._worker.take_value(sent[0], uri, _value(results.meta, item, data))

    # -- what goes out

    def _compose(self, message: Message) -> Message:
        """Put the answers and as many commands as fit into a message."""
        if self.account is None or self.is_over:
            return self._finished(message)
        device_has_more = not message.final and not self._has_more
        if device_has_more:
            self._answers.append(Alert(code=AlertCode.NEXT_MESSAGE))
            return self._message(message, [], is_final=False)
        if not self._out and self._worker is not None:
            self._flight.clear()
            self._out.put([self._carried(command) for command in self._worker.next_batch()])
        if not self._out:
            return self._finished(message)
        return self._with_commands(message)

    def _with_commands(self, message: Message) -> Message:
        base = self._measure(self._message(message, [], is_final=True))
        taken = self._out.take(self._room - base)
        answer = self._message(message, [part for _, _, part in taken], is_final=not self._out)
        for (index, whole, _), sent in zip(taken, answer.commands[-len(taken) :], strict=True):
            self._flight[str(self._msg_id), sent.cmd_id] = index, whole
        self._has_more = not answer.final
        return answer

    def _finished(self, message: Message) -> Message:
        """Write the last message, unless it challenges the device."""
        is_challenge = self.account is None and not self._door.is_hopeless
        self.is_over = self.is_over or not is_challenge
        return self._message(message, [], is_final=True)

    def _message(self, message: Message, commands: list[Sendable], *, is_final: bool) -> Message:
        body = [*self._answers, *commands]
        limits = Meta(max_msg_size=MAX_MSG_BYTES, max_obj_size=MAX_OBJ_BYTES)
        header = SyncHdr(
            session_id=self.session_id,
            msg_id=str(self._msg_id),
            target=message.header.source,
            source=self._uri,
            cred=self._door.cred(),
            meta=limits if self._msg_id == 1 else None,
        )
        numbered = (replace(command, cmd_id=str(n)) for n, command in enumerate(body, start=1))
        return Message(header=header, commands=tuple(numbered), final=is_final)

    def _measure(self, message: Message) -> int:
        return len(encode(message, self._encoding))

    def _carried(self, command: Sendable) -> Sendable:
        """Return the command as the encoding carries it, before anything is cut in chunks."""
        return as_text(command) if self._encoding is Encoding.XML else command

    def _size_of(self, command: Sendable) -> int:
        """Measure what a command adds to a message."""
        empty = Message(header=SyncHdr(session_id="1", msg_id="1", target="x", source="x"))
        full = replace(empty, commands=(replace(command, cmd_id="9999"),))
        return self._measure(full) - self._measure(empty)


def _status(header: SyncHdr, command: Command, code: DmStatus) -> Status:
    """Answer one command (omadm §2.4)."""
    items = getattr(command, "items", ())
    return Status(
        msg_ref=header.msg_id,
        cmd_ref=command.cmd_id or "0",
        cmd=name_of(command),
        code=code if command.cmd_id else DmStatus.BAD_REQUEST,
        source_refs=tuple(item.source for item in items if item.source)[:1],
    )


def _header_status(header: SyncHdr, code: DmStatus, chal: Meta | None) -> Status:
    return Status(
        msg_ref=header.msg_id,
        cmd_ref="0",
        cmd="SyncHdr",
        code=code,
        target_refs=(header.target,),
        source_refs=(header.source,),
        chal=chal,
    )


def _value(outer: Meta | None, item: Item, data: bytes) -> Value:
    """Merge the metas of command and item, the item's first (omadm §2.4); undo base64."""
    metas = [meta for meta in (item.meta, outer) if meta is not None]
    form = next((meta.format for meta in metas if meta.format), "chr")
    kind = next((meta.type for meta in metas if meta.type), "text/plain")
    if form == "b64":
        try:
            return Value(format="bin", type=kind, data=base64.b64decode(data, validate=True))
        except binascii.Error:
            return Value(format=form, type=kind, data=data)
    return Value(format=form, type=kind, data=data)
