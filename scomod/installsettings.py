# SPDX-License-Identifier: Apache-2.0
"""The settings below [install], as `settings.py` has the others: data only.

How each kind of package is dealt with, and the limits of what its tool may do and say.
"""

from __future__ import annotations

from dataclasses import field

from scomod.shapes import GIB, MIB, NAME_SHAPE, NAME_WORDS, one_of, shaped, within
from scomod.value import section


@section
class Dpkg:
    """The dpkg backend."""

    timeout_s: float = within(1800.0, 1.0, 86400.0)
    lock_wait_s: float = within(60.0, 0.0, 3600.0)
    inventory: str = one_of("all", "managed")
    remove: str = one_of("purge", "keep")
    resolve: str = one_of("off", "apt")


@section
class Flatpak:
    """The flatpak backend: which installation it serves, and where that lies."""

    timeout_s: float = within(1800.0, 1.0, 86400.0)
    installation: str = one_of("system", "user")
    dir: str = "var/lib/flatpak"
    signature: str = one_of("required", "optional")
    run_as: str = ""
    run_wait_s: float = within(30.0, 1.0, 600.0)


@section
class Opkg:
    """The opkg backend; it is there where `program` is named or an opkg is found."""

    program: str = ""
    timeout_s: float = within(1800.0, 1.0, 86400.0)
    lock_wait_s: float = within(60.0, 0.0, 3600.0)
    status_file: str = ""
    max_control_bytes: int = within(MIB, 1024, 64 * MIB)
    max_unpacked_bytes: int = within(4 * GIB, 1024, 1 << 50)
    max_files_count: int = within(100_000, 1, 10_000_000)
    feeds: str = one_of("off", "lists", "update")
    update_timeout_s: float = within(120.0, 1.0, 86400.0)


@section
class Program:
    """Backends that are programs of others: how long one run may take, what it may say."""

    timeout_s: float = within(1800.0, 1.0, 86400.0)
    query_timeout_s: float = within(60.0, 1.0, 3600.0)
    max_output_bytes: int = within(8 * MIB, 1024, 64 * MIB)
    max_items_count: int = within(10000, 1, 100000)


@section
class Bundle:
    """Limits of a package of several components."""

    max_components_count: int = within(32, 1, 64)
    max_manifest_bytes: int = within(64 * 1024, 1024, MIB)


@section
class Systemd:
    """The program that starts and stops services, and how long one run of it may take."""

    command: str = "systemctl"
    timeout_s: float = within(120.0, 1.0, 3600.0)


@section
class SelfUpdate:
    """The way back of an upgrade of scomod itself; `reach_s` 0 means none.

    `package` is empty where the tool says which package is ours; `guard_program` is empty
    where systemd starts the guard, or nobody has to be asked.
    """

    reach_s: float = within(1800.0, 0.0, 7 * 86400.0)
    boots_count: int = within(5, 1, 1000)
    work_s: float = within(7200.0, 1.0, 86400.0)
    package: str = shaped("", "[A-Za-z0-9][A-Za-z0-9+.:_-]{0,127}", "the id of a component")
    guard_program: tuple[str, ...] = ()


@section
class Install:
    """How software is installed: by the root helper ("spool") or in this process ("direct")."""

    runner: str = one_of("spool", "direct")
    backends: tuple[str, ...] = shaped(("dpkg", "flatpak", "opkg"), NAME_SHAPE, NAME_WORDS)
    backends_dir: str = "usr/lib/scomod/backends"
    result_timeout_s: float = within(7200.0, 1.0, 7 * 86400.0)
    allow_downgrade: str = one_of("server", "refuse", "always")
    dpkg: Dpkg = field(default_factory=Dpkg)
    opkg: Opkg = field(default_factory=Opkg)
    flatpak: Flatpak = field(default_factory=Flatpak)
    program: Program = field(default_factory=Program)
    bundle: Bundle = field(default_factory=Bundle)
    systemd: Systemd = field(default_factory=Systemd)
