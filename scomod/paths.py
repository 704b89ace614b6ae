# SPDX-License-Identifier: Apache-2.0
"""Where a device keeps its things; no I/O.  `settings.py` hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Where one device keeps its things, all below `root` ("/" on a real device)."""

    root: Path

    @property
    def config_dir(self) -> Path:
        """Configuration, keys, certificate authorities."""
        return self.root / "etc/scomod"

    @property
    def bootstrap_dir(self) -> Path:
        """Documents that make accounts, each taken once."""
        return self.config_dir / "bootstrap.d"

    @property
    def state_dir(self) -> Path:
        """Owned by the daemon: database, spool, jobs (mode 0700)."""
        return self.root / "var/lib/scomod"

    @property
    def database(self) -> Path:
        """The one database."""
        return self.state_dir / "scomod.db"

    @property
    def baseline(self) -> Path:
        """What the factory left on the device, compressed."""
        return self.state_dir / "baseline.z"

    @property
    def spool_dir(self) -> Path:
        """Part files and verified payloads on their way."""
        return self.state_dir / "spool"

    @property
    def traces_dir(self) -> Path:
        """Records of sessions, one file each, if they are wanted."""
        return self.state_dir / "traces"

    @property
    def recorder_dir(self) -> Path:
        """The flight recorder: a ring of a few files."""
        return self.state_dir / "recorder"

    @property
    def delivered_dir(self) -> Path:
        """Payloads of the Delivered inventory, named by digest."""
        return self.state_dir / "delivered"

    @property
    def values_dir(self) -> Path:
        """Values of the management tree too long for the database, named by digest."""
        return self.state_dir / "values"

    @property
    def jobs_dir(self) -> Path:
        """Orders to the root helper, one JSON file each."""
        return self.state_dir / "jobs"

    @property
    def install_dir(self) -> Path:
        """Owned by root: taken jobs, results, kept archives and their index."""
        return self.root / "var/lib/scomod-install"

    @property
    def way_back(self) -> Path:
        """There while an upgrade of scomod itself can be undone."""
        return self.install_dir / "way-back"

    @property
    def last_way_back(self) -> Path:
        """How the last upgrade of scomod itself ended."""
        return self.install_dir / "way-back.last"

    @property
    def run_dir(self) -> Path:
        """What does not outlive a boot."""
        return self.root / "run/scomod"

    @property
    def metrics_socket(self) -> Path:
        """Where figures can be read while the daemon lives, if that is wanted."""
        return self.run_dir / "metrics.sock"

    @property
    def status_file(self) -> Path:
        """What goes on, in a line."""
        return self.run_dir / "status"

    @property
    def progress_file(self) -> Path:
        """Owned by root: how far the order in work is."""
        return self.root / "run/scomod-install/progress.json"

    def below_root(self, name: str) -> Path:
        """Resolve a path from the configuration against the device's root.

        An absolute name that already lies below the root is taken as it is.
        """
        path = Path(name)
        if path.is_absolute() and not path.is_relative_to(self.root):
            path = path.relative_to("/")
        return self.root / path
