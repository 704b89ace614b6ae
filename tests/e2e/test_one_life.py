# SPDX-License-Identifier: Apache-2.0
"""One package's life on the real thing: server, HTTPS, D-Bus, dpkg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.lab.packages import Recipe
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

HELLO = Recipe(
    name="hello-test",
    version="1.0",
    summary="a text",
    files={"usr/share/hello-test/text": "hello\n"},
)


def test_life_in_xml_without_a_helper_and_with_a_server_that_only_its_certificate_proves(
    tmp_path: Path,
) -> None:
    with Rig(tmp_path, runner="direct", with_server_auth=False) as rig:
        rig.override('[transport]\nencoding = "xml"\n')
        rig.bootstrap()
        rig.start_daemon()
        file = rig.root / "usr/share/hello-test/text"
        payload = rig.payload(HELLO)
        rig.until_up()

        order = rig.order_install(payload)
        assert rig.session()["outcome"] == "ok"
        assert rig.result_of(order) == 1200
        assert file.read_text() == "hello\n"
        assert rig.dpkg_state("hello-test") == "ii 1.0"
        for primitive, is_there in (("Deactivate", False), ("Activate", True), ("Remove", False)):
            order = rig.order("component", id="hello-test", primitive=primitive)
            assert rig.session()["outcome"] == "ok"
            assert rig.result_of(order) == 1200
            assert file.exists() is is_there, primitive
        assert rig.inventory() == {"deployed": [], "delivered": [], "download": []}
        assert [alert["result"] for alert in rig.alerts()] == [1200] * 4
        rig.until_reported()
