# SPDX-License-Identifier: Apache-2.0
"""What the tests of the bench share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.dmclient.codec import Encoding
from tests.support.lab_stand import Stand

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=list(Encoding), ids=lambda encoding: encoding.name)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Stand:
    return Stand(tmp_path / "devices", request.param)
