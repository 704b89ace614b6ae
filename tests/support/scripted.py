# SPDX-License-Identifier: Apache-2.0
"""A whole device in a directory and a DM server that says what a scenario tells it to.

The device is real: records, tree, client, codecs.  The server is a `Transport` with
behaviour: it proves itself, gives every command of the device a Status, and then says the
next line of its script; after the script it has nothing more to say.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Self

from scomod.clock import SystemClock
from scomod.codes import AlertCode, DmStatus
from scomod.dmclient import auth, codec
from scomod.dmclient.auth import AuthType, MacHeader
from scomod.dmclient.bootstrap import Bootstrap, Enrolled, Parcel
from scomod.dmclient.client import DmClient, SessionReport, nobody
from scomod.dmclient.codec import Encoding, Limits
from scomod.dmclient.model import (
    Alert,
    Command,
    Cred,
    Item,
    Message,
    Meta,
    Results,
    Status,
    SyncHdr,
    name_of,
)
from scomod.dmclient.transport import Reply
from scomod.mo import dmacc
from scomod.mo.ddf import parse
from scomod.mo.registry import Registry
from scomod.records import Records
from scomod.secret import Secret
from scomod.settings import Paths, Server, Settings
from scomod.trace import Traces
from tests.support.trees import TOY, ToyObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scomod.dmclient.transport import Transport
    from scomod.dmclient.useralert import UserAlert, UserAnswer
    from scomod.mo.dmacc import Account

SERVER_ID = "com.example.dm"
URL = "https://dm.example/dm"
CLIENT_NAME, CLIENT_SECRET, CLIENT_NONCE = "device", Secret("client-pw"), b"client nonce"
SERVER_SECRET, SERVER_NONCE = Secret("server-pw"), b"server nonce"
TOY_RIGHTS = "&".join(
    f"{right}={SERVER_ID}" for right in ("Add", "Delete", "Exec", "Get", "Replace")
)
READING = Limits(max_bytes=1 << 20, max_depth=64, max_elements=20000)
AAUTH = {"BASIC": AuthType.BASIC, "DIGEST": AuthType.MD5, "HMAC": AuthType.MAC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One message of the server; everything that is left out is as a good server does it.

    `code` and `chal` answer the header of the device, `codes` its commands by name.  `proof`
    is how the server proves itself: a type, None for nothing; by itself it takes the nonce
    that the device gave it last, but `nonce` and `secret` may be wrong.  `raw` is sent as it is.
    """

    commands: tuple[Command, ...] = ()
    code: int = DmStatus.AUTHENTICATION_ACCEPTED
    chal: Meta | None = None
    codes: Mapping[str, int] = field(default_factory=dict)
    final: bool = True
    proof: AuthType | None = AuthType.MD5
    nonce: bytes | None = None
    secret: Secret = SERVER_SECRET
    meta: Meta | None = None
    resp_uri: str | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message of the device, with how it came."""

    url: str
    body: bytes
    content_type: str
    headers: Mapping[str, str]
    message: Message

    def statuses(self) -> list[tuple[str, int]]:
        """What the commands of the server were answered with, without that of the header."""
        return [
            (c.cmd, c.code)
            for c in self.message.commands
            if isinstance(c, Status) and c.cmd_ref != "0"
        ]

    def codes(self) -> list[int]:
        return [code for _, code in self.statuses()]

    def all(self, kind: type[Command]) -> list[Command]:
        return [c for c in self.message.commands if isinstance(c, kind)]

    def alerts(self) -> list[int]:
        return [c.code for c in self.message.commands if isinstance(c, Alert)]

    def header_status(self) -> Status:
        """What the header of the server was answered with; it must come first (omadm §2.4)."""
        first = self.message.commands[0]
        assert isinstance(first, Status)
        assert (first.cmd_ref, first.cmd) == ("0", "SyncHdr")
        return first

    def results(self) -> list[Item]:
        return [item for c in self.message.commands if isinstance(c, Results) for item in c.items]


Line = Say | Callable[[Heard], Say]  # what is said may depend on what was heard


class ScriptedServer:
    """Says its script; whatever the device sends is kept in `heard`."""

    def __init__(
        self, script: Sequence[Line], encoding: Encoding, nonce: bytes = SERVER_NONCE
    ) -> None:
        self._script = list(script)
        self._encoding = encoding
        self.nonce = nonce
        self._msg_ids = count(1)
        self.heard: list[Heard] = []
        self.is_closed = False

    async def exchange(
        self, url: str, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> Reply:
        message = codec.decode(body, codec.encoding_of(content_type), READING)
        named = {name.lower(): value for name, value in (headers or {}).items()}
        heard = Heard(url=url, body=body, content_type=content_type, headers=named, message=message)
        self.heard.append(heard)
        self._learn(message)
        line = self._script.pop(0) if self._script else Say()
        say = line(heard) if callable(line) else line
        say = say if say.nonce is not None else dataclasses.replace(say, nonce=self.nonce)
        answer = codec.encode(self._message(say, message), self._encoding)
        answer = answer if say.raw is None else say.raw
        return Reply(body=answer, content_type=self._encoding.value, headers=_seal(say, answer))

    def close(self) -> None:
        self.is_closed = True

    def _learn(self, message: Message) -> None:
        """Remember the nonce that the device wants us to use from now on."""
        for command in message.commands:
            if isinstance(command, Status) and command.chal and command.chal.next_nonce:
                self.nonce = auth.decode_nonce(command.chal.next_nonce)

    def _message(self, say: Say, to: Message) -> Message:
        header = SyncHdr(
            session_id=to.header.session_id,
            msg_id=str(next(self._msg_ids)),
            target=to.header.source,
            source=URL,
            source_name=SERVER_ID,
            cred=_cred(say),
            meta=say.meta,
            resp_uri=say.resp_uri,
        )
        header = dataclasses.replace(header, **say.header)  # type: ignore[arg-type]
        commands = (*_answers(say, to), *say.commands)
        return Message(
            header=header,
            commands=tuple(_numbered(commands, count(1))),
            final=say.final,
        )


def _answers(say: Say, to: Message) -> Iterator[Status]:
    """Answer header and commands of the device, and chunks of Results, but not its Statuses."""
    yield Status(msg_ref=to.header.msg_id, cmd_ref="0", cmd="SyncHdr", code=say.code, chal=say.chal)
    for command in to.commands:
        if not isinstance(command, Status | Results):
            name = name_of(command)
            code = say.codes.get(name, DmStatus.OK)
            yield Status(msg_ref=to.header.msg_id, cmd_ref=command.cmd_id, cmd=name, code=code)
        elif isinstance(command, Results) and any(part.more_data for part in command.items):
            yield Status(
                msg_ref=to.header.msg_id,
                cmd_ref=command.cmd_id,
                cmd="Results",
                code=DmStatus.CHUNKED_ITEM_ACCEPTED,
            )


def _numbered(commands: Sequence[Command], ids: Iterator[int]) -> Iterator[Command]:
    """Number commands, inner ones too, unless a scenario says "-": then there is no CmdID."""
    for command in commands:
        cmd_id = "" if command.cmd_id == "-" else str(next(ids))
        numbered = dataclasses.replace(command, cmd_id=cmd_id)
        if hasattr(numbered, "commands"):
            inner = tuple(_numbered(numbered.commands, ids))
            numbered = dataclasses.replace(numbered, commands=inner)  # type: ignore[call-arg]
        yield numbered


def _cred(say: Say) -> Cred | None:
    if say.proof is AuthType.BASIC:
        return Cred(type=AuthType.BASIC, data=auth.basic(SERVER_ID, say.secret))
    if say.proof is AuthType.MD5:
        return Cred(type=AuthType.MD5, data=auth.md5(SERVER_ID, say.secret, say.nonce or b""))
    return None


def _seal(say: Say, body: bytes) -> dict[str, str]:
    if say.proof is not AuthType.MAC:
        return {}
    mac = auth.mac(SERVER_ID, say.secret, say.nonce or b"", body)
    return {auth.MAC_HEADER: auth.write_mac_header(MacHeader(user=SERVER_ID, mac=mac))}


def challenge(kind: str, nonce: bytes | None = None) -> Meta:
    """Return a Chal for the header of the device."""
    text = auth.encode_nonce(nonce) if nonce is not None else None
    return Meta(type=kind, format="b64", next_nonce=text)


@dataclass(frozen=True, slots=True)
class Talk:
    """A session that is over: how it went, and what the server heard."""

    report: SessionReport
    heard: list[Heard]

    @property
    def is_ok(self) -> bool:
        return self.report.outcome == "ok"


class Device:
    """A device with an account of `SERVER_ID`, which also owns ./Toy (`tests.support.trees`)."""

    def __init__(
        self,
        root: Path,
        settings: Settings | None = None,
        *,
        client_auth: str = "DIGEST",
        server_auth: str = "DIGEST",
        url: str = URL,
    ) -> None:
        self.paths = Paths(root)
        self.settings = settings or Settings()
        self.toy = ToyObject()
        self.enrolled: list[Enrolled] = []
        self.server_nonce = SERVER_NONCE
        self._nonces = count(1)
        self.ask: Callable[[Account, UserAlert], object] = nobody
        self._open()
        self.bootstrap = Bootstrap(
            self.records.db, self.records.tree, self.settings, self.enrolled.extend
        )
        profile = profile_xml(client_auth=client_auth, server_auth=server_auth, url=url)
        self.bootstrap.take(Parcel(document=profile, is_local=True))

    def _open(self) -> None:
        self.records = Records(self.settings, self.paths)
        self.records.tree._ddf.mount("./Toy", parse(TOY))
        registry = self.records.tree._registry
        assert isinstance(registry, Registry)
        registry.register("./Toy", self.toy)
        self.toy.tree = self.records.tree
        if self.records.tree.node("./Toy") is None:
            self.put("./Toy", acl=TOY_RIGHTS)

    def restart(self) -> None:
        """Lose all that is not on flash."""
        self.close()
        self._open()

    def close(self) -> None:
        self.records.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def account(self) -> Account:
        found = dmacc.by_server(self.records.tree, SERVER_ID)
        assert found is not None
        return found

    def put(self, path: str, **facts: str | bytes) -> None:
        """Write a node as the device does."""
        with self.records.db.transaction():
            self.records.tree.put(path, **facts)  # type: ignore[arg-type]

    def value(self, path: str) -> str | None:
        return self.records.tree.value(path)

    def acl(self, path: str) -> str:
        node = self.records.tree.node(path)
        assert node is not None
        return node.acl

    def exists(self, path: str) -> bool:
        return self.records.tree.node(path) is not None

    def client(self, open_transport: Callable[[Account], Transport]) -> DmClient:
        return DmClient(
            db=self.records.db,
            tree=self.records.tree,
            outbox=self.records.outbox,
            settings=self.settings,
            device_id=self.records.device_id,
            clock=SystemClock(),
            open_transport=open_transport,
            traces=Traces(self.paths.traces_dir, self.settings.log, SystemClock()),
            fresh_nonce=lambda: f"fresh nonce {next(self._nonces)}".encode(),
            ask_person=self.ask,  # type: ignore[arg-type]
        )

    def session(
        self,
        *script: Line,
        trigger: AlertCode = AlertCode.CLIENT_INITIATED_MANAGEMENT,
        session_id: str = "A1",
        answers_in: Encoding | None = None,
    ) -> Talk:
        """Hold one session with a server of this script."""
        spoken = Encoding[self.settings.transport.encoding.upper()]
        server = ScriptedServer(script, answers_in or spoken, self.server_nonce)
        client = self.client(lambda _account: server)
        report = asyncio.run(client.run(self.account, trigger, session_id))
        self.server_nonce = server.nonce
        assert server.is_closed
        return Talk(report, server.heard)

    def does(self, *commands: Command) -> Heard:
        """Let the server say these commands in one message; returns the answer to it."""
        return self.session(Say(commands=commands)).heard[1]

    def code_of(self, command: Command) -> int:
        """Let the server say one command; returns its only Status."""
        (code,) = self.does(command).codes()
        return code


def person(*answers: UserAnswer) -> tuple[Callable[..., object], list[UserAlert]]:
    """Return somebody who gives these answers in turn, and what was asked."""
    said, asked = list(answers), []

    async def ask(_account: Account, alert: UserAlert) -> UserAnswer:
        asked.append(alert)
        return said.pop(0)

    return ask, asked


def speaking(encoding: Encoding, **session: int) -> Settings:
    """Return settings with this encoding, and limits of the session."""
    settings = Settings()
    return dataclasses.replace(
        settings,
        transport=dataclasses.replace(settings.transport, encoding=encoding.name.lower()),
        session=dataclasses.replace(settings.session, **session),
    )


def for_server(**keys: str | bool) -> Settings:
    """Return settings with a section for our server."""
    return dataclasses.replace(Settings(), servers={SERVER_ID: Server(**keys)})  # type: ignore[arg-type]


def profile_xml(*, client_auth: str, server_auth: str, url: str) -> bytes:
    """Return a w7 document; an empty type leaves out the credentials of that side."""

    def parm(name: str, value: str) -> str:
        return f'<parm name="{name}" value="{value}"/>'

    def login(level: str, kind: str, name: str, secret: Secret, nonce: bytes) -> str:
        facts = {
            "AAUTHLEVEL": level,
            "AAUTHTYPE": kind,
            "AAUTHNAME": name,
            "AAUTHSECRET": secret.reveal(),
            "AAUTHDATA": auth.encode_nonce(nonce),
        }
        inner = "".join(parm(key, value) for key, value in facts.items())
        return f'<characteristic type="APPAUTH">{inner}</characteristic>' if kind else ""

    application = "".join(
        (
            parm("APPID", "w7"),
            parm("PROVIDER-ID", SERVER_ID),
            parm("NAME", "Example"),
            f'<characteristic type="APPADDR">{parm("ADDR", url)}</characteristic>',
            login("APPSRV", client_auth, CLIENT_NAME, CLIENT_SECRET, CLIENT_NONCE),
            login("CLIENT", server_auth, SERVER_ID, SERVER_SECRET, SERVER_NONCE),
        )
    )
    return (
        '<wap-provisioningdoc version="1.1"><characteristic type="APPLICATION">'
        f"{application}</characteristic></wap-provisioningdoc>"
    ).encode()


# -- commands as a server writes them ------------------------------------------------------


def item(target: str | None = None, value: str | bytes | None = None, **more: object) -> Item:
    data = value.encode() if isinstance(value, str) else value
    return Item(target=target, data=data, **more)  # type: ignore[arg-type]


def on(
    kind: type[Command], target: str, value: str | bytes | None = None, **more: object
) -> Command:
    """Return a command on one item."""
    return kind(items=(item(target, value, **more),))  # type: ignore[call-arg]
