# SPDX-License-Identifier: Apache-2.0
"""A fleet whose server was down comes back spread out: a slice of the story of bench/fleet.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.fleet import HOUR_S, Outcome, Story, play
from scomod.settings import Session


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return play(Story(devices_count=2000))


def test_arrivals_after_an_outage_stay_below_twice_the_mean(outcome: Outcome) -> None:
    story = outcome.story
    assert story.mean == pytest.approx(69.4, abs=0.1), "scattered as those of 100,000 a minute"
    assert story.mean < outcome.peak <= 2 * story.mean


def test_every_device_is_served_within_the_bound_of_the_configuration(outcome: Outcome) -> None:
    assert outcome.unserved_count == 0
    assert HOUR_S < outcome.longest_wait_s <= outcome.story.bound_s == 5 * HOUR_S
    assert 2000 / 24 / 2 < max(outcome.waiting) < 2000 / 24 * 1.3, "those of the hour"


def test_short_spans_would_bring_a_flood() -> None:
    hasty = Session(poll_retry_wait_s=30.0)
    story = Story(devices_count=2000, limits=hasty)
    story = replace(story, lasts_s=story.up_again_s + 10 * story.bin_s)
    outcome = play(story)
    back = int(story.up_again_s // story.bin_s)
    assert max(outcome.arrivals[back - 1 : back + 1]) > 2 * story.mean
