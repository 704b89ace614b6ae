# SPDX-License-Identifier: Apache-2.0
"""An installer backend that keeps its system packages in one JSON file.

It behaves like the real ones (idempotent verbs, states that outlive a process)
and reads archives that are JSON objects themselves: {"id", "version"}, for software in
a sandbox {"permissions": [sentences]} and, for failures, {"fails": reason, "leaves": presence}.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Facts, InstalledItem, Presence, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
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
            return Facts(id=value["id"], version=value["version"], permissions=_permissions(value))
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
            state = {"version": facts.version, "presence": leaves}
            self._set(facts.id, state | {"permissions": list(facts.permissions)})
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
        return str(now["version"]) if now and now["presence"] == "active" else ""

    def units(self, component_id: str) -> tuple[str, ...]:
        return (f"{component_id}.service",) if self.version(component_id) else ()

    def inventory(self) -> list[InstalledItem]:
        return [
            self._item(key, now) for key, now in self._read().items() if now["presence"] == "active"
        ]

    def _item(self, key: str, now: dict[str, Any]) -> InstalledItem:
        return InstalledItem(
            id=key,
            version=now["version"],
            environment=self.environment,
            permissions=_permissions(now),
        )

    def mark(self) -> str:
        return stamp(self._database)

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._database.exists():
            return {}
        found: dict[str, dict[str, Any]] = json.loads(self._database.read_text())
        return found

    def _set(self, key: str, value: dict[str, Any] | None) -> None:
        state = {name: now for name, now in self._read().items() if name != key}
        if value is not None:
            state[key] = value
        new = self._database.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self._database)


class FakeSandboxBackend(FakeBackend):
    """One whose software says what it may do, brings no units, and is started by its own tool."""

    name = "flatpak"
    environment = "flatpak"

    def units(self, component_id: str) -> tuple[str, ...]:
        del component_id
        return ()

    def start(self, component_id: str) -> None:
        self._set(component_id, {**self._read()[component_id], "runs": True})

    def stop(self, component_id: str) -> None:
        self._set(component_id, {**self._read()[component_id], "runs": False})

    def runs(self, component_id: str) -> bool:
        return bool(self._read()[component_id].get("runs"))

    def _item(self, key: str, now: dict[str, Any]) -> InstalledItem:
        return replace(super()._item(key, now), is_startable=True)


def _permissions(value: dict[str, Any]) -> tuple[str, ...]:
    return tuple(value.get("permissions", ()))


class TogetherBackend(FakeBackend):
    """One whose tool takes several at once; an archive may need others: {"needs": "a b"}.

    As with the real ones, what others need does not go without them, and those that came
    through stay when one fails.
    """

    def install_all(self, archives: Sequence[tuple[Path, Facts]], *, may_downgrade: bool) -> None:
        self.calls.append(f"together {' '.join(facts.id for _, facts in archives)}")
        coming = {facts.id for _, facts in archives}
        failure: InstallerError | None = None
        for path, facts in archives:
            needs = json.loads(path.read_text()).get("needs", "")
            if missing := set(needs.split()) - coming - self._read().keys():
                failure = InstallerError(Reason.DEPENDENCY, f"{facts.id} needs {missing}")
                continue
            try:
                self.install(path, facts, may_downgrade=may_downgrade)
            except InstallerError as error:
                failure = error
            else:
                self._set(facts.id, {**self._read()[facts.id], "needs": needs})
        if failure is not None:
            raise failure

    def withdraw_all(self, component_ids: Sequence[str]) -> None:
        self.calls.append(f"withdraw {' '.join(component_ids)}")
        for key, now in self._read().items():
            if key not in component_ids and set(now.get("needs", "").split()) & {*component_ids}:
                raise InstallerError(Reason.DEPENDENCY, f"{key} stays")
        for component_id in component_ids:
            self._set(component_id, None)

    def remove(self, component_id: str) -> None:
        self._check_unneeded(component_id)
        super().remove(component_id)

    def withdraw(self, component_id: str) -> None:
        self._check_unneeded(component_id)
        super().withdraw(component_id)

    def _check_unneeded(self, component_id: str) -> None:
        users = [
            key for key, now in self._read().items() if component_id in now.get("needs", "").split()
        ]
        if component_id in self._read() and users:
            raise InstallerError(Reason.DEPENDENCY, f"{users} need {component_id}")


class PreparingBackend(FakeBackend):
    """One that fetches what an archive names before it is switched on."""

    def prepare(self, payload: Path, facts: Facts) -> None:
        self.calls.append(f"prepare {facts.version}")
        if "fails" in json.loads(payload.read_text()):
            raise InstallerError(Reason.DEPENDENCY, "as ordered")
