# SPDX-License-Identifier: Apache-2.0
"""What the tries of a download came to, and when there may be no more."""

from __future__ import annotations

import json

import pytest

from scomod.settings import Download
from scomod.tries import KEY, Tries, exhausted, told

LIMITS = Download(attempts_count=3, max_attempts_count=50, max_fetched_ratio=2.0, max_bytes=5000)


def tried(tries: Tries, part_bytes: int, fetched_bytes: int = 10) -> Tries:
    return tries.after(
        part_bytes=part_bytes, fetched_bytes=fetched_bytes, size_bytes=0, failure="cut"
    )


def test_only_tries_in_a_row_that_brought_nothing_new_are_in_vain() -> None:
    tries = Tries()
    for part_bytes, in_vain in ((10, 0), (10, 1), (5, 2), (11, 0), (11, 1)):
        tries = tried(tries, part_bytes)
        assert tries.vain_count == in_vain
        assert not exhausted(tries, LIMITS)
    assert exhausted(tried(tried(tries, 11), 0), LIMITS) == "3 tries in a row brought nothing"


def test_download_that_gets_on_by_an_octet_a_time_ends_too() -> None:
    tries = Tries(size_bytes=10**6)
    for number in range(1, LIMITS.max_attempts_count + 1):
        assert not exhausted(tries, LIMITS)
        tries = tried(tries, number)
    assert exhausted(tries, LIMITS) == "it was tried 50 times"


@pytest.mark.parametrize(("size_bytes", "whole"), [(1000, 1000), (0, LIMITS.max_bytes)])
def test_download_that_begins_anew_each_time_ends_when_it_fetched_too_much(
    size_bytes: int, whole: int
) -> None:
    tries = Tries(size_bytes=size_bytes)
    while not exhausted(tries, LIMITS):
        tries = tried(tries, tries.most_bytes + 1, fetched_bytes=whole // 5)
    assert tries.fetched_bytes == 2 * whole
    assert exhausted(tries, LIMITS) == f"{2 * whole} octets were fetched for {whole}"


def test_tries_are_kept_with_the_operation_whatever_else_is_there() -> None:
    tries = tried(Tries(began_s=5.0), 7).waiting("a window", 12.0)
    data = json.loads(json.dumps({"other": 1, **tries.kept()}))
    assert Tries.of(data) == tries
    data[KEY]["of a later version"] = 1
    assert Tries.of(data) == tries
    for nothing in ({}, {KEY: None}, {KEY: "?"}):
        assert Tries.of(nothing) == Tries()


def test_nothing_is_told_of_a_download_that_goes_well() -> None:
    assert told(Tries(began_s=5.0).kept()) == {}
    waiting = told(tried(Tries(), 7).waiting("a window", 12.0).kept())
    assert (waiting["tries"], waiting["waits_for"], waiting["last_failure"]) == (
        1,
        "a window",
        "cut",
    )


def test_long_failure_is_kept_short() -> None:
    assert (
        len(Tries().after(part_bytes=0, fetched_bytes=0, size_bytes=0, failure="x" * 10**6).failure)
        == 300
    )
