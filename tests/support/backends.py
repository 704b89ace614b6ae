"""An installer backend that keeps its system packages in one JSON file.

It behaves like the real ones (idempotent verbs, states that outlive a process)
and reads archives that are JSON objects themselves: {"id", "version"} and, for
failures, {"fails": reason, "leaves": presence}.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Facts, InstalledItem, Presence, stamp

if TYPE_CHECKING:
    from pathlib import Path


class FakeBackend:
    """System packages as {"id": {"version", "presence"}} in `database`."""

    name = "fake"
    environment = "json"

    def __init__(self, database: Path) -> None:
        self._database = database
        self.calls: list[str] = []

    def inspect(self, payload: Path) -> Facts:
        try:
            value = json.loads(payload.read_text())
            return Facts(id=value["id"], version=value["version"])
        except (ValueError, KeyError) as error:
            raise InstallerError(Reason.MALFORMED, "no archive of this kind") from error

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        value = json.loads(payload.read_text())
        self.calls.append(f"install {facts.version}")
        now = self._read().get(facts.id)
        is_newer = bool(now and now["presence"] == "active" and now["version"] > facts.version)
        if is_newer and not may_downgrade:
            raise InstallerError(Reason.POLICY, "older")
        leaves = value.get("leaves", "active")
        if leaves != "untouched":
            self._set(facts.id, {"version": facts.version, "presence": leaves})
        if "fails" in value:
            raise InstallerError(Reason(value["fails"]), "as ordered")

    def remove(self, component_id: str) -> None:
        self.calls.append("remove")
        self._set(component_id, None)

    def withdraw(self, component_id: str) -> None:
        self.calls.append("withdraw")
        self._set(component_id, None)

    def probe(self, component_id: str, version: str) -> Presence:
        now = self._read().get(component_id)
        if now is None or (now["presence"] == "active" and version not in ("", now["version"])):
            return Presence.ABSENT
        return Presence(now["presence"])

    def version(self, component_id: str) -> str:
        now = self._read().get(component_id)
        return now["version"] if now and now["presence"] == "active" else ""

    def units(self, component_id: str) -> tuple[str, ...]:
        return (f"{component_id}.service",) if self.version(component_id) else ()

    def inventory(self) -> list[InstalledItem]:
        return [
            InstalledItem(id=key, version=now["version"], environment=self.environment)
            for key, now in self._read().items()
            if now["presence"] == "active"
        ]

    def mark(self) -> str:
        return stamp(self._database)

    def _read(self) -> dict[str, dict[str, str]]:
        if not self._database.exists():
            return {}
        found: dict[str, dict[str, str]] = json.loads(self._database.read_text())
        return found

    def _set(self, key: str, value: dict[str, str] | None) -> None:
        state = {name: now for name, now in self._read().items() if name != key}
        if value is not None:
            state[key] = value
        new = self._database.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self._database)
