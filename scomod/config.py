# SPDX-License-Identifier: Apache-2.0
"""Configuration files: TOML fragments become the `Settings` of a device.

Not the meaning of the keys (`settings`), and no defaults: a device without any
file runs.  Whatever a file says wrong is refused as a whole with one sentence.

Fragments come from four places, later ones win key by key; a fragment also
replaces one of the same name in an earlier folder, so that a link to
`/dev/null` takes it out.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

from scomod.errors import ConfigError
from scomod.settings import Paths, Server, Settings, Source
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAIN_FILE: Final = "etc/scomod/scomod.toml"  # its turn is after the first of the folders
FOLDERS: Final = ("usr/lib/scomod/config.d", "etc/scomod/config.d", "run/scomod/config.d")

# One section for each server: [server."com.example.dm"]; keys are known by a placeholder.
SERVER_SECTION: Final = "server"
SOURCE_SECTION: Final = "source"
# field of the settings -> its section, the placeholder, the type, and how one is written
_NAMED: Final = {
    "servers": (SERVER_SECTION, f'{SERVER_SECTION}."ID"', Server, "com.example.dm"),
    "sources": (SOURCE_SECTION, f'{SOURCE_SECTION}."HOST"', Source, "packages.example.com"),
}
# What follows the name of a section that may stand several times: [[confirm.rule]].
REPEATED: Final = "[]"

_QUOTED: Final = r'\.("(?:[^"\\]|\\.)*")\.'
_LOGIN: Final = re.compile("//[^/]*@")  # of a URL: may hold a password (I19)
_SHOWN_CHARACTERS: Final = 40
_TYPE_NAMES: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list of texts",
}


@frozen
class Key:
    """One key of the configuration; `name` is dotted, as in "install.dpkg.timeout_s".

    A text, or each of several, matches `pattern` or is empty; `words` say that.
    """

    name: str
    type: type
    default: bool | float | str | tuple[str, ...]
    allowed: tuple[str, ...]
    low: float | None
    high: float | None
    pattern: str
    words: str


@frozen
class _Origin:
    """A value and the file it stands in."""

    value: Any
    file: Path


def load(paths: Paths) -> Settings:
    """Read all fragments of a device.

    Raises `ConfigError` naming file, key and what is allowed.
    """
    found = _merged(paths)
    settings: Settings = _build(Settings, "", {name: at.value for name, at in found.items()})
    return settings


def origins(paths: Paths) -> dict[str, Path]:
    """Return the file that each set key has its value from; raises like `load`."""
    return {name: at.file for name, at in _merged(paths).items()}


def all_keys() -> tuple[Key, ...]:
    """Return every key there is, in the order of `settings`; those of servers and sources once."""
    return tuple(_keys_of(Settings, ""))


def _keys_of(section: type, prefix: str) -> Iterator[Key]:
    """Walk the dataclasses of `settings`."""
    types = get_type_hints(section)
    defaults = section()
    for entry in fields(section):
        name, kind = f"{prefix}{entry.name}", types[entry.name]
        if isinstance(kind, type) and is_dataclass(kind):
            yield from _keys_of(kind, f"{name}.")
        elif row := _row_type(kind):
            yield from _keys_of(row, f"{name}{REPEATED}.")
        elif name in _NAMED:
            _, placeholder, of, _ = _NAMED[name]
            yield from _keys_of(of, f"{placeholder}.")
        else:
            yield Key(
                name=name,
                type=get_origin(kind) or kind,
                default=getattr(defaults, entry.name),
                allowed=entry.metadata.get("allowed", ()),
                low=entry.metadata.get("low"),
                high=entry.metadata.get("high"),
                pattern=entry.metadata.get("pattern", ""),
                words=entry.metadata.get("words", ""),
            )


def _row_type(kind: Any) -> Any:
    """Return the dataclass of a field that holds several sections, else None."""
    row = get_args(kind)[0] if get_origin(kind) is tuple else None
    return row if is_dataclass(row) else None


def _build(section: type, prefix: str, values: Mapping[str, Any]) -> Any:
    """Fill one dataclass; keys without a value keep their default."""
    types = get_type_hints(section)
    arguments = {}
    for entry in fields(section):
        name = f"{prefix}{entry.name}"
        if is_dataclass(types[entry.name]):
            arguments[entry.name] = _build(types[entry.name], f"{name}.", values)
        elif name in _NAMED:
            arguments[name] = _named(name, values)
        elif name in values and (row := _row_type(types[entry.name])):
            arguments[entry.name] = tuple(row(**each) for each in values[name])
        elif name in values:
            arguments[entry.name] = values[name]
    return section(**arguments)


def _named(field: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sections of servers, or of sources, say, by their names."""
    section, _, of, _ = _NAMED[field]
    pattern = re.compile(section + _QUOTED)
    prefixes = dict.fromkeys(match for name in values if (match := pattern.match(name)))
    return {json.loads(each[1]): _build(of, each[0], values) for each in prefixes}


def _merged(paths: Paths) -> dict[str, _Origin]:
    """Return what the fragments set, checked, the last word for every key."""
    known = {key.name: key for key in all_keys()}
    found: dict[str, _Origin] = {}
    for file in _fragments(paths):
        for name, value in _flat(_parsed(file), "", file, known):
            found[name] = _Origin(value=value, file=file)
    return found


