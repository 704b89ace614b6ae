# SPDX-License-Identifier: Apache-2.0
"""A bell that ends a sleep: for workers that wait for work or for the next due moment."""

from __future__ import annotations

import asyncio


class Alarm:
    """Rung by anybody in the loop; one worker sleeps on it.

    Usage: `silence`, look for work, `sleep`: what rings in between is not missed.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """End the sleep, or the next one."""
        self._event.set()

    def silence(self) -> None:
        """Forget what rang so far."""
        self._event.clear()

    async def sleep(self, longest_s: float | None) -> bool:
        """Sleep until it rings, or for so many seconds (None: for ever); tells if it rang."""
        try:
            async with asyncio.timeout(longest_s):
                await self._event.wait()
        except TimeoutError:
            return False
        return True
