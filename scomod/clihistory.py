# SPDX-License-Identifier: Apache-2.0
"""`scomoctl operations show|cancel`, `history` and `request`: looking back, and asking ahead.

What the records hold is `history.facts`; how a list of operations looks is `cliview`.
"""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from scomod.clicall import EXIT_FAILED, EXIT_OK, UsageError
from scomod.clifmt import duration, fields, printable, size, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.clicall import Call
    from scomod.clifmt import Style
    from scomod.facade import Record

HEADINGS: Final = ("ID", "FINISHED", "SERVER", "PRIMITIVE", "WHAT", "VERSIONS", "CONSENT", "RESULT")
UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
AGREED: Final = "granted"
OK: Final = 200
LATER: Final = 202
WANTED: Final = 300


async def history(call: Call) -> int:
    """Show the finished operations, those that the filters leave."""
    arguments, screen = call.arguments, call.screen
    since_s = since(arguments.since, time.time()) if arguments.since else 0.0
    records = [
        record
        for record in await call.client.history()
        if (not arguments.server or record.get("server") == arguments.server)
        and record.get("finished", 0.0) >= since_s
        and (not arguments.failed or record.get("phase") == "failed")
    ]
    screen.show(records, listed(records, screen.style, screen.width))
    return EXIT_OK


def since(text: str, now_s: float) -> float:
    """Return the moment that "90m", "2d", "2026-11-21" or "2026-11-21T10:00" means."""
    if found := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return now_s - int(found[1]) * UNITS_S[found[2]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"not a time: {text}; say 2d, 90m or 2026-11-21T10:00") from error


def listed(records: list[Record], style: Style, width: int | None) -> Iterator[str]:
    """Show one line for each operation, oldest first."""
    if not records:
        yield "nothing in the history"
        return
    rows = [
        (
            record.get("id"),
            moment(record.get("finished")),
            record.get("server"),
            record.get("primitive"),
            record.get("name") or record.get("pkg_id") or record.get("component"),
            versions(record),
            consent(record, "disclosure") or consent(record),
            f"{record.get('result', '')} {record.get('result_text', '')}",
        )
        for record in records
    ]
    heading, *lines = table(HEADINGS, rows, width)
    yield style.paint("head", heading)
    for record, line in zip(records, lines, strict=True):
        yield style.paint("bad" if record.get("phase") == "failed" else "good", line)


def versions(record: Record) -> str:
    """Say what became of the components: `editor 1.0 > 1.1, fonts new 2`."""
    return ", ".join(_change(each) for each in record.get("components") or [])


def _change(component: Record) -> str:
    before, after = component.get("before"), component.get("after")
    name = component.get("id")
    if before == after:
        return f"{name} {before}".rstrip()
    if not before:
        return f"{name} new {after}"
    return f"{name} {before} > {after}" if after else f"{name} {before} removed"


def consent(record: Record, key: str = "consent") -> str:
    """Say who agreed and how, or what the answer was instead."""
    given = dict(record.get(key) or {})
    if given.get("verdict") == AGREED:
        del given["verdict"]
    return " ".join(str(given[key]) for key in ("verdict", "by", "how") if given.get(key))


def _at(record: Record, key: str) -> str:
    return moment((record.get(key) or {}).get("at"))


def moment(at_s: float | None) -> str:
    """Show a time of the record, "" where there is none."""
    return "" if at_s is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))


async def operations(call: Call) -> int:
    """Show one operation in full, or cancel it."""
    number = call.arguments.id
    if number is None:
        raise UsageError(f"say which operation to {call.arguments.what}, by its ID")
    if call.arguments.what == "cancel":
        word = await call.client.cancel(number)
        call.screen.show({"operation": number, "cancel": word}, [f"operation {number}: {word}"])
        return EXIT_OK
    record = await call.client.one_operation(number)
    call.screen.show(record, shown(record, call.screen.style))
    return EXIT_OK


