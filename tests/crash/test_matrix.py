# SPDX-License-Identifier: Apache-2.0
"""`kill -9` at every step boundary: the same story ends the same way (DESIGN I6, §12).

Real processes: in each operation the chosen boundaries kill the daemon or the helper once,
one after another, and it is started again each time.  Every kind of operation at every
boundary, without the processes, is `test_every_step.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.lab.packages import Recipe
from scomod.operation import PLANS, Branch, Primitive
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Order

pytestmark = pytest.mark.timeout(900)  # dozens of processes each; machines differ
HELLO = Recipe(
    name="hello-crash", version="1.0", summary="a text", files={"usr/share/hello-crash/t": "x\n"}
)
LIFE = (
    (Branch.DOWNLOAD, Primitive.DOWNLOAD_INSTALL),
    (Branch.DEPLOYED, Primitive.REMOVE),
)
IN_INSTALL = ("payload", "verified")  # the only order with a payload
HELPER_BOUNDARIES = (("taken", "verified", "after-tool", "result"),)


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
    assert rig.dpkg_audit() == ""
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
        told = rig.reports(order)
        assert told
        assert all(alert == told[0] for alert in told), told
        assert len(told) <= 2
    assert {alert["correlator"] for alert in rig.alerts()} == {o.correlator for o in orders}
    assert len(rig.operations()) == len(orders), "no operation was run twice"


def live_through(rig: Rig, program: str, deadly: list[str], order: Order) -> None:
    """Start the program again after each death, until the order is reported."""
    rig.diary.write_text("")
    mortal = rig.start_dying(program, deadly)
    rig.until_up()
    rig.session()
    while order.result is None:
        rig.until(lambda: mortal.poll() is not None or order.result is not None, "what comes")  # noqa: B023
        if mortal.poll() is not None:
            assert mortal.returncode == -9, rig.logs()
            mortal = rig.start_dying(program, deadly)
    assert order.result == 1200, rig.logs()
    assert set(rig.diary.read_text().splitlines()) == set(deadly)
    if mortal.poll() is None:
        rig.stop(mortal)


@pytest.mark.parametrize("moment", ["done"])
def test_daemon_killed_at_every_step_boundary_finishes_the_story(
    tmp_path: Path, moment: str
) -> None:
    orders: list[Order] = []
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_helper()
        for branch, primitive in LIFE:
            deadly = [f"{step} {moment}" for step in PLANS[branch, primitive]]
            orders.append(order_of(rig, primitive))
            live_through(rig, "daemon", deadly, orders[-1])
            daemon = rig.start_daemon()
            rig.until_up()
            rig.until_reported()
            check_after(rig, primitive)
            check_reports(rig, orders)
            rig.stop(daemon)


@pytest.mark.parametrize("boundaries", HELPER_BOUNDARIES, ids="+".join)
def test_helper_killed_at_every_boundary_finishes_the_story(
    tmp_path: Path, boundaries: tuple[str, ...]
) -> None:
    orders: list[Order] = []
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_daemon()
        for _, primitive in LIFE:
            is_install = primitive is Primitive.DOWNLOAD_INSTALL
            deadly = [name for name in boundaries if is_install or name not in IN_INSTALL]
            orders.append(order_of(rig, primitive))
            live_through(rig, "helper", deadly, orders[-1])
            rig.until_reported()
            check_after(rig, primitive)
            check_reports(rig, orders)


@pytest.mark.parametrize(("step", "result"), [("install", 1407)])
def test_daemon_killed_while_failing_still_reports_the_first_failure(
    tmp_path: Path, step: str, result: int
) -> None:
    deadly = [f"{step} {moment}" for moment in ("failed", "undone", "reported")]
    with Rig(tmp_path, confirm="refuse" if step == "consent" else "silent") as rig:
        rig.bootstrap()
        rig.start_helper()
        daemon = rig.start_dying("daemon", deadly)
        rig.until_up()
        url = f"{rig.bench.base_url}/packages/absent.deb" if step == "acquire" else ""
        payload = rig.no_package() if step == "install" else rig.payload(HELLO)
        order = rig.order_install(payload, url)
        rig.session()
        for _ in deadly:
            rig.until(lambda: daemon.poll() is not None, "the death")  # noqa: B023
            daemon = rig.start_dying("daemon", deadly)
        rig.until_up()
        assert rig.result_of(order) == result, rig.logs()
        rig.until_reported()
        check_reports(rig, [order])
        assert rig.dpkg_state("hello-crash") == ""
        assert rig.spool() == []
