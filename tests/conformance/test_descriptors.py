# SPDX-License-Identifier: Apache-2.0
"""Download descriptors (omadm §11): each way to fail has its status, and its server is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.shelf import NOTIFY_URL as ADDRESS
from tests.support.shelf import Shelf, package
from tests.support.told import PACKAGE, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.device.close()


def no_object(shelf: Shelf) -> str:
    url = shelf.describe(PACKAGE)
    del shelf.content["https://packages.example/p"]
    return url


def replaced(old: str, new: str) -> Callable[[Shelf], str]:
    def prepare(shelf: Shelf) -> str:
        url = shelf.describe(PACKAGE)
        assert old.encode() in shelf.content[url]
        shelf.content[url] = shelf.content[url].replace(old.encode(), new.encode())
        return url

    return prepare


@pytest.mark.spec("T-45")
@pytest.mark.parametrize(
    ("prepare", "result", "told"),
    [
        (replaced("<size>", "<size>9999999999999"), 1404, "901 Insufficient memory"),
        (replaced("<size>", "<size>0</size><size>"), 1402, "906 Invalid descriptor"),
        (replaced("<media>", "<media><DDVersion>2.0</DDVersion>"), 1402, "951 Invalid DDVersion"),
        (replaced("<type>application/vnd.debian.binary-package", "<type>image/png"), 1413,
         "953 Non-Acceptable Content"),
        (no_object, 1402, "954 Loader Error"),
        (replaced("</media>", f"<installParam>sha256={'0' * 64}</installParam></media>"), 1407,
         "905 Attribute mismatch"),
        (lambda shelf: shelf.describe(package("editor", "1", fails="script failed")), 1405,
         "952 Device Aborted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_t45_each_failure_of_a_descriptor_is_told_to_its_server(
    stage: Stage, prepare: Callable[[Shelf], str], result: int, told: str
) -> None:
    assert stage.order(prepare(stage.shelf)).result == result
    assert stage.told == [f"{ADDRESS} {told}"]
