# SPDX-License-Identifier: Apache-2.0
"""Large objects in chunks: memory must not depend on their size."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from bench.ground import ROOT, clean_environment
from bench.verdict import Row

if TYPE_CHECKING:
    from bench.ground import Ground

MIB: Final = (256, 64)


async def large_object(ground: Ground) -> list[Row]:
    """Receive an object and send it back, in a process of its own."""
    mib = MIB[ground.is_quick]
    done = subprocess.run(  # noqa: ASYNC221 - nothing else is to happen meanwhile
        [sys.executable, "-m", "bench.largeobject", str(ground.directory / "object"), str(mib)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    note = f"{mib} MiB, beyond that of 1 MiB"
    return [
        Row(
            name="large-object/growth, received", value=found["received_mib"], unit="MiB", note=note
        ),
        Row(name="large-object/growth, sent", value=found["sent_mib"], unit="MiB", note=note),
        Row(name="large-object/received", value=found["receive_s"], unit="s", note=f"{mib} MiB"),
        Row(name="large-object/sent", value=found["send_s"], unit="s", note=f"{mib} MiB"),
    ]
