# SPDX-License-Identifier: Apache-2.0
"""A device that was made with its bootstrap document: the first start leads to a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.lab import profile
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path


def test_first_start_takes_the_folder_and_reports_to_the_server(tmp_path: Path) -> None:
    with Rig(tmp_path, first_session="always") as rig:
        folder = rig.root / "etc/scomod/bootstrap.d"
        folder.mkdir()
        (folder / "10-broken.xml").write_text("no document")
        document = profile.profile_of(rig.account, rig.bench.dm_url)
        (folder / "20-lab.xml").write_text(document)
        rig.start_daemon()
        rig.until_up()
        [server] = rig.until(lambda: rig.status()["servers"], "the account")
        assert server["server_id"] == rig.account.server_id
        rig.until(lambda: "last_session" in rig.status()["servers"][0], "the first session")
        assert rig.status()["servers"][0]["last_session"]["outcome"] == "ok", rig.logs()
        assert "urn:test:1" in rig.account.devinfo.values()
        log = (rig.directory / "scomod.log").read_text()
        assert "bootstrap file 10-broken.xml is not taken" in log
