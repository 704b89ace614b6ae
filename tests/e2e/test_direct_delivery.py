# SPDX-License-Identifier: Apache-2.0
"""A real package inside the DM session, in chunks, to dpkg (scomo §6.3, P6)."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING

from scomod.codes import ResultCode
from scomod.lab.packages import Recipe
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Order
    from scomod.lab.packages import Payload

NOISE = random.Random(1).randbytes(200_000).hex()  # noqa: S311 - for size
BIG = Recipe(name="big-test", version="1.0", summary="a text", files={"usr/share/big": NOISE})


def deliver(rig: Rig, payload: Payload, **params: str) -> Order:
    known = payload.order_params("")
    data = base64.b64encode(payload.path.read_bytes()).decode()
    return rig.order("deliver", **{**known, "data": data, **params})


def test_package_sent_in_chunks_is_installed_from_one_file_and_removed(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_daemon()
        rig.start_helper()
        payload = rig.payload(BIG)
        values = rig.root / "var/lib/scomod/values"
        rig.until_up()

        order = deliver(rig, payload)
        assert rig.session()["outcome"] == "ok"
        assert rig.result_of(order) == ResultCode.SUCCESSFUL
        assert rig.dpkg_state("big-test") == "ii 1.0"
        (delivered,) = rig.inventory()["delivered"]
        assert delivered["pkg_id"] == "big-test-1.0"
        assert [file.name for file in values.iterdir()] == [payload.sha256]
        assert list((rig.root / "var/lib/scomod/delivered").iterdir()) == []
        shown = rig.scomoctl("get", f"./SCOMO/Inventory/Delivered/{payload.name}/Data")
        assert (shown["size"], shown["value"]) == (size := payload.size_bytes, f"({size} octets)")

        wrong = deliver(rig, payload, node="wrong", params=f"sha256={'0' * 64}")
        unsigned = deliver(rig, payload, node="unsigned", params="")
        assert rig.session()["outcome"] == "ok"
        assert rig.result_of(wrong) == ResultCode.PACKAGE_VALIDATION_FAILED
        assert rig.result_of(unsigned) == ResultCode.PACKAGE_VALIDATION_FAILED

        removals = []
        for node in (payload.name, "wrong", "unsigned"):
            uri = f"./SCOMO/Inventory/Delivered/{node}/Operations/Remove"
            removals.append(rig.order("exec", uri=uri))
        assert rig.session()["outcome"] == "ok"
        assert [rig.result_of(each) for each in removals] == [ResultCode.SUCCESSFUL] * 3
        assert rig.inventory()["delivered"] == []
        assert list(values.iterdir()) == []
        assert rig.dpkg_state("big-test") == "ii 1.0"
        rig.until_reported()
