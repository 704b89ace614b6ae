# SPDX-License-Identifier: Apache-2.0
"""Every transition of scomo §2.5, well and badly ended: tree, device, report.

A row is an Exec on a package or component of its own name, written {x}.  `walk` is
every Status the node had since the Exec, in order (None: it went).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import pytest

from scomod.codes import (
    ComponentState,
    DeliveredStatus,
    DeployedStatus,
    DownloadStatus,
    PackageState,
    ResultCode,
)
from scomod.lab.packageserver import Fault
from tests.support.bed import IDLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.lab.devices import Order
    from scomod.lab.packages import Payload
    from tests.support.bed import Bed

ACTIVE, INACTIVE = int(ComponentState.ACTIVE), int(ComponentState.INACTIVE)
FETCHES, FETCHED = DownloadStatus.DOWNLOAD_PROGRESSING, DownloadStatus.DOWNLOAD_COMPLETE
INSTALLS = DownloadStatus.INSTALL_PROGRESSING
ON, OFF = "i 1.0", ""  # what dpkg has, whatever it was asked for
DOWNLOAD, DELIVERED, DEPLOYED = "Download/{x}", "Inventory/Delivered/{x}", "Inventory/Deployed/{x}"


class Given(Enum):
    """How far a package has come before the Exec: the primitive that brings it there."""

    ANNOUNCED = ""
    DELIVERED = "Download"
    ACTIVE = "DownloadInstall"
    INACTIVE = "DownloadInstallInactive"


class Spoilt(Enum):
    """What goes wrong."""

    NOTHING = "ends well"
    FETCH = "nothing to fetch"
    INSTALLATION = "postinst fails"
    REMOVAL = "prerm fails"
    PERSON = "the person says no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One Exec and all that must be true of it."""

    id: str
    item: str
    primitive: str
    given: Given = Given.ANNOUNCED
    spoilt: Spoilt = Spoilt.NOTHING
    walk: tuple[int | None, ...]
    tree: Mapping[str, int | str | None] = field(default_factory=dict)
    device: str
    target: str = ""
    result: ResultCode = ResultCode.SUCCESSFUL

    @property
    def text(self) -> str:
        """What the row is called in the test's name."""
        return f"{self.id} {self.primitive} {self.spoilt.value}"

    def name(self) -> str:
        """The name of the row's package."""
        return f"{self.id}-{self.spoilt.name}".lower().replace(" ", "-")


T1: dict[str, int | str | None] = {
    f"{DELIVERED}/State": int(PackageState.DELIVERED),
    f"{DELIVERED}/PkgID": "{x}-1.0",
    f"{DELIVERED}/Name": "{x}",
    f"{DELIVERED}/Status": int(DeliveredStatus.IDLE),
    DEPLOYED: None,
}
NOTHING_CAME: dict[str, int | str | None] = {DELIVERED: None, DEPLOYED: None}


def deployed(state: int, status: int = DeployedStatus.IDLE) -> dict[str, int | str | None]:
    return {
        f"{DEPLOYED}/State": state,
        f"{DEPLOYED}/Status": int(status),
        f"{DEPLOYED}/ID": "{x}",
        f"{DEPLOYED}/PkgIDRef": "{x}-1.0",
        f"{DEPLOYED}/Version": "1.0",
        DOWNLOAD: None,
    }


def delivered(state: int, status: int = DeliveredStatus.IDLE) -> dict[str, int | str | None]:
    return {f"{DELIVERED}/State": state, f"{DELIVERED}/Status": int(status)}


KEPT = delivered(PackageState.INSTALLED)
STILL = delivered(PackageState.DELIVERED, DeliveredStatus.INSTALL_FAILED_WITH_DATA)
TO_INSTALL = (DeliveredStatus.INSTALL_PROGRESSING, DeliveredStatus.IDLE)
NOT_INSTALLED = (
    DeliveredStatus.INSTALL_PROGRESSING,
    DeliveredStatus.INSTALL_FAILED_WITH_DATA,
)
FAILED = ResultCode.INSTALL_FAILED
REFUSED = ResultCode.USER_CANCELLED

