# SPDX-License-Identifier: Apache-2.0
"""How settings are declared: limits, words, and patterns with what they mean in words.

Not the settings (`settings.py`) and not their check (`config.py`).
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

MIB = 1 << 20
GIB = 1 << 30

DIRECT = "direct"  # where a proxy may stand: none for this server, whatever [transport] says
PROXY_SHAPE = r"http://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?"
PROXY_WORDS = "http://HOST:PORT"
SERVER_PROXY_SHAPE = f"{DIRECT}|{PROXY_SHAPE}"
SERVER_PROXY_WORDS = f'"{DIRECT}" or {PROXY_WORDS}'
SCHEME_SHAPE = "https|http|ftps|ftp|file"
SCHEME_WORDS = "https, http, ftps, ftp, file"
PIN_SHAPE = "[A-Za-z0-9+/]{43}="
NAME_SHAPE = "[a-z][a-z0-9-]{0,31}"
NAME_WORDS = "names of small letters, digits and minus"
SERVER_ID_SHAPE = r"[^=&*+\s]+"
SERVER_IDS_SHAPE = rf"\*|{SERVER_ID_SHAPE}"
SERVER_IDS_WORDS = 'server identifiers or "*"'
_DAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DAYS = f"{_DAY}(-{_DAY})?"
TIME_SHAPE = "([01][0-9]|2[0-3]):[0-5][0-9]"
WINDOW_SHAPE = f"({_DAYS}(,{_DAYS})* )?{TIME_SHAPE}-({TIME_SHAPE}|24:00)"
WINDOW_WORDS = '"HH:MM-HH:MM" in local time, days before it: "Mon-Fri,Sun 22:00-04:00"'
LANGUAGE_SHAPE = "([a-z]{2,3}(_[A-Z]{2})?)?"
LANGUAGE_WORDS = 'a language: "de", "de_AT"'
GLOB_SHAPE = "[!-~]{1,128}"
GLOB_WORDS = "patterns of component ids, such as lib*"


def one_of(default: str, *others: str) -> Any:
    """Declare a key that takes one of a few words."""
    return field(default=default, metadata={"allowed": (default, *others)})


def within(default: float, low: float, high: float) -> Any:
    """Declare a number and its limits, both included."""
    return field(default=default, metadata={"low": low, "high": high})


def shaped(default: str | tuple[str, ...], pattern: str, words: str) -> Any:
    """Declare a text, or each of several, by a pattern it matches as a whole; may be empty."""
    return field(default=default, metadata={"pattern": pattern, "words": words})
