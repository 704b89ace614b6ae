# SPDX-License-Identifier: Apache-2.0
"""The package database of dpkg, read by dpkg-query: of the device or of a scratch root.

Reading needs no privilege and takes no lock.  What changes it is `dpkg`; what the tools
print is understood in `dpkg_output`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scomod.installers.dpkg_output import Row

ADMIN_DIR: Final = "var/lib/dpkg"
_FOLDERS: Final = ("info", "updates", "triggers", "parts")
_FILES: Final = ("status", "available")
_QUERY_TIMEOUT_S: Final = 60.0


def ask(*argv: str) -> proc.Completed:
    """Run one of the tools that change nothing."""
    return proc.run(argv, timeout_s=_QUERY_TIMEOUT_S)


class Database:
    """Reads the database below a root, and makes an empty one where there is none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ADMIN_DIR
        self._native = ""

    @property
    def native(self) -> str:
        """Name the machine's own architecture; it does not change."""
        if not self._native:
            self._native = ask("dpkg", "--print-architecture").stdout.strip()
        return self._native

    def rows(self, *names: str) -> list[Row]:
        """Read the packages of these names, or all; one that is not known gives no row.

        Raises `InstallerError(INTERNAL)` where the database cannot be read.
        """
        if not (self.folder / "status").exists():
            return []
        done = self._query("-W", "-f", dpkg_output.QUERY_FORMAT, *names)
        if done.is_truncated or done.rc > 1 or done.rc < 0:
            raise InstallerError(
                Reason.INTERNAL,
                f"the package database cannot be read: {dpkg_output.detail_of(done.stderr)}",
            )
        return dpkg_output.parse_query(done.stdout)

    def rows_of(self, component_ids: Sequence[str]) -> Mapping[str, Row]:
        """Read these components; one that is not known is not in the answer.

        Raises `InstallerError(POLICY)` for what cannot be the name of a package.
        """
        for component_id in component_ids:
            if not dpkg_output.is_component_id(component_id):
                raise InstallerError(
                    Reason.POLICY, f"no package can be called {component_id!r:.80}"
                )
        found = {self.component_id(row): row for row in self.rows(*component_ids)}
        return {each: found[each] for each in component_ids if each in found}

    def row(self, component_id: str) -> Row | None:
        """Read one component, as `rows_of`."""
        return self.rows_of([component_id]).get(component_id)

    def component_id(self, row: Row) -> str:
        """Name the component that a row is about."""
        return dpkg_output.component_id(row.name, row.architecture, self.native)

    def is_essential(self, row: Row) -> bool:
        """Tell whether dpkg would refuse to remove an installed package."""
        done = self._query("-W", "-f", dpkg_output.ESSENTIAL_FORMAT, row.argument)
        return "yes" in done.stdout.split()

    def units(self, component_id: str) -> tuple[str, ...]:
        """Name the services among a package's files."""
        if not dpkg_output.is_component_id(component_id):
            return ()
        return dpkg_output.services_in(self._query("-L", component_id).stdout)

    def owner_of(self, file: Path) -> str:
        """Name the package that has a file of the device, "" where none has."""
        if not file.is_relative_to(self.root):
            return ""
        name = Path("/", file.relative_to(self.root))
        found = self._query("-S", str(name)).stdout.rpartition(f": {name}")[0].rpartition("\n")[2]
        rows = self.rows(found) if dpkg_output.is_component_id(found) else []
        return self.component_id(rows[0]) if rows else ""

    def files(self, component_id: str) -> list[str]:
        """List the files and directories of a package, absolute on the device."""
        lines = self._query("-L", component_id).stdout.splitlines()
        return [line for line in lines if line.startswith("/")]

    def control(self, component_id: str) -> str:
        """Return the stanza of an installed package, "" for one that is not."""
        return self._query("-s", component_id).stdout

    def scripts(self, component_id: str) -> list[Path]:
        """List what the package brought to steer dpkg: scripts, lists, triggers."""
        return [Path(line) for line in self._query("-c", component_id).stdout.splitlines()]

    def make(self) -> None:
        """Give a scratch root the empty database that dpkg wants to find."""
        if self.root == Path("/"):
            return
        for name in _FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            (self.folder / name).touch()

    def _query(self, *arguments: str) -> proc.Completed:
        return ask("dpkg-query", f"--admindir={self.folder}", *arguments)
