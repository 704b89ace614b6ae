# SPDX-License-Identifier: Apache-2.0
"""What an operation takes along of its package or component (scomo §3.1).

Read once, when the Exec comes.  What must be there and is not is 404 (scomo §3.3).
What is longer than it may be never gets in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.errors import NodeNotFound, TooLarge
from scomod.operation import Branch, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.mo.tree import Tree
    from scomod.settings import Scomo

# Leaves and the fields they go to; those of a download go along into Delivered (scomo T1).
DESCRIPTIVE: Final[Mapping[str, str]] = {
    "PkgID": "pkg_id",
    "Name": "name",
    "Description": "description",
    "InstallParams": "install_params",
    "EnvType": "environment",
    "PkgType": "pkg_type",
}
LEAVES: Final[Mapping[Branch, Mapping[str, str]]] = {
    Branch.DOWNLOAD: {**DESCRIPTIVE, "PkgURL": "url", "Reboot": "reboot"},
    Branch.DELIVERED: DESCRIPTIVE,
    Branch.DEPLOYED: {
        "ID": "component_id",
        "PkgIDRef": "pkg_id",
        "Name": "name",
        "Version": "version",
        "EnvType": "environment",
    },
}
# Pre-installed software came in no package, and its PkgIDRef is empty.
NEEDED: Final[Mapping[Branch, tuple[str, ...]]] = {
    Branch.DOWNLOAD: ("PkgID", "PkgURL"),
    Branch.DELIVERED: ("PkgID",),
    Branch.DEPLOYED: ("ID",),
}

# The limit of each leaf that a server writes (scomo §1.2), as the key of [scomo].
LIMITS: Final[Mapping[str, str]] = {
    "PkgID": "max_pkg_id_bytes",
    "Name": "max_name_bytes",
    "Description": "max_description_bytes",
    "PkgURL": "max_url_bytes",
    "InstallParams": "max_params_bytes",
    "EnvType": "max_type_bytes",
    "PkgType": "max_type_bytes",
    "Reboot": "max_type_bytes",
}


def check_length(leaf: str, value: bytes, limits: Scomo) -> None:
    """Raise `TooLarge` for a value that is longer than its leaf takes (413)."""
    limit = LIMITS.get(leaf)
    if limit and len(value) > getattr(limits, limit):
        raise TooLarge(f"{leaf} takes no {len(value)} octets")


def read(tree: Tree, item: str, branch: Branch, acl: str) -> Subject:
    """Return the subject of an operation on an item; raises `NodeNotFound`."""
    values = {name: tree.value(f"{item}/{leaf}") or "" for leaf, name in LEAVES[branch].items()}
    for leaf in NEEDED[branch]:
        if not values[LEAVES[branch][leaf]]:
            raise NodeNotFound(f"{leaf} has no value")
    if branch is not Branch.DELIVERED:
        return Subject(**values, acl=acl)
    data = tree.node(f"{item}/Data")
    if data is None or data.blob is None:
        raise NodeNotFound("Data has no value")
    values["pkg_type"] = values["pkg_type"] or data.type
    # The digest is one that we made: no server chooses which payload is meant.
    return Subject(**values, acl=acl, digest=data.blob.sha256)
