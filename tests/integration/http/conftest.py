# SPDX-License-Identifier: Apache-2.0
"""What the tests of fetching share: a server of packages, and where a part goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.package_host import PackageHost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def host() -> Iterator[PackageHost]:
    with PackageHost() as running:
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "1.part"
