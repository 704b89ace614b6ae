# SPDX-License-Identifier: Apache-2.0
"""Fuzzes targets one after another: `script/fuzz [TARGET...] [--seconds N] [--keep DIR]`.

Each target runs in a process of its own from a fresh corpus.  Its suspects are judged
one by one in another process without instrumentation; a fault is kept below
`tests/fuzz/regressions`, where the ordinary tests find it, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.fuzzing import REGRESSIONS, SEEDS, TARGETS, judge, kept, load

PROJECT = Path(__file__).parents[2]
START_S = 300  # patience for starting and stopping on a slow machine
JUDGE_S = 60  # wall time after which a judged input hangs
EXECUTIONS = re.compile(r"stat::number_of_executed_units: +(\d+.*)")
COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")


def main(arguments: list[str]) -> int:
    """Run the campaign; 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("target", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; all")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the corpora there")
    options = parser.parse_args(arguments)
    if unknown := set(options.target) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    found = [fuzz(name, options.seconds, options.keep) for name in options.target or TARGETS]
    return 1 if any(found) else 0


def fuzz(name: str, seconds: int, keep: Path | None) -> int:
    """Fuzz one target; returns the number of faults."""
    with tempfile.TemporaryDirectory(prefix="scomod-fuzz-") as directory:
        work = Path(directory)
        (work / "suspects").mkdir()
        _fill(work / "corpus", name)
        command = [sys.executable, "-m", "tests.fuzz.engine", name, directory, str(seconds)]
        output, died = _run(command, seconds + START_S)
        faults = [_kept_fault(name, path, text) for path, text in _judged(name, work)]
        if keep is not None:
            shutil.copytree(work / "corpus", keep / name, dirs_exist_ok=True)
    executions = EXECUTIONS.search(output)
    coverage = COVERAGE.findall(output)
    print(
        f"{name}: {executions[1] if executions else 'unknown number of'} executions,"
        f" coverage {coverage[-1][0] if coverage else '-'}, {len(faults)} faults",
        flush=True,
    )
    for line in faults:
        print(f"  {line}", flush=True)
    if died and not faults:
        print(f"  the engine ended with {died}:\n{output[-3000:]}", flush=True)
    return len(faults) or bool(died)


def _fill(corpus: Path, name: str) -> None:
    """Make the corpus to begin with: seeds of the target, kept seeds, former faults."""
    corpus.mkdir()
    files = kept(SEEDS, name) + kept(REGRESSIONS, name)
    for data in [*load(name).seeds(), *(path.read_bytes() for path in files)]:
        (corpus / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def _run(command: list[str], patience_s: float) -> tuple[str, int]:
    """Run to the end; returns what was printed and the exit code."""
    try:
        done = subprocess.run(
            command, cwd=PROJECT, check=False, timeout=patience_s, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        text = error.stdout or b""
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else text, 124
    return done.stdout, done.returncode


def _judged(name: str, work: Path) -> list[tuple[Path, str]]:
    """Return the suspects that are faults, with what is wrong."""
    faults = []
    for path in sorted((work / "suspects").iterdir()):
        command = [sys.executable, "-m", "tests.fuzz.campaign", "--judge", name, str(path)]
        output, code = _run(command, JUDGE_S)
        if code:
            faults.append((path, output.strip().rpartition("\n")[2] or f"ended with {code}"))
    return faults


def _kept_fault(name: str, path: Path, text: str) -> str:
    """Copy a fault to the regressions; returns a line about it."""
    data = path.read_bytes()
    target = REGRESSIONS / name / hashlib.sha256(data).hexdigest()[:12]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return f"{text}: {target.relative_to(PROJECT)} ({len(data)} octets)"


def _judge(name: str, path: Path) -> int:
    verdict = judge(load(name), path.read_bytes())
    print(f"{verdict.fault} [{verdict.place}]")
    return 1 if verdict.fault else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--judge"]:
        sys.exit(_judge(sys.argv[2], Path(sys.argv[3])))
    sys.exit(main(sys.argv[1:]))
