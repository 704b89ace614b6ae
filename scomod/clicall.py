# SPDX-License-Identifier: Apache-2.0
"""What a command of `scomoctl` is called with, and how it may end."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.clifmt import Style, is_moving
from scomod.errors import ScomodError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from scomod.busclient import Client

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_REACHABLE: Final = 3
EXIT_REFUSED: Final = 4


class UsageError(ScomodError):
    """The command was not called as it can be; the text says how."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Standard output: for people or, with `--json`, for programs."""

    is_json: bool
    style: Style
    width: int | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Screen:
        """Take the width from the terminal, where there is one that can more than print lines."""
        style = Style.of(sys.stdout, os.environ, arguments.color)
        has_width = is_moving(sys.stdout, os.environ)
        width = shutil.get_terminal_size().columns if has_width else None
        return cls(arguments.json, Style(style.is_coloured and not arguments.json), width)

    @property
    def has_bar(self) -> bool:
        """Whether something may move: a person looks at a terminal that can do that."""
        return self.width is not None and not self.is_json

    def show(self, document: Any, lines: Iterable[str]) -> None:
        """Print the document or the lines."""
        self.write([json.dumps(document, indent=2)] if self.is_json else lines)

    def write(self, lines: Iterable[str]) -> None:
        """Print lines, at once."""
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Call:
    """What a command has to work with."""

    client: Client
    arguments: argparse.Namespace
    screen: Screen
