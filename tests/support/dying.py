# SPDX-License-Identifier: Apache-2.0
"""Runs the real daemon or helper and ends it by SIGKILL when it comes to a boundary.

    python -m tests.support.dying daemon DIARY "install begun,settle begun" --root DIR --resident

Each boundary is deadly once: the diary lists those that have struck already, so
that the same command may be started again and again.
"""

import os
import signal
import sys
from pathlib import Path

import scomod.__main__
from scomod.installers import helper


def main() -> int:
    program, diary, boundaries, *arguments = sys.argv[1:]
    deadly = set(boundaries.split(","))
    deadly -= set(Path(diary).read_text().splitlines())

    def observer(text: str) -> None:
        if text in deadly:
            with Path(diary).open("a") as file:
                file.write(f"{text}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    run = scomod.__main__.main if program == "daemon" else helper.main
    return run(arguments, observer)


if __name__ == "__main__":
    sys.exit(main())
