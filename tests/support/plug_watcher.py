# SPDX-License-Identifier: Apache-2.0
"""A program that says what `Hotplug` tells it, a line each, until its input ends."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from scomod.listeners.hotplug import Hotplug, Kind

if TYPE_CHECKING:
    from collections.abc import Callable


async def _watch() -> None:
    def teller(kind: Kind) -> Callable[[bool], None]:
        return lambda is_here: print(kind, "here" if is_here else "gone", flush=True)

    hotplug = Hotplug({kind: teller(kind) for kind in Kind})
    hotplug.open()
    print("watching", flush=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    await over.wait()
    hotplug.close()


if __name__ == "__main__":
    asyncio.run(_watch())
