# SPDX-License-Identifier: Apache-2.0
"""`scomoctl baseline`: the build that the device left the factory with, and what changed since."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from scomod.clicall import EXIT_OK
from scomod.clifmt import fields, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.clicall import Call
    from scomod.clifmt import Style
    from scomod.facade import Record

NAMES: Final = ("PRETTY_NAME", "ID", "VERSION_ID", "BUILD_ID", "IMAGE_ID", "IMAGE_VERSION")
SIGNS: Final = {"upgraded": "good", "downgraded": "bad"}
HEADINGS: Final = ("CHANGE", "COMPONENT", "THEN", "NOW")


async def baseline(call: Call) -> int:
    """Ask for the baseline and show it."""
    record = await call.client.baseline()
    call.screen.show(record, lines(record, call.screen.style, call.screen.width))
    return EXIT_OK


def lines(record: Record, style: Style, width: int | None) -> Iterator[str]:
    """Show identity, digest and changes."""
    if problem := record.get("problem"):
        yield style.paint("bad", f"{problem}")
    if not record.get("is_known"):
        yield from fields({"build now": _build(record.get("now") or {})})
        return
    yield from fields(_facts(record))
    rows = list(_rows(record))
    if rows:
        yield ""
        heading, *shown = table(list(HEADINGS), rows, width)
        yield style.paint("head", heading)
        for row, line in zip(rows, shown, strict=True):
            kind = SIGNS.get(row[0])
            yield style.paint(kind, line) if kind else line
    elif not record.get("problem"):
        yield "no package has changed since"


def _facts(record: Record) -> dict[str, Any]:
    then, now = record.get("identity") or {}, record.get("now") or {}
    facts: dict[str, Any] = {"factory build": _build(then)}
    if now != then:
        facts["build now"] = _build(now)
    taken = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.get("taken", 0)))
    return facts | {"packages": record.get("count"), "digest": record.get("digest"), "taken": taken}


def _build(identity: Record) -> str:
    """Return an identity in one line: `Example OS 2 (ID=example IMAGE_VERSION=7)`."""
    words = [f"{name}={identity[name]}" for name in NAMES[1:] if identity.get(name)]
    named = identity.get("PRETTY_NAME") or ""
    return " ".join(filter(None, (named, f"({' '.join(words)})" if words else ""))) or "unknown"


def _rows(record: Record) -> Iterator[list[str]]:
    for change in record.get("changed") or []:
        yield [str(change[key]) for key in ("how", "id", "from", "to")]
    for change in record.get("added") or []:
        yield ["added", str(change["id"]), "", str(change["version"])]
    for change in record.get("removed") or []:
        yield ["removed", str(change["id"]), str(change["version"]), ""]
