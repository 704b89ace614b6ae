# SPDX-License-Identifier: Apache-2.0
"""What the installing side allows by its own word, whatever the daemon orders.

The word is `etc/scomod/install-policy.toml`, a file of root that the daemon cannot write; it is
read for every order.  It only forbids: what the configuration refuses stays refused.  Without
the file nothing more is forbidden, and what only it can open stays shut; a file that is damaged
or not root's forbids everything.
Not whose software an order may touch: that is `owners`.
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import durable
from scomod.installers.base import Discerning

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Backend
    from scomod.installers.plan import Change
    from scomod.settings import Paths

FILE_NAME: Final = "install-policy.toml"
MAX_BYTES: Final = 64 << 10
_ROOT: Final = 0
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPolicy:
    """The keys of the file; the defaults forbid nothing that was allowed without it.

    `allow` and `deny` are globs of component names; a name must fit one of the first
    and none of the second.  With `allow_network` the tools may fetch what an order leaves to
    them: from a remote of flatpak, a feed of opkg, an archive of the distribution.
    """

    backends: tuple[str, ...] = ("*",)
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    require_signature: bool = False
    allow_downgrade: bool = True
    allow_essential_removal: bool = False
    allow_scripts: bool = True
    allow_network: bool = False

    def check_backend(self, name: str) -> None:
        """Raise `InstallerError(POLICY)` for a kind of package that is not allowed."""
        if not _fits(name, self.backends):
            raise _refusal(f"packages of {name} are not allowed")

    def check(self, backend: Backend, change: Change, archive: Path | None) -> None:
        """Raise `InstallerError(POLICY)` for a change that is not allowed.

        `archive` is what would be installed, None where nothing is.
        """
        self.check_backend(backend.name)
        bare = change.id.partition(":")[0]  # without the architecture, where it has one
        if not any(_fits(name, self.allow) for name in (change.id, bare)):
            raise _refusal(f"{change.id} is none of the packages that are allowed")
        if any(_fits(name, self.deny) for name in (change.id, bare)):
            raise _refusal(f"{change.id} is a package that is not allowed")
        if archive is None:
            self._check_removal(backend, change)
        else:
            self._check_direction(backend, change)
            self._check_scripts(backend, change, archive)

    def _check_removal(self, backend: Backend, change: Change) -> None:
        if self.allow_essential_removal or not change.was or not isinstance(backend, Discerning):
            return
        if backend.is_essential(change.id):
            raise _refusal(f"{change.id} is essential, and removing it is not allowed")

    def _check_direction(self, backend: Backend, change: Change) -> None:
        version = change.after.version if change.after else ""
        if self.allow_downgrade or change.was in ("", version):
            return
        if not isinstance(backend, Discerning):
            raise _refusal(f"{backend.name} cannot tell whether {change.id} would be downgraded")
        if backend.is_older(version, change.was):
            raise _refusal(f"downgrading {change.id} from {change.was} to {version} is not allowed")

    def _check_scripts(self, backend: Backend, change: Change, archive: Path) -> None:
        if self.allow_scripts:
            return
        if not isinstance(backend, Discerning):
            raise _refusal(f"{backend.name} cannot tell whether {change.id} brings scripts")
        if found := backend.scripts(archive):
            raise _refusal(f"{change.id} brings scripts ({', '.join(found)}), which is not allowed")


def load(paths: Paths) -> InstallPolicy:
    """Read the file of a device; raises `InstallerError(POLICY)` for one that does not count.

    On a device of its own it must be root's; in a device below a directory, which a user may
    run, that user's or root's.
    """
    path = paths.config_dir / FILE_NAME
    try:
        fd = durable.open_regular(path)
    except InstallerError as error:
        if error.reason is Reason.NOT_PRESENT:
            return InstallPolicy()
        raise
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
        _check_owner(path, os.fstat(fd), is_own_device=paths.root.absolute().parent == paths.root)
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise _refusal(f"{path} has more than {MAX_BYTES} octets")
    try:
        return _policy(path, tomllib.loads(text.decode()))
    except ValueError as error:  # UTF-8 and TOML
        raise _refusal(f"{path} is not TOML: {error}") from error


def _check_owner(path: Path, info: os.stat_result, *, is_own_device: bool) -> None:
    owners = {_ROOT} if is_own_device else {_ROOT, os.geteuid()}
    if info.st_uid not in owners:
        raise _refusal(f"{path} does not count: it belongs to user {info.st_uid}, not to root")
    if info.st_mode & _WRITABLE_BY_OTHERS:
        raise _refusal(f"{path} does not count: others than its owner may write it")


def _policy(path: Path, table: dict[str, Any]) -> InstallPolicy:
    known = {field.name: field.default for field in fields(InstallPolicy)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise _refusal(f"{path}: there is no key {name!r:.80}")
        if isinstance(known[name], bool):
            is_right, wanted = isinstance(value, bool), "true or false"
        else:
            is_right = isinstance(value, list) and all(isinstance(each, str) for each in value)
            wanted = "a list of texts"
        if not is_right:
            raise _refusal(f"{path}: {name} must be {wanted}")
        values[name] = tuple(value) if isinstance(value, list) else value
    return InstallPolicy(**values)


def _fits(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _refusal(text: str) -> InstallerError:
    return InstallerError(Reason.POLICY, f"the policy of this device: {text}")
