# SPDX-License-Identifier: Apache-2.0
"""What a device keeps and what it asks for, on the real thing: bench, HTTPS, D-Bus, dpkg."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scomod.lab.packages import Recipe
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

HELLO = Recipe(
    name="hello-test", version="1.0", summary="a text", files={"usr/share/hello-test/text": "hi\n"}
)


def test_history_tells_who_what_when_and_that_the_server_knows_and_a_request_is_answered(
    tmp_path: Path,
) -> None:
    with Rig(tmp_path, runner="direct") as rig:
        rig.override('[scomo]\nversion = "1.1"\n')
        rig.bootstrap()
        daemon = rig.start_daemon()
        rig.until_up()
        payloads = [rig.payload(replace(HELLO, version=version)) for version in ("1.0", "1.1")]
        for payload in payloads:
            order = rig.order_install(payload)
            assert rig.session()["outcome"] == "ok"
            assert rig.result_of(order) == 1200
        order = rig.order_install(payloads[0], url="https://127.0.0.1:1/gone.deb")
        assert rig.session()["outcome"] == "ok"
        assert rig.result_of(order, seconds=120) == 1501
        rig.until_reported()

        first, second, third = rig.scomoctl("history")
        assert first["components"] == [{"id": "hello-test", "before": "", "after": "1.0"}]
        assert second["components"] == [{"id": "hello-test", "before": "1.0", "after": "1.1"}]
        assert second["digest"] == payloads[1].sha256
        assert second["size"] == payloads[1].path.stat().st_size
        assert second["server"] == rig.account.server_id
        assert second["accepted"] <= second["begun"] <= second["finished"] <= second["reported_at"]
        assert (second["report_status"], second["result_text"]) == (200, "successful")
        assert third["result_text"] == "alternate download server unavailable"
        assert [e["id"] for e in rig.scomoctl("history", "--failed")] == [third["id"]]
        assert rig.scomoctl("history", "--server", "nobody") == []

        # a new life knows all of it, and one of them in full
        rig.kill(daemon)
        rig.start_daemon()
        rig.until_up()
        whole = rig.scomoctl("operations", "show", str(second["id"]))
        assert whole == second
        steps = [entry["step"] for entry in whole["timeline"]]
        assert steps[0] == "consent"
        assert steps.index("acquire") < steps.index("verify") < steps.index("install")
        rig.scomoctl("operations", "show", "999", code=1)
        refused = rig.scomoctl("operations", "cancel", str(second["id"]), code=None)
        assert "scomoctl: " in str(refused)

        # the person asks, and the server says what becomes of it
        answer = rig.scomoctl("request", "update", "hello-test")
        assert 200 <= answer["status"] < 300
        assert answer["source"] == "./SCOMO/Inventory/Deployed/hello-test"
        (asked,) = [each for each in rig.alerts() if each["type"].endswith("UpdateUserRequest")]
        assert (asked["correlator"], asked["target"]) == ("", "")
        assert asked["source"] == answer["source"]
        assert rig.status()["alerts_waiting"] == 0
