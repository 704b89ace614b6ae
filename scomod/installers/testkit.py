# SPDX-License-Identifier: Apache-2.0
"""The backend test kit: `python -m scomod.installers.testkit BACKEND --root DIR ...`.

Says of one backend which duties it keeps, on a device below a directory of its own that
it may spoil.  The checks are `duties.py`; docs/backends.md says how to begin.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import config
from scomod.clock import SystemClock
from scomod.errors import ScomodError
from scomod.installers import registry
from scomod.installers.duties import DUTIES, Bench, Samples, Verdict, examine
from scomod.installers.kinds import Place
from scomod.settings import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scomod.installers.kinds import Kind

_MARKS: Final = {True: "kept", False: "BROKEN", None: "not seen"}


def run(
    kind: Kind, place: Place, samples: Samples, tell: Callable[[Verdict], None]
) -> list[Verdict]:
    """Check all duties of a backend; raises `ScomodError` where it cannot even begin."""
    backend = kind.make(place)
    if backend is None:
        raise ScomodError(f"the tool of {kind.name} is not here")
    if (backend.name, backend.environment) != (kind.name, kind.environments[0]):
        raise ScomodError(
            f"the backend calls itself {backend.name!r} ({backend.environment!r}), its kind"
            f" {kind.name!r} ({kind.environments[0]!r})"
        )
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="scomod-testkit-") as scratch:
        bench = Bench(
            backend=backend,
            kind=kind,
            place=place,
            samples=samples,
            scratch=Path(scratch),
            old=backend.inspect(samples.payload),
            new=backend.inspect(samples.newer),
        )
        for duty in DUTIES:
            verdicts.append(examine(bench, duty))
            tell(verdicts[-1])
    return verdicts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kit; 0: every duty that could be looked at is kept, 1: one is not, 2: no start."""
    options = _parser().parse_args(argv)
    samples = Samples(
        payload=options.payload, newer=options.newer, broken=options.broken, config=options.config
    )
    try:
        kind, place = _found(options.backend, Paths(options.root.resolve()))
        verdicts = run(kind, place, samples, _ignore if options.json else _print)
    except ScomodError as error:
        print(f"testkit: {error}", file=sys.stderr)  # noqa: T201 - the command's answer
        return 2
    if options.json:
        print(json.dumps([asdict(each) for each in verdicts]))  # noqa: T201 - as above
    return 1 if any(each.is_kept is False for each in verdicts) else 0


def _found(name: str, paths: Paths) -> tuple[Kind, Place]:
    settings = replace(config.load(paths).install, backends=(name,))
    (kind,) = registry.kinds(settings, paths)
    return kind, Place(root=paths.root, settings=settings, clock=SystemClock())


def _print(verdict: Verdict) -> None:
    mark = _MARKS[verdict.is_kept]
    print(f"{verdict.number:>2} {verdict.words:<38} {mark:<8} {verdict.why}".rstrip())  # noqa: T201 - as above


def _ignore(verdict: Verdict) -> None:
    del verdict


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scomod.installers.testkit",
        description="Say which duties a backend keeps, on a device in a directory.",
    )
    parser.add_argument("backend", metavar="BACKEND", help="its name, as in [install] backends")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="the device")
    parser.add_argument("--payload", type=Path, required=True, metavar="FILE", help="an archive")
    parser.add_argument(
        "--newer", type=Path, required=True, metavar="FILE", help="a newer version of it"
    )
    parser.add_argument(
        "--broken", type=Path, metavar="FILE", help="an archive whose installation fails"
    )
    parser.add_argument(
        "--config", default="", metavar="PATH", help="a configuration file that the archive brings"
    )
    parser.add_argument("--json", action="store_true", help="answer with a JSON list")
    return parser


if __name__ == "__main__":
    sys.exit(main())
