# SPDX-License-Identifier: Apache-2.0
"""What records look like to people: from the daemon's records to lines of text.

Pure; the records are those of `facade.py`.  Keys that a daemon of another
version does not send are shown as empty.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scomod.clifmt import duration, fields, moment, printable, size, table
from scomod.operation import Primitive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scomod.clifmt import Style
    from scomod.facade import Record

Columns = tuple[tuple[str, str], ...]  # (heading, key of the record)

SERVERS: Final[Columns] = (("SERVER", "server_id"), ("NAME", "name"), ("ADDRESS", "address"))
OPERATIONS: Final[Columns] = (
    ("ID", "id"),
    ("PRIMITIVE", "primitive"),
    ("WHAT", "what"),
    ("PHASE", "phase"),
    ("STEP", "step"),
    ("RESULT", "result"),
    ("REPORTED", "reported"),
    ("REASON", "why"),
)
INVENTORY: Final[tuple[tuple[str, str, Columns], ...]] = (
    (
        "deployed",
        "Deployed components",
        (
            ("ID", "id"),
            ("NAME", "name"),
            ("VERSION", "version"),
            ("STATE", "state"),
            ("ENVIRONMENT", "environment"),
            ("STATUS", "status"),
        ),
    ),
    (
        "delivered",
        "Delivered packages",
        (("PKGID", "pkg_id"), ("NAME", "name"), ("STATE", "state"), ("STATUS", "status")),
    ),
    (
        "download",
        "Packages to download",
        (("PKGID", "pkg_id"), ("NAME", "name"), ("STATUS", "status")),
    ),
)
VERBS: Final[Mapping[str, str]] = {
    Primitive.DOWNLOAD: "download",
    Primitive.DOWNLOAD_INSTALL: "install",
    Primitive.DOWNLOAD_INSTALL_INACTIVE: "install, switched off,",
    Primitive.INSTALL: "install",
    Primitive.INSTALL_INACTIVE: "install, switched off,",
    Primitive.REMOVE: "remove",
    Primitive.ACTIVATE: "switch on",
    Primitive.DEACTIVATE: "switch off",
    Primitive.START: "start",
    Primitive.STOP: "stop",
    "Inventory": "read",
}


def status(record: Record, style: Style, width: int | None) -> Iterator[str]:
    """Show the device and its servers."""
    yield from fields(
        {
            "version": record.get("version"),
            "device": record.get("device_id"),
            "root": record.get("root"),
            "session": record.get("session") or "none",
            "operations under way": record.get("operations_live"),
            "prompts waiting": record.get("prompts_waiting"),
            "alerts waiting": _alerts_waiting(record),
            "agent": record.get("agent"),
        }
    )
    servers = record.get("servers") or []
    yield ""
    if not servers:
        yield "no account yet: make one with 'scomoctl bootstrap FILE'"
        return
    yield from _headed(_table(SERVERS, servers, width), style)
    for server in servers:
        if last := server.get("last_session"):
            yield f"last {session(last)}"


def _alerts_waiting(record: Record) -> str:
    """Say how many alerts servers have not taken yet, and since when."""
    count, since_s = record.get("alerts_waiting"), record.get("alerts_since")
    return (
        f"{count}, the oldest since {moment(since_s)}" if since_s is not None else printable(count)
    )


def inventory(record: Record, style: Style, width: int | None) -> Iterator[str]:
    """Show the three branches, those that hold something."""
    is_empty = True
    for key, title, layout in INVENTORY:
        if rows := record.get(key):
            if not is_empty:
                yield ""
            is_empty = False
            yield f"{title}:"
            yield from _headed(_table(layout, rows, width), style)
    if is_empty:
        yield "nothing delivered, deployed or to download"


def operations(records: list[Record], style: Style, width: int | None) -> Iterator[str]:
    """Show the journal, oldest first."""
    if not records:
        yield "no operations yet"
        return
    rows = [{**r, "what": _subject(r), "why": cause(r)} for r in records]
    heading, *lines = _table(OPERATIONS, rows, width)
    yield style.paint("head", heading)
    for row, line in zip(rows, lines, strict=True):
        kind = {"succeeded": "good", "failed": "bad"}.get(row["phase"])
        yield style.paint(kind, line) if kind else line


def operation(record: Record) -> str:
    """Show one change of an operation as a sentence."""
    step = f" ({record['step']})" if record.get("step") else ""
    result = f", result {record['result']}" if record.get("result") else ""
    why = f": {cause(record)}" if cause(record) else ""
    what = f"operation {record.get('id')} {record.get('primitive')} {_subject(record)}"
    return printable(f"{what}: {record.get('phase')}{step}{result}{why}")


def session(record: Record) -> str:
    """Show how a session ended as a sentence."""
    facts = [
        f"{record.get('messages', 0)} messages",
        f"{record.get('commands', 0)} commands",
        f"{record.get('alerts_delivered', 0)} alerts delivered",
        f"{size(record.get('bytes_sent', 0))} sent",
        f"{size(record.get('bytes_received', 0))} received",
        duration(record.get("duration_s", 0.0)),
    ]
    head = f"session with {record.get('server')}: {record.get('outcome')}"
    detail = f" ({record['detail']})" if record.get("detail") else ""
    return printable(f"{head}{detail}; {', '.join(facts)}")


def prompt_change(record: Record) -> str:
    """Show that a question came up or was closed."""
    if verdict := record.get("verdict"):
        until = f" until {moment(record['until'])}" if record.get("until") else ""
        by = f" by {record['by']}" if record.get("by") else ""
        what = f"operation {record.get('operation')}: prompt closed, {verdict}{until}{by}"
        return printable(what)
    allowed = "".join(f"; {text}" for text in record.get("permissions") or ())
    return printable(f"operation {record.get('operation')} asks: {request(record)}{allowed}")


def request(record: Record) -> str:
    """Say who asks for what: `Example asks to install Hello 1.2`."""
    verb = VERBS.get(record.get("primitive", ""), record.get("primitive", ""))
    who = record.get("server_name") or record.get("server")
    what = record.get("name") or record.get("what")
    return printable(f"{who} asks to {verb} {what} {record.get('version') or ''}".rstrip())


def settings(record: Mapping[str, Any], origins: Mapping[str, Any]) -> Iterator[str]:
    """Show settings as TOML, with the file that set a value (`origins`, by dotted key)."""
    yield from _section(record, origins, "")


def _section(record: Mapping[str, Any], origins: Mapping[str, Any], name: str) -> Iterator[str]:
    """Show the keys of a section first, then the sections in it."""
    prefix = f"{name}." if name else ""
    plain = {k: v for k, v in record.items() if not isinstance(v, dict) and not _is_repeated(v)}
    if plain and name:
        yield f"[{name}]"
    for key, value in plain.items():
        origin = origins.get(prefix + key)
        yield f"{key} = {json.dumps(value)}" + (f"  # {printable(origin)}" if origin else "")
    if plain:
        yield ""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _section(value, origins, prefix + key)
        elif _is_repeated(value):
            yield from _repeated(value, origins.get(prefix + key), prefix + key)


def _is_repeated(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(each, dict) for each in value)


def _repeated(rows: Iterable[Record], origin: Any, name: str) -> Iterator[str]:
    """Show a section that stands several times."""
    for row in rows:
        yield f"[[{name}]]" + (f"  # {printable(origin)}" if origin else "")
        yield from (f"{key} = {json.dumps(value)}" for key, value in row.items())
        yield ""


def _subject(record: Record) -> str:
    return str(record.get("name") or record.get("pkg_id") or record.get("component") or "")


def cause(record: Record) -> str:
    """Say why an operation failed or waits, "" where there is nothing to say."""
    reason, detail = record.get("reason") or "", record.get("detail") or ""
    if record.get("waits_for"):
        return pause(record)
    return f"{reason} ({detail})" if reason and detail else reason or detail


def pause(record: Record) -> str:
    """Say what a download waits for, until when, and after which failure."""
    until = f" until {moment(record['waits_until'])}" if record.get("waits_until") else ""
    after = f", after: {record['last_failure']}" if record.get("last_failure") else ""
    return f"waits for {record['waits_for']}{until}{after}"


def _table(layout: Columns, rows: list[Record], width: int | None) -> list[str]:
    cells = [[row.get(key) for _, key in layout] for row in rows]
    return table([heading for heading, _ in layout], cells, width)


def _headed(lines: list[str], style: Style) -> Iterator[str]:
    heading, *rest = lines
    yield style.paint("head", heading)
    yield from rest
