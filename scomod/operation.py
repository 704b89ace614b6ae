# SPDX-License-Identifier: Apache-2.0
"""Operations and their steps: values and tables, no I/O (design §7).

An operation is what one Exec asked for.  Its plan is a row of `PLANS`; the
engine walks it and journals every transition.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.codes import ResultCode
    from scomod.errors import Reason


class Primitive(StrEnum):
    """The primitives of SCOMO, spelled as the nodes (scomo §1.1); the last two are ours."""

    DOWNLOAD = "Download"
    DOWNLOAD_INSTALL = "DownloadInstall"
    DOWNLOAD_INSTALL_INACTIVE = "DownloadInstallInactive"
    INSTALL = "Install"
    INSTALL_INACTIVE = "InstallInactive"
    REMOVE = "Remove"
    ACTIVATE = "Activate"
    DEACTIVATE = "Deactivate"
    START = "Start"
    STOP = "Stop"


class Branch(StrEnum):
    """The part of the SCOMO object that an operation works on."""

    DOWNLOAD = "Download"
    DELIVERED = "Inventory/Delivered"
    DEPLOYED = "Inventory/Deployed"


class StepKind(StrEnum):
    """Kinds of steps; each has a do, an undo and a rule after a crash (`steps.py`)."""

    CONSENT = "consent"
    ADMIT = "admit"
    ACQUIRE = "acquire"
    VERIFY = "verify"
    DISCLOSE = "disclose"
    DELIVER = "deliver"
    INSTALL = "install"
    INSTALL_INACTIVE = "install inactive"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    REBOOT = "reboot"
    HEALTH = "health"
    REMOVE = "remove"
    START = "start"
    STOP = "stop"
    DISCARD = "discard"
    SETTLE = "settle"


class Phase(StrEnum):
    """Where an operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    ROLLING_BACK = "rolling back"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_live(self) -> bool:
        """Tell whether work is left."""
        return self not in (Phase.SUCCEEDED, Phase.FAILED)


K = StepKind
PLANS: Final[Mapping[tuple[Branch, Primitive], tuple[StepKind, ...]]] = {
    (Branch.DOWNLOAD, Primitive.DOWNLOAD): (K.CONSENT, K.ACQUIRE, K.VERIFY, K.DELIVER),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL): (
        K.CONSENT,
        K.ACQUIRE,
        K.VERIFY,
        K.INSTALL,
        K.SETTLE,
    ),
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL_INACTIVE): (
        K.CONSENT,
        K.ACQUIRE,
        K.VERIFY,
        K.INSTALL_INACTIVE,
        K.SETTLE,
    ),
    (Branch.DELIVERED, Primitive.INSTALL): (K.CONSENT, K.VERIFY, K.INSTALL, K.SETTLE),
    (Branch.DELIVERED, Primitive.INSTALL_INACTIVE): (
        K.CONSENT,
        K.VERIFY,
        K.INSTALL_INACTIVE,
        K.SETTLE,
    ),
    (Branch.DELIVERED, Primitive.REMOVE): (K.CONSENT, K.DISCARD),
    (Branch.DEPLOYED, Primitive.ACTIVATE): (K.CONSENT, K.ACTIVATE, K.SETTLE),
    (Branch.DEPLOYED, Primitive.DEACTIVATE): (K.CONSENT, K.DEACTIVATE, K.SETTLE),
    (Branch.DEPLOYED, Primitive.REMOVE): (K.CONSENT, K.REMOVE, K.SETTLE),
    (Branch.DEPLOYED, Primitive.START): (K.CONSENT, K.START),
    (Branch.DEPLOYED, Primitive.STOP): (K.CONSENT, K.STOP),
}

OWN_PRIMITIVES: Final = (Primitive.START, Primitive.STOP)  # not of the standard


def operation_leaf(primitive: Primitive) -> str:
    """Return the path of a primitive's leaf below its item; ours stand below Ext (scomo §1.1)."""
    folder = "Operations/Ext" if primitive in OWN_PRIMITIVES else "Operations"
    return f"{folder}/{primitive}"


class Extra(StrEnum):
    """What policy or a package adds to a plan."""

    ADMIT = "admit"
    DISCLOSE = "disclose"
    REBOOT_BEFORE = "reboot before"
    REBOOT_AFTER = "reboot after"
    HEALTH = "health"


# Steps that change what is on the device; a plan has one of them at most.
CHANGES: Final = (K.INSTALL, K.INSTALL_INACTIVE, K.ACTIVATE, K.DEACTIVATE, K.REMOVE)
# Those whose effect is taken back when a later step fails; what is removed is gone.
UNDOABLE: Final = (K.INSTALL, K.INSTALL_INACTIVE, K.ACTIVATE, K.DEACTIVATE)
CONFIRMED: Final = "confirmed_by_server"  # key of Operation.data: a yes came with the order
HANDED: Final = "handed"  # the same: what is known of a file that was handed in at the device
OFFER: Final = "offer"  # key of Operation.data: what a medium said that brought the package
WISH: Final = "cancel"  # key of Operation.data: who wants it cancelled
NOTIFY_URL: Final = "notify_url"  # key of Operation.data: who else is told how it ended


class Cancel(StrEnum):
    """What cancelling means while a step is the current one; also what was done about it."""

    CANCELLED = "cancelled"
    UNDONE = "undone"
    WITHDRAWN = "withdrawn"
    COMMITTED = "committed"


