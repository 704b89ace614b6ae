# SPDX-License-Identifier: Apache-2.0
"""What a report for support is made of: a table of pieces, each with how it is had.

Reads only.  What the daemon knows it is asked for, once and within a time; everything else
is had without it, as it may be what is broken.  Secrets are blanked by who writes it down.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import stat
import tempfile
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod import __version__, clidoctor, config, db, ring
from scomod.bootid import boot_id
from scomod.busaddress import NotReachable, RemoteError
from scomod.clifmt import Style, moment
from scomod.errors import ScomodError
from scomod.installers import proc
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.settings import Paths

DAEMON_S: Final = 60.0
TOOL_S: Final = 10.0
TOOL_BYTES: Final = 4 << 20
JOURNAL_LINES: Final = 2000
FILES_COUNT: Final = 2000
DATABASE_BYTES: Final = 256 << 20
LIBRARIES: Final = ("lxml", "requests", "urllib3", "cryptography", "pyudev", "dbus-next")
TOOLS: Final = (
    ("dpkg", "--version"),
    ("flatpak", "--version"),
    ("opkg", "--version"),
    ("zstd", "--version"),
    ("systemctl", "--version"),
)
UNITS: Final = ("scomod.service", "scomod.socket", "scomod.path", "scomod.timer",
    "scomod-install.service", "scomod-install.path")  # fmt: skip
SHOWN: Final = ("Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts",
    "ExecMainStatus", "StatusText", "UnitFileState", "DropInPaths")  # fmt: skip
QUESTIONS: Final = ("status", "inventory", "operations", "history", "reasons", "plan")
ABOUT_ALL: Final = {"reasons": (0,), "plan": (0,)}


@frozen
class Asked:
    """What the daemon answered, by question; what it did not is `lack`."""

    answers: Mapping[str, Any]
    lack: str
    address: str


@frozen
class Piece:
    """One file of a report; `collect` raises `OSError`, `ValueError` or `ScomodError`."""

    name: str
    what: str
    collect: Callable[[Paths, Asked], str]


async def asked(address: str) -> Asked:
    """Ask the daemon all there is to ask; one that does not answer is no failure."""
    answers: dict[str, Any] = {}
    lack = ""
    try:
        async with asyncio.timeout(DAEMON_S):
            from scomod.busclient import Client  # noqa: PLC0415 - loads the D-Bus library

            async with await Client.connect(address) as client:
                for name in QUESTIONS:
                    question = getattr(client, name)
                    answers[name] = await question(*ABOUT_ALL.get(name, ()))
    except (NotReachable, RemoteError) as error:
        lack = str(error)
    except TimeoutError:
        lack = f"the daemon did not answer all within {DAEMON_S:g} s"
    return Asked(answers=answers, lack=lack, address=address)


def _answer(name: str) -> Callable[[Paths, Asked], str]:
    def collect(_paths: Paths, asked: Asked) -> str:
        if name not in asked.answers:
            raise NotReachable("the daemon did not say: see doctor.txt")
        return json.dumps(asked.answers[name], indent=1) + "\n"

    return collect


def _doctor(paths: Paths, asked: Asked) -> str:
    records = asyncio.run(clidoctor.looked(paths, asked.address))
    return _text(clidoctor.lines(records, Style(is_coloured=False), None))


def _configuration(paths: Paths, _asked: Asked) -> str:
    origins = config.origins(paths)
    record = asdict(config.load(paths))
    return _text(f"{key} = {value!r}" for key, value in _leaves(record, "")) + _text(
        f"# {key}: {file}" for key, file in origins.items()
    )


def _leaves(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _versions(_paths: Paths, _asked: Asked) -> str:
    lines = [f"scomod {__version__}", f"python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name}: not known to Python's package data")
    return _text([*lines, f"sqlite {db.LIBRARY_VERSION}"])


def _system(paths: Paths, _asked: Asked) -> str:
    room = os.statvfs(paths.state_dir if paths.state_dir.exists() else paths.root)
    release = paths.root / "etc/os-release"
    return _text(
        [
            f"now {moment(time.time())}",
            " ".join(os.uname()),
            f"boot {boot_id(paths.root)}, up {time.monotonic():.0f} s",
            f"free where the state lies: {room.f_bavail * room.f_frsize} octets",
            f"this report: user {os.geteuid()}, groups {os.getgroups()}",
            release.read_text("utf-8", "replace") if release.exists() else "no os-release",
        ]
    )


def _tools(_paths: Paths, _asked: Asked) -> str:
    return _text(f"{argv[0]}: {_first_line(argv)}" for argv in TOOLS)


def _first_line(argv: tuple[str, ...]) -> str:
    try:
        return next(iter(_said(argv).splitlines()), "says nothing")
    except ScomodError as error:
        return str(error)


def _units(paths: Paths, _asked: Asked) -> str:
    _check_here(paths)
    return _said(("systemctl", "show", f"--property={','.join(SHOWN)}", *UNITS))


def _journal(paths: Paths, _asked: Asked) -> str:
    _check_here(paths)
    units = [word for unit in UNITS for word in ("-u", unit)]
    count = str(JOURNAL_LINES)
    return _said(("journalctl", "--no-pager", "-o", "short-iso", "-n", count, *units))


def _recorder(paths: Paths, _asked: Asked) -> str:
    entries = list(ring.read(paths.recorder_dir))
    if not entries:
        raise ScomodError("nothing was recorded")
    return _text(f"{moment(float(each.get('at', 0)))} {json.dumps(each)}" for each in entries)


def _status_line(paths: Paths, _asked: Asked) -> str:
    return paths.status_file.read_text("utf-8", "replace")


def _files(paths: Paths, _asked: Asked) -> str:
    """List names, sizes and modes of what the state directories hold."""
    lines: list[str] = []
    for folder in (paths.state_dir, paths.install_dir, paths.config_dir, paths.run_dir):
        lines.append(f"{folder}:")
        try:
            next(folder.iterdir(), None)  # rglob passes over what may not be read
        except OSError as error:
            lines.append(f"  {error.strerror}")
            continue
        for path in sorted(folder.rglob("*"))[:FILES_COUNT]:
            known = path.lstat()
            when = moment(known.st_mtime)
            lines.append(
                f"  {stat.filemode(known.st_mode)} {known.st_uid:>5} {known.st_size:>10} "
                f"{when} {path.relative_to(folder)}"
            )
    return _text(lines)


def _database(paths: Paths, asked: Asked) -> str:
    """Look at a copy, as the database has one owner; with a daemon there it looks itself."""
    if not asked.lack:
        return "its daemon is there and looks after it: see doctor.txt\n"
    sides = [paths.database.with_name(paths.database.name + end) for end in ("", "-wal")]
    sides = [each for each in sides if each.exists()]
    if not sides:
        raise ScomodError("there is none")
    if sum(each.stat().st_size for each in sides) > DATABASE_BYTES:
        raise ScomodError("it is too large to look at a copy of it")
    with tempfile.TemporaryDirectory() as folder:
        for each in sides:
            (Path(folder) / each.name).write_bytes(each.read_bytes())
        return _text(db.examined(Path(folder) / paths.database.name))


def _said(argv: tuple[str, ...]) -> str:
    done = proc.run(argv, timeout_s=TOOL_S, kept_bytes=TOOL_BYTES)
    if done.rc and not done.stdout:
        raise ScomodError(f"{argv[0]} ended with {done.rc}: {done.stderr.strip()[-200:]}")
    return done.stdout + done.stderr


def _check_here(paths: Paths) -> None:
    if paths.root != Path("/"):
        raise ScomodError("the device lies in a directory: services are not its own")


def _text(lines: Any) -> str:
    return "".join(f"{line}\n" for line in lines)


PIECES: Final = (
    Piece(name="doctor.txt", what="what the daemon, or a look without it, finds", collect=_doctor),
    Piece(name="line.txt", what="what went on last, in a line", collect=_status_line),
    Piece(name="status.json", what="device, servers, counts", collect=_answer("status")),
    Piece(name="inventory.json", what="software that servers see", collect=_answer("inventory")),
    Piece(name="operations.json", what="operations", collect=_answer("operations")),
    Piece(name="history.json", what="operations that are over", collect=_answer("history")),
    Piece(name="why.json", what="why nothing happens now", collect=_answer("reasons")),
    Piece(name="plan.json", what="what would happen next", collect=_answer("plan")),
    Piece(name="recorder.txt", what="the flight recorder", collect=_recorder),
    Piece(name="configuration.txt", what="the settings in force", collect=_configuration),
    Piece(name="versions.txt", what="scomod and its libraries", collect=_versions),
    Piece(name="tools.txt", what="versions of package tools", collect=_tools),
    Piece(name="system.txt", what="kernel, os-release, free room", collect=_system),
    Piece(name="files.txt", what="names, sizes and modes of scomod's files", collect=_files),
    Piece(name="database.txt", what="whether the database is sound", collect=_database),
    Piece(name="units.txt", what="states of the systemd units", collect=_units),
    Piece(name="journal.txt", what="the last lines of the journal", collect=_journal),
)
