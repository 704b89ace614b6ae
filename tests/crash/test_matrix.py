"""`kill -9` at every step boundary: the same story ends the same way (DESIGN I6, §12).

One case is one boundary.  The whole life of a package is played, and in every
operation that has the boundary the process dies there once and is started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.lab.packages import Recipe
from scomod.operation import PLANS, Branch, Primitive
from tests.support.rig import Rig

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from scomod.lab.devices import Order

HELLO = Recipe(
    name="hello-crash", version="1.0", summary="a text", files={"usr/share/hello-crash/t": "x\n"}
)
LIFE = (
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL),
    (Branch.DEPLOYED, Primitive.DEACTIVATE),
    (Branch.DEPLOYED, Primitive.ACTIVATE),
    (Branch.DEPLOYED, Primitive.REMOVE),
)
STEPS = sorted({step for plan in LIFE for step in PLANS[plan]})
MOMENTS = ("begun", "done", "kept")
HELPER_BOUNDARIES = (
    "taken", "payload", "verified", "before-tool", "after-tool", "indexed", "result",
)  # fmt: skip


def order_of(rig: Rig, primitive: Primitive) -> Order:
    if primitive is Primitive.DOWNLOAD_INSTALL:
        return rig.order_install(rig.payload(HELLO))
    return rig.order("component", id="hello-crash", primitive=str(primitive))


def check_after(rig: Rig, primitive: Primitive) -> None:
    """What must hold after an operation, however often something died in it."""
    file = rig.root / "usr/share/hello-crash/t"
    is_there = primitive in (Primitive.DOWNLOAD_INSTALL, Primitive.ACTIVATE)
    assert file.exists() is is_there
    assert rig.dpkg_state("hello-crash") in (("ii 1.0",) if is_there else ("", "un"))
    assert rig.operations()[-1]["phase"] == "succeeded"
    deployed = rig.inventory()["deployed"]
    if primitive is Primitive.REMOVE:
        assert deployed == []
    else:
        (component,) = deployed
        assert component["state"] == ("active" if is_there else "inactive")
        assert component["status"] == 10


def check_reports(rig: Rig, orders: list[Order]) -> None:
    """Every operation is reported with its correlator and one result; repeats are identical."""
    for order in orders:
        told = [
            {key: value for key, value in alert.items() if key not in ("at_s", "session")}
            for alert in rig.alerts()
            if alert["correlator"] == order.correlator
        ]
        assert told
        assert all(alert == told[0] for alert in told), told
        assert len(told) <= 2
    assert {alert["correlator"] for alert in rig.alerts()} == {o.correlator for o in orders}
    rig.until(lambda: rig.status()["alerts_waiting"] == 0, "all reports taken")
    assert len(rig.operations()) == len(orders), "no operation was run twice"


def play(
    rig: Rig,
    dies_in: Callable[[Branch, Primitive], bool],
    start_dying: Callable[[], subprocess.Popen[bytes]],
    start_again: Callable[[], subprocess.Popen[bytes]],
) -> None:
    """Live the whole life, with one process dying in the chosen operations."""
    orders: list[Order] = []
    mortal = start_again()
    rig.until_up()
    for branch, primitive in LIFE:
        is_deadly = dies_in(branch, primitive)
        if is_deadly:
            rig.stop(mortal)
            mortal = start_dying()
            rig.until_up()
        orders.append(order_of(rig, primitive))
        rig.session()
        if is_deadly:
            dying = mortal
            rig.until(lambda: dying.poll() is not None, f"the death in {primitive}")  # noqa: B023
            assert dying.returncode == -9, rig.logs()
            mortal = start_again()
            rig.until_up()
        assert rig.result_of(orders[-1]) == 1200, rig.logs()
        rig.until(lambda: rig.status()["alerts_waiting"] == 0, "the report taken")
        check_after(rig, primitive)
    check_reports(rig, orders)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", STEPS)
def test_daemon_killed_at_a_step_boundary_finishes_the_story(
    tmp_path: Path, step: str, moment: str
) -> None:
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_helper()
        play(
            rig,
            dies_in=lambda branch, primitive: step in PLANS[branch, primitive],
            start_dying=lambda: rig.start_daemon(die_at=f"{step} {moment}"),
            start_again=rig.start_daemon,
        )


@pytest.mark.parametrize("boundary", HELPER_BOUNDARIES)
def test_helper_killed_at_a_boundary_finishes_the_story(tmp_path: Path, boundary: str) -> None:
    only_install = boundary in ("payload", "verified")

    def dies_in(_: Branch, primitive: Primitive) -> bool:
        return primitive is Primitive.DOWNLOAD_INSTALL or not only_install

    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_daemon()
        play(
            rig,
            dies_in=dies_in,
            start_dying=lambda: rig.start_helper(die_at=boundary),
            start_again=rig.start_helper,
        )


@pytest.mark.parametrize("moment", ["failed", "undone", "reported"])
@pytest.mark.parametrize("step", ["consent", "acquire", "install"])
def test_daemon_killed_while_failing_still_reports_the_first_failure(
    tmp_path: Path, step: str, moment: str
) -> None:
    expected = {"consent": 1401, "acquire": 1402, "install": 1407}[step]
    with Rig(tmp_path, confirm="refuse" if step == "consent" else "silent") as rig:
        rig.bootstrap()
        rig.start_helper()
        daemon = rig.start_daemon(die_at=f"{step} {moment}")
        rig.until_up()
        url = ""
        payload = rig.payload(HELLO)
        if step == "acquire":
            url = f"{rig.bench.base_url}/packages/absent.deb"
        if step == "install":
            payload = rig.no_package()
        order = rig.order_install(payload, url)
        rig.session()
        rig.until(lambda: daemon.poll() is not None, "the death")
        rig.start_daemon()
        rig.until_up()
        assert rig.result_of(order) == expected, rig.logs()
        check_reports(rig, [order])
        assert rig.dpkg_state("hello-crash") == ""
        assert list((rig.root / "var/lib/scomod/spool").iterdir()) == []
