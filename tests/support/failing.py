# SPDX-License-Identifier: Apache-2.0
"""What must hold after an operation that failed, whatever it failed of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scomod.codes import ResultCode
    from scomod.lab.devices import Order
    from scomod.lab.packages import Payload
    from tests.support.debs import Deb
    from tests.support.rig import Rig


def deb_of(rig: Rig, deb: Deb) -> Payload:
    """Build an archive where the bench serves it."""
    return rig.signed(deb.build(rig.bench.packages.directory), deb.name, deb.version)


def check_failed(rig: Rig, order: Order, result: ResultCode, words: str) -> None:
    """One report, one sentence, nothing installed, nothing left in the spool."""
    assert rig.session()["outcome"] == "ok"
    assert rig.result_of(order) == result, rig.logs()
    rig.until_reported()
    (report,) = rig.reports(order)
    assert report["mark"] == "critical"
    operation = rig.operations()[-1]
    assert (operation["phase"], operation["result"]) == ("failed", result)
    assert words in operation["detail"]
    assert rig.spool() == []
    assert rig.dpkg_state(order.params["node"]) == ""
    assert rig.dpkg_audit() == ""
    assert not (rig.root / f"usr/share/{order.params['node']}").exists()
