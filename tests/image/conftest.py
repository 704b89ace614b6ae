# SPDX-License-Identifier: Apache-2.0
"""One booted device for all tests of a module, and what its systemd says when one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.image_device import ImageDevice

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def device(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageDevice]:
    """Boot a device; a module says with VARIABLES what its systemd-nspawn must hear.

    With IS_RESIDENT False the daemon leaves when idle, as it is shipped.
    """
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    made = ImageDevice(
        tmp_path_factory.mktemp(name),
        name,
        more=getattr(request.module, "MORE", ""),
        variables=getattr(request.module, "VARIABLES", None),
        is_resident=getattr(request.module, "IS_RESIDENT", True),
    )
    with made:
        yield made
