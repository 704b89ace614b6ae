# SPDX-License-Identifier: Apache-2.0
"""What a fuzz target is, what an input may cost, and how damage is made without a fuzzer.

Not the fuzzer: `tests/fuzz/engine.py` runs one target, `tests/fuzz/campaign.py` many.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import scomod
from tests.support import memory

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

FUZZ: Final = Path(__file__).parents[1] / "fuzz"
PRODUCT: Final = f"{Path(scomod.__file__).parent}/"
SEEDS: Final = FUZZ / "seeds"
REGRESSIONS: Final = FUZZ / "regressions"

MAX_INPUT_BYTES: Final = 65536
MAX_CPU_S: Final = 1.0
MAX_PEAK_BYTES: Final = 64 << 20

TARGETS: Final = tuple(
    sorted(path.stem for path in (FUZZ / "targets").glob("[a-z]*.py") if path.stem != "shapes")
)

_INTERESTING: Final = b"\x00\x01\x02\x03\x04\x43\x44\x7f\x80\x83\x84\xc0\xc3\xc4\xff<>&;![]'\""


class Target(Protocol):
    """A module of `tests/fuzz/targets`."""

    DECLARED: tuple[type[Exception], ...]
    """The errors that the documentation of the parser names."""

    WORDS: tuple[str, ...]
    """Words of the language, for the fuzzer's dictionary."""

    @staticmethod
    def attempt(data: bytes) -> None:
        """Parse, and assert what must hold for everything that was understood."""

    @staticmethod
    def seeds() -> Iterator[bytes]:
        """Yield good inputs beside those in `tests/fuzz/seeds`."""

    @staticmethod
    def mutated(data: bytes, source: random.Random) -> bytes:
        """Change an input along its own structure; what cannot be read comes back as it is."""


def load(name: str) -> Target:
    """Return a target by name."""
    return cast("Target", importlib.import_module(f"tests.fuzz.targets.{name}"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one input; an empty `fault` is a pass, `place` tells faults apart."""

    fault: str = ""
    place: str = ""


def judge(target: Target, data: bytes) -> Verdict:
    """Run one input under the limits for processor time and memory, without instrumentation."""
    before = memory.now_bytes()
    memory.forget_peak()
    started_s = time.process_time()
    verdict = crash_of(target, data)
    cpu_s = time.process_time() - started_s
    peak = memory.peak_bytes() - before
    if verdict.fault:
        return verdict
    if peak > MAX_PEAK_BYTES:
        return Verdict(f"{peak >> 20} MiB of memory", "memory")
    if cpu_s > MAX_CPU_S:
        return Verdict(f"{cpu_s:.1f} s of processor time", "time")
    return verdict


def crash_of(target: Target, data: bytes) -> Verdict:
    """Run one input; a fault is anything raised that the parser does not declare."""
    try:
        target.attempt(data)
    except target.DECLARED:
        return Verdict()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Verdict(f"{type(error).__name__}: {error}"[:200], _place(error))
    return Verdict()


def damaged(body: bytes, source: random.Random) -> bytes:
    """Return the input with one to four pieces changed, doubled, cut out or swapped."""
    octets = bytearray(body)
    for _ in range(source.randint(1, 4)):
        start = source.randrange(len(octets) or 1)
        end = min(len(octets), start + source.randint(1, 16))
        match source.randrange(5):
            case 0:
                octets[start:end] = bytes([source.choice(_INTERESTING)])
            case 1:
                octets[start : start + 1] = bytes([source.randrange(256)])
            case 2:
                octets[start:end] *= source.randint(0, 8)
            case 3:
                octets[start:start] = source.randbytes(source.randint(1, 6))
            case _:
                other = source.randrange(len(octets) or 1)
                octets[other:other] = octets[start:end]
    return bytes(octets[:MAX_INPUT_BYTES])


def kept(directory: Path, name: str) -> list[Path]:
    """Return the files of a target below `seeds` or `regressions`."""
    return sorted(path for path in (directory / name).glob("*") if path.is_file())


def _place(error: BaseException) -> str:
    """Return where an error was raised, as far as it lies in our code."""
    place, trace = type(error).__name__, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(PRODUCT) or "/targets/" in file:
            place = f"{type(error).__name__} {Path(file).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
