# SPDX-License-Identifier: Apache-2.0
"""What is asked of package servers: from an order and the configuration to a request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scomod.fetchrequest import request_for
from scomod.package import addresses
from scomod.settings import Download, Paths, Settings
from tests.support.operations import PACKAGE, an_operation

ROOT = Path("/device")
DIGESTS = f"sha256={'ab' * 32};sha512={'cd' * 64}"


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("https://a/p", "", ("https://a/p",)),
        (" https://a/p\n\thttps://b/p  https://c/p ", "", ("https://a/p", "https://b/p", "https://c/p")),
        ("https://a/p", "mirrors=https://b/p, https://c/p,;x=y", ("https://a/p", "https://b/p", "https://c/p")),
        ("https://a/p https://a/p", "mirrors=https://a/p", ("https://a/p",)),
        ("", "", ("",)),
    ],
)  # fmt: skip
def test_a_package_may_lie_at_several_addresses(
    url: str, params: str, expected: tuple[str, ...]
) -> None:
    operation = an_operation(subject=replace(PACKAGE, url=url, install_params=params))
    assert addresses(operation) == expected
    asked = request_for(operation, Settings(), Paths(ROOT), ROOT / "part")
    assert (asked.url, *asked.mirrors) == expected


def test_the_limits_of_the_configuration_come_along() -> None:
    limits = Download(
        schemes=("https", "file"), file_dirs=("media", "/mnt"), max_rate_bytes=1, stall_s=3.0,
        min_rate_bytes=2,
    )  # fmt: skip
    operation = an_operation(subject=replace(PACKAGE, install_params=DIGESTS))
    asked = request_for(operation, Settings(download=limits), Paths(ROOT), ROOT / "part")
    assert (asked.sha256, asked.sha512) == ("ab" * 32, "cd" * 64)
    assert asked.schemes == ("https", "file")
    assert asked.file_dirs == (ROOT / "media", ROOT / "mnt")
    assert (asked.max_rate_bytes, asked.min_rate_bytes, asked.stall_s) == (1, 2, 3.0)
