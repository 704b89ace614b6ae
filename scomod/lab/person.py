# SPDX-License-Identifier: Apache-2.0
"""The person at the demo's device: answers the daemon's questions over D-Bus.

Follows the script of the story, or the terminal with `--ask`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

from scomod.lab.sentences import DEVICE, PERSON
from scomod.lab.show import prompt_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.lab.show import Show

YES: Final = ("", "y", "yes")


class Person:
    """Answers; `says` is what the script has the person answer next, `answers` what was said."""

    def __init__(self, show: Show, *, is_at_terminal: bool) -> None:
        self._show = show
        self._is_at_terminal = is_at_terminal
        self.says = True
        self.answers: list[bool] = []

    async def ask(self, prompt: Mapping[str, Any]) -> bool:
        """Answer one prompt of the daemon."""
        self._show.line(f"{DEVICE} → {PERSON}", prompt_text(prompt))
        is_accepted = await self._from_terminal() if self._is_at_terminal else self.says
        self.answers.append(is_accepted)
        self._show.line(f"{PERSON} → {DEVICE}", "yes" if is_accepted else "no")
        return is_accepted

    def inform(self, prompt: Mapping[str, Any]) -> None:
        """Take note of something that is not asked."""
        self._show.line(f"{DEVICE} → {PERSON}", f"for information: {prompt_text(prompt)}")

    async def _from_terminal(self) -> bool:
        """Read one line without a thread, so that Ctrl-C ends it."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        print(f"{'':10}[Y/n] ", end="", flush=True)
        loop.add_reader(sys.stdin, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(sys.stdin)
        line = sys.stdin.readline()
        return bool(line) and line.strip().lower() in YES  # end of file is nobody's yes
