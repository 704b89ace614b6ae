# SPDX-License-Identifier: Apache-2.0
"""Which management objects this device has: their definitions and their handlers.

Not the composition root: the daemon registers the handlers; this module only keeps
them by URI prefix and reads the definitions, which are fixed but for their place.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.codes import MO_SCOMO_1_0
from scomod.errors import LocalProtocolError
from scomod.mo import ddf, uri
from scomod.mo.handler import Handler

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVINFO_ROOT: Final = "./DevInfo"
DEVDETAIL_ROOT: Final = "./DevDetail"
DMACC_ROOT: Final = "./DMAcc"
INBOX_ROOT: Final = "./Inbox"
DMACC11_ROOT: Final = "./SyncML/DMAcc"  # the layout of SyncML DM 1.1.2
DEFINITIONS: Final[Mapping[str, str]] = {
    DEVINFO_ROOT: "devinfo.xml",
    DEVDETAIL_ROOT: "devdetail.xml",
    DMACC_ROOT: "dmacc.xml",
    INBOX_ROOT: "inbox.xml",
    DMACC11_ROOT: "dmacc11.xml",
}
SCOMO_DEFINITION: Final = "scomo.xml"
DEFINITIONS_DIR: Final = Path(__file__).with_name("definitions")


def load_ddf(scomo_root: str, scomo_version: str = "1.1") -> ddf.Ddf:
    """Read our DDF files; `scomo_root` is the canonical path of the SCOMO object."""
    rules = ddf.Ddf()
    for path, name in DEFINITIONS.items():
        rules.mount(path, ddf.parse(definition(name)))
    scomo = ddf.parse(definition(SCOMO_DEFINITION))
    if scomo_version == "1.0":
        del scomo.children["Download"].children[None].children["Reboot"]  # scomo §1.3
        scomo.rule = dataclasses.replace(scomo.rule, type=MO_SCOMO_1_0)
    return rules.mount(scomo_root, scomo)


def definition(name: str) -> bytes:
    """Return one of our DDF files, as a manufacturer would publish it."""
    return (DEFINITIONS_DIR / name).read_bytes()


class Registry:
    """Handlers by URI prefix."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._default = Handler()

    def register(self, prefix: str, handler: Handler) -> None:
        """Make a handler responsible for a path and all below; raises `LocalProtocolError`."""
        if prefix in self._handlers:
            raise LocalProtocolError(f"two handlers for {prefix}")
        self._handlers[prefix] = handler

    def handler_for(self, path: str) -> Handler:
        """Return the handler with the longest matching prefix; without one, all is allowed."""
        while path:
            if path in self._handlers:
                return self._handlers[path]
            path = uri.parent(path)
        return self._default
