# SPDX-License-Identifier: Apache-2.0
"""What opkg may take from its feeds besides the package it is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Presence
from tests.support.ipks import Ipk
from tests.support.opkg_bed import LEDE, YOCTO, Bed, install, script

if TYPE_CHECKING:
    from pathlib import Path

LIB: Final = Ipk(name="lib1")
APP: Final = Ipk(name="app", depends="lib1")
FAR: Final = "src/gz far http://feeds.example.com/packages"


@pytest.fixture(params=[YOCTO, LEDE])
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> Bed:
    bed = Bed(tmp_path, request.param)
    bed.configure(bed.feed(LIB))
    return bed


def updated(bed: Bed) -> Bed:
    assert bed.opkg("update")[0] == 0
    return bed


def test_without_feeds_a_missing_dependency_is_a_failure_and_nothing_is_installed(bed: Bed) -> None:
    updated(bed)
    assert bed.failure(lambda: bed.install(APP)) is Reason.DEPENDENCY
    assert (bed.names(), list(bed.files())) == (set(), [])
    assert bed.opkg("install", str(APP.build(bed.folder)))[0] == 0, "opkg itself would take it"
    assert bed.names() == {"app", "lib1"}


def test_a_missing_dependency_comes_from_the_lists_that_are_there(bed: Bed) -> None:
    backend = bed.backend_with(feeds="lists")
    archive = APP.build(bed.folder)
    assert bed.failure(lambda: install(backend, archive)) is Reason.DEPENDENCY
    updated(bed)
    install(backend, archive)
    assert bed.names() == {"app", "lib1"}


def test_lists_are_fetched_anew_where_something_is_missing(bed: Bed) -> None:
    install(bed.backend_with(feeds="update"), APP.build(bed.folder))
    assert bed.names() == {"app", "lib1"}


def test_fetching_lists_is_bounded_in_time(bed: Bed) -> None:
    silent = bed.folder / "feed/Packages.gz"
    silent.unlink()
    os.mkfifo(silent)  # nobody ever writes to it
    archive = APP.build(bed.folder)
    hasty = bed.backend_with(feeds="update", update_timeout_s=0.3)
    assert bed.failure(lambda: install(hasty, archive)) is Reason.TIMEOUT
    assert bed.names() == set()


@pytest.mark.parametrize("feeds", ["lists", "update"])
def test_feeds_beyond_the_device_need_what_the_policy_says_of_the_network(
    bed: Bed, feeds: str
) -> None:
    updated(bed)
    bed.configure(FAR, bed.feed(LIB))
    kept = bed.backend_with(feeds=feeds)
    archive = APP.build(bed.folder)
    with pytest.raises(InstallerError, match="allow_network is not set") as caught:
        install(kept, archive)
    assert caught.value.reason is Reason.POLICY
    assert bed.names() == set()
    install(kept, LIB.build(bed.folder))
    install(kept, archive)
    assert bed.names() == {"app", "lib1"}, "where nothing is missing no feed is needed"


def test_with_a_network_a_far_feed_that_does_not_answer_leaves_the_lists_that_are_there(
    bed: Bed,
) -> None:
    bed.configure(FAR, bed.feed(LIB))
    install(bed.backend_with(feeds="update", may_use_network=True), APP.build(bed.folder))
    assert bed.names() == {"app", "lib1"}


def test_a_first_installation_that_fails_takes_off_what_a_feed_brought_for_it(bed: Bed) -> None:
    updated(bed)
    archive = script("postinst", "exit 3", name="app", depends="lib1").build(bed.folder)
    backend = bed.backend_with(feeds="lists")
    assert bed.failure(lambda: install(backend, archive)) is Reason.SCRIPT_FAILED
    assert (bed.names(), list(bed.files())) == (set(), [])
    assert backend.probe("lib1", "") is Presence.ABSENT
