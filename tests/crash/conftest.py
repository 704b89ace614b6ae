# SPDX-License-Identifier: Apache-2.0
"""Devices that are killed lie in memory: SIGKILL takes nothing that the kernel was given.

A disk would only be waited for, at each of thousands of flushes; what a power cut takes is
asked elsewhere, of recorded blocks.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")
NEEDED_BYTES = 1 << 30


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Give a directory in memory where there is enough of it, else one on disk."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < NEEDED_BYTES:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(
        dir=MEMORY, prefix="scomod-", ignore_cleanup_errors=True
    ) as made:
        yield Path(made)
