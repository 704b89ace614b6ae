# SPDX-License-Identifier: Apache-2.0
"""Which extra steps an operation gets, and where they stand in its plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scomod.extras import extras_for
from scomod.operation import PLANS, Branch, Extra, Primitive, StepKind, operation_leaf, plan_for
from scomod.settings import Health, Reboot, Settings
from tests.support.operations import PACKAGE, an_operation

K, E = StepKind, Extra


def extras(
    settings: Settings, reboot: str = "", *, is_admitted: bool = False, discloses: bool = False
) -> frozenset[Extra]:
    operation = an_operation(subject=replace(PACKAGE, reboot=reboot))
    return extras_for(settings, lambda _operation: is_admitted, lambda _operation: discloses)(
        operation
    )


@pytest.mark.spec("scomo 6.2")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("none", ()),
        ("Before", (E.REBOOT_BEFORE,)),
        (" after ", (E.REBOOT_AFTER,)),
        ("both", (E.REBOOT_BEFORE, E.REBOOT_AFTER)),
        ("0", ()),
        ("2", (E.REBOOT_AFTER,)),
        ("9", ()),
        ("at noon", ()),
    ],
)
def test_reboot_leaf_is_words_or_numbers_and_else_nothing(
    value: str, expected: tuple[Extra, ...]
) -> None:
    assert extras(Settings(), value) == frozenset(expected)


def test_numbers_of_the_reboot_leaf_are_configured() -> None:
    settings = Settings(reboot=Reboot(numbers=("both", "none")))
    assert extras(settings, "0") == {E.REBOOT_BEFORE, E.REBOOT_AFTER}


def test_device_that_never_restarts_does_not_for_the_leaf_either() -> None:
    assert extras(Settings(reboot=Reboot(by="never")), "both") == frozenset()


def test_health_and_admission_come_from_the_configuration() -> None:
    assert extras(Settings(health=Health(time_s=5.0))) == {E.HEALTH}
    assert extras(Settings(), is_admitted=True) == {E.ADMIT}


def test_disclosure_comes_from_the_kind_of_package() -> None:
    assert extras(Settings(), discloses=True) == {E.DISCLOSE}


def test_extra_steps_stand_in_their_places() -> None:
    plan = plan_for(Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL, frozenset(Extra))
    assert plan == (
        K.CONSENT,
        K.ADMIT,
        K.ACQUIRE,
        K.VERIFY,
        K.DISCLOSE,
        K.ADMIT,
        K.REBOOT,
        K.INSTALL,
        K.REBOOT,
        K.HEALTH,
        K.SETTLE,
    )


@pytest.mark.parametrize(("branch", "primitive"), PLANS, ids=lambda v: str(v))
def test_health_is_looked_at_only_where_something_became_active(
    branch: Branch, primitive: Primitive
) -> None:
    plan = plan_for(branch, primitive, frozenset({E.HEALTH}))
    becomes_active = K.INSTALL in plan or K.ACTIVATE in plan
    assert (K.HEALTH in plan) is becomes_active
    assert plan[0] is K.CONSENT, "one consent covers all"


@pytest.mark.parametrize(("branch", "primitive"), PLANS, ids=lambda v: str(v))
def test_only_what_is_fetched_and_installed_in_one_is_disclosed_by_a_second_question(
    branch: Branch, primitive: Primitive
) -> None:
    plan = plan_for(branch, primitive, frozenset({E.DISCLOSE}))
    is_both = K.ACQUIRE in plan and K.DELIVER not in plan
    assert (K.DISCLOSE in plan) is is_both
    assert not is_both or plan[plan.index(K.DISCLOSE) - 1] is K.VERIFY


def test_leaves_of_our_own_stand_below_ext() -> None:
    leaves = {primitive: operation_leaf(primitive) for primitive in Primitive}
    assert leaves[Primitive.START] == "Operations/Ext/Start"
    assert leaves[Primitive.STOP] == "Operations/Ext/Stop"
    assert leaves[Primitive.ACTIVATE] == "Operations/Activate"
