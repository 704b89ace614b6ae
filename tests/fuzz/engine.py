# SPDX-License-Identifier: Apache-2.0
"""Fuzzes one target in this process: `python -m tests.fuzz.engine TARGET WORK SECONDS`.

With atheris (libFuzzer) where it can be had, which learns from the coverage; elsewhere
by damage without guidance.  Suspects go into WORK/suspects: whatever raised, took long
or grew.  Whether they are faults is decided without instrumentation (`campaign`).
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from pathlib import Path

from tests.support.fuzzing import (
    MAX_CPU_S,
    MAX_INPUT_BYTES,
    Target,
    crash_of,
    damaged,
    load,
)
from tests.support.memory import peak_bytes

HANG_S = 20  # wall time after which libFuzzer gives up on an input that never ends
GROWTH_BYTES = 16 << 20  # peak memory rising by so much makes an input suspect
RSS_LIMIT_MIB = 1024
PER_PLACE = 3  # suspects kept of one kind


class Watch:
    """Runs inputs and keeps the suspects."""

    def __init__(self, target: Target, suspects: Path) -> None:
        self._target = target
        self._suspects = suspects
        self._seen: dict[str, int] = {}
        self._peak_bytes = peak_bytes()
        self.count = 0

    def run(self, data: bytes) -> None:
        """Run one input; only what ends the process ends the fuzzing."""
        self.count += 1
        started_s = time.process_time()
        verdict = crash_of(self._target, data)
        cpu_s = time.process_time() - started_s
        peak = peak_bytes()
        if verdict.fault:
            self._keep(verdict.place, data)
        elif cpu_s > MAX_CPU_S:
            self._keep("time", data)
        elif peak - self._peak_bytes > GROWTH_BYTES:
            self._keep("memory", data)
        self._peak_bytes = peak

    def _keep(self, place: str, data: bytes) -> None:
        self._seen[place] = self._seen.get(place, 0) + 1
        if self._seen[place] <= PER_PLACE:
            name = hashlib.sha256(data).hexdigest()[:12]
            (self._suspects / name).write_bytes(data)


def main(name: str, work: Path, seconds: int) -> None:
    """Fuzz until the time is over."""
    try:
        import atheris  # noqa: PLC0415 - not on every machine
    except ImportError:
        _blind(name, work, seconds)
        return
    with atheris.instrument_imports(include=["scomod"]):
        target = load(name)
    watch = Watch(target, work / "suspects")

    def custom(data: bytes, max_size: int, seed: int) -> bytes:
        source = random.Random(seed)  # noqa: S311 - repeatable on purpose
        if source.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return target.mutated(data, source)[:max_size]

    dictionary = work / "words"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
    arguments = [
        "fuzz", str(work / "corpus"), f"-max_total_time={seconds}", f"-timeout={HANG_S}",
        f"-max_len={MAX_INPUT_BYTES}", f"-rss_limit_mb={RSS_LIMIT_MIB}", f"-dict={dictionary}",
        f"-artifact_prefix={work / 'suspects'}/", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup(arguments, watch.run, custom_mutator=custom)
    atheris.Fuzz()


def _blind(name: str, work: Path, seconds: int) -> None:
    """Damage seeds at random until the time is over."""
    target = load(name)
    watch = Watch(target, work / "suspects")
    corpus = [path.read_bytes() for path in sorted((work / "corpus").iterdir())]
    source = random.Random(name)  # noqa: S311 - repeatable on purpose
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        data = source.choice(corpus)
        watch.run(target.mutated(data, source) if source.random() < 0.5 else damaged(data, source))
    print(f"stat::number_of_executed_units: {watch.count} (no atheris: without guidance)")


def _escaped(word: str) -> str:
    """Write a word as libFuzzer's dictionaries want it; U+0080 to U+00FF stand for octets."""
    return "".join(
        char if char.isascii() and char.isalnum() else f"\\x{ord(char):02X}" for char in word
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
