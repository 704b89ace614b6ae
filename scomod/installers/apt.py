# SPDX-License-Identifier: Apache-2.0
"""apt-get, asked to bring what archives need and the device does not have; where that is wished.

It works on the device below the root, by that device's own sources, keys and settings, and
is never allowed to remove anything or to replace a version by an older one.  What it brought
is what its database says: success is not judged here.
It is asked after dpkg has found a dependency missing, with the archives as dpkg left them.
"""

from __future__ import annotations

import re
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import dpkg_output, proc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scomod.settings import Dpkg

# Sources that a file system is enough for.
_LOCAL: Final = ("file:", "copy:")
_FOLDERS: Final = ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt")
_DETAIL_CHARACTERS: Final = 400


class Apt:
    """apt-get on one root; `dpkg_options` are those that dpkg gets there."""

    def __init__(
        self,
        *,
        root: Path,
        settings: Dpkg,
        dpkg_options: Sequence[str],
        may_use_network: Callable[[], bool],
    ) -> None:
        self._root = root
        self._settings = settings
        self._dpkg_options = dpkg_options
        self._may_use_network = may_use_network

    def bring(self, archives: Sequence[Path]) -> InstallerError:
        """Install archives with what they lack; gives the error to raise if that is not so then.

        Raises `InstallerError`: POLICY where the sources need a network that may not be
        used, TIMEOUT, UNSUPPORTED_ENV where there is no apt-get.
        """
        for folder in _FOLDERS:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", prefix="scomod-apt-", suffix=".conf") as file:
            file.write(_configuration(self._root, self._dpkg_options, self._settings.lock_wait_s))
            file.flush()
            self._check_sources(file.name)
            self._run(file.name, "update")
            done = self._run(
                file.name,
                "--yes",
                "--no-remove",
                "--no-install-recommends",
                "--fix-broken",
                "install",
                *map(str, archives),
            )
        reason = dpkg_output.reason_of(done.stderr)
        return InstallerError(
            Reason.DEPENDENCY if reason is Reason.INTERNAL else reason,
            f"apt-get: {explanation(done.stdout, done.stderr)}",
        )

    def _check_sources(self, configuration: str) -> None:
        found = sources_in(self._run(configuration, "--print-uris", "update").stdout)
        is_local = all(each.startswith(_LOCAL) for each in found)
        if not is_local and not self._may_use_network():
            raise InstallerError(
                Reason.POLICY,
                "a dependency is missing, and apt may not use the network:"
                " allow_network in install-policy.toml",
            )

    def _run(self, configuration: str, *arguments: str) -> proc.Completed:
        return proc.run(
            ("apt-get", *arguments),
            timeout_s=self._settings.timeout_s,
            env={**proc.ENVIRONMENT, "APT_CONFIG": configuration},
        )


def _configuration(root: Path, dpkg_options: Sequence[str], lock_wait_s: float) -> str:
    """Move all of apt's places below the root; what is configured there is read after this."""
    options = " ".join(f'"{option}";' for option in dpkg_options)
    return (
        f'Dir "{root}/";\n'
        f'Dir::State::status "{root}/var/lib/dpkg/status";\n'
        f"DPkg::Options {{ {options} }};\n"
        f'DPkg::Lock::Timeout "{lock_wait_s:.0f}";\n'
        'DPkg::Use-Pty "false";\n'
    )


def sources_in(stdout: str) -> list[str]:
    """Name the addresses that `apt-get --print-uris update` would fetch."""
    return re.findall(r"^'([^']*)' ", stdout, re.MULTILINE)


def explanation(stdout: str, stderr: str) -> str:
    """Pick the lines that tell why apt-get gave up: its errors, and what is unmet."""
    unmet = re.findall(r"^ \S+ : .*$|^ {2,}(?:Depends|PreDepends): .*$", stdout, re.MULTILINE)
    errors = re.findall(r"^E: .*$", stderr, re.MULTILINE)
    lines = [" ".join(line.split()) for line in (*errors, *unmet)]
    return "; ".join(lines)[:_DETAIL_CHARACTERS] or "no explanation given"
