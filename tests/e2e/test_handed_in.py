# SPDX-License-Identifier: Apache-2.0
"""A package file handed in on the real thing: an open file over D-Bus, dpkg, a report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scomod import sigfile
from scomod.busaddress import STATUS_INTERFACE
from scomod.busclient import Client
from scomod.lab.packages import Recipe
from tests.support.rig import Rig

if TYPE_CHECKING:
    from tests.support.nursery import Program

HELLO = Recipe(
    name="hello-test", version="1.0", summary="a text", files={"usr/share/hello-test/text": "hi\n"}
)
STRANGE_CALLS = 20


def files_of(daemon: Program) -> int:
    return len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))


async def call_with_files(address: str) -> Any:
    """Send open files along with calls that take none."""
    async with await Client.connect(address) as client:
        with Path(os.devnull).open() as file:  # noqa: ASYNC230 - of no consequence here
            for _ in range(STRANGE_CALLS):
                await client._call(STATUS_INTERFACE, "GetStatus", files=[file.fileno()])


def test_file_that_is_handed_in_is_installed_and_reported(tmp_path: Path) -> None:
    with Rig(tmp_path, runner="direct", more='[verify]\nsignature = "required"\n') as rig:
        rig.bootstrap()
        daemon = rig.start_daemon()
        rig.until_up()
        payload = rig.payload(HELLO)
        refused = rig.run("scomod.cli", "install", str(payload.path))
        assert refused.returncode == 4
        assert "it is not signed" in refused.stderr
        sigfile.path_of(payload.path).write_text(payload.signature)
        record = rig.scomoctl("install", str(payload.path))
        assert (record["phase"], record["result"]) == ("succeeded", 1200)
        assert record["components"] == [{"id": "hello-test", "before": "", "after": "1.0"}]
        rig.until_reported()
        assert rig.spool() == []

        before = files_of(daemon)
        rig.in_bench(call_with_files(rig.bus_address))
        assert files_of(daemon) == before
        assert rig.stop(daemon) == 0
