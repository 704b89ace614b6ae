# SPDX-License-Identifier: Apache-2.0
"""The order of Debian versions, as dpkg has it; pure (deb-version(7)).

For telling what became newer and what older, of many packages at once; whether an
order may downgrade is asked of dpkg itself (`dpkg.py`).
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

_PARTS: Final = re.compile(r"([^0-9]*)([0-9]*)")
_NOTHING: Final = ((0,), 0)
_NO_LETTER: Final = 256  # what is no letter comes after all letters
_Part = tuple[tuple[int, ...], int]


def compare(one: str, other: str) -> int:
    """Return less than 0, 0 or more than 0 for older, equally new or newer."""
    for mine, theirs in zip(_split(one), _split(other), strict=True):
        for part, opposite in zip_longest(_parts(mine), _parts(theirs), fillvalue=_NOTHING):
            if part != opposite:
                return 1 if part > opposite else -1
    return 0


def _split(version: str) -> tuple[str, str, str]:
    """Return epoch, upstream version and revision; a missing one is as good as 0."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "")


def _parts(text: str) -> list[_Part]:
    """Return text and number in turn; a text ends before all but a tilde."""
    return [
        ((*map(_order, letters), 0), int(digits or "0")) for letters, digits in _PARTS.findall(text)
    ]


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) + (0 if character.isalpha() else _NO_LETTER)