def _fragments(paths: Paths) -> list[Path]:
    """Return the files to read, in the order in which they override one another."""
    main = paths.root / MAIN_FILE
    first, *later = [_folder(paths.root / folder) for folder in FOLDERS]
    order = [first, {MAIN_FILE: main} if os.path.lexists(main) else {}, *later]
    by_name: dict[str, Path] = {}
    for fragments in order:
        for name, file in fragments.items():
            by_name.pop(name, None)  # a later place also means a later turn
            by_name[name] = file
    return list(by_name.values())


def _folder(folder: Path) -> dict[str, Path]:
    """Return the fragments of one folder by name, sorted; a missing folder has none."""
    try:
        return {file.name: file for file in sorted(folder.iterdir()) if file.suffix == ".toml"}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error


def _parsed(file: Path) -> dict[str, Any]:
    """Read one file."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error


def _flat(
    table: Mapping[str, Any], prefix: str, file: Path, known: Mapping[str, Key]
) -> Iterator[tuple[str, Any]]:
    """Yield names of keys with their values, checked; refuses names that mean nothing.

    A section that may stand several times is one key; its value is a mapping for each.
    """
    named = {each[0]: each for each in _NAMED.values()}
    placeholders = {each[1] for each in _NAMED.values()}
    sections = {name.rpartition(".")[0] for name in known} - placeholders | set(named)
    for entry, value in table.items():
        name = f"{prefix}{entry}"
        if name in sections:
            if not isinstance(value, dict):
                raise ConfigError(f"{file}: {name} is a section, write [{name}]")
            if name in named:
                yield from _of_named(named[name], value, file, known)
            else:
                yield from _flat(value, f"{name}.", file, known)
        elif f"{name}{REPEATED}" in sections:
            yield name, tuple(_rows(value, name, file, known))
        elif name in known:
            yield name, _checked(known[name], value, file)
        else:
            raise ConfigError(f"{file}: {_unknown(name, isinstance(value, dict), known, sections)}")


def _rows(value: Any, name: str, file: Path, known: Mapping[str, Key]) -> Iterator[dict[str, Any]]:
    """Yield what each section of a name that may stand several times says; they count from 1."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ConfigError(f"{file}: {name} stands for sections, write [[{name}]]")
    placeholder = f"{name}{REPEATED}."
    leaves = [key.removeprefix(placeholder) for key in known if key.startswith(placeholder)]
    for number, row in enumerate(value, start=1):
        at = f"{name}[{number}]."
        own = {at + leaf: replace(known[placeholder + leaf], name=at + leaf) for leaf in leaves}
        yield {key.removeprefix(at): item for key, item in _flat(row, at, file, own)}


def _of_named(
    named: tuple[str, str, Any, str],
    tables: Mapping[str, Any],
    file: Path,
    known: Mapping[str, Key],
) -> Iterator[tuple[str, Any]]:
    """Yield the same for the sections of servers or sources, the keys under the own names."""
    section, placeholder, of, example = named
    keys = {entry.name: known[f"{placeholder}.{entry.name}"] for entry in fields(of)}
    for title, table in tables.items():
        name = f"{section}.{in_toml(title)}"
        is_dotted = isinstance(table, dict) and any(isinstance(v, dict) for v in table.values())
        if not isinstance(table, dict) or is_dotted:
            text = f'write [{section}."{example}"], with quotes around the identifier'
            raise ConfigError(f"{file}: {name} is no section of a {section}; {text}")
        own = {f"{name}.{key}": replace(known, name=f"{name}.{key}") for key, known in keys.items()}
        yield from _flat(table, f"{name}.", file, own)


def _unknown(
    name: str,
    is_section: bool,
    known: Mapping[str, Key],
    sections: set[str],
) -> str:
    """Say what an unknown name may have meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who mistype

    kind, names = ("section", sections) if is_section else ("key", set(known))
    siblings = sorted(
        other for other in names if other.rpartition(".")[0] == name.rpartition(".")[0]
    )
    if near := get_close_matches(name, sorted(names), n=1):
        return f"unknown {kind} {name}; did you mean {near[0]}?"
    return f"unknown {kind} {name}; known are {', '.join(siblings or sorted(sections))}"


def _checked(key: Key, value: Any, file: Path) -> bool | float | str | tuple[str, ...]:
    """Return the value of a key in its type, or refuse it."""
    if key.type is float and type(value) is int:
        value = float(value)
    if key.type is tuple and isinstance(value, list):
        value = tuple(value)
    is_right = type(value) is key.type and (not key.allowed or value in key.allowed)
    if is_right and key.low is not None and key.high is not None:
        is_right = key.low <= value <= key.high
    if is_right and key.type is tuple:
        is_right = all(isinstance(each, str) for each in value)
    if is_right and key.pattern and value:
        texts = value if key.type is tuple else (value,)
        is_right = all(re.fullmatch(key.pattern, each) for each in texts)
    if not is_right:
        raise ConfigError(f"{file}: {key.name} is {_shown(value)}, it must be {describe(key)}")
    checked: bool | float | str | tuple[str, ...] = value
    return checked


def describe(key: Key) -> str:
    """Say in words what a key may be."""
    if key.allowed:
        return "one of " + ", ".join(f'"{word}"' for word in key.allowed)
    if key.low is not None and key.high is not None:
        return f"{_TYPE_NAMES[key.type]} from {in_toml(key.low)} to {in_toml(key.high)}"
    if key.words:
        return f"{_TYPE_NAMES[key.type]}: {key.words}"
    return _TYPE_NAMES[key.type]


def in_toml(value: Any) -> str:
    """Return a value as a file would say it; whole numbers without a fraction."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(in_toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _shown(value: Any) -> str:
    """Return a refused value for a line of a log."""
    text = _LOGIN.sub("//***@", in_toml(value))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
