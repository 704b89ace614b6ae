# SPDX-License-Identifier: Apache-2.0
"""Scenarios: small text files that say what the bench does to a device and expects of it.

    package hello 1.0                       # made on the spot
    order install file=hello_1.0_all.deb
    push
    expect result 1200

A line is a word and what belongs to it, quoted as in a shell; # begins a comment.  Read here,
with every mistake found before anything is done; played by `scenariorun`.  The words:
docs/lab.md, or `WORDS`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import ScomodError
from scomod.lab import scomo, switches
from scomod.lab.devices import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MAX_FILE_BYTES: Final = 1 << 20
NO: Final = "no"
ALERT_KEYS: Final = ("code", "type", "result", "mark", "correlator", "source", "target")
ENDS: Final = tuple(phase.value for phase in (Phase.ACCEPTED, Phase.DONE, Phase.FAILED))
UNITS_S: Final = {"ms": 0.001, "s": 1.0, "min": 60.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min)")
_CODES: Final = re.compile(r"\d{3,4}(\|\d{3,4})*")


class ScenarioError(ScomodError):
    """A line that makes no sense; says which, and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line: its number, its word ("expect result" is one), what follows, and as written."""

    line: int
    word: str
    rest: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of scenarios: what follows it, what it does, and what is wrong with a use of it."""

    usage: str
    says: str
    check: Callable[[tuple[str, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole file."""

    path: Path
    steps: tuple[Step, ...]


def duration_s(text: str) -> float:
    """Return the seconds of "500ms", "3s" or "2min"; raises `ScenarioError`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ScenarioError(f"{text!r} is no time: a number with {', '.join(UNITS_S)}")
    return float(match[1]) * UNITS_S[match[2]]


def pairs_of(words: tuple[str, ...]) -> dict[str, str]:
    """Return KEY=VALUE words as what they mean; raises `ScenarioError`."""
    found = [word.partition("=") for word in words]
    for key, equals, _ in found:
        if not key or not equals:
            raise ScenarioError(f"{key!r} is no KEY=VALUE")
    return {key: value for key, _, value in found}


def _number(least: int, most: int | None = None) -> Callable[[tuple[str, ...]], None]:
    """Return a check of how many words follow."""

    def check(rest: tuple[str, ...]) -> None:
        if len(rest) < least or (most is not None and len(rest) > most):
            raise ScenarioError("too few or too many words")

    return check


def _time(rest: tuple[str, ...]) -> None:
    _number(1, 1)(rest)
    duration_s(rest[0])


def _package(rest: tuple[str, ...]) -> None:
    _number(2, 3)(rest)
    for key in pairs_of(rest[2:]):
        _one_of(key, ("depends",))


def _order(rest: tuple[str, ...]) -> None:
    _number(1)(rest)
    params = pairs_of(rest[1:])
    if "file" in params:
        params |= dict.fromkeys(("node", "pkg_id", "url"), "-")
    scomo.check(rest[0], params)


def _fault(rest: tuple[str, ...]) -> None:
    _number(1)(rest)
    if rest == (switches.OFF,):
        return
    trial = switches.Switches()
    for key, value in pairs_of(rest).items():
        if key == "count":
            _one_of("count", ("count",) if value.isdigit() and int(value) else ())
        else:
            trial.set(key, value)


def _codes(rest: tuple[str, ...]) -> None:
    _number(1, 1)(rest)
    if not _CODES.fullmatch(rest[0]):
        raise ScenarioError(f"{rest[0]!r} is no code, or several with | between them")


def _status(rest: tuple[str, ...]) -> None:
    _number(2, 2)(rest)
    _codes(rest[:1])


def _phase(rest: tuple[str, ...]) -> None:
    _number(1, 1)(rest)
    _one_of(rest[0], ENDS)


def _alert(rest: tuple[str, ...]) -> None:
    _number(1)(rest)
    for key in pairs_of(rest):
        _one_of(key, ALERT_KEYS)


def _node(rest: tuple[str, ...]) -> None:
    _number(1, 3)(rest)
    if len(rest) > 1 and (rest[1] != "=" or not rest[2:]):
        raise ScenarioError("too few or too many words")


def _component(rest: tuple[str, ...]) -> None:
    _number(1)(rest)
    pairs_of(rest[1:])


def _one_of(word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise ScenarioError(f"{word!r} is not one of: {', '.join(allowed)}")


WORDS: Final[Mapping[str, Word]] = {
    "title": Word(usage="TEXT", says="what the scenario shows", check=_number(1)),
    "say": Word(usage="TEXT", says="prints a line: what a person has to do now", check=_number(1)),
    "deadline": Word(usage="TIME", says="how long each wait may take from here on (60s)",
                     check=_time),
    "pause": Word(usage="TIME", says="waits", check=_time),
    "package": Word(usage="NAME VERSION [depends=NAME]",
                    says="makes a small Debian package NAME_VERSION_all.deb for `file=`",
                    check=_package),
    "order": Word(usage="KIND KEY=VALUE ...",
                  says="queues an order (above); `file=` is a package made here, or a file beside"
                  " the scenario", check=_order),
    "push": Word(usage="", says="asks for a session, as `--push` or `--start` of the command say;"
                 " without them the device has to come by itself", check=_number(0, 0)),
    "fault": Word(usage="NAME=VALUE ... [count=N]", says="sets fault switches; `fault off` clears"
                  " all; in the end all are off", check=_fault),
    "wait session": Word(usage="", says="waits for the end of a session that began after the last"
                         " `order`, `push` or `wait session`", check=_number(0, 0)),
    "expect result": Word(usage="CODE", says="waits for the report of the last order; several codes"
                          " with `|` between them", check=_codes),
    "expect order": Word(usage="PHASE", says="waits until the last order is `accepted`, `done` or"
                         " `failed`", check=_phase),
    "expect status": Word(usage="CODE URI", says="the last order had this status for a node",
                          check=_status),
    "expect alert": Word(usage="KEY=VALUE ...", says="waits for an alert since the beginning; keys:"
                         f" {', '.join(ALERT_KEYS)}", check=_alert),
    "expect node": Word(usage="URI [= VALUE]", says="the last order read such a node; `*` stands"
                        " for any name, in VALUE for any text", check=_node),
    "expect no node": Word(usage="URI", says="it did not", check=_number(1, 1)),
    "expect component": Word(usage="ID [LEAF=VALUE ...]", says="the last order read a deployed"
                             " component of this ID with these leaves", check=_component),
    "expect no component": Word(usage="ID", says="it did not", check=_number(1, 1)),
}  # fmt: skip


def read(path: Path) -> Scenario:
    """Read a file; raises `ScenarioError` for the first line that makes no sense, `OSError`."""
    with path.open("rb") as file:
        octets = file.read(MAX_FILE_BYTES + 1)
    if len(octets) > MAX_FILE_BYTES:
        raise ScenarioError(f"{path} is longer than {MAX_FILE_BYTES} octets")
    steps = []
    for number, line in enumerate(octets.decode("utf-8", "replace").splitlines(), start=1):
        try:
            step = _step(number, line)
        except ScomodError as error:
            raise ScenarioError(f"{path}:{number}: {error}") from error
        if step is not None:
            steps.append(step)
    if not steps:
        raise ScenarioError(f"{path} says nothing")
    return Scenario(path=path, steps=tuple(steps))


def _step(number: int, line: str) -> Step | None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise ScenarioError(f"{error} (text in quotes ends on its line)") from error
    if not words:
        return None
    # the longest word first: "expect no node" before "expect"
    name = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in WORDS), "")
    if not name:
        likely = [word for word in WORDS if word.partition(" ")[0] == words[0]] or list(WORDS)
        raise ScenarioError(f"{' '.join(words[:2])!r}: allowed are {', '.join(likely)}")
    rest = tuple(words[len(name.split()) :])
    try:
        WORDS[name].check(rest)
    except ScomodError as error:
        raise ScenarioError(f"{name} {WORDS[name].usage}: {error}") from error
    return Step(line=number, word=name, rest=rest, text=line.strip())
