# SPDX-License-Identifier: Apache-2.0
"""Kills at instants, many of them: `script/crash [--seed N] [--count N] [--tool NAME]`.

Each tool, deed (install, upgrade, remove) and victim (helper, tool, both) dies at `count`
instants.  What fails is printed as a case that `--case` plays again; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.support.instants import Case, Ground, cases
from tests.support.toolbeds import BEDS


def main(arguments: list[str]) -> int:
    """Run the campaign; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="script/crash", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31), metavar="N")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="instants for each")
    parser.add_argument("--tool", choices=BEDS, action="append", metavar="NAME")
    parser.add_argument("--case", type=Case.of, action="append", help='"dpkg remove both 0.5"')
    options = parser.parse_args(arguments)
    drawn = options.case or list(cases(options.seed, options.count, tuple(options.tool or BEDS)))
    print(f"seed {options.seed}, {len(drawn)} cases", flush=True)
    logging.disable(logging.WARNING)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scomod-crash-") as directory:
        faults = play(drawn, Ground(Path(directory)))
    print(f"{faults} faults in {time.monotonic() - began_s:.0f} s")
    return int(faults > 0)


def play(drawn: list[Case], ground: Ground) -> int:
    """Play cases, print what came of them; returns how many went wrong."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for case in drawn:
        try:
            outcome = ground.play(case)
            word = "carried out" if outcome.is_ok else "refused"
            found = [word, "hit" if outcome.was_hit else "missed"]
        except AssertionError:
            print(f"FAULT {case}\n{traceback.format_exc()}", flush=True)
            found = ["faults"]
        seen.update((case.bed, case.deed, f"{case.victim}: {word}") for word in found)
    for (bed, deed, word), count in sorted(seen.items()):
        print(f"{bed:12} {deed:8} {word:20} {count}")
    return sum(count for (_, _, word), count in seen.items() if word.endswith("faults"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
