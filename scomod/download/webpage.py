# SPDX-License-Identifier: Apache-2.0
"""Tells the page of a captive portal from a package; fetches nothing.

A network that wants somebody to log in answers every request with a page and status 200:
nobody who knows of the package has sent that, so it proves nothing about the package.
"""

from __future__ import annotations

from typing import Final

TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
_BEFORE: Final = b"\xef\xbb\xbf \t\r\n"


def is_web_page(media_type: str, start: bytes) -> bool:
    """Tell whether a body of that type that begins so is a page for people.

    Scripts that forget to name a type send packages as text/html, too; those begin otherwise.
    """
    text = start.lstrip(_BEFORE)
    return media_type in TYPES and (not text or text.startswith(b"<"))
