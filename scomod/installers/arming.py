# SPDX-License-Identifier: Apache-2.0
"""Making the way back of an upgrade of scomod itself, before its tool runs (ADR 0050).

What is ourselves is asked of the tools: the package that has the file of this program.
All that going back needs is put together beside and becomes the way back by one rename;
from then on `guard.sh` decides, which is started now and at every boot.
An upgrade for which no way back can be made fails; `[self_update] reach_s = 0` wants none.
"""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import scomod
from scomod.bootid import boot_id
from scomod.errors import InstallerError, OperationError, Reason
from scomod.installers import durable, proc, wayback
from scomod.installers.base import JobResult, Returnable, stamp
from scomod.installers.wayback import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scomod.installers.archive import Archives
    from scomod.installers.base import Backend, Job
    from scomod.installers.plan import Change
    from scomod.settings import Paths, SelfUpdate

log = logging.getLogger(__name__)

OWN_FILE: Final = Path(scomod.__file__).resolve()
GUARD: Final = Path(__file__).with_name("guard.sh")
LOOK_S: Final = 2
_START_TIMEOUT_S: Final = 60.0
_FOLDER_MODE: Final = 0o710  # the daemon's group opens the order by its name
_ORDER_MODE: Final = 0o640
_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644
_BESIDE: Final = 'setsid sh "$0" watch </dev/null >/dev/null 2>&1 &'
_UNIT: Final = """\
# Written by scomod-install for the time of one upgrade of scomod, and taken away after it.
[Unit]
Description=Bring the previous scomod back if the new one reaches no server
RequiresMountsFor={folder}
ConditionPathExists={folder}/guard
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh {folder}/guard watch
Restart=on-failure
RestartSec=5s
SyslogIdentifier=scomod-way-back
PrivateNetwork=yes

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arming:
    """Makes ways back, whose guard `service_program` (systemctl) starts.

    `observer` is told "prepared", "armed" and "guarded".
    """

    paths: Paths
    settings: SelfUpdate
    archives: Archives
    backends: Mapping[str, Backend]
    service_program: str
    observer: Callable[[str], None]

    def arm(self, job: Job, changes: Sequence[Change]) -> None:
        """Make the way back, if one of the changes is an upgrade of ourselves.

        Once more for the same order only sees that it is guarded.  Raises
        `InstallerError`: BUSY while another upgrade of ours is not through, POLICY for one
        among others, else why there can be no way back; `OSError`.
        """
        change = self._own(changes) if self.settings.reach_s else None
        if change is None:
            return
        if len(changes) > 1:
            # The guard brings one package back; the others would stay.
            raise InstallerError(Reason.POLICY, f"{change.id} is scomod itself and comes alone")
        pending = wayback.read(self.paths)
        if pending is not None and pending.job_id != job.id:
            raise InstallerError(
                Reason.BUSY, f"the upgrade to {pending.component_id} {pending.after} is not through"
            )
        if pending is None:
            self._make(job, change)
        self.observer("armed")
        try:
            self._guard()
        except InstallerError as error:
            if pending is None:
                wayback.drop(self.paths)
                raise
            # The tool may have run: on goes what cannot be taken back here.
            log.warning("%s", error)
        self.observer("guarded")

    def _own(self, changes: Sequence[Change]) -> Change | None:
        """Find the change that puts another version in our place."""
        for change in changes:
            backend = self.backends[change.backend]
            is_upgrade = change.was and change.after is not None and change.after.is_active
            if is_upgrade and isinstance(backend, Returnable):
                own = self.settings.package or backend.owner_of(OWN_FILE)
                if own == change.id:
                    return change
        return None

    def _make(self, job: Job, change: Change) -> None:
        folder = self.paths.way_back
        new = folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        try:
            self._fill(new, folder, job, change)
        except (OSError, OperationError):
            shutil.rmtree(new, ignore_errors=True)
            raise
        self._share(new)
        self.observer("prepared")
        new.rename(folder)
        durable.sync_dir(folder.parent)

    def _fill(self, new: Path, folder: Path, job: Job, change: Change) -> None:
        """Write what `guard.sh` says that it needs."""
        backend = self.backends[change.backend]
        assert isinstance(backend, Returnable)  # noqa: S101 - `_own` chose it
        assert change.after is not None  # noqa: S101 - the same
        name = f"package.{backend.environment}"
        self._keep_package(backend, change, new / name)
        showing = backend.showing(change.id)
        texts = {
            "guard": GUARD.read_text(),
            "restore": _program(backend.restoring(folder / name)),
            "version": _program(showing),
            "expected": proc.run(showing, timeout_s=_START_TIMEOUT_S).stdout,
            "boots": f"{boot_id(self.paths.root)}\n",
            "order": self._order(job, change, change.after.version),
        }
        for file, text in texts.items():
            durable.write(new / file, text.encode(), mode=_PRIVATE)
        if change.before is not None:
            durable.write_json(new / "before.json", asdict(change.before), mode=_PRIVATE)
        for file, detail in self._endings(change, change.after.version).items():
            failure = JobResult(id=job.id, is_ok=False, reason=Reason.UNHEALTHY, detail=detail)
            durable.write_json(new / file, asdict(failure), mode=_PRIVATE)

    def _keep_package(self, backend: Returnable, change: Change, target: Path) -> None:
        """Put the previous package there: the kept archive, or one made of what is installed."""
        before = change.before
        if before is not None and before.is_active and before.version == change.was:
            try:
                shutil.copyfile(self.archives.checked(before), target)
            except OperationError:  # gone or damaged: what is installed is there all the same
                backend.repack(change.id, target)
        else:
            backend.repack(change.id, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())

    def _order(self, job: Job, change: Change, after: str) -> str:
        pending = Pending(
            job_id=job.id,
            component_id=change.id,
            before=change.was,
            after=after,
            nonce=secrets.token_hex(16),
            stamp=stamp(OWN_FILE),
        )
        root = self.paths.root
        more = {
            "REACH_S": round(self.settings.reach_s),
            "WORK_S": round(self.settings.work_s),
            "LOOK_S": LOOK_S,
            "BOOTS": self.settings.boots_count,
            "ROOT": "" if root == Path("/") else root,
            "SAID": self.paths.state_dir / wayback.SAID,
        }
        return wayback.written(pending, more)

    def _endings(self, change: Change, after: str) -> Mapping[str, str]:
        time = f"within {self.settings.reach_s:g} s or {self.settings.boots_count} starts"
        text = f"{change.id} {after} reached no server {time}"
        return {
            "returned.json": f"{text}; {change.was} is back",
            "stuck.json": f"{text}, and {change.was} could not be brought back",
        }

    def _share(self, new: Path) -> None:
        """Let the daemon's group read the order, as far as we may say so."""
        if os.geteuid() == 0 and self.paths.state_dir.exists():
            group = self.paths.state_dir.stat().st_gid
            for path, mode in ((new, _FOLDER_MODE), (new / "order", _ORDER_MODE)):
                os.chown(path, -1, group)
                path.chmod(mode)
        durable.sync_dir(new)

    # -- the guard -----------------------------------------------------------------

    def _guard(self) -> None:
        """Start the guard, now and at every boot; raises `InstallerError` if that fails."""
        folder = self.paths.way_back
        if self.settings.guard_program:
            self._run(*self.settings.guard_program)
        elif (self.paths.root / "run/systemd/system").is_dir():
            link, unit = wayback.units(self.paths.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            durable.write(unit, _UNIT.format(folder=folder).encode(), mode=_PUBLIC)
            link.unlink(missing_ok=True)
            link.symlink_to(f"../{unit.name}")
            durable.sync_dir(link.parent)
            self._run(self.service_program, "daemon-reload")
            self._run(self.service_program, "--no-block", "start", unit.name)
        else:
            self._run("sh", "-c", _BESIDE, str(folder / "guard"))

    def _run(self, *program: str) -> None:
        argv = program if program[0] == "sh" else proc.below(self.paths.root, program)
        done = proc.run(argv, timeout_s=_START_TIMEOUT_S)
        if done.rc != 0:
            text = " ".join((done.stderr or done.stdout).split())[:400]
            raise InstallerError(
                Reason.INTERNAL, f"the way back is not guarded: {' '.join(program)}: {text}"
            )


def _program(words: Iterable[str]) -> str:
    return f"exec {shlex.join(words)}\n"