def shown(record: Record, style: Style) -> Iterator[str]:
    """Show all facts of an operation, and what came when."""
    what = record.get("name") or record.get("pkg_id") or record.get("component")
    yield style.paint("head", printable(f"{record.get('primitive')} of {what}"))
    facts: dict[str, Any] = {
        "server": record.get("server"),
        "ordered at": record.get("exec_uri"),
        "correlator": record.get("correlator"),
        "package": record.get("pkg_id"),
        "from": record.get("url"),
        "digest": record.get("digest"),
        "size": size(record["size"]) if "size" in record else None,
        "delta": record.get("delta"),
        "components": versions(record),
        "consent": f"{consent(record)} {_at(record, 'consent')}",
        "disclosure": f"{consent(record, 'disclosure')} {_at(record, 'disclosure')}",
        "permissions": " ".join(record.get("permissions") or ()),
        "vendor": record.get("vendor"),
        "about it": record.get("info_url"),
        "phase": record.get("phase"),
        "result": f"{record.get('result', '')} {record.get('result_text', '')}",
        "reason": record.get("reason"),
        "detail": record.get("detail"),
        "waits for": _pause(record),
        "tries": _tries(record),
        "last failure": record.get("last_failure"),
        "accepted": moment(record.get("accepted")),
        "begun": moment(record.get("begun")),
        "finished": moment(record.get("finished")),
        "reported": _reported(record),
        "told": _told(record.get("notice") or {}),
        "next page": record.get("next_url"),
    }
    yield from fields({key: value for key, value in facts.items() if str(value or "").strip()})
    yield from _timeline(record, style)


def _pause(record: Record) -> str:
    """Say what a download waits for, and until when where that is known."""
    if not record.get("waits_for"):
        return ""
    until = f" until {moment(record['waits_until'])}" if record.get("waits_until") else ""
    return f"{record['waits_for']}{until}"


def _tries(record: Record) -> str:
    """Say how often a download was tried, and what that came to."""
    if not record.get("tries"):
        return ""
    vain = record.get("tries_in_vain")
    in_vain = f", the last {vain} brought nothing new" if vain else ""
    return f"{record['tries']}{in_vain}; {size(record['fetched'])} fetched"


def _reported(record: Record) -> str:
    status = record.get("report_status")
    if record.get("reported_at") is not None:
        return f"{moment(record['reported_at'])}, the server answered {status}"
    if "finished" in record:
        return "yes" if record.get("reported") else "not yet"
    return ""


def _told(notice: Record) -> str:
    """Say what the server of the download descriptor is told, and what became of that."""
    if not notice:
        return ""
    outcome = notice.get("outcome") or f"not yet, tried {notice.get('tries')} times"
    when = f" {moment(notice['settled'])}" if "settled" in notice else ""
    return f"{notice.get('status')} to {notice.get('url')}: {outcome}{when}"


def _timeline(record: Record, style: Style) -> Iterator[str]:
    entries = record.get("timeline") or []
    if not entries:
        return
    yield ""
    begin_s = record.get("accepted", entries[0].get("at", 0.0))
    rows = [
        (moment(e.get("at")), duration(max(0.0, e["at"] - begin_s)), e.get("phase"), e.get("step"))
        for e in entries
    ]
    heading, *lines = table(("WHEN", "AFTER", "PHASE", "STEP"), rows, None)
    yield style.paint("head", heading)
    yield from lines


async def request(call: Call) -> int:
    """Ask a server to install or update something, and say what it answered."""
    arguments = call.arguments
    kind = "device" if arguments.device else "user"
    record = await call.client.request(kind, arguments.component, arguments.server)
    call.screen.show(record, [answer(record)])
    if "status" in record and record["status"] < WANTED:
        return EXIT_OK
    if record.get("detail"):
        sys.stderr.write(f"scomoctl: the session failed: {printable(record['detail'])}\n")
    return EXIT_FAILED


def answer(record: Record) -> str:
    """Say in words what became of a request."""
    server, status = record.get("server"), record.get("status")
    if status is None:
        text = f"{server} was not reached: the request is kept and sent again"
    elif status == LATER:
        text = f"{server} will look at it later ({status})"
    elif OK <= status < WANTED:
        text = f"{server} has taken the request ({status})"
    elif record.get("is_waiting"):
        text = f"{server} cannot say now ({status}): the request is kept and sent again"
    else:
        text = f"{server} does not take the request ({status})"
    return printable(text)
