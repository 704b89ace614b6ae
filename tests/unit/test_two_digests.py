# SPDX-License-Identifier: Apache-2.0
"""SHA-512 beside SHA-256: looked at before a package is installed, however it came.

The fetcher here knows SHA-256 only, as a delta and a large object do.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.handset import Handset
from tests.support.shelf import Shelf, package

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = package("editor", "1")
RIGHT = {name: hashlib.new(name, PACKAGE).hexdigest() for name in ("sha256", "sha512")}
WRONG = {name: hashlib.new(name, b"another").hexdigest() for name in RIGHT}
DOWNLOAD = "./SCOMO/Download/x"


@pytest.mark.parametrize(
    ("digests", "result"),
    [
        ({"sha512": RIGHT["sha512"]}, 1200),
        (RIGHT, 1200),
        ({"sha512": WRONG["sha512"]}, 1407),
        (RIGHT | {"sha512": WRONG["sha512"]}, 1407),
        (RIGHT | {"sha256": WRONG["sha256"]}, 1407),
    ],
)
def test_all_digests_that_are_given_must_be_right(
    tmp_path: Path, digests: dict[str, str], result: int
) -> None:
    shelf = Shelf()
    device = Handset(tmp_path, shelf, FakeClock())
    params = ";".join(f"{name}={text}" for name, text in digests.items())
    leaves = {"PkgID": "p", "PkgURL": shelf.put("p", PACKAGE), "InstallParams": params}
    device.codes("srv", *(add(f"{DOWNLOAD}/{name}", text) for name, text in leaves.items()))
    assert device.codes("srv", execute(f"{DOWNLOAD}/Operations/DownloadInstall", "1")) == [202]
    device.settle()
    assert device.records.journal.all()[-1].result == result
    device.close()
