"""One package's life on the real thing: server, HTTPS, D-Bus, dpkg."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize("runner", ["spool", "direct"])
def test_install_deactivate_activate_remove_are_done_and_reported(
    tmp_path: Path, runner: str
) -> None:
    with Rig(tmp_path, runner=runner) as rig:
        rig.bootstrap()
        rig.start_daemon()
        if runner == "spool":
            rig.start_helper()
        file = rig.root / "usr/share/hello-test/text"
        payload = rig.payload(HELLO)
        rig.until_up()

        order = rig.order_install(payload)
        assert rig.session()["outcome"] == "ok"
        assert rig.result_of(order) == 1200
        assert file.read_text() == "hello\n"
        assert rig.dpkg_state("hello-test") == "ii 1.0"
        (component,) = rig.inventory()["deployed"]
        assert (component["id"], component["version"], component["state"]) == (
            "hello-test", "1.0", "active",
        )  # fmt: skip
        assert component["pkg_id_ref"] == payload.order_params("")["pkg_id"]

        for primitive, is_there in (("Deactivate", False), ("Activate", True), ("Remove", False)):
            order = rig.order("component", id="hello-test", primitive=primitive)
            assert rig.session()["outcome"] == "ok"
            assert rig.result_of(order) == 1200
            assert file.exists() is is_there, primitive
        assert rig.inventory() == {"deployed": [], "delivered": [], "download": []}
        assert [alert["result"] for alert in rig.alerts()] == [1200] * 4
        operations = rig.operations()
        assert [entry["phase"] for entry in operations] == ["succeeded"] * 4
        rig.until(lambda: rig.status()["alerts_waiting"] == 0, "reports taken")


def test_life_in_xml_with_a_server_that_only_its_certificate_proves(tmp_path: Path) -> None:
    with Rig(tmp_path, runner="direct", with_server_auth=False) as rig:
        folder = rig.root / "etc/scomod/config.d"
        folder.mkdir()
        (folder / "xml.toml").write_text('[transport]\nencoding = "xml"\n')
        rig.bootstrap()
        rig.start_daemon()
        rig.until_up()
        order = rig.order_install(rig.payload(HELLO))
        assert rig.session()["outcome"] == "ok"
        assert rig.result_of(order) == 1200
        assert rig.dpkg_state("hello-test") == "ii 1.0"
