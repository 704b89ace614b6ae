# SPDX-License-Identifier: Apache-2.0
"""How servers with habits of their own spell and read the SCOMO object (scomo §9).

Pure tables and what walks them: a path as such a server writes it becomes ours, a leaf
becomes what such a server reads.  Which server has which, the configuration says.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from scomod.codes import DELIVERED_INSTALL_FAILED_VZW, DeliveredStatus
from scomod.mo.node import Format
from scomod.operation import Branch, Primitive
from scomod.quirk import Quirk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scomod.mo.node import Node

MISSPELT: Final[Mapping[str, Primitive]] = {
    "DownlaodInstallInactive": Primitive.DOWNLOAD_INSTALL_INACTIVE,  # the DDF of 1.0
    "DownloadInstallInactivate": Primitive.DOWNLOAD_INSTALL_INACTIVE,  # NOK
    "DownloadAndInstall": Primitive.DOWNLOAD_INSTALL,  # FCA
    "Deactive": Primitive.DEACTIVATE,  # MTK
}
# Every name that the object fixes, by its lower-case spelling (VZW).
NAMES: Final[Mapping[str, str]] = {
    name.lower(): name
    for name in (
        *("Download", "Inventory", "Delivered", "Deployed", "Operations", "Ext"),
        *("PkgID", "PkgURL", "Name", "Description", "InstallParams", "Reboot", "EnvType"),
        *("PkgType", "Status", "State", "Data", "ID", "PkgIDRef", "Version", *Primitive),
    )
}
ITEM_DEPTHS: Final = {"Download": 1, "Inventory": 2}  # where the name of a package stands
STATES: Final = ("Status", "State")
NO_PACKAGE: Final = b"-1"  # RB


def real_names(names: list[str], quirks: Collection[Quirk]) -> list[str]:
    """Return the names below the root as we spell them; the name of an item stays."""
    if Quirk.ANY_CASE in quirks and names:
        names = [NAMES.get(names[0].lower(), names[0]), *names[1:]]
        item = ITEM_DEPTHS.get(names[0])
        names = [
            name if at == item else NAMES.get(name.lower(), name) for at, name in enumerate(names)
        ]
    if Quirk.MISSPELT_PRIMITIVES in quirks and "Operations" in names[:-1]:
        names = [*names[:-1], MISSPELT.get(names[-1], names[-1])]
    return names


def as_read(node: Node, branch: Branch, leaf: str, quirks: Collection[Quirk]) -> Node:
    """Return the leaf of a package or component as such a server reads it."""
    if Quirk.DELIVERED_70 in quirks and (branch, leaf) == (Branch.DELIVERED, "Status"):
        discarded = str(int(DeliveredStatus.INSTALL_FAILED_WITHOUT_DATA)).encode()
        if node.value == discarded:
            node = dataclasses.replace(node, value=str(DELIVERED_INSTALL_FAILED_VZW).encode())
    if Quirk.PKGIDREF_MINUS_ONE in quirks and leaf == "PkgIDRef" and not node.value:
        node = dataclasses.replace(node, value=NO_PACKAGE)
    if Quirk.STATE_CHR in quirks and leaf in STATES:
        node = dataclasses.replace(node, format=Format.CHR)
    return node