ROWS = (
    Row(id="T1 P3", item=DOWNLOAD, primitive="Download", walk=(FETCHES, FETCHED, None),
        tree=T1 | {DOWNLOAD: None}, device=OFF, target=DELIVERED),
    Row(id="T1 N2", item=DOWNLOAD, primitive="Download", spoilt=Spoilt.FETCH,
        walk=(FETCHES, DownloadStatus.DOWNLOAD_FAILED), tree=NOTHING_CAME, device=OFF,
        result=ResultCode.DOWNLOAD_FAILED),
    Row(id="T2 P4", item=DOWNLOAD, primitive="DownloadInstall",
        walk=(FETCHES, FETCHED, INSTALLS, None), tree=deployed(ACTIVE), device=ON,
        target=DEPLOYED),
    Row(id="T2", item=DOWNLOAD, primitive="DownloadInstall", spoilt=Spoilt.INSTALLATION,
        walk=(FETCHES, FETCHED, INSTALLS, DownloadStatus.INSTALL_FAILED_WITHOUT_DATA),
        tree=NOTHING_CAME, device=OFF, result=FAILED),
    Row(id="T2 N1", item=DOWNLOAD, primitive="DownloadInstall", spoilt=Spoilt.PERSON,
        walk=(FETCHES, DownloadStatus.DOWNLOAD_FAILED), tree=NOTHING_CAME, device=OFF,
        result=REFUSED),
    Row(id="T3 P5", item=DOWNLOAD, primitive="DownloadInstallInactive",
        walk=(FETCHES, FETCHED, INSTALLS, None), tree=deployed(INACTIVE), device=OFF,
        target=DEPLOYED),
    Row(id="T4", item=DELIVERED, primitive="Install", given=Given.DELIVERED, walk=TO_INSTALL,
        tree=deployed(ACTIVE) | KEPT, device=ON, target=DEPLOYED),
    Row(id="T4", item=DELIVERED, primitive="Install", given=Given.DELIVERED,
        spoilt=Spoilt.INSTALLATION, walk=NOT_INSTALLED, tree=STILL | {DEPLOYED: None},
        device=OFF, result=FAILED),
    Row(id="T5", item=DELIVERED, primitive="InstallInactive", given=Given.DELIVERED,
        walk=TO_INSTALL, tree=deployed(INACTIVE) | KEPT, device=OFF, target=DEPLOYED),
    Row(id="T6 P8", item=DELIVERED, primitive="Remove", given=Given.DELIVERED,
        walk=(DeliveredStatus.REMOVE_PROGRESSING, None), tree={DELIVERED: None}, device=OFF),
    Row(id="T6 N1", item=DELIVERED, primitive="Remove", given=Given.DELIVERED,
        spoilt=Spoilt.PERSON,
        walk=(DeliveredStatus.REMOVE_PROGRESSING, DeliveredStatus.REMOVE_FAILED),
        tree=delivered(PackageState.DELIVERED, DeliveredStatus.REMOVE_FAILED), device=OFF,
        result=REFUSED),
    Row(id="T7", item=DEPLOYED, primitive="Activate", given=Given.INACTIVE,
        walk=(DeployedStatus.ACTIVATE_PROGRESSING, DeployedStatus.IDLE),
        tree=deployed(ACTIVE), device=ON),
    Row(id="T7", item=DEPLOYED, primitive="Activate", given=Given.INACTIVE,
        spoilt=Spoilt.INSTALLATION,
        walk=(DeployedStatus.ACTIVATE_PROGRESSING, DeployedStatus.ACTIVATE_FAILED),
        tree=deployed(INACTIVE, DeployedStatus.ACTIVATE_FAILED), device=OFF,
        result=ResultCode.ACTIVATE_FAILED),
    Row(id="T8", item=DEPLOYED, primitive="Deactivate", given=Given.ACTIVE,
        walk=(DeployedStatus.DEACTIVATE_PROGRESSING, DeployedStatus.IDLE),
        tree=deployed(INACTIVE), device=OFF),
    Row(id="T8", item=DEPLOYED, primitive="Deactivate", given=Given.ACTIVE,
        spoilt=Spoilt.REMOVAL,
        walk=(DeployedStatus.DEACTIVATE_PROGRESSING, DeployedStatus.DEACTIVATE_FAILED),
        tree=deployed(ACTIVE, DeployedStatus.DEACTIVATE_FAILED), device=ON,
        result=ResultCode.DEACTIVATE_FAILED),
    Row(id="T9", item=DEPLOYED, primitive="Remove", given=Given.ACTIVE,
        walk=(DeployedStatus.REMOVE_PROGRESSING, None), tree={DEPLOYED: None}, device=OFF),
    Row(id="T9", item=DEPLOYED, primitive="Remove", given=Given.ACTIVE,
        spoilt=Spoilt.REMOVAL,
        walk=(DeployedStatus.REMOVE_PROGRESSING, DeployedStatus.REMOVE_FAILED),
        tree=deployed(ACTIVE, DeployedStatus.REMOVE_FAILED), device=ON,
        result=ResultCode.REMOVE_FAILED),
)  # fmt: skip


def spoil(bed: Bed, row: Row, payload: Payload) -> None:
    """Arrange what goes wrong."""
    for script, kind in (("postinst", Spoilt.INSTALLATION), ("prerm", Spoilt.REMOVAL)):
        if row.spoilt is kind:
            bed.spoil(row.name(), script)
    if row.spoilt is Spoilt.FETCH:
        bed.rig.bench.packages.set_fault(payload.path.name, Fault.NOT_FOUND)
    if row.spoilt is Spoilt.PERSON:
        bed.unwanted.add(row.name())


def ordered(bed: Bed, row: Row, payload: Payload) -> Order:
    if row.item == DOWNLOAD:
        return bed.rig.order_install(payload, primitive=row.primitive)
    return bed.exec(row.item.format(x=row.name()), row.primitive)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.text)
def test_transition(bed: Bed, row: Row) -> None:
    name = row.name()
    item, target = (text.format(x=name) for text in (row.item, row.target or row.item))
    payload = bed.package(name)
    if row.given is not Given.ANNOUNCED:
        bed.done(bed.rig.order_install(payload, primitive=row.given.value))
    before = len(bed.walk(item))
    spoil(bed, row, payload)
    order = ordered(bed, row, payload)
    bed.run(order)

    walked = bed.walk(item)[before:]
    assert walked[walked[:1] == [IDLE] :] == list(row.walk)
    wanted = {uri.format(x=name): value for uri, value in row.tree.items()}
    found = {uri: bed.value(uri) for uri in wanted}
    assert found == {
        uri: value if value is None else str(value).format(x=name) for uri, value in wanted.items()
    }
    assert bed.device(name) == row.device
    assert (bed.rig.root / f"usr/share/{name}").exists() is (row.device == ON)
    wanted_report = bed.report(
        order,
        source=f"{item}/Operations/{row.primitive}",
        target=target,
        identifier=name if DEPLOYED.format(x=name) == target else f"{name}-1.0",
        result=row.result,
    )
    assert bed.rig.reports(order) == [wanted_report]
