# SPDX-License-Identifier: Apache-2.0
"""Inputs that once were faults, and all seeds, under the limits; and that faults are seen."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.errors import DecodeError
from tests.fuzz.engine import PER_PLACE, Watch
from tests.support.fuzzing import (
    MAX_CPU_S,
    MAX_INPUT_BYTES,
    MAX_PEAK_BYTES,
    REGRESSIONS,
    SEEDS,
    TARGETS,
    judge,
    kept,
    load,
)


@pytest.mark.parametrize("name", TARGETS)
def test_former_faults_and_seeds_are_harmless(name: str) -> None:
    target = load(name)
    kept_files = {path.name: path.read_bytes() for path in kept(SEEDS, name)}
    kept_files |= {path.name: path.read_bytes() for path in kept(REGRESSIONS, name)}
    inputs = kept_files | {f"seed {n}": data for n, data in enumerate(target.seeds())}
    assert inputs
    for label, data in inputs.items():
        assert len(data) <= MAX_INPUT_BYTES, label
        assert not judge(target, data).fault, label


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_understands_most_of_its_seeds(name: str) -> None:
    target = load(name)
    seeds = list(target.seeds())
    understood = 0
    for data in seeds:
        try:
            target.attempt(data)
        except target.DECLARED:
            continue
        understood += 1
    assert understood > len(seeds) // 2


class Hostage:
    """A target that does what the input says."""

    DECLARED: tuple[type[Exception], ...] = (DecodeError,)
    WORDS: tuple[str, ...] = ()

    @staticmethod
    def attempt(data: bytes) -> None:
        match data:
            case b"declared":
                raise DecodeError("no message")
            case b"crash":
                raise KeyError("undeclared")
            case b"slow":
                end_s = time.process_time() + MAX_CPU_S * 1.2
                while time.process_time() < end_s:
                    pass
            case b"large":
                assert bytes(range(256)) * (MAX_PEAK_BYTES // 200)

    @staticmethod
    def seeds() -> Iterator[bytes]:
        yield b""

    @staticmethod
    def mutated(data: bytes, source: random.Random) -> bytes:
        return bytes(source.randbytes(1)) + data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"fine", ""),
        (b"declared", ""),
        (b"crash", "KeyError"),
        (b"slow", "time"),
        (b"large", "memory"),
    ],
)
def test_the_judge_tells_crash_hang_and_greed_from_a_refusal(data: bytes, place: str) -> None:
    verdict = judge(Hostage(), data)
    assert verdict.place == place
    assert bool(verdict.fault) is bool(place)


def test_the_engine_keeps_a_few_suspects_of_each_kind(tmp_path: Path) -> None:
    class AnyCrash(Hostage):
        @staticmethod
        def attempt(data: bytes) -> None:
            raise KeyError(data)

    watch = Watch(AnyCrash(), tmp_path)
    for number in range(10):
        watch.run(b"%d" % number)
    assert len(list(tmp_path.iterdir())) == PER_PLACE
    calm = Watch(Hostage(), tmp_path / "none")
    calm.run(b"declared")
    calm.run(b"fine")
    assert not (tmp_path / "none").exists()
