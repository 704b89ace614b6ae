# SPDX-License-Identifier: Apache-2.0
"""A SyncML element without syntax: what the XML and the WBXML codec have in common.

Not a general XML tree: no attributes, no mixed content, three name spaces.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Space(IntEnum):
    """Name spaces; the value is the WBXML code page (omadm §6.2)."""

    SYNCML = 0
    METINF = 1
    DMDDF = 2


@dataclass(slots=True)
class Element:
    """One element: either `children` or `data` is filled, never both.

    `is_opaque` asks the WBXML encoder for OPAQUE instead of STR_I; a decoder
    sets it, but nobody may conclude "binary" from it (omadm §6.2).
    """

    name: str
    space: Space = Space.SYNCML
    children: list[Element] = field(default_factory=list)
    data: bytes = b""
    is_opaque: bool = False

    def find(self, name: str) -> Element | None:
        """Return the first child of that name, or None; order never matters (omadm §2.1)."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def text(self, name: str) -> str | None:
        """Return the text of the first child of that name, or None where it is absent.

        Undecodable octets are replaced: text is compared, never trusted.
        """
        child = self.find(name)
        return None if child is None else child.data.decode("utf-8", "replace").strip()