# CANCELLED: nothing on the device has changed yet.  UNDONE: what earlier steps changed is
# taken back.  WITHDRAWN: as long as the installing side has not taken the order.
# COMMITTED: too late; the end is near anyway.
CANCELS: Final[Mapping[StepKind, Cancel]] = {
    K.CONSENT: Cancel.CANCELLED,
    K.ADMIT: Cancel.CANCELLED,
    K.ACQUIRE: Cancel.CANCELLED,
    K.VERIFY: Cancel.CANCELLED,
    K.DISCLOSE: Cancel.CANCELLED,
    K.DELIVER: Cancel.COMMITTED,
    K.INSTALL: Cancel.WITHDRAWN,
    K.INSTALL_INACTIVE: Cancel.WITHDRAWN,
    K.ACTIVATE: Cancel.WITHDRAWN,
    K.DEACTIVATE: Cancel.WITHDRAWN,
    K.REMOVE: Cancel.WITHDRAWN,
    K.START: Cancel.WITHDRAWN,
    K.STOP: Cancel.WITHDRAWN,
    K.REBOOT: Cancel.UNDONE,
    K.HEALTH: Cancel.UNDONE,
    K.DISCARD: Cancel.COMMITTED,
    K.SETTLE: Cancel.COMMITTED,
}


def cancel_of(operation: Operation) -> Cancel:
    """Return what cancelling means for an operation now.

    What was not begun, or waits to restart before the change, has nothing to undo;
    what the installing side cannot take back is done: a removal that waits for the
    restart after it is not cancelled.
    """
    if operation.phase is Phase.QUEUED:
        return Cancel.CANCELLED
    if not operation.phase.is_live or operation.phase is Phase.ROLLING_BACK:
        return Cancel.COMMITTED
    kind = CANCELS[operation.step]
    if kind is not Cancel.UNDONE:
        return kind
    done = [step for step in operation.plan[: operation.cursor] if step in CHANGES]
    if not done:
        return Cancel.CANCELLED
    return Cancel.UNDONE if done[-1] in UNDOABLE else Cancel.COMMITTED


def cancelled(operation: Operation, by: str) -> Operation:
    """Return the operation with the wish that it be cancelled; the engine follows it."""
    return replace(operation, data={**operation.data, WISH: by})


def blamed_step(operation: Operation) -> StepKind:
    """Return the step whose result a failure gives: health and reboot stand for the change."""
    step = operation.failed_step or StepKind.SETTLE
    if step not in (StepKind.HEALTH, StepKind.REBOOT):
        return step
    return next((each for each in operation.plan if each in CHANGES), step)


def plan_for(
    branch: Branch, primitive: Primitive, extras: frozenset[Extra] = frozenset()
) -> tuple[StepKind, ...]:
    """Return the plan with the extra steps in their places.

    Admission follows the consent; what a fetched package asks for is disclosed once it
    is verified, and as that may take a person long, it is admitted anew; a reboot stands
    right before or after what changes the device; health is looked at last, before the
    inventory, and only where something became active.
    """
    is_disclosed = branch is Branch.DOWNLOAD and primitive is not Primitive.DOWNLOAD
    plan: list[StepKind] = []
    for step in PLANS[branch, primitive]:
        if step in CHANGES and Extra.REBOOT_BEFORE in extras:
            plan.append(K.REBOOT)
        plan.append(step)
        asks = step is K.CONSENT
        if step is K.VERIFY and is_disclosed and Extra.DISCLOSE in extras:
            plan.append(K.DISCLOSE)
            asks = True
        if asks and Extra.ADMIT in extras:
            plan.append(K.ADMIT)
        if step in CHANGES and Extra.REBOOT_AFTER in extras:
            plan.append(K.REBOOT)
        if step in (K.INSTALL, K.ACTIVATE) and Extra.HEALTH in extras:
            plan.append(K.HEALTH)
    return tuple(plan)


@frozen
class Subject:
    """What the operation is about, copied from the tree when the Exec came.

    Later changes of the tree do not reach a running operation.  `component_id`
    is set for the Deployed branch, the package fields for the other two.
    """

    pkg_id: str = ""
    name: str = ""
    description: str = ""
    url: str = ""
    install_params: str = ""
    environment: str = ""
    pkg_type: str = ""
    component_id: str = ""
    version: str = ""
    acl: str = ""
    digest: str = ""
    reboot: str = ""


@frozen
class Operation:
    """One row of the journal.

    `steps` is the plan as it was when the Exec came, () for that of the table.
    `cursor` is the index of the current step, `attempts` how often that step was
    begun, `stores` how often the row was written (bounds a crash loop, I7),
    `data` what the steps left for each other (JSON values), `reason` and `detail`
    the first failure, `result` the SCOMO result of a finished operation.  `timeline`
    says when which phase and step began; the outbox writes `reported_s` and
    `report_status`: when and how the server took the report.
    """

    id: int
    branch: Branch
    primitive: Primitive
    node: str
    exec_uri: str
    server_id: str
    correlator: str | None = None
    subject: Subject
    phase: Phase = Phase.QUEUED
    steps: tuple[StepKind, ...] = ()
    cursor: int = 0
    attempts: int = 0
    stores: int = 0
    data: Mapping[str, object] = field(default_factory=dict)
    reason: Reason | None = None
    failed_step: StepKind | None = None
    detail: str = ""
    result: ResultCode | None = None
    created_s: float = 0.0
    changed_s: float = 0.0
    timeline: tuple[tuple[float, str, str], ...] = ()
    reported_s: float | None = None
    report_status: int | None = None

    @property
    def plan(self) -> tuple[StepKind, ...]:
        """The steps, in order."""
        return self.steps or PLANS[self.branch, self.primitive]

    @property
    def step(self) -> StepKind:
        """The current step."""
        return self.plan[self.cursor]


def name_of(operation: Operation) -> str:
    """Return what a person knows the software by."""
    subject = operation.subject
    return subject.name or subject.pkg_id or subject.component_id or operation.node
