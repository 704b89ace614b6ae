# SPDX-License-Identifier: Apache-2.0
"""Whatever 64 KiB hold, reading them takes one second and 64 MiB at most (I10)."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile_messages import NAMES

PROJECT = Path(__file__).parents[3]
SECONDS = 1.0
MIB = 64.0


@cache
def costs() -> dict[str, Any]:
    """Measure all of them once, with both sets of limits."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_messages"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_hostile_message_is_read_or_refused_within_bounds(name: str) -> None:
    cost = costs()[name]
    assert cost["octets"] <= 1.01 * 65536
    assert cost["s"] <= SECONDS * cost["slow"]
    assert cost["mib"] <= MIB
    assert set(cost["ends"]) <= {"read", "DecodeError", "LimitExceeded"}


def test_usual_limits_refuse_what_is_only_many() -> None:
    assert costs()["WBXML empty items"]["ends"] == ["LimitExceeded", "read"]
    assert costs()["WBXML table text in many elements"]["ends"] == ["LimitExceeded"] * 2
    assert costs()["XML entity bomb"]["ends"] == ["DecodeError"] * 2
