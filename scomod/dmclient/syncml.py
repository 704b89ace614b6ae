# SPDX-License-Identifier: Apache-2.0
"""SyncML messages to and from `Element`, the same for both syntaxes (omadm §2).

Reading is tolerant: any order of children, unknown children skipped, unknown
commands kept as `Unknown`, numbers that are none taken as absent.  Only the
elements without which no answer could be addressed are demanded.  Writing is
strict: the order of omadm §2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from scomod.dmclient.element import Element, Space
from scomod.dmclient.model import (
    Add,
    Alert,
    Atomic,
    Command,
    Copy,
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
    Sequence,
    Status,
    SyncHdr,
    Unknown,
    name_of,
)
from scomod.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_DIGITS_MAX: Final = 18
_BINARY: Final = "bin"

# Children of Atomic and Sequence that are no commands.
_NOT_COMMANDS: Final = frozenset({"CmdID", "NoResp", "Meta", "Cred", "Final"})


def decode(root: Element) -> Message:
    """Read a message; raises `DecodeError` naming the mandatory element that is missing."""
    if root.name != "SyncML":
        raise DecodeError(f"the root is {root.name}, not SyncML")
    body = _need(root, "SyncBody")
    return Message(
        header=_read_header(_need(root, "SyncHdr")),
        commands=_read_commands(body),
        final=body.find("Final") is not None,
    )


def encode(message: Message) -> Element:
    """Write a message as the root element of a document."""
    body = _node("SyncBody", map(_write_command, message.commands), _flag("Final", message.final))
    return _node("SyncML", [_write_header(message.header)], [body])


# Reading


def _need(parent: Element, name: str) -> Element:
    child = parent.find(name)
    if child is None:
        raise DecodeError(f"{parent.name} has no {name}")
    return child


def _need_text(parent: Element, name: str) -> str:
    text = parent.text(name)
    if not text:
        raise DecodeError(f"{parent.name} has no {name}")
    return text


def _number(text: str | None) -> int | None:
    """Read a count or code; what is none counts as absent, as is a number beyond all use."""
    if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX:
        return int(text)
    return None


def _texts(parent: Element, name: str) -> tuple[str, ...]:
    """Read all children of that name."""
    return tuple(
        child.data.decode("utf-8", "replace").strip()
        for child in parent.children
        if child.name == name
    )


def _address(parent: Element, name: str, part: str = "LocURI") -> str | None:
    """Read Target/LocURI and the like."""
    child = parent.find(name)
    return None if child is None else child.text(part)


def _read_header(header: Element) -> SyncHdr:
    return SyncHdr(
        ver_dtd=_need_text(header, "VerDTD"),
        ver_proto=_need_text(header, "VerProto"),
        session_id=_need_text(header, "SessionID"),
        msg_id=_need_text(header, "MsgID"),
        target=_need_text(_need(header, "Target"), "LocURI"),
        target_name=_address(header, "Target", "LocName"),
        source=_need_text(_need(header, "Source"), "LocURI"),
        source_name=_address(header, "Source", "LocName"),
        resp_uri=header.text("RespURI"),
        cred=_read_cred(header),
        meta=_read_meta(header),
    )


def _read_cred(parent: Element) -> Cred | None:
    cred = parent.find("Cred")
    if cred is None:
        return None
    meta = _read_meta(cred) or Meta()
    return Cred(type=meta.type or "", format=meta.format, data=cred.text("Data") or "")


def _read_meta(parent: Element) -> Meta | None:
    """Read the Meta child, with or without a MetInf element around its content."""
    meta = parent.find("Meta")
    if meta is None:
        return None
    meta = meta.find("MetInf") or meta
    return Meta(
        format=meta.text("Format"),
        type=meta.text("Type"),
        mark=meta.text("Mark"),
        size=_number(meta.text("Size")),
        next_nonce=meta.text("NextNonce"),
        max_msg_size=_number(meta.text("MaxMsgSize")),
        max_obj_size=_number(meta.text("MaxObjSize")),
    )


def _read_items(parent: Element) -> tuple[Item, ...]:
    return tuple(_read_item(child) for child in parent.children if child.name == "Item")


def _read_item(item: Element) -> Item:
    data = item.find("Data")
    return Item(
        target=_item_address(item, "Target"),
        source=_item_address(item, "Source"),
        meta=_read_meta(item),
        data=None if data is None or data.children else data.data,
        tree=_read_tree(data),
        more_data=item.find("MoreData") is not None,
    )


def _item_address(item: Element, name: str) -> str | None:
    """Read Target or Source of an Item; samples of the standard have no LocURI (omadm §2.6)."""
    child = item.find(name)
    if child is None or child.children:
        return _address(item, name)
    return item.text(name) or None


def _read_tree(data: Element | None) -> Element | None:
    """Return the element inside of Data; Data itself where several stand there."""
    if data is None or not data.children:
        return None
    return data if len(data.children) > 1 else data.children[0]


def _read_commands(parent: Element) -> tuple[Command, ...]:
    return tuple(
        _READERS.get(child.name, _read_unknown)(child)
        for child in parent.children
        if child.name not in _NOT_COMMANDS
    )


def _cmd_id(command: Element) -> str:
    return command.text("CmdID") or ""


def _read_unknown(command: Element) -> Unknown:
    return Unknown(cmd_id=_cmd_id(command), name=command.name)


def _read_status(status: Element) -> Status:
    chal = status.find("Chal")
    return Status(
        cmd_id=_cmd_id(status),
        msg_ref=status.text("MsgRef") or "",
        cmd_ref=status.text("CmdRef") or "",
        cmd=status.text("Cmd") or "",
        code=_number(status.text("Data")) or 0,
        target_refs=_texts(status, "TargetRef"),
        source_refs=_texts(status, "SourceRef"),
        chal=None if chal is None else _read_meta(chal),
        items=_read_items(status),
    )


def _read_results(results: Element) -> Results:
    return Results(
        cmd_id=_cmd_id(results),
        msg_ref=results.text("MsgRef") or "1",  # omadm §2.4: missing means the first message
        cmd_ref=results.text("CmdRef") or "",
        meta=_read_meta(results),
        items=_read_items(results),
    )


def _read_alert(alert: Element) -> Alert:
    return Alert(
        cmd_id=_cmd_id(alert),
        code=_number(alert.text("Data")) or 0,
        correlator=alert.text("Correlator"),
        items=_read_items(alert),
    )


def _read_exec(command: Element) -> Exec:
    return Exec(
        cmd_id=_cmd_id(command),
        meta=_read_meta(command),
        correlator=command.text("Correlator"),
        items=_read_items(command),
    )


_ItemCommandT = TypeVar("_ItemCommandT", bound=ItemCommand)


def _items_reader(kind: type[_ItemCommandT]) -> Callable[[Element], _ItemCommandT]:
    def read(command: Element) -> _ItemCommandT:
        return kind(cmd_id=_cmd_id(command), meta=_read_meta(command), items=_read_items(command))

    return read


def _read_atomic(command: Element) -> Atomic:
    return Atomic(cmd_id=_cmd_id(command), commands=_read_commands(command))


def _read_sequence(command: Element) -> Sequence:
    return Sequence(cmd_id=_cmd_id(command), commands=_read_commands(command))


_READERS: Final[dict[str, Callable[[Element], Command]]] = {
    "Status": _read_status,
    "Results": _read_results,
    "Alert": _read_alert,
    "Exec": _read_exec,
    "Atomic": _read_atomic,
    "Sequence": _read_sequence,
    **{kind.__name__: _items_reader(kind) for kind in (Get, Add, Replace, Delete, Copy)},
}


# Writing


def _node(name: str, *parts: Iterable[Element]) -> Element:
    """Build an element from parts in the order of the standard."""
    return Element(name, children=[child for part in parts for child in part])


def _leaf(name: str, text: object, space: Space = Space.SYNCML) -> Iterator[Element]:
    """Yield an element with text, or nothing for None."""
    if text is not None:
        yield Element(name, space, data=str(text).encode("utf-8", "replace"))


def _flag(name: str, is_set: bool) -> Iterator[Element]:
    if is_set:
        yield Element(name)


def _place(name: str, uri: str | None, loc_name: str | None = None) -> Iterator[Element]:
    if uri is not None:
        yield _node(name, _leaf("LocURI", uri), _leaf("LocName", loc_name))


def _write_header(header: SyncHdr) -> Element:
    return _node(
        "SyncHdr",
        _leaf("VerDTD", header.ver_dtd),
        _leaf("VerProto", header.ver_proto),
        _leaf("SessionID", header.session_id),
        _leaf("MsgID", header.msg_id),
        _place("Target", header.target, header.target_name),
        _place("Source", header.source, header.source_name),
        _leaf("RespURI", header.resp_uri),
        _write_cred(header.cred),
        _write_meta(header.meta),
    )


def _write_cred(cred: Cred | None) -> Iterator[Element]:
    if cred is not None:
        meta = _write_meta(Meta(format=cred.format, type=cred.type))
        yield _node("Cred", meta, _leaf("Data", cred.data))


def _write_meta(meta: Meta | None) -> Iterator[Element]:
    if meta is None:
        return
    values = {
        "Format": meta.format,
        "Type": meta.type,
        "Mark": meta.mark,
        "Size": meta.size,
        "NextNonce": meta.next_nonce,
        "MaxMsgSize": meta.max_msg_size,
        "MaxObjSize": meta.max_obj_size,
    }
    yield _node("Meta", *(_leaf(name, value, Space.METINF) for name, value in values.items()))


def _write_items(items: tuple[Item, ...], meta: Meta | None = None) -> Iterator[Element]:
    """Write items; `meta` is that of the command, which applies to all (omadm §2.4)."""
    inherited = meta.format if meta else None
    for item in items:
        own = item.meta.format if item.meta else None
        yield _node(
            "Item",
            _place("Target", item.target),
            _place("Source", item.source),
            _write_meta(item.meta),
            _write_data(item, is_opaque=(own or inherited) == _BINARY),
            _flag("MoreData", item.more_data),
        )


def _write_data(item: Item, *, is_opaque: bool) -> Iterator[Element]:
    if item.tree is not None:
        is_whole = item.tree.name == "Data" and item.tree.space is Space.SYNCML
        yield item.tree if is_whole else Element("Data", children=[item.tree])
    elif item.data is not None:
        yield Element("Data", data=item.data, is_opaque=is_opaque)


def _write_command(command: Command) -> Element:
    return _node(name_of(command), _leaf("CmdID", command.cmd_id or None), *_command_parts(command))


def _command_parts(command: Command) -> tuple[Iterable[Element], ...]:
    """Return what follows CmdID, in order."""
    match command:
        case Status():
            return _status_parts(command)
        case Results():
            refs = _leaf("MsgRef", command.msg_ref), _leaf("CmdRef", command.cmd_ref)
            return *refs, _write_meta(command.meta), _write_items(command.items, command.meta)
        case Alert():
            correlator = _leaf("Correlator", command.correlator)
            return _leaf("Data", command.code or None), correlator, _write_items(command.items)
        case ItemCommand():
            correlator = _leaf(
                "Correlator", command.correlator if isinstance(command, Exec) else None
            )
            items = _write_items(command.items, command.meta)
            return _write_meta(command.meta), correlator, items
        case Atomic() | Sequence():
            return (map(_write_command, command.commands),)
        case _:
            return ()


def _status_parts(status: Status) -> tuple[Iterable[Element], ...]:
    chal = [] if status.chal is None else [_node("Chal", _write_meta(status.chal))]
    return (
        _leaf("MsgRef", status.msg_ref),
        _leaf("CmdRef", status.cmd_ref),
        _leaf("Cmd", status.cmd),
        (ref for text in status.target_refs for ref in _leaf("TargetRef", text)),
        (ref for text in status.source_refs for ref in _leaf("SourceRef", text)),
        chal,
        _leaf("Data", status.code),
        _write_items(status.items),
    )
