# SPDX-License-Identifier: Apache-2.0
"""The commands of a message as sentences, in the order they stand there.

"reads ./DevInfo/Man", "202 accepted for processing: Exec ./SCOMO/...".  Not an outline, which
holds everything (`explain`), and not what the bench made of it (`sentences`).  No secret is
said: neither credentials nor what hangs on a leaf that holds one, nor what a person typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import clifmt
from scomod.codes import AlertCode, DmStatus, ResultCode, is_success
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Delete,
    Exec,
    Get,
    Replace,
    Results,
    Sequence,
    Status,
    name_of,
)
from scomod.explain import code_name
from scomod.lab.reports import RESULT
from scomod.lab.sentences import BAD, GOOD
from scomod.secret import SHOWN, is_secret_uri, without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.dmclient.model import Command, Item, Message

    About = Callable[[str, str], str]  # message and command that a Status answers: its node

VALUE_CHARACTERS: Final = 120
SAID_COUNT: Final = 500  # sentences of one message
VERBS: Final = {
    Add: "adds",
    Delete: "deletes",
    Exec: "executes",
    Get: "reads",
    Replace: "writes",
    Results: "tells",
}
ALERTS: Final = {
    AlertCode.DISPLAY: "shows the person",
    AlertCode.CONFIRM_OR_REJECT: "asks the person to agree",
    AlertCode.TEXT_INPUT: "asks the person to enter",
    AlertCode.SINGLE_CHOICE: "has the person choose",
    AlertCode.MULTIPLE_CHOICE: "has the person choose several",
    AlertCode.SERVER_INITIATED_MANAGEMENT: "comes because it was asked to",
    AlertCode.CLIENT_INITIATED_MANAGEMENT: "comes by itself",
    AlertCode.NEXT_MESSAGE: "asks for the next message",
    AlertCode.SESSION_ABORT: "ends the session before its time",
    AlertCode.CLIENT_EVENT: "tells of an event",
    AlertCode.NO_END_OF_DATA: "misses the end of an object",
    AlertCode.GENERIC_ALERT: "reports",
}
USER_ALERTS: Final = range(AlertCode.DISPLAY, AlertCode.MULTIPLE_CHOICE + 1)

Said = dict[str, str]  # "text", "tone": "", good or bad


def said(message: Message, about: About) -> list[Said]:
    """Say all of a message; `about` names the node of a command that was answered, or ""."""
    found = list(_header(message))
    told = {(each.msg_ref, each.cmd_ref) for each in message.commands if isinstance(each, Results)}
    for command in message.commands:
        if not _is_said_by_results(command, told):
            found += _command(command, about)
    if len(found) > SAID_COUNT:
        rest = len(found) - SAID_COUNT
        found = [*found[:SAID_COUNT], _say(f"and {rest} more")]
    return found or [_say("has nothing more to say")]


def nodes(message: Message) -> dict[str, str]:
    """Name the node of each command of a message, by CmdID, for the Status that answers it."""
    return {command.cmd_id: _node(command) for command in _flat(message.commands)}


def _is_said_by_results(command: Command, told: set[tuple[str, str]]) -> bool:
    """Tell the Status of a Get whose values stand beside it."""
    if not isinstance(command, Status) or not is_success(command.code):
        return False
    return (command.msg_ref, command.cmd_ref) in told


def _header(message: Message) -> Iterator[Said]:
    if message.header.cred is not None:
        yield _say(f"shows credentials: {message.header.cred.type}")


def _command(command: Command, about: About) -> Iterator[Said]:
    match command:
        case Status():
            yield _status(command, about)
        case Alert():
            yield from _alert(command)
        case Atomic() | Sequence():
            yield _say(f"{name_of(command)} of {len(command.commands)} commands:")
            for inner in command.commands:
                yield from _command(inner, about)
        case _:
            verb = VERBS.get(type(command), name_of(command))
            correlator = command.correlator if isinstance(command, Exec) else None
            told = f" (correlator {correlator})" if correlator else ""
            for item in getattr(command, "items", ()):
                yield _say(f"{verb} {_item(item)}{told}")


def _status(status: Status, about: About) -> Said:
    answered = "our message" if status.cmd_ref == "0" else status.cmd
    node = "" if status.cmd_ref == "0" else about(status.msg_ref, status.cmd_ref)
    chal = ", asks for credentials" if status.chal and not is_success(status.code) else ""
    tone = GOOD if is_success(status.code) else "" if chal else BAD
    text = f"{code_name(status.code, DmStatus)}{chal}: {answered} {node}".rstrip()
    return _say(text, tone)


def _alert(alert: Alert) -> Iterator[Said]:
    known = alert.code in list(AlertCode)
    verb = ALERTS[AlertCode(alert.code)] if known else f"Alert {alert.code}"
    if alert.code in USER_ALERTS:
        texts = [_value(item.data) for item in alert.items[1:]]
        yield _say(f"{verb}: {' / '.join(texts)}")
        return
    for item in alert.items:
        kind = (item.meta and item.meta.type) or ""
        found = RESULT.search(item.data or b"")
        result = f": {code_name(int(found[1]), ResultCode)}" if found else ""
        correlator = f" (correlator {alert.correlator})" if alert.correlator else ""
        tone = "" if not found else GOOD if int(found[1]) == ResultCode.SUCCESSFUL else BAD
        yield _say(f"{verb} {kind}{result} {_way(item)}{correlator}", tone)
    if not alert.items:
        yield _say(verb)


def _item(item: Item) -> str:
    node = _way(item)
    if any(is_secret_uri(uri) for uri in (item.source, item.target) if uri):
        return f"{node} = {SHOWN}"
    if item.tree is not None:
        return f"{node} = a tree"
    if item.data is None:
        return node
    part = " (a part)" if item.more_data else ""
    form = (item.meta and item.meta.format) or ""
    value = ", ".join(_value(item.data).split("/")) if form == "node" else _value(item.data)
    return f"{node} = {value}{part}"


def _way(item: Item) -> str:
    return " → ".join(uri for uri in (item.source, item.target) if uri)


def _value(data: bytes | None) -> str:
    octets = data or b""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return clifmt.size(len(octets))
    if "\0" in text:
        return clifmt.size(len(octets))
    cut = text[:VALUE_CHARACTERS]
    return (cut if cut == text else f"{cut} … ({clifmt.size(len(octets))})") or '""'


def _node(command: Command) -> str:
    items = getattr(command, "items", ())
    return next((_way(item) for item in items), "")


def _flat(commands: tuple[Command, ...]) -> Iterator[Command]:
    for command in commands:
        yield command
        if isinstance(command, Atomic | Sequence):
            yield from _flat(command.commands)


def _say(text: str, tone: str = "") -> Said:
    return {"text": clifmt.printable(without_passwords(text)), "tone": tone}
