"""Operations and their steps: values and tables, no I/O (design §7).

An operation is what one Exec asked for.  Its plan is a row of `PLANS`; the
engine walks it and journals every transition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.codes import ResultCode
    from scomod.errors import Reason


class Primitive(StrEnum):
    """The primitives of SCOMO, spelled as the nodes (scomo §1.1)."""

    DOWNLOAD = "Download"
    DOWNLOAD_INSTALL = "DownloadInstall"
    DOWNLOAD_INSTALL_INACTIVE = "DownloadInstallInactive"
    INSTALL = "Install"
    INSTALL_INACTIVE = "InstallInactive"
    REMOVE = "Remove"
    ACTIVATE = "Activate"
    DEACTIVATE = "Deactivate"


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
    DELIVER = "deliver"
    INSTALL = "install"
    INSTALL_INACTIVE = "install inactive"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    REBOOT = "reboot"
    HEALTH = "health"
    REMOVE = "remove"
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
}


class Extra(StrEnum):
    """What policy or a package adds to a plan."""

    ADMIT = "admit"
    REBOOT_BEFORE = "reboot before"
    REBOOT_AFTER = "reboot after"
    HEALTH = "health"


CHANGES: Final = (K.INSTALL, K.INSTALL_INACTIVE, K.ACTIVATE, K.DEACTIVATE, K.REMOVE)


def plan_for(
    branch: Branch, primitive: Primitive, extras: frozenset[Extra] = frozenset()
) -> tuple[StepKind, ...]:
    """Return the plan with the extra steps in their places.

    Admission follows the consent; a reboot stands right before or after what changes
    the device; health is looked at last, before the inventory, and only where
    something became active.
    """
    plan: list[StepKind] = []
    for step in PLANS[branch, primitive]:
        if step in CHANGES and Extra.REBOOT_BEFORE in extras:
            plan.append(K.REBOOT)
        plan.append(step)
        if step is K.CONSENT and Extra.ADMIT in extras:
            plan.append(K.ADMIT)
        if step in CHANGES and Extra.REBOOT_AFTER in extras:
            plan.append(K.REBOOT)
        if step in (K.INSTALL, K.ACTIVATE) and Extra.HEALTH in extras:
            plan.append(K.HEALTH)
    return tuple(plan)


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the journal.

    `steps` is the plan as it was when the Exec came, () for that of the table.
    `cursor` is the index of the current step, `attempts` how often that step was
    begun, `stores` how often the row was written (bounds a crash loop, I7),
    `data` what the steps left for each other (JSON values), `reason` and `detail`
    the first failure, `result` the SCOMO result of a finished operation.
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

    @property
    def plan(self) -> tuple[StepKind, ...]:
        """The steps, in order."""
        return self.steps or PLANS[self.branch, self.primitive]

    @property
    def step(self) -> StepKind:
        """The current step."""
        return self.plan[self.cursor]
