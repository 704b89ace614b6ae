# SPDX-License-Identifier: Apache-2.0
"""What a backend that is a program may answer: its JSON, held against grammar and limits; pure.

A program is somebody else's and may say anything.  What is not of the right shape is an
`InstallerError(INTERNAL)` that says what was wrong; nothing of it is used then.
The words are those of docs/backends.md.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Facts, InstalledItem, Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a component may be called; a first minus would be an option to most tools.
COMPONENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:_-]{0,127}")
_VERSION: Final = re.compile(r"[!-~]{1,128}")
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@-]{1,200}\.service")
_TEXT: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]{0,4096}")
_SENTENCE: Final = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_MAX_LISTED_COUNT: Final = 64
_MAX_DETAIL_CHARACTERS: Final = 400
# What a program may give as the reason of a failure.
REASONS: Final = (
    Reason.NO_SPACE,
    Reason.TIMEOUT,
    Reason.POLICY,
    Reason.MALFORMED,
    Reason.DEPENDENCY,
    Reason.CONFLICT,
    Reason.BUSY,
    Reason.UNSUPPORTED_ENV,
    Reason.SCRIPT_FAILED,
    Reason.NOT_PRESENT,
    Reason.UNHEALTHY,
    Reason.INTERNAL,
)


def table(text: str) -> dict[str, Any]:
    """Read the one JSON object that a program wrote; nothing at all is an empty one."""
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise wrong(f"what it says is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise wrong("what it says is no JSON object")
    return value


def failure(said: Mapping[str, Any], otherwise: str) -> InstallerError:
    """Make the error of a program that says that it failed, and why if it says so."""
    reason, detail = said.get("reason"), said.get("detail")
    known = Reason(reason) if isinstance(reason, str) and reason in REASONS else Reason.INTERNAL
    text = detail if isinstance(detail, str) and detail else otherwise
    return InstallerError(known, " ".join(text.split())[:_MAX_DETAIL_CHARACTERS])


def facts(said: Mapping[str, Any]) -> Facts:
    """Read what an archive says of itself."""
    _known(said, "id", "version", "architecture", "description", "installed_bytes", "permissions")
    size = said.get("installed_bytes", 0)
    if type(size) is not int or size < 0:
        raise wrong("installed_bytes is no count")
    return Facts(
        id=text(said, "id", COMPONENT),
        version=text(said, "version", _VERSION),
        architecture=text(said, "architecture", _TEXT, ""),
        description=text(said, "description", _TEXT, ""),
        installed_bytes=size,
        permissions=texts(said, "permissions", _SENTENCE),
    )


def items(said: Mapping[str, Any], environment: str, max_count: int) -> list[InstalledItem]:
    """Read an inventory; each component once, `max_count` of them at most."""
    _known(said, "items")
    rows = said.get("items")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise wrong("items is no list of objects")
    if len(rows) > max_count:
        raise wrong(f"it lists {len(rows)} components, more than {max_count}")
    found = [_item(row, environment) for row in rows]
    if len({item.id for item in found}) != len(found):
        raise wrong("it lists a component twice")
    return found


def presence(said: Mapping[str, Any]) -> Presence:
    """Read the answer of a probe."""
    _known(said, "presence")
    value = said.get("presence")
    if not isinstance(value, str) or value not in set(Presence) - {Presence.INACTIVE}:
        raise wrong(f"{value!r:.80} is no presence")
    return Presence(value)


def version(said: Mapping[str, Any]) -> str:
    """Read the version that is installed, "" where none is."""
    _known(said, "version")
    return "" if said.get("version") == "" else text(said, "version", _VERSION)


def units(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the names of services."""
    _known(said, "units")
    return texts(said, "units", _UNIT)


def scripts(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the names of scripts."""
    _known(said, "scripts")
    if "scripts" not in said:
        raise wrong("scripts is missing")
    return texts(said, "scripts", _SENTENCE)


def yes_or_no(said: Mapping[str, Any]) -> bool:
    """Read the answer to a question."""
    _known(said, "answer")
    value = said.get("answer")
    if type(value) is not bool:
        raise wrong("answer is neither true nor false")
    return value


def wrong(what: str) -> InstallerError:
    """Make the error for an answer that is none."""
    return InstallerError(Reason.INTERNAL, f"the backend answers wrongly: {what}")


def _item(row: Mapping[str, Any], environment: str) -> InstalledItem:
    _known(row, "id", "version", "name", "description", "permissions")
    return InstalledItem(
        id=text(row, "id", COMPONENT),
        version=text(row, "version", _VERSION),
        environment=environment,
        name=text(row, "name", _TEXT, ""),
        description=text(row, "description", _TEXT, ""),
        permissions=texts(row, "permissions", _SENTENCE),
    )


def _known(said: Mapping[str, Any], *names: str) -> None:
    if unknown := sorted(said.keys() - set(names)):
        raise wrong(f"{unknown[0]!r:.80} is not asked for")


def text(said: Mapping[str, Any], key: str, shape: re.Pattern[str], default: str = "\0") -> str:
    """Read one text of a shape; one without a default must be there."""
    value = said.get(key, default)
    if isinstance(value, str) and (value == default != "\0" or shape.fullmatch(value)):
        return value
    raise wrong(f"{key} is {value!r:.80}")


def texts(said: Mapping[str, Any], key: str, shape: re.Pattern[str]) -> tuple[str, ...]:
    """Read a list of a few texts of a shape; one that is not there is empty."""
    value = said.get(key, [])
    is_right = isinstance(value, list) and len(value) <= _MAX_LISTED_COUNT
    if is_right and all(isinstance(each, str) and shape.fullmatch(each) for each in value):
        return tuple(value)
    raise wrong(f"{key} is {value!r:.80}")
