# SPDX-License-Identifier: Apache-2.0
"""A stand-in for systemctl that keeps units in files of the device, and units that misbehave.

A unit is a file of properties below `run/units`; besides those of systemd:
Fails=yes (does not start, with an exit code), Silent=yes (does not start and says 0),
Sticky=yes (does not stop).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = r"""#!/bin/sh
units=${0%/usr/bin/systemctl}/run/units
echo "$*" >> "$units.log"
verb=$1
while [ "$1" != -- ]; do shift; done
shift
rc=0
for unit; do
    file=$units/$unit
    case $verb in
    show)
        echo "Id=$unit"
        if [ -e "$file" ]; then cat "$file"; else echo ActiveState=inactive; fi
        echo ;;
    start)
        if grep -q Fails=yes "$file"; then
            sed -i s/^ActiveState=.*/ActiveState=failed/ "$file"
            echo "Job for $unit failed." >&2
            rc=1
        elif ! grep -q Silent=yes "$file"; then
            sed -i s/^ActiveState=.*/ActiveState=active/ "$file"
        fi ;;
    stop)
        grep -q Sticky=yes "$file" || sed -i s/^ActiveState=.*/ActiveState=inactive/ "$file" ;;
    esac
done
exit $rc
"""
DEFAULTS = {
    "Type": "simple",
    "ActiveState": "inactive",
    "SubState": "dead",
    "Result": "success",
    "UnitFileState": "enabled",
    "RemainAfterExit": "no",
    "NRestarts": "0",
    "ActiveEnterTimestampMonotonic": "0",
}


class SystemManager:
    """The units of the device below `root`."""

    def __init__(self, root: Path) -> None:
        self._units = root / "run/units"
        self._units.mkdir(parents=True)
        program = root / "usr/bin/systemctl"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM)
        program.chmod(0o755)

    def put(self, name: str, **properties: str) -> None:
        """Set the properties of a unit."""
        values = DEFAULTS | properties
        (self._units / name).write_text("".join(f"{key}={each}\n" for key, each in values.items()))

    def state(self, name: str) -> str:
        """Say how a unit is."""
        lines = (self._units / name).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)["ActiveState"]

    def calls(self) -> list[str]:
        """List the words of every call so far."""
        log = self._units.with_name("units.log")
        return log.read_text().splitlines() if log.exists() else []
