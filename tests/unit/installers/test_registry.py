# SPDX-License-Identifier: Apache-2.0
"""Which backend serves what a server said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import InstallerError, Reason
from scomod.installers import kinds, registry
from scomod.installers.kinds import Place
from scomod.settings import Install

if TYPE_CHECKING:
    from pathlib import Path

OURS = tuple(kinds.KINDS.values())
DEB = "application/vnd.debian.binary-package"


@pytest.mark.parametrize(
    ("environment", "content_type"),
    [
        ("deb", ""),
        ("DEB", DEB),
        ("", DEB + "; version=2"),
        ("", ""),
        ("", "application/octet-stream"),
    ],
)
def test_debian_packages_go_to_dpkg(environment: str, content_type: str) -> None:
    assert kinds.backend_name(environment, content_type, OURS) == "dpkg"


@pytest.mark.parametrize(
    ("environment", "content_type"), [("java", ""), ("deb", "application/java-archive"), ("x", DEB)]
)
def test_other_environments_are_not_supported(environment: str, content_type: str) -> None:
    with pytest.raises(InstallerError) as caught:
        kinds.backend_name(environment, content_type, OURS)
    assert caught.value.reason is Reason.UNSUPPORTED_ENV


def test_every_backend_is_known_by_its_name_and_environment(tmp_path: Path) -> None:
    place = Place(root=tmp_path, settings=Install(), clock=SystemClock())
    for name, backend in registry.backends(place).items():
        assert backend.name == name
        assert kinds.backend_name(backend.environment, "", OURS) == name
