"""Runs the real daemon or helper and ends it by SIGKILL when it comes to a boundary.

python -m tests.support.dying daemon "install begun" --root DIR --resident
"""

import os
import signal
import sys

import scomod.__main__
from scomod.installers import helper


def main() -> int:
    program, boundary, *arguments = sys.argv[1:]

    def observer(text: str) -> None:
        if text == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    run = scomod.__main__.main if program == "daemon" else helper.main
    return run(arguments, observer)


if __name__ == "__main__":
    sys.exit(main())
