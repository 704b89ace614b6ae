# SPDX-License-Identifier: Apache-2.0
"""What a flatpak's AppStream file says to people and servers; pure functions."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_RELEASE: Final = re.compile(r"<release\s([^>]*)>")
_ATTRIBUTE: Final = re.compile(r"\b(version|timestamp)\s*=\s*[\"']([^\"']*)[\"']")
_SUMMARY: Final = re.compile(r"<summary>([^<]*)</summary>")
_SUMMARY_CHARACTERS: Final = 400


def newest_version(appdata: str) -> str:
    """Read the version that flatpak will report from an AppStream file, "" where it has none.

    That is the one of the latest release, wherever it stands.
    """
    releases = [dict(_ATTRIBUTE.findall(each)) for each in _RELEASE.findall(appdata)]
    latest = max(releases, key=_released_s, default={})
    return html.unescape(latest.get("version", ""))


def summary(appdata: str) -> str:
    """Read the line that tells what the software is for, "" where there is none."""
    found = _SUMMARY.search(appdata)
    return html.unescape(found[1]).strip()[:_SUMMARY_CHARACTERS] if found else ""


def _released_s(release: Mapping[str, str]) -> int:
    text = release.get("timestamp", "")
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0
