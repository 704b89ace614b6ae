# SPDX-License-Identifier: Apache-2.0
"""Consent on a whole device: put off, asked again in another life, accepted; rules apart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from scomod.codes import ResultCode
from scomod.operation import Phase
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.quiet_services import QuietService, upower
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path


def operation_of(rig: Rig, pkg_id: str) -> dict[str, Any]:
    (found,) = [each for each in rig.operations() if each["pkg_id"] == pkg_id]
    return dict(found)


def test_deferred_over_a_restart_asked_again_and_accepted(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.write_config(confirm="ask")
        rig.bootstrap()
        daemon = rig.start_daemon()
        rig.start_helper()
        rig.until_up()
        order = rig.order_install(deb_of(rig, Deb(name="asked")))
        assert rig.session()["outcome"] == "ok"

        rig.until(lambda: rig.status()["prompts_waiting"] == 1, "the prompt")
        (prompt,) = rig.prompts()
        first_deadline = prompt["deadline"]
        assert prompt["deferrals_left"] == 3
        assert prompt["reboot"] is False
        until = rig.scomoctl("defer", "2s")["until"]
        assert rig.status()["prompts_waiting"] == 0
        (operation,) = rig.operations()
        assert operation["consent"]["verdict"] == "deferred"
        assert (operation["deferrals"], operation["deferred_until"]) == (1, until)

        rig.kill(daemon)
        rig.start_daemon()
        rig.until_up()
        rig.until(lambda: rig.status()["prompts_waiting"] == 1, "the prompt, again")
        (prompt,) = rig.prompts()
        assert prompt["deferrals_left"] == 2
        assert abs(prompt["deadline"] - first_deadline) < 1
        assert rig.bench.packages.requests == [], "nothing is fetched before the answer"

        rig.start_agent("yes")
        assert rig.result_of(order) == ResultCode.SUCCESSFUL, rig.logs()
        assert rig.dpkg_state("asked") == "ii 1.0"
        (operation,) = rig.operations()
        consent = operation["consent"]
        assert (consent["verdict"], consent["how"]) == ("granted", "person")
        assert " of user " in consent["by"]
        rig.until(lambda: "asked is installed." in rig.logs(), "the agent told of the end")


RULES = """
[[confirm.rule]]
component = "quiet*"
mode = "silent"
[[confirm.rule]]
component = "never*"
mode = "refuse"
[admission]
on_mains_power = true
"""


def test_rules_tell_components_apart_and_what_may_begin_waits_for_mains_power(
    tmp_path: Path,
) -> None:
    with Rig(tmp_path) as rig:
        rig.write_config(confirm="ask", more=RULES)
        rig.bootstrap()
        rig.start_daemon()
        rig.start_helper()
        rig.until_up()
        power: QuietService = rig.in_bench(upower(rig.bus_address, on_battery=True))
        orders = {
            name: rig.order_install(deb_of(rig, Deb(name=name))) for name in ("quiet-one", "never")
        }
        assert rig.session()["outcome"] == "ok"

        assert rig.result_of(orders["never"]) == ResultCode.USER_CANCELLED
        refused = operation_of(rig, orders["never"].params["pkg_id"])
        assert (refused["consent"]["how"], refused["consent"]["by"]) == ("refuse", "rule 2")

        pkg_id = orders["quiet-one"].params["pkg_id"]
        rig.until(lambda: operation_of(rig, pkg_id)["step"] == "admit", "the wait for power")
        rig.until(lambda: operation_of(rig, pkg_id)["phase"] == Phase.WAITING, "the wait for power")
        assert rig.bench.packages.requests == []

        async def plug_in() -> None:
            power.change(value=False)
            await asyncio.sleep(0)

        rig.in_bench(plug_in())
        assert rig.result_of(orders["quiet-one"]) == ResultCode.SUCCESSFUL, rig.logs()
        consent = operation_of(rig, pkg_id)["consent"]
        assert (consent["how"], consent["by"]) == ("silent", "rule 1")
        rig.in_bench(power.close())
