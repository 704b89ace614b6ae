# SPDX-License-Identifier: Apache-2.0
"""Units of ours, read."""

from __future__ import annotations

from pathlib import Path

UNITS = Path(__file__).parents[2] / "systemd"


def sections(name: str) -> dict[str, dict[str, list[str]]]:
    """Read a unit; a key may stand more than once."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(key, []).append(value)
    return found
