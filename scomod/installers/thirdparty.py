# SPDX-License-Identifier: Apache-2.0
"""Kinds of packages that others bring: as a Python package, or as a program with a declaration.

A name in [install] `backends` that is none of ours is looked for in two places: a program
`<backends_dir>/NAME` with `NAME.toml` beside it, then an entry point NAME of the group
`scomod.backends`, which is a `Kind`.  Both are read as data here; a program is not run and
no backend imported before it is used.  Whatever is wrong is a `ConfigError` that says what
to do.  The words of the declaration are in docs/backends.md.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import ConfigError
from scomod.installers.kinds import BUNDLES, KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scomod.installers.base import Backend
    from scomod.installers.kinds import Place
    from scomod.settings import Install, Paths

GROUP: Final = "scomod.backends"
PROTOCOL: Final = 1
ABILITIES: Final = ("discerning", "attending", "preparing")
MAX_DECLARATION_BYTES: Final = 16 << 10
_MAX_WORDS_COUNT: Final = 16
_ROOT: Final = 0
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
# The first environment is also how archives are called in the store.
_ENVIRONMENT: Final = re.compile(r"[a-z0-9]{1,16}")
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_WATCHED: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.+/-]{1,200}")
_ABILITY: Final = re.compile("|".join(ABILITIES))
_LISTS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "environments": (_ENVIRONMENT, "small letters and digits, 16 at most"),
    "content_types": (_CONTENT_TYPE, "media types in small letters"),
    "watched": (_WATCHED, "paths of files below the device's root"),
    "abilities": (_ABILITY, ", ".join(ABILITIES)),
}
_REQUIRED: Final = frozenset({"protocol", "environments", "watched"})
_KEYS: Final = frozenset({"protocol", "sandbox", *_LISTS})


def kinds_of(names: Iterable[str], settings: Install, paths: Paths) -> tuple[Kind, ...]:
    """Return the kinds of several names, ours and others'; raises `ConfigError`."""
    found = tuple(KINDS.get(name) or kind_of(name, settings, paths) for name in names)
    taken = dict.fromkeys(_words(BUNDLES), BUNDLES.name)
    for kind in found:
        for word in _words(kind):
            if word in taken:
                raise ConfigError(f"{kind.name} and {taken[word]} both say that {word} is theirs")
            taken[word] = kind.name
    return found


def kind_of(name: str, settings: Install, paths: Paths) -> Kind:
    """Return the kind that others bring under a name; raises `ConfigError`."""
    program = paths.below_root(settings.backends_dir) / name
    if os.path.lexists(program):
        return _of_program(name, program)
    found = _of_package(name)
    if found is None:
        raise ConfigError(
            f"{name} is no backend: there is neither a program {program} nor an installed"
            f" Python package with the entry point {name} in {GROUP}; install one of them"
            " or take the name out"
        )
    return found


def check_owner(paths: Paths, *files: Path) -> None:
    """Raise `ConfigError` for a file that others than root could have written.

    In a device below a directory, which a user may run, it may be that user's.
    """
    is_own_device = paths.root.absolute().parent == paths.root
    owners = {_ROOT} if is_own_device else {_ROOT, os.geteuid()}
    for file in files:
        try:
            info = file.lstat()
        except OSError as error:
            raise ConfigError(f"{file} cannot be used: {error.strerror}") from error
        if stat.S_ISLNK(info.st_mode):
            raise ConfigError(f"{file} must not be a link")
        if info.st_uid not in owners or info.st_mode & _WRITABLE_BY_OTHERS:
            raise ConfigError(f"{file} must belong to root and be writable by nobody else")


def _words(kind: Kind) -> tuple[str, ...]:
    return (*kind.environments, *kind.content_types)


# -- programs ------------------------------------------------------------------


def _of_program(name: str, program: Path) -> Kind:
    declaration = program.with_name(f"{name}.toml")
    table = _declared(declaration)
    return Kind(
        name=name,
        environments=tuple(table["environments"]),
        content_types=tuple(table.get("content_types", ())),
        watched=tuple(table["watched"]),
        maker=partial(_make_program, name, program, table),
        has_sandbox=table.get("sandbox", False),
    )


def _make_program(name: str, program: Path, table: Mapping[str, Any], place: Place) -> Backend:
    from scomod.installers.program import ProgramBackend, with_abilities  # noqa: PLC0415 - late
    from scomod.settings import Paths  # noqa: PLC0415 - as above

    check_owner(Paths(place.root), program.parent, program, program.with_name(f"{name}.toml"))
    made: ProgramBackend = with_abilities(table.get("abilities", ()))(
        name=name,
        environment=table["environments"][0],
        program=program,
        root=place.root,
        settings=place.settings.program,
    )
    return made


def _declared(file: Path) -> dict[str, Any]:
    """Read a declaration; raises `ConfigError` naming file and key."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_DECLARATION_BYTES + 1)
        table = tomllib.loads(text.decode())
    except OSError as error:
        raise ConfigError(f"{file} must say what the backend is: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    if len(text) > MAX_DECLARATION_BYTES:
        raise ConfigError(f"{file} has more than {MAX_DECLARATION_BYTES} octets")
    _check(file, table)
    return table


def _check(file: Path | str, table: Mapping[str, Any]) -> None:
    if unknown := sorted(table.keys() - _KEYS):
        raise ConfigError(f"{file}: there is no key {unknown[0]!r:.80}")
    if missing := sorted(_REQUIRED - table.keys()):
        raise ConfigError(f"{file}: the key {missing[0]} is missing")
    if table["protocol"] != PROTOCOL:
        raise ConfigError(f"{file}: protocol must be {PROTOCOL}, the one spoken here")
    if type(table.get("sandbox", False)) is not bool:
        raise ConfigError(f"{file}: sandbox must be true or false")
    for key, (pattern, words) in _LISTS.items():
        given = table.get(key, [])
        is_right = isinstance(given, list) and len(given) <= _MAX_WORDS_COUNT
        is_right = is_right and all(isinstance(each, str) for each in given)
        if not is_right or not all(pattern.fullmatch(each) for each in given):
            raise ConfigError(f"{file}: {key} must be a list of texts: {words}")
        if key in _REQUIRED and not given:
            raise ConfigError(f"{file}: {key} must not be empty")


# -- Python packages -------------------------------------------------------------


def _of_package(name: str) -> Kind | None:
    """Load the entry point of a name; None where no installed package has it."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - few devices need it

    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        return None
    try:
        kind = found[0].load()
    except Exception as error:
        # Seam: what another package does when it is imported.
        raise ConfigError(
            f"the entry point {name} in {GROUP} ({found[0].value}) cannot be loaded:"
            f" {type(error).__name__}: {error}"
        ) from error
    if not isinstance(kind, Kind) or kind.name != name:
        raise ConfigError(
            f"the entry point {name} in {GROUP} ({found[0].value}) is no Kind called {name}"
        )
    table = {key: list(getattr(kind, key)) for key in ("environments", "content_types", "watched")}
    _check(f"the entry point {name} in {GROUP}", {"protocol": PROTOCOL, **table})
    return kind
