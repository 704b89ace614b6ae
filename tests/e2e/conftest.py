# SPDX-License-Identifier: Apache-2.0
"""What several modules of whole-device tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bed import Bed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """One device for all rows of the transitions and cases."""
    with Bed(tmp_path_factory.mktemp("bed")) as made:
        yield made
