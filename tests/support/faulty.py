# SPDX-License-Identifier: Apache-2.0
"""Backends that break one duty each, so that the test kit is seen to find it.

All keep their packages in a JSON file (`backends.FakeBackend`); what each does wrong is
in its first line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scomod.errors import InstallerError, Reason
from scomod.installers import proc
from scomod.installers.base import Facts, InstalledItem, Presence
from scomod.installers.kinds import Kind
from tests.support.backends import FakeBackend

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.kinds import Place

DATABASE = "fake.json"


class Sound(FakeBackend):
    """Keeps its duties, with a short program that may be killed and with configuration."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / DATABASE)
        self._config = root / "hello.conf"

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        before = self._read().get(facts.id)
        super().install(payload, facts, may_downgrade=may_downgrade)
        self._set(facts.id, {"version": facts.version, "presence": "partial"})
        if proc.run(("sleep", "0.05"), timeout_s=60.0).rc:
            self.after_kill(facts, before)
        self._set(facts.id, {"version": facts.version, "presence": "active"})
        self._config.touch()

    def after_kill(self, facts: Facts, before: dict[str, str] | None) -> None:
        del facts, before
        raise InstallerError(Reason.INTERNAL, "killed")

    def remove(self, component_id: str) -> None:
        super().remove(component_id)
        self._config.unlink(missing_ok=True)

    def units(self, component_id: str) -> tuple[str, ...]:
        del component_id
        return ()

    def is_older(self, version: str, than: str) -> bool:
        return version < than

    def is_essential(self, component_id: str) -> bool:
        del component_id
        return False

    def scripts(self, archive: Path) -> tuple[str, ...]:
        del archive
        return ()


class Once(Sound):
    """twice: the second withdrawal fails."""

    def withdraw(self, component_id: str) -> None:
        if not self.version(component_id) and component_id == "hello":
            raise InstallerError(Reason.NOT_PRESENT, "gone already")
        super().withdraw(component_id)


class Strict(Sound):
    """absent: taking off what never was there fails."""

    def remove(self, component_id: str) -> None:
        if component_id not in self._read() and component_id != "hello":
            raise InstallerError(Reason.NOT_PRESENT, "never was there")
        super().remove(component_id)


class Talker(Sound):
    """upgrade: says that whatever version is asked for is there."""

    def probe(self, component_id: str, version: str) -> Presence:
        del version
        return super().probe(component_id, "")


class Liar(Sound):
    """killed: what a kill left is listed as if it worked."""

    def inventory(self) -> list[InstalledItem]:
        return [
            InstalledItem(id=key, version=now["version"], environment=self.environment)
            for key, now in self._read().items()
        ]


class Stuck(Sound):
    """killed: what a kill left it does not repair."""

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        if self.probe(facts.id, "") is Presence.PARTIAL:
            raise InstallerError(Reason.CONFLICT, "somebody left something there")
        super().install(payload, facts, may_downgrade=may_downgrade)


class Messy(Sound):
    """failed: an installation that fails leaves half of it."""

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        if "fails" in json.loads(payload.read_text()):
            self._set(facts.id, {"version": facts.version, "presence": "partial"})
            raise InstallerError(Reason.SCRIPT_FAILED, "as ordered")
        super().install(payload, facts, may_downgrade=may_downgrade)


class Optimist(Sound):
    """failed: an installation that fails is a success, as the exit code said."""

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        if "fails" not in json.loads(payload.read_text()):
            super().install(payload, facts, may_downgrade=may_downgrade)


class Meek(Sound):
    """older: replaces a newer version without a word."""

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        del may_downgrade
        super().install(payload, facts, may_downgrade=True)


class Stubborn(Sound):
    """older: an older version is refused also where it is allowed."""

    def install(self, payload: Path, facts: Facts, *, may_downgrade: bool = False) -> None:
        del may_downgrade
        super().install(payload, facts)


class Credulous(Sound):
    """rubbish: takes anything for an archive."""

    def inspect(self, payload: Path) -> Facts:
        try:
            return super().inspect(payload)
        except InstallerError:
            return Facts(id="anything", version="1")


class Raw(Sound):
    """rubbish: what its parser raises comes through."""

    def inspect(self, payload: Path) -> Facts:
        value = json.loads(payload.read_text())
        return Facts(id=value["id"], version=value["version"])


class Open(Sound):
    """names: any name is that of a package which is there."""

    def probe(self, component_id: str, version: str) -> Presence:
        is_name = component_id.isascii() and component_id.replace("-", "").isalnum()
        return super().probe(component_id, version) if is_name else Presence.ACTIVE


class Thorough(Sound):
    """withdrawn: withdrawing deletes the configuration."""

    def withdraw(self, component_id: str) -> None:
        self.remove(component_id)


class Untidy(Sound):
    """withdrawn: removing leaves the configuration."""

    def remove(self, component_id: str) -> None:
        FakeBackend.remove(self, component_id)


class Restless(Sound):
    """marked: writes its database whenever it is asked."""

    def probe(self, component_id: str, version: str) -> Presence:
        self._set("", None)
        return super().probe(component_id, version)


class Backwards(Sound):
    """discerning: tells the newer version for the older one."""

    def is_older(self, version: str, than: str) -> bool:
        return version > than


FAULTY: tuple[type[Sound], ...] = (
    Once, Strict, Talker, Liar, Stuck, Messy, Optimist, Meek, Stubborn, Credulous, Raw, Open,
    Thorough, Untidy, Restless, Backwards,
)  # fmt: skip


def kind_with(backend: type[Sound], watched: str = DATABASE) -> Kind:
    """Return the kind that a backend class would be brought as."""

    def make(place: Place) -> Sound:
        return backend(place.root)

    return Kind(
        name="fake", environments=("json",), content_types=(), watched=(watched,), maker=make
    )
