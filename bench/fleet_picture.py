# SPDX-License-Identifier: Apache-2.0
"""The picture of a fleet's story: what arrives at the server, and how many wait for it.

Drawn with matplotlib (extra `picture`); the bench itself does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.fleet import Outcome, Story

HOUR_S: Final = 3600.0
BEFORE_S: Final = 4 * HOUR_S
AFTER_S: Final = 12 * HOUR_S
INK: Final = "#1f2933"
BLUE: Final = "#1768ac"
RED: Final = "#c8553d"
GREY: Final = "#7b8794"
STYLE: Final = {
    "svg.hashsalt": "scomod",  # the same picture of the same story
    "svg.fonttype": "none",
    "font.size": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e7eb",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(outcome: Outcome, folder: Path) -> list[Path]:
    """Write fleet.svg and fleet.png into a folder; returns their paths."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 5.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _arrivals(above, outcome)
        _waiting(below, outcome)
        story = outcome.story
        below.set_xlabel("hours since the server came back")
        below.set_xlim(-BEFORE_S / HOUR_S, AFTER_S / HOUR_S)
        below.set_xticks(range(-4, 13, 2))
        figure.suptitle(
            f"{story.devices_count:,} devices, a session a day each, "
            f"and a server that is down for {story.down_for_s / HOUR_S:g} h",
            fontsize=12,
        )
        paths = [folder / "fleet.svg", folder / "fleet.png"]
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=110)
    return paths


def _shown(story: Story, values: Sequence[int]) -> tuple[list[float], list[int]]:
    """Return the middles of the bins that are shown, in hours since the server came back."""
    middles = [(n + 0.5) * story.bin_s - story.up_again_s for n in range(len(values))]
    shown = [
        (middle_s / HOUR_S, value)
        for middle_s, value in zip(middles, values, strict=True)
        if -BEFORE_S <= middle_s <= AFTER_S
    ]
    return [hour for hour, _ in shown], [value for _, value in shown]


def _shade(axes: Any, story: Story) -> None:
    axes.axvspan(-story.down_for_s / HOUR_S, 0.0, color=RED, alpha=0.12, linewidth=0)


def _arrivals(axes: Any, outcome: Outcome) -> None:
    story = outcome.story
    _shade(axes, story)
    axes.plot(*_shown(story, outcome.arrivals), color=BLUE, linewidth=0.8)
    for value, text in ((story.mean, "mean"), (2 * story.mean, "twice the mean")):
        axes.axhline(value, color=INK, linewidth=1.0, linestyle="--")
        axes.annotate(
            f"{text}: {value:.0f}", (1.0, value), (4, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
    axes.annotate(
        "server down", (-story.down_for_s / 2 / HOUR_S, 0), (0, 6),
        textcoords="offset points", ha="center", fontsize=9, color=RED,
    )  # fmt: skip
    axes.set_ylim(0, max(2.3 * story.mean, 1.1 * max(outcome.arrivals)))
    axes.set_ylabel(f"arrivals in {story.bin_s / 60:g} min")


def _waiting(axes: Any, outcome: Outcome) -> None:
    story = outcome.story
    _shade(axes, story)
    hours, waiting = _shown(story, outcome.waiting)
    axes.fill_between(hours, waiting, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(hours, waiting, color=BLUE, linewidth=1.2)
    bound_h = (story.bound_s - story.down_for_s) / HOUR_S
    axes.axvline(bound_h, color=INK, linewidth=1.0, linestyle="--")
    axes.annotate(
        f"bound of the configuration: {bound_h:g} h", (bound_h, max(outcome.waiting)), (5, -6),
        textcoords="offset points", fontsize=9,
    )  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_ylabel("devices that wait")
