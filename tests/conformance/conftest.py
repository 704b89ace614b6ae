# SPDX-License-Identifier: Apache-2.0
"""A fresh device for every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import Device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    """A device that speaks WBXML and has an account with md5 on both sides."""
    with Device(tmp_path) as made:
        yield made
