# SPDX-License-Identifier: Apache-2.0
"""A slice of fuzzing for each target by `script/fuzz`; SCOMOD_FUZZ_SECONDS says how long."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.fuzzing import TARGETS

PROJECT = Path(__file__).parents[2]
SECONDS = os.environ.get("SCOMOD_FUZZ_SECONDS", "2")
NAMED = {"xml", "wbxml", "tnds", "notification", "push", "sms", "cp_wbxml", "cp_xml", "acl", "uri"}


def test_every_parser_of_outside_input_has_a_target() -> None:
    assert set(TARGETS) >= NAMED


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.timeout(900 + 2 * int(SECONDS))
def test_a_slice_of_fuzzing_finds_nothing(target: str) -> None:
    done = subprocess.run(
        ["script/fuzz", target, "--seconds", SECONDS],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{target}: " in done.stdout
    assert "unknown number" not in done.stdout, "the engine told no statistics"
