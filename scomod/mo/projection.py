# SPDX-License-Identifier: Apache-2.0
"""What the tree shows of an operation: the other half of I5 (scomo §2.2 to §2.5).

Tables from steps and primitives to Status values, and what becomes of the package node
when an operation is over.  Part of the transaction of whoever writes the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import DeliveredStatus, DeployedStatus, DownloadStatus, PackageState
from scomod.operation import Branch, Primitive, StepKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.mo.layout import Layout
    from scomod.mo.packages import Packages
    from scomod.mo.tree import Tree
    from scomod.operation import Operation

# Status of a package that is fetched, by step; everything later installs (scomo §2.2).
# It never goes back: what is admitted anew after the fetch stays complete.
FETCHING: Final[Mapping[StepKind, int]] = {
    StepKind.CONSENT: DownloadStatus.DOWNLOAD_PROGRESSING,
    StepKind.ADMIT: DownloadStatus.DOWNLOAD_PROGRESSING,
    StepKind.ACQUIRE: DownloadStatus.DOWNLOAD_PROGRESSING,
    StepKind.VERIFY: DownloadStatus.DOWNLOAD_COMPLETE,
    StepKind.DISCLOSE: DownloadStatus.DOWNLOAD_COMPLETE,
    StepKind.DELIVER: DownloadStatus.DOWNLOAD_COMPLETE,
}
RUNNING: Final[Mapping[tuple[Branch, Primitive], int]] = {
    (Branch.DELIVERED, Primitive.INSTALL): DeliveredStatus.INSTALL_PROGRESSING,
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): DeliveredStatus.INSTALL_PROGRESSING,
    (Branch.DELIVERED, Primitive.REMOVE): DeliveredStatus.REMOVE_PROGRESSING,
    (Branch.DEPLOYED, Primitive.ACTIVATE): DeployedStatus.ACTIVATE_PROGRESSING,
    (Branch.DEPLOYED, Primitive.DEACTIVATE): DeployedStatus.DEACTIVATE_PROGRESSING,
    (Branch.DEPLOYED, Primitive.REMOVE): DeployedStatus.REMOVE_PROGRESSING,
    (Branch.DEPLOYED, Primitive.START): DeployedStatus.IDLE,  # the standard has no value for it
    (Branch.DEPLOYED, Primitive.STOP): DeployedStatus.IDLE,
}
FAILED: Final[Mapping[tuple[Branch, Primitive], int]] = {
    (Branch.DELIVERED, Primitive.INSTALL): DeliveredStatus.INSTALL_FAILED_WITH_DATA,
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): DeliveredStatus.INSTALL_FAILED_WITH_DATA,
    (Branch.DELIVERED, Primitive.REMOVE): DeliveredStatus.REMOVE_FAILED,
    (Branch.DEPLOYED, Primitive.ACTIVATE): DeployedStatus.ACTIVATE_FAILED,
    (Branch.DEPLOYED, Primitive.DEACTIVATE): DeployedStatus.DEACTIVATE_FAILED,
    (Branch.DEPLOYED, Primitive.REMOVE): DeployedStatus.REMOVE_FAILED,
    (Branch.DEPLOYED, Primitive.START): DeployedStatus.IDLE,
    (Branch.DEPLOYED, Primitive.STOP): DeployedStatus.IDLE,
}


class Projection:
    """Shows operations in the tree; `is_kept` tells which download nodes outlive success."""

    def __init__(
        self,
        tree: Tree,
        layout: Layout,
        packages: Packages,
        is_kept: Callable[[Operation], bool],
    ) -> None:
        self._tree = tree
        self._layout = layout
        self._packages = packages
        self._is_kept = is_kept

    def show_progress(self, operation: Operation) -> None:
        """Set the Status node to what the current step means."""
        if operation.branch is Branch.DOWNLOAD:
            status = max(
                FETCHING.get(step, DownloadStatus.INSTALL_PROGRESSING)
                for step in _reached(operation)
            )
        else:
            status = RUNNING[operation.branch, operation.primitive]
        self._set_status(operation, status)

    def show_failure(self, operation: Operation) -> None:
        """Set the Status node to what the failure means."""
        if operation.branch is not Branch.DOWNLOAD:
            self._set_status(operation, FAILED[operation.branch, operation.primitive])
            return
        is_fetched = StepKind.VERIFY in _reached(operation)
        if not is_fetched or operation.primitive is Primitive.DOWNLOAD:
            self._set_status(operation, DownloadStatus.DOWNLOAD_FAILED)
        else:
            self._set_status(operation, DownloadStatus.INSTALL_FAILED_WITHOUT_DATA)

    def show_success(self, operation: Operation) -> None:
        """Move, keep or drop the package node; components are the inventory's business."""
        item = self._layout.item_of(operation)
        if operation.branch is Branch.DOWNLOAD:
            if operation.primitive is Primitive.DOWNLOAD:
                self._packages.deliver(operation)
            if self._is_kept(operation):
                self._set_status(operation, DownloadStatus.IDLE)
            else:
                self._tree.drop(item)
        elif (operation.branch, operation.primitive) == (Branch.DELIVERED, Primitive.REMOVE):
            self._tree.drop(item)
        elif operation.branch is Branch.DELIVERED:
            installed = str(int(PackageState.INSTALLED))
            self._tree.put(f"{item}/State", format="int", value=installed)
            self._set_status(operation, DeliveredStatus.IDLE)
        else:
            self._set_status(operation, DeployedStatus.IDLE)

    def _set_status(self, operation: Operation, status: int) -> None:
        item = self._layout.item_of(operation)
        if self._tree.node(item) is not None:  # a server may have deleted it meanwhile
            self._tree.put(f"{item}/Status", format="int", value=str(int(status)))


def _reached(operation: Operation) -> tuple[StepKind, ...]:
    """Return the steps up to the current one, which is also the one that failed."""
    return operation.plan[: operation.cursor + 1]
