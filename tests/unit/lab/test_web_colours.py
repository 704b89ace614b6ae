# SPDX-License-Identifier: Apache-2.0
"""The colours of the console can be read, by day and by night (WCAG 2.1, 1.4.3)."""

from __future__ import annotations

import re

import pytest

from scomod.lab.webconsole import FOLDER

ENOUGH = 4.5
STYLE = (FOLDER / "console.css").read_text()
DAY, NIGHT = (dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6})", part)) for part in re.findall(
    r":root \{(.*?)\}", STYLE, re.DOTALL
))  # fmt: skip
GROUNDS = ("ground", "sheet", "device", "server")
TEXTS = ("text", "quiet", "accent", "good", "bad")


def brightness(colour: str) -> float:
    """Relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((brightness(one), brightness(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [DAY, NIGHT], ids=["day", "night"])
def test_every_text_can_be_read_on_every_ground(colours: dict[str, str]) -> None:
    assert contrast("ffffff", "000000") == pytest.approx(21)
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS] + [("on-accent", "accent")]
    weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < ENOUGH} == {}
