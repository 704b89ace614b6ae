"""The SCOMO management object: its nodes, and what an Exec on them means (scomo §1, §3).

Exec copies what the operation needs into a `Subject`, writes a journal row and
sets the Status node: nothing is done here (I4).  `Projection` shows an operation
in the tree: the other half of I5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import errors
from scomod.codes import (
    MO_SCOMO_1_0,
    MO_SCOMO_1_1,
    DeliveredStatus,
    DeployedStatus,
    DownloadStatus,
    PackageState,
)
from scomod.mo.handler import ExecRequest, Handler
from scomod.operation import OWN_PRIMITIVES, PLANS, Branch, Operation, Primitive, StepKind, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.clock import Clock
    from scomod.journal import Journal
    from scomod.mo.tree import Tree

MO_TYPES: Final[Mapping[str, str]] = {"1.0": MO_SCOMO_1_0, "1.1": MO_SCOMO_1_1}

# ACLs of the fixed nodes: any server may announce packages and read the inventory; what
# a server announces is its own (`owner_acl`), pre-installed software nobody's.
FIXED: Final[tuple[tuple[str, str], ...]] = (
    ("", "Get=*"),
    ("/Download", "Add=*&Get=*"),
    ("/Inventory", "Get=*"),
    ("/Inventory/Delivered", "Add=*&Get=*"),
    ("/Inventory/Deployed", "Get=*"),
)

PRIMITIVES: Final[Mapping[Branch, tuple[Primitive, ...]]] = {
    branch: tuple(
        primitive for at, primitive in PLANS if at is branch and primitive not in OWN_PRIMITIVES
    )
    for branch in Branch
}

# Leaves that an operation takes along (scomo §3.1): node, field, whether it must have a value.
DESCRIPTIVE_LEAVES: Final = (
    ("Name", "name", False),
    ("Description", "description", False),
    ("InstallParams", "install_params", False),
    ("EnvType", "environment", False),
    ("PkgType", "pkg_type", False),
)
PACKAGE_LEAVES: Final = (("PkgID", "pkg_id", True), ("PkgURL", "url", True), *DESCRIPTIVE_LEAVES)
DELIVERED_LEAVES: Final = (("PkgID", "pkg_id", True), ("Data", "digest", True), *DESCRIPTIVE_LEAVES)
COMPONENT_LEAVES: Final = (
    ("ID", "component_id", True),
    ("PkgIDRef", "pkg_id", False),
    ("Name", "name", False),
    ("Version", "version", False),
    ("EnvType", "environment", False),
)
LEAVES: Final = {
    Branch.DOWNLOAD: PACKAGE_LEAVES,
    Branch.DELIVERED: DELIVERED_LEAVES,
    Branch.DEPLOYED: COMPONENT_LEAVES,
}

# Status while a step runs (scomo §2.2 to §2.4); Deployed depends on the primitive.
PROGRESS: Final[Mapping[tuple[Branch, StepKind], int]] = {
    (Branch.DOWNLOAD, StepKind.CONSENT): DownloadStatus.DOWNLOAD_PROGRESSING,
    (Branch.DOWNLOAD, StepKind.ACQUIRE): DownloadStatus.DOWNLOAD_PROGRESSING,
    (Branch.DOWNLOAD, StepKind.VERIFY): DownloadStatus.DOWNLOAD_COMPLETE,
    (Branch.DOWNLOAD, StepKind.DELIVER): DownloadStatus.DOWNLOAD_COMPLETE,
    (Branch.DOWNLOAD, StepKind.INSTALL): DownloadStatus.INSTALL_PROGRESSING,
    (Branch.DOWNLOAD, StepKind.INSTALL_INACTIVE): DownloadStatus.INSTALL_PROGRESSING,
    (Branch.DOWNLOAD, StepKind.SETTLE): DownloadStatus.INSTALL_PROGRESSING,
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
# A failed Download* keeps no data; these steps failed before anything was complete.
BEFORE_COMPLETE: Final = (StepKind.CONSENT, StepKind.ACQUIRE, StepKind.DELIVER)


def owner_acl(server_id: str) -> str:
    """Return the ACL of a package node: it belongs to the server that announced it."""
    return "&".join(f"{verb}={server_id}" for verb in ("Add", "Delete", "Exec", "Get", "Replace"))


def component_acl(server_id: str) -> str:
    """Return the ACL of a component: its server operates it, every server sees it (ADC-3)."""
    return f"Exec={server_id}&Get=*"


class Scomo(Handler):
    """The handler below the SCOMO root."""

    def __init__(
        self, tree: Tree, journal: Journal, clock: Clock, root: str, on_queued: Callable[[], None]
    ) -> None:
        self._tree = tree
        self._journal = journal
        self._clock = clock
        self._on_queued = on_queued
        self.root = root

    def install(self, version: str) -> None:
        """Make the fixed nodes, writing only what is missing or differs."""
        for suffix, acl in FIXED:
            path = self.root + suffix
            kind = MO_TYPES[version] if not suffix else ""
            node = self._tree.node(path)
            if node is None:
                self._tree.put(path, format="node", type=kind, acl=acl)
            elif node.type != kind:
                self._tree.put(path, format="node", type=kind)

    # -- reactions to what servers do ----------------------------------------

    def added(self, path: str, server_id: str) -> None:
        """Complete a package node that a server created (scomo §3.5 a)."""
        branch = self._branch_of_item(path)
        if branch in (Branch.DOWNLOAD, Branch.DELIVERED):
            self._complete(path, branch, owner_acl(server_id))

    def guard_value(self, path: str, value: bytes) -> None:
        """Refuse to change what a download brought: its Data says which payload was checked."""
        del value
        if path.startswith(f"{self.root}/{Branch.DELIVERED}/") and path.endswith("/Data"):
            node = self._tree.node(path)
            if node is not None and not node.owner:
                raise errors.Forbidden("the package was downloaded")

    def guard_delete(self, path: str) -> None:
        """Refuse to lose a package or component that an operation works on (scomo T10)."""
        for operation in self._journal.live():
            item = f"{self.root}/{operation.branch}/{operation.node}"
            if item == path or item.startswith(f"{path}/") or path.startswith(f"{item}/"):
                raise errors.Forbidden(f"operation {operation.id} works on it")

    def execute(self, path: str, request: ExecRequest) -> bool:
        """Queue the operation that an operation leaf stands for; always deferred (202)."""
        branch, node, primitive = self._parse(path)
        item = f"{self.root}/{branch}/{node}"
        if self._journal.has_unreported(path, request.server_id, request.correlator):
            return False  # the server never got our 202, and asks again
        self._check_idle(branch, node)
        now = self._clock.wall_s()
        operation = self._journal.insert(
            Operation(
                id=0,
                branch=branch,
                primitive=primitive,
                node=node,
                exec_uri=path,
                server_id=request.server_id,
                correlator=request.correlator,
                subject=self._subject(item, branch),
                created_s=now,
                changed_s=now,
            )
        )
        self.show_progress(operation)
        self._on_queued()
        return False

    def _branch_of_item(self, path: str) -> Branch | None:
        """Return the branch if the path is that of one package or component."""
        for branch in Branch:
            prefix = f"{self.root}/{branch}/"
            if path.startswith(prefix) and "/" not in path[len(prefix) :]:
                return branch
        return None

    def _parse(self, path: str) -> tuple[Branch, str, Primitive]:
        """Split `<root>/<branch>/<node>/Operations/<primitive>`."""
        item, separator, verb = path.partition("/Operations/")
        branch = self._branch_of_item(item)
        if not separator or branch is None or verb not in PRIMITIVES[branch]:
            raise errors.NotAllowed("no operation of SCOMO")
        return branch, item.rpartition("/")[2], Primitive(verb)

    def _check_idle(self, branch: Branch, node: str) -> None:
        """One live operation per package and component (design §7)."""
        for operation in self._journal.live():
            if (operation.branch, operation.node) == (branch, node):
                raise errors.Conflict(f"operation {operation.id} is still at work")

    def _subject(self, item: str, branch: Branch) -> Subject:
        """Copy what the operation needs; what must exist and does not is 404 (scomo §3.3)."""
        data = self._tree.node(f"{item}/Data")
        if data is not None and data.owner:
            # Else a server could name a payload that another one had delivered and checked.
            raise errors.NotSupported("packages are installed from downloads only")
        values: dict[str, str] = {}
        for leaf, name, is_needed in LEAVES[branch]:
            value = self._tree.value(f"{item}/{leaf}") or ""
            if is_needed and not value:
                raise errors.NodeNotFound(f"{leaf} has no value")
            values[name] = value
        node = self._tree.node(item)
        return Subject(**values, acl=node.acl if node else "")

    # -- what the tree shows of an operation (I5) ------------------------------

    def show_progress(self, operation: Operation) -> None:
        """Set the Status node to what the current step means."""
        status = PROGRESS.get((operation.branch, operation.step))
        if status is None:
            status = RUNNING[operation.branch, operation.primitive]
        self._set_status(operation, status)

    def show_failure(self, operation: Operation) -> None:
        """Set the Status node to what the failure means."""
        if operation.branch is Branch.DOWNLOAD:
            early = operation.failed_step in BEFORE_COMPLETE
            early = early or operation.primitive is Primitive.DOWNLOAD
            status: int = DownloadStatus.INSTALL_FAILED_WITHOUT_DATA
            if early:
                status = DownloadStatus.DOWNLOAD_FAILED
        else:
            status = FAILED[operation.branch, operation.primitive]
        self._set_status(operation, status)

    def show_success(self, operation: Operation) -> None:
        """Move or drop the package node; components are the inventory's business."""
        item = self.item_uri(operation)
        if operation.branch is Branch.DOWNLOAD:
            if operation.primitive is Primitive.DOWNLOAD:
                self._deliver(operation)
            self._tree.drop(item)
        elif operation.branch is Branch.DELIVERED:
            if operation.primitive is Primitive.REMOVE:
                self._tree.drop(item)
            else:
                self._tree.put(
                    f"{item}/State", format="int", value=str(int(PackageState.INSTALLED))
                )
                self._set_status(operation, DeliveredStatus.IDLE)
        elif self._tree.node(item) is not None:
            self._set_status(operation, DeployedStatus.IDLE)

    def item_uri(self, operation: Operation) -> str:
        """Return the URI of the package or component an operation works on."""
        return f"{self.root}/{operation.branch}/{operation.node}"

    def _set_status(self, operation: Operation, status: int) -> None:
        item = self.item_uri(operation)
        if self._tree.node(item) is not None:
            self._tree.put(f"{item}/Status", format="int", value=str(int(status)))

    def _deliver(self, operation: Operation) -> None:
        """Turn Download/<x> into Delivered/<x> (scomo T1); Data holds the payload's digest."""
        item = f"{self.root}/{Branch.DELIVERED}/{operation.node}"
        subject = operation.subject
        if self._tree.node(item) is not None:
            self._tree.drop(item)
        self._complete(item, Branch.DELIVERED, subject.acl)
        for leaf, name, _needed in PACKAGE_LEAVES:
            if leaf != "PkgURL" and getattr(subject, name):
                self._tree.put(f"{item}/{leaf}", value=getattr(subject, name))
        kind = subject.pkg_type or "application/octet-stream"
        digest = str(operation.data["sha256"])
        self._tree.put(f"{item}/Data", format="bin", type=kind, value=digest)

    def _complete(self, item: str, branch: Branch, acl: str) -> None:
        """Give an item its ACL, Status, State and operation leaves."""
        self._tree.put(item, format="node", type="", acl=acl)
        self._tree.put(f"{item}/Status", format="int", value=str(int(DownloadStatus.IDLE)))
        if branch is Branch.DELIVERED:
            self._tree.put(f"{item}/State", format="int", value=str(int(PackageState.DELIVERED)))
        self.add_operations(item, branch)

    def add_operations(self, item: str, branch: Branch) -> None:
        """Make the operation leaves of an item."""
        self._tree.put(f"{item}/Operations", format="node", type="")
        for primitive in PRIMITIVES[branch]:
            self._tree.put(f"{item}/Operations/{primitive}", format="null", type="text/plain")
