# SPDX-License-Identifier: Apache-2.0
"""What a large object costs in memory: nothing, whichever way it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OBJECT_MIB = 16
MOST_MIB = 8


def test_object_of_16_mib_costs_no_memory_that_one_of_1_mib_does_not(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.largeobject", str(tmp_path / "device"), str(OBJECT_MIB)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["received_mib"] < MOST_MIB
    assert found["sent_mib"] < MOST_MIB
