# SPDX-License-Identifier: Apache-2.0
"""Text for people: tables, sizes, times, progress, trees, colour.  Pure but for `Style`, `moment`.

Not the command line (`cli.py`).  Whatever comes from a server may hold control
characters that drive a terminal; `printable` takes them out, and every function
here that returns lines applies it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

GAP: Final = "  "
NARROWEST: Final = 8  # a column shrinks to this, not further
BAR_WIDTH: Final = 24
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_UNIT_STEP: Final = 1024
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_FAST_S: Final = 10
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
COLOURS: Final = ("auto", "always", "never")  # of --color, the default first
_COLOURS: Final = {"good": "32", "bad": "31", "head": "1"}


class Stream(Protocol):
    """What is asked of an output."""

    def isatty(self) -> bool:
        """Tell whether a person looks at it."""


@dataclass(frozen=True, slots=True)
class Style:
    """Colour, or none."""

    is_coloured: bool

    @classmethod
    def of(cls, stream: Stream, environ: Mapping[str, str], wish: str = "auto") -> Style:
        """Choose as `wish` says (`COLOURS`).

        By itself colour is only on a terminal that can, unless NO_COLOR is set to anything
        (no-color.org).
        """
        is_able = is_moving(stream, environ) and not environ.get("NO_COLOR")
        return cls(wish == "always" or (wish == "auto" and is_able))

    def paint(self, kind: str, text: str) -> str:
        """Return `text` in the colour of `kind`: good, bad or head."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self.is_coloured else text


def is_moving(stream: Stream, environ: Mapping[str, str]) -> bool:
    """Tell whether a person looks at a terminal that can more than print lines."""
    return stream.isatty() and environ.get("TERM") != "dumb"


def printable(value: Any) -> str:
    """Return a value as one line that cannot drive a terminal; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join("\ufffd" if unicodedata.category(c) in _UNSHOWN else c for c in str(value))


def columns(text: str) -> int:
    """Return how many columns a terminal takes for `text`."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """Shorten `text` to `width` columns, with an ellipsis where something is missing."""
    if columns(text) <= width:
        return text
    kept = ""
    for character in text:
        if columns(kept) + _columns_of(character) > width - 1:
            break
        kept += character
    return kept + "…"


def pad(text: str, width: int) -> str:
    """Fill `text` with blanks to `width` columns."""
    return text + " " * (width - columns(text))


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None) -> list[str]:
    """Return aligned lines, a heading first, at most `width` columns wide (None: no limit).

    The widest columns give way first.  The last column is not filled.
    """
    cells = [tuple(headings), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(columns(row[i]) for row in cells) for i in range(len(headings))]
    if width is not None:
        widths = _shrink(widths, width - len(GAP) * (len(widths) - 1))
    return [
        GAP.join(pad(fit(cell, w), w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _shrink(widths: list[int], room: int) -> list[int]:
    widths = list(widths)
    while sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def fields(pairs: Mapping[str, Any]) -> list[str]:
    """Return `name  value` lines with the values aligned."""
    width = max((columns(name) for name in pairs), default=0)
    return [f"{pad(name, width)}{GAP}{printable(v)}".rstrip() for name, v in pairs.items()]


def size(octets: int) -> str:
    """Return octets for people: 1536 is "1.5 KiB"."""
    value, unit = float(octets), 0
    while value >= _UNIT_STEP and unit < len(_UNITS) - 1:
        value /= _UNIT_STEP
        unit += 1
    return f"{octets} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def moment(at_s: float) -> str:
    """Return a point of time for people, local."""
    return f"{datetime.fromtimestamp(at_s, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """Return seconds for people: 0.25 is "0.2 s", 3720 is "1 h 02 min"."""
    if seconds < _FAST_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S:02} h"


def progress(
    label: str,
    done: int,
    total: int,
    width: int | None,
    *,
    are_octets: bool = True,
    speed: Sequence[str] = (),
) -> str:
    """Return one line: a bar with percent, or the octets alone while `total` is 0 (unknown).

    `speed` stands at the end.  Where the line is too long for the terminal the bar goes
    first, then the words of `speed` from the last on, then the end of the rest.
    """
    share = min(done / total, 1.0) if total > 0 else 0.0
    filled = int(share * BAR_WIDTH)
    bar = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] " if total > 0 else ""
    percent = [f"{int(share * 100):3} %"] if total > 0 else []
    octets = [_of(done, total) if total > 0 else size(done)] if are_octets else []
    name, facts = printable(label), [*percent, *octets]
    lines = [GAP.join([name, bar + facts[0], *facts[1:], *speed])]
    lines += [
        GAP.join([name, facts[0].strip(), *facts[1:], *speed[:count]])
        for count in range(len(speed), -1, -1)
    ]
    if width is None:
        return lines[0]
    return next((line for line in lines if columns(line) <= width), fit(lines[-1], width))


def _of(done: int, total: int) -> str:
    """Return "12.3 of 30.0 MiB", with both units where they differ."""
    part, whole = size(done), size(total)
    same = part.split()[1] == whole.split()[1]
    return f"{part.split()[0] if same else part} of {whole}"


def speed(figures: Mapping[str, Any]) -> list[str]:
    """Return the words for how fast something comes: "1.2 MiB/s", "15 s left"."""
    if not figures.get("rate"):
        return []
    words = [f"{size(int(figures['rate']))}/s"]
    if "remaining" in figures:
        words.append(f"{duration(float(round(figures['remaining'])))} left".replace(".0 s", " s"))
    return words


def branches(node: Mapping[str, Any]) -> Iterator[str]:
    """Draw a tree of `{"name", "text", "children"}`, the root's name first."""
    yield _leaf(node)
    for left, child in zip(range(len(node["children"]) - 1, -1, -1), node["children"], strict=True):
        is_last = left == 0
        first, *rest = branches(child)
        yield ("└── " if is_last else "├── ") + first
        yield from (("    " if is_last else "│   ") + line for line in rest)


def _leaf(node: Mapping[str, Any]) -> str:
    text = printable(node["text"])
    return printable(node["name"]) + (f" = {text}" if text else "")
