# SPDX-License-Identifier: Apache-2.0
"""Running flatpak for one installation, which every call names; and what is deployed there.

What its words mean is `flatpak_output`.  Each run gets a home of its own: flatpak lists
nothing where it cannot make a cache directory, and the daemon has no home.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_output, proc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.installers.flatpak_output import Row

_QUERY_TIMEOUT_S: Final = 60.0
# Which variable names the directory of an installation.
_PLACES: Final = {"system": "FLATPAK_SYSTEM_DIR", "user": "FLATPAK_USER_DIR"}
YES: Final = ("-y", "--noninteractive")
# Without the other option it says how far it is, and asks nothing: there is no terminal.
YES_TOLD: Final = ("-y",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """flatpak for the `installation` ("system" or "user") that lies in `dir`."""

    installation: str
    dir: Path
    config_dir: Path
    timeout_s: float

    def change(
        self, verb: str, *arguments: str, hears: Callable[[str], None] | None = None
    ) -> proc.Completed:
        """Change something; any exit code is a result.  `hears` is told what it says meanwhile."""
        return self._run(self.scope, verb, *arguments, timeout_s=self.timeout_s, hears=hears)

    def ask(self, verb: str, *arguments: str) -> proc.Completed:
        """Ask something of this installation."""
        return self._run(self.scope, verb, *arguments, timeout_s=_QUERY_TIMEOUT_S)

    def native(self) -> str:
        """Name the machine's own architecture."""
        return self._run("--default-arch", timeout_s=_QUERY_TIMEOUT_S).stdout.strip()

    def rows(self) -> list[Row]:
        """List what is deployed; nothing where flatpak was never used or is not there."""
        is_there = shutil.which("flatpak", path=proc.ENVIRONMENT["PATH"])
        if not is_there or not (self.dir / "repo/config").exists():
            return []
        done = self.ask("list", "--all", f"--columns={flatpak_output.LIST_COLUMNS}")
        if done.rc != 0 or done.is_truncated:
            raise InstallerError(
                Reason.INTERNAL,
                f"the flatpak installation cannot be read: {flatpak_output.detail_of(done.stderr)}",
            )
        return flatpak_output.parse_list(done.stdout)

    @property
    def scope(self) -> str:
        """Say which installation is meant, as an option."""
        return f"--{self.installation}"

    @property
    def variables(self) -> dict[str, str]:
        """Give what flatpak must find in its environment besides a home."""
        return {
            _PLACES[self.installation]: str(self.dir),
            "FLATPAK_CONFIG_DIR": str(self.config_dir),
        }

    def _run(
        self, *arguments: str, timeout_s: float, hears: Callable[[str], None] | None = None
    ) -> proc.Completed:
        with tempfile.TemporaryDirectory(prefix="scomod-flatpak-") as home:
            env = {**proc.ENVIRONMENT, **self.variables, "HOME": home}
            return proc.run(("flatpak", *arguments), timeout_s=timeout_s, env=env, hears=hears)


def failure(done: proc.Completed) -> InstallerError:
    """Make the error of a run that did not reach its end.

    flatpak may crash after it has said what is wrong, so its words go before the signal.
    """
    detail = flatpak_output.detail_of(done.stderr)
    if done.rc < 0 and detail == flatpak_output.NO_DETAIL:
        return InstallerError(Reason.INTERNAL, f"flatpak was killed by signal {-done.rc}")
    return InstallerError(flatpak_output.reason_of(done.stderr), f"flatpak: {detail}")
