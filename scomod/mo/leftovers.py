# SPDX-License-Identifier: Apache-2.0
"""Status values that say "progressing" though nothing progresses (scomo §2.6).

The journal, the tree and the reports change together, so that an operation in progress
is resumed; this is for what has no operation behind it any more, because a database was
put back or a journal lost.  Such a value becomes the failure that it would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import DeliveredStatus, DeployedStatus, DownloadStatus
from scomod.operation import Branch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scomod.mo.layout import Layout
    from scomod.mo.store import NodeStore
    from scomod.mo.tree import Tree
    from scomod.operation import Operation

# What a value becomes; a download keeps no data, a delivered package does.
BECOMES: Final[Mapping[Branch, Mapping[int, int]]] = {
    Branch.DOWNLOAD: {
        DownloadStatus.DOWNLOAD_PROGRESSING: DownloadStatus.DOWNLOAD_FAILED,
        DownloadStatus.DOWNLOAD_COMPLETE: DownloadStatus.DOWNLOAD_FAILED,
        DownloadStatus.INSTALL_PROGRESSING: DownloadStatus.INSTALL_FAILED_WITHOUT_DATA,
    },
    Branch.DELIVERED: {
        DeliveredStatus.REMOVE_PROGRESSING: DeliveredStatus.REMOVE_FAILED,
        DeliveredStatus.INSTALL_PROGRESSING: DeliveredStatus.INSTALL_FAILED_WITH_DATA,
    },
    Branch.DEPLOYED: {
        DeployedStatus.REMOVE_PROGRESSING: DeployedStatus.REMOVE_FAILED,
        DeployedStatus.ACTIVATE_PROGRESSING: DeployedStatus.ACTIVATE_FAILED,
        DeployedStatus.DEACTIVATE_PROGRESSING: DeployedStatus.DEACTIVATE_FAILED,
    },
}


def mend(nodes: NodeStore, tree: Tree, layout: Layout, live: Iterable[Operation]) -> list[str]:
    """Turn the values nobody works on into failures; returns the items it was about.

    Part of the caller's transaction; costs one look at each branch.
    """
    worked_on = {layout.item_of(operation) for operation in live}
    mended: list[str] = []
    for branch, becomes in BECOMES.items():
        for path, value in nodes.values_below(
            layout.branch(branch), "Status", (str(int(each)) for each in becomes)
        ):
            item = path.removesuffix("/Status")
            if item not in worked_on and layout.branch_of(item) is branch:
                tree.put(path, value=str(int(becomes[int(value)])))
                mended.append(item)
    return mended
