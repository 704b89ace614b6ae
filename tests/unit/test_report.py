# SPDX-License-Identifier: Apache-2.0
"""What a server is told at the end: every primitive, every outcome (scomo §4.1, §4.5)."""

from __future__ import annotations

import itertools

import pytest

from scomod.codes import ResultCode
from scomod.operation import PLANS, Branch, Operation, Phase, Primitive, Subject
from scomod.outbox import AlertItem
from scomod.quirk import Quirk
from scomod.report import Places, report

ROOT = "./SCOMO"
PKG, COMPONENT = "com.example.suite & more", "editor"
EVERY = sorted(PLANS)
INSTALLS = (
    Primitive.DOWNLOAD_INSTALL,
    Primitive.DOWNLOAD_INSTALL_INACTIVE,
    Primitive.INSTALL,
    Primitive.INSTALL_INACTIVE,
)
OPERATION_COMPLETE = "urn:oma:at:scomo:1.0:OperationComplete"


def operation(
    branch: Branch,
    primitive: Primitive,
    result: ResultCode = ResultCode.SUCCESSFUL,
    *,
    correlator: str | None = "job-1",
    components: tuple[str, ...] = (),
) -> Operation:
    is_component = branch is Branch.DEPLOYED
    subject = Subject(component_id=COMPONENT) if is_component else Subject(pkg_id=PKG)
    return Operation(
        id=7,
        branch=branch,
        primitive=primitive,
        node="x",
        exec_uri=f"{ROOT}/{branch}/x/Operations/{primitive}",
        server_id="srv",
        correlator=correlator,
        subject=subject,
        phase=Phase.SUCCEEDED if result is ResultCode.SUCCESSFUL else Phase.FAILED,
        data={"components": list(components)} if components else {},
        result=result,
        changed_s=99.0,
    )


def places(of: Operation, *components: str) -> Places:
    return Places(
        item=f"{ROOT}/{of.branch}/{of.node}",
        delivered=f"{ROOT}/Inventory/Delivered/{of.node}",
        components={name: f"{ROOT}/Inventory/Deployed/{name}" for name in components},
    )


def data(code: int, identifier: str) -> str:
    return f"<ResultCode>{code}</ResultCode><Identifier>{identifier}</Identifier>"


def expected_item(branch: Branch, primitive: Primitive, *, is_ok: bool) -> tuple[str, str]:
    """The target and identifier of one primitive, by the table of scomo §4.1."""
    if branch is Branch.DEPLOYED:
        return f"{ROOT}/Inventory/Deployed/x", COMPONENT
    if is_ok and primitive in INSTALLS:
        return f"{ROOT}/Inventory/Deployed/a", "a"
    if is_ok and primitive is Primitive.DOWNLOAD:
        return f"{ROOT}/Inventory/Delivered/x", "com.example.suite &amp; more"
    return f"{ROOT}/{branch}/x", "com.example.suite &amp; more"


@pytest.mark.parametrize(("branch", "primitive"), EVERY)
def test_every_primitive_and_outcome_is_told_by_the_table(
    branch: Branch, primitive: Primitive
) -> None:
    made = ("a",) if primitive in INSTALLS else ()
    for result, correlator in itertools.product(ResultCode, ("job-1", None)):
        done = operation(branch, primitive, result, correlator=correlator, components=made)
        alert = report(done, places(done, *made))
        is_ok = result is ResultCode.SUCCESSFUL
        assert alert.source == f"{ROOT}/{branch}/x/Operations/{primitive}"
        assert (alert.type, alert.correlator) == (OPERATION_COMPLETE, correlator)
        assert alert.mark == ("informational" if is_ok else "critical")
        assert (alert.server_id, alert.operation_id, alert.created_s) == ("srv", 7, 99.0)
        target, identifier = expected_item(branch, primitive, is_ok=is_ok)
        assert alert.items == (AlertItem(target=target, data=data(result, identifier)),)


@pytest.mark.parametrize("primitive", INSTALLS[:2])
def test_each_component_of_a_package_has_its_item_in_the_order_of_installation(
    primitive: Primitive,
) -> None:
    done = operation(Branch.DOWNLOAD, primitive, components=("z", "a", "m"))
    alert = report(done, places(done, "z", "a", "m"))
    assert [item.target.rpartition("/")[2] for item in alert.items] == ["z", "a", "m"]
    assert [item.data for item in alert.items] == [data(1200, name) for name in ("z", "a", "m")]


def test_failure_of_several_components_is_told_once_for_the_package() -> None:
    done = operation(
        Branch.DOWNLOAD,
        Primitive.DOWNLOAD_INSTALL,
        ResultCode.ACTIVATE_FAILED,
        components=("a", "b"),
    )
    (item,) = report(done, places(done, "a", "b")).items
    assert item == AlertItem(
        target=f"{ROOT}/Download/x", data=data(1409, "com.example.suite &amp; more")
    )


def test_component_that_is_not_shown_is_told_at_the_package() -> None:
    done = operation(Branch.DELIVERED, Primitive.INSTALL, components=("hidden",))
    hidden = Places(item=f"{ROOT}/Inventory/Delivered/x", delivered="", components={"hidden": ""})
    (item,) = report(done, hidden).items
    assert item == AlertItem(target=f"{ROOT}/Inventory/Delivered/x", data=data(1200, "hidden"))


@pytest.mark.parametrize(
    ("quirk", "expected"),
    [
        (None, (OPERATION_COMPLETE, "critical", f"{ROOT}/Inventory/Deployed/x", COMPONENT)),
        (
            Quirk.REPORT_TYPE_2008,
            (
                "org.openmobilealliance.dm.softwarecomponent.OperationComplete",
                "critical",
                f"{ROOT}/Inventory/Deployed/x",
                COMPONENT,
            ),
        ),
        (
            Quirk.REPORT_MARK_WARNING,
            (OPERATION_COMPLETE, "warning", f"{ROOT}/Inventory/Deployed/x", COMPONENT),
        ),
        (
            Quirk.REPORT_IDENTIFIER_NODE,
            (OPERATION_COMPLETE, "critical", f"{ROOT}/Inventory/Deployed/x", "x"),
        ),
        (Quirk.REPORT_NO_COMPONENT_TARGET, (OPERATION_COMPLETE, "critical", "", COMPONENT)),
    ],
)
def test_habit_of_a_server_is_met(quirk: Quirk | None, expected: tuple[str, ...]) -> None:
    done = operation(Branch.DEPLOYED, Primitive.REMOVE, ResultCode.REMOVE_FAILED)
    alert = report(done, places(done), frozenset({quirk} if quirk else ()))
    (item,) = alert.items
    kind, mark, target, identifier = expected
    assert (alert.type, alert.mark, item.target) == (kind, mark, target)
    assert item.data == data(1408, identifier)
