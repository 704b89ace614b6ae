# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario with a running bench, through its admin interface.

Knows nothing of the device but what the bench heard of it, so that any client will do.
"""

from __future__ import annotations

import fnmatch
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import ResultCode
from scomod.errors import ScomodError
from scomod.explain import code_name
from scomod.lab import packages
from scomod.lab.commands import ROOT
from scomod.lab.devices import Phase
from scomod.lab.packages import Recipe
from scomod.lab.scenario import duration_s, pairs_of
from scomod.lab.switches import ALL, OFF

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.lab.admin import Admin
    from scomod.lab.devices import Record
    from scomod.lab.scenario import Scenario, Step

DEADLINE_S: Final = 60.0
LOOK_S: Final = 0.2
DEPLOYED: Final = f"{ROOT}/Inventory/Deployed/"


class Unmet(ScomodError):  # noqa: N818 - a condition
    """An expectation did not hold, or a step failed; the text says what was there instead."""


class Run:
    """One device and one scenario; `tell` is told each step and how it went.

    `push_to` is where the device takes pushes ("HOST:PORT"), `start` a command that makes it
    begin a session; both may be "".
    """

    def __init__(
        self,
        admin: Admin,
        device: str,
        *,
        push_to: str = "",
        start: str = "",
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._admin = admin
        self._device = device
        self._push_to = push_to
        self._start = start
        self._tell = tell
        self._deadline_s = DEADLINE_S
        self._order = 0
        self._folder = Path()
        self._made: dict[str, Path] = {}
        self._began: Record | None = None
        self._mark: Record | None = None

    def play(self, scenario: Scenario) -> None:
        """Do all steps; raises `Unmet` with file and line, `BenchError` where no bench runs."""
        self._began = self._mark = self._last_record()
        with tempfile.TemporaryDirectory(prefix="scomod-scenario-") as scratch:
            self._folder = Path(scratch)
            try:
                for step in scenario.steps:
                    self._step(scenario.path, step)
            finally:
                self._admin.call("faults", {"name": ALL, "value": OFF})

    def _step(self, path: Path, step: Step) -> None:
        began_s = time.monotonic()
        act = getattr(self, "_do_" + step.word.replace(" ", "_"))
        try:
            said = act(path, step)
        except (ScomodError, OSError, subprocess.TimeoutExpired) as error:
            self._tell(f"{step.line:>4}  ✗ {step.text}")
            raise Unmet(f"{path}:{step.line}: {step.text}: {error}") from error
        took = f" ({time.monotonic() - began_s:.1f} s)" if time.monotonic() - began_s >= 1 else ""
        sign = "✓" if step.word.startswith("expect") else " "
        self._tell(f"{step.line:>4}  {sign} {step.text}" + (f": {said}" if said else "") + took)

    # -- words

    def _do_title(self, _path: Path, _step: Step) -> None:
        """Nothing to do: it is printed."""

    _do_say = _do_title

    def _do_deadline(self, _path: Path, step: Step) -> None:
        self._deadline_s = duration_s(step.rest[0])

    def _do_pause(self, _path: Path, step: Step) -> None:
        time.sleep(duration_s(step.rest[0]))

    def _do_package(self, _path: Path, step: Step) -> str:
        name, version, *more = step.rest
        recipe = Recipe(
            name=name,
            version=version,
            summary="made for a scenario",
            files={f"usr/share/{name}/README": f"{name} {version}\n"},
            depends=pairs_of(tuple(more)).get("depends", ""),
        )
        made = packages.build(recipe, self._folder, self._admin.pki)
        self._made[made.path.name] = made.path
        return f"{made.path.name}, {made.size_bytes} octets"

    def _do_order(self, path: Path, step: Step) -> str:
        kind, params = step.rest[0], pairs_of(step.rest[1:])
        if "file" in params:
            name = params.pop("file")
            older = params.pop("delta_from", "")
            base = self._file(path, older) if older else None
            params = self._admin.publish(self._file(path, name), base) | params
        self._mark = self._last_record()
        body = {"kind": kind, "params": params}
        self._order = self._admin.call(f"devices/{self._device}/orders", body)["id"]
        return f"order {self._order}"

    def _file(self, path: Path, name: str) -> Path:
        file = self._made.get(name, path.parent / name)
        if not file.is_file():
            made = ", ".join(self._made) or "none"
            raise Unmet(f"no file {file}; packages made here: {made}")
        return file

    def _do_push(self, _path: Path, _step: Step) -> str:
        self._mark = self._last_record()
        if self._start:
            done = subprocess.run(
                shlex.split(self._start),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._deadline_s,
                check=False,
            )
            return f"{self._start}: exit code {done.returncode}"
        if self._push_to:
            host, _, port = self._push_to.rpartition(":")
            body = {"host": host, "port": int(port)}
            answer = self._admin.call(f"devices/{self._device}/push", body)
            return f"session {answer['session_id']:X} at {self._push_to}"
        return "the device has to come by itself"

    def _do_fault(self, _path: Path, step: Step) -> None:
        if step.rest == (OFF,):
            self._admin.call("faults", {"name": ALL, "value": OFF})
            return
        wanted = pairs_of(step.rest)
        count = int(wanted.pop("count")) if "count" in wanted else None
        for name, value in wanted.items():
            self._admin.call("faults", {"name": name, "value": value, "count": count})

    def _do_wait_session(self, _path: Path, _step: Step) -> str:
        def ended() -> Record | None:
            return next((r for r in self._records(self._mark) if r["what"] == "end"), None)

        end = self._until(ended, "no session ended")
        self._mark = end
        return f"session {end['session']}, {end['messages']} messages"

    def _do_expect_result(self, _path: Path, step: Step) -> str:
        order = self._until(self._reported, "no report came")
        if order["result"] is None:
            raise Unmet(f"the order failed: {order['detail']}")
        found = code_name(order["result"], ResultCode)
        if str(order["result"]) not in step.rest[0].split("|"):
            raise Unmet(f"the device reported {found}")
        return found

    def _reported(self) -> dict[str, Any] | None:
        order = self._current()
        return order if order["result"] is not None or order["phase"] == Phase.FAILED else None

    def _do_expect_order(self, _path: Path, step: Step) -> str:
        order = self._settled(step.rest[0])
        phase = order["phase"]
        if phase != step.rest[0] and (phase, step.rest[0]) != (Phase.DONE, Phase.ACCEPTED):
            raise Unmet(f"it is {phase}: {order['detail']}")
        return str(order["detail"])

    def _settled(self, wanted: str = Phase.DONE) -> dict[str, Any]:
        """Wait until the last order is over, or where it is wanted."""

        def over() -> dict[str, Any] | None:
            order = self._current()
            return order if order["phase"] in (wanted, Phase.DONE, Phase.FAILED) else None

        return dict(self._until(over, "the order is not done"))

    def _do_expect_status(self, _path: Path, step: Step) -> None:
        codes, uri = step.rest[0].split("|"), step.rest[1]
        steps = self._settled(Phase.ACCEPTED)["steps"]
        found = [row for row in steps if fnmatch.fnmatchcase(row["uri"], uri)]
        if not any(str(row["code"]) in codes for row in found):
            there = ", ".join(f"{row['command']} {row['uri']}: {row['code']}" for row in steps)
            raise Unmet(f"there were {there or 'no commands'}")

    def _do_expect_alert(self, _path: Path, step: Step) -> None:
        wanted = pairs_of(step.rest)

        def heard() -> list[Record]:
            return [
                record
                for record in self._alerts()
                if all(str(record.get(key)) == value for key, value in wanted.items())
            ]

        try:
            self._until(heard, "no such alert")
        except Unmet as error:
            told = [f"code={a['code']} type={a.get('type')} result={a.get('result')}"
                    for a in self._alerts()]  # fmt: skip
            raise Unmet(f"{error}; there were: {'; '.join(told) or 'none'}") from error

    def _alerts(self) -> list[Record]:
        return [record for record in self._records(self._began) if record["what"] == "alert"]

    def _do_expect_node(self, _path: Path, step: Step) -> str:
        found = self._found(step.rest[0])
        if not found:
            raise Unmet(f"the last order read {len(self._values())} nodes, none like that")
        if len(step.rest) == 1:
            return f"{len(found)} found"
        if not any(fnmatch.fnmatchcase(value, step.rest[2]) for value in found.values()):
            there = ", ".join(f"{uri} = {value!r}" for uri, value in found.items())
            raise Unmet(f"there is {there}")
        return ""

    def _do_expect_no_node(self, _path: Path, step: Step) -> None:
        if found := self._found(step.rest[0]):
            raise Unmet(f"there is {', '.join(found)}")

    def _do_expect_component(self, _path: Path, step: Step) -> None:
        rows = self._components(step.rest[0])
        wanted = {key.lower(): value for key, value in pairs_of(step.rest[1:]).items()}
        if not any(wanted.items() <= row.items() for row in rows):
            told = "; ".join(", ".join(f"{k}={v}" for k, v in row.items()) for row in rows)
            raise Unmet(f"there is {told}" if told else "it is not deployed")

    def _do_expect_no_component(self, _path: Path, step: Step) -> None:
        if self._components(step.rest[0]):
            raise Unmet("it is deployed")

    # -- what the bench knows

    def _until(self, look: Callable[[], Any], otherwise: str) -> Any:
        """Look until there is something to see; raises `Unmet` at the deadline."""
        end_s = time.monotonic() + self._deadline_s
        while not (found := look()):
            if time.monotonic() > end_s:
                raise Unmet(f"{otherwise} within {self._deadline_s:g} s")
            time.sleep(LOOK_S)
        return found

    def _current(self) -> dict[str, Any]:
        orders = self._admin.call(f"devices/{self._device}/orders")
        found = next((order for order in orders if order["id"] == self._order), None)
        if found is None:
            raise Unmet("there is no order before this line")
        return dict(found)

    def _values(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for row in self._settled()["steps"]:
            values |= row["values"]
        return values

    def _found(self, pattern: str) -> dict[str, str]:
        depth = pattern.count("/")
        return {
            uri: value
            for uri, value in self._values().items()
            if uri.count("/") == depth and fnmatch.fnmatchcase(uri, pattern)
        }

    def _components(self, component: str) -> list[dict[str, str]]:
        """Return the deployed components of an ID: their leaves, names in lower case."""
        rows: dict[str, dict[str, str]] = {}
        for uri, value in self._values().items():
            node, _, leaf = uri.removeprefix(DEPLOYED).partition("/")
            if uri.startswith(DEPLOYED) and leaf and "/" not in leaf:
                rows.setdefault(node, {})[leaf.lower()] = value
        return [row for row in rows.values() if row.get("id") == component]

    def _last_record(self) -> Record | None:
        records = self._admin.call(f"devices/{self._device}/records")
        return records[-1] if records else None

    def _records(self, mark: Record | None) -> list[Record]:
        """Return what was noted after a record; old ones go, so that numbers would not do."""
        records: list[Record] = self._admin.call(f"devices/{self._device}/records")
        places = [place for place, record in enumerate(records, start=1) if record == mark]
        return records[places[-1] if places else 0 :]
