# SPDX-License-Identifier: Apache-2.0
"""The software build that the device left the factory with, and what has changed since (HLFR-9).

Taken once, at the first start and before any operation: what os-release says and all
packages, kept compressed beside the database, which may be lost.  A device on which an
order was carried out before that has none, and says so; nothing is made up later.
In the tree: identity and digest, never the list (`<root>/Ext/Baseline`).
"""

from __future__ import annotations

import json
import logging
import time
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.installers import debversion, durable

try:
    from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # an interpreter may do without it; hashlib brings OpenSSL
    from hashlib import sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scomod.facade import Record
    from scomod.installers.base import InstalledItem
    from scomod.mo.tree import Tree

log = logging.getLogger(__name__)

OS_RELEASE: Final = ("etc/os-release", "usr/lib/os-release")
OS_RELEASE_BYTES: Final = 65536
VALUE_CHARACTERS: Final = 256
MODE: Final = 0o644  # no secrets: what software there was
# Keys of os-release and the leaves that show them.
IDENTITY: Final[Mapping[str, str]] = {
    "ID": "Id",
    "VERSION_ID": "VersionId",
    "BUILD_ID": "BuildId",
    "IMAGE_ID": "ImageId",
    "IMAGE_VERSION": "ImageVersion",
    "PRETTY_NAME": "PrettyName",
}
NEVER_READ: Final = "the packages as the factory left them were never read"
NO_LIST: Final = "the list of the packages was too long to be kept"
Packages = dict[str, tuple[str, str]]  # id -> (version, environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the factory left; `packages` is None if the list was too long to be kept.

    `digest` is the SHA-256 of the lines "id version", sorted by octets.
    """

    taken_s: float
    identity: dict[str, str]
    digest: str
    count: int
    packages: Packages | None


def packages_of(items: Iterable[InstalledItem]) -> Packages:
    """Return what is installed, in the words of a baseline."""
    return {item.id: (item.version, item.environment) for item in items}


def taken(root: Path, packages: Packages, now_s: float) -> Baseline:
    """Return the baseline of a device that has these packages."""
    lines = sorted(f"{name} {version}\n".encode() for name, (version, _) in packages.items())
    return Baseline(
        taken_s=now_s,
        identity=identity(root),
        digest=sha256(b"".join(lines)).hexdigest(),
        count=len(packages),
        packages=packages,
    )


def identity(root: Path) -> dict[str, str]:
    """Return what the device's os-release says of its build, the keys that it has."""
    for name in OS_RELEASE:
        try:
            with (root / name).open("rb") as file:
                text = file.read(OS_RELEASE_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        pairs = (line.strip().partition("=") for line in text.splitlines())
        return {key: _unquoted(value) for key, _, value in pairs if key in IDENTITY}
    return {}


def _unquoted(value: str) -> str:
    """Return a value of os-release without its quotes and their backslashes."""
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        quote, value = value[0], value[1:-1]
        for escaped in ("\\", "$", "`", '"') if quote == '"' else ():
            value = value.replace(f"\\{escaped}", escaped)
    return "".join(filter(str.isprintable, value))[:VALUE_CHARACTERS]


# -- keeping ---------------------------------------------------------------------------


def keep(path: Path, baseline: Baseline, max_bytes: int) -> Baseline:
    """Write a baseline for good and return it as it was kept: without a list too long."""
    data = _packed(baseline)
    if len(data) > max_bytes:
        baseline = Baseline(**{**asdict(baseline), "packages": None})
        data = _packed(baseline)
    durable.write(path, data, mode=MODE)
    return baseline


def _packed(baseline: Baseline) -> bytes:
    return zlib.compress(json.dumps(asdict(baseline), sort_keys=True).encode())


def load(path: Path) -> Baseline | None:
    """Return the baseline that is kept; None if there is none or it is damaged."""
    try:
        value = json.loads(zlib.decompress(path.read_bytes()))
        packages = value.pop("packages")
        if packages is not None:
            packages = {name: (version, kind) for name, (version, kind) in packages.items()}
        return Baseline(**value, packages=packages)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, zlib.error) as error:
        log.error("the baseline %s cannot be read: %s", path, error)
        return None


# -- showing -----------------------------------------------------------------------------


def show(tree: Tree, scomo_root: str, baseline: Baseline | None) -> None:
    """Write the leaves below `Ext/Baseline`, those that differ; in the caller's transaction."""
    values = dict.fromkeys(IDENTITY.values(), "")
    values |= {"Digest": "", "Count": "0", "Taken": "", "Problem": NEVER_READ}
    if baseline is not None:
        values |= {IDENTITY[key]: value for key, value in baseline.identity.items()}
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(baseline.taken_s))
        values |= {"Digest": baseline.digest, "Count": str(baseline.count), "Taken": moment}
        values["Problem"] = NO_LIST if baseline.packages is None else ""
    for leaf, value in values.items():
        tree.put(f"{scomo_root}/Ext/Baseline/{leaf}", value=value)


def record(baseline: Baseline | None, now: Mapping[str, str], packages: Packages) -> Record:
    """Return baseline and changes as edges show them; `now` is the identity of today."""
    if baseline is None:
        return {"is_known": False, "problem": NEVER_READ, "now": dict(now)}
    found: dict[str, Any] = {
        "is_known": True,
        "problem": NO_LIST if baseline.packages is None else "",
        "taken": baseline.taken_s,
        "digest": baseline.digest,
        "count": baseline.count,
        "identity": dict(baseline.identity),
        "now": dict(now),
    }
    if baseline.packages is not None:
        found |= changes(baseline.packages, packages)
    return found


def changes(then: Packages, now: Packages) -> dict[str, list[Record]]:
    """Return what was added, removed and changed, each sorted by id."""
    both = sorted(then.keys() & now.keys())
    return {
        "added": [{"id": name, "version": now[name][0]} for name in sorted(now.keys() - then)],
        "removed": [{"id": name, "version": then[name][0]} for name in sorted(then.keys() - now)],
        "changed": [
            {"id": name, "from": then[name][0], "to": now[name][0],
             "how": _how(then[name], now[name])}
            for name in both if then[name] != now[name]
        ],
    }  # fmt: skip


def _how(then: tuple[str, str], now: tuple[str, str]) -> str:
    """Return in which direction a version went, where its kind has one."""
    if then[1] == now[1] == "deb":
        order = debversion.compare(now[0], then[0])
        return "upgraded" if order > 0 else "downgraded" if order < 0 else "changed"
    return "changed"
