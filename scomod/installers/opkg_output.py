# SPDX-License-Identifier: Apache-2.0
"""What opkg prints and writes, as values; pure functions, no I/O.

For both flavours in the field, Yocto's (0.6) and OpenWrt's (opkg-lede): the same
database, other words and other habits.  Names and versions come from archives that
somebody else built, so they are matched against a grammar before they become
arguments or file names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Facts, Presence

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,99}")
_ARCHITECTURE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,63}")
_VERSION: Final = re.compile(r"(?:[0-9]{1,9}:)?[A-Za-z0-9][A-Za-z0-9+._~:-]{0,126}")
_FIELD: Final = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_CONFFILE: Final = re.compile(r"^[ \t]+(/\S+)", re.MULTILINE)
_STATUS_WORDS: Final = 3
_DESCRIPTION_CHARACTERS: Final = 200

# A stanza in such a state stands for nothing that is on the device, unless the
# tool's folder says otherwise: a refused or failed first installation leaves them.
_EMPTY_STATES: Final = frozenset({"not-installed", "config-files", "half-installed"})

_SERVICE: Final = re.compile(
    r"^/(?:usr/)?lib/systemd/system/([A-Za-z0-9][A-Za-z0-9:_.\\-]{0,200}\.service)$"
)
_OWN_LINE: Final = re.compile(
    r" \* (?:[A-Za-z_0-9]+: )?|Not downgrading |No packages removed|Refusing to remove essential"
)
_DETAIL_LINES: Final = 4
_DETAIL_CHARACTERS: Final = 400
# What opkg would bring, as it says beforehand; the version may lack its revision.
_BRINGS: Final = re.compile(r"^(?:Installing|Upgrading|Downgrading) (\S+) ", re.MULTILINE)
_FEED: Final = re.compile(r"^\s*(?:src|dist)(?:/gz)?\s+\S+\s+\"?(\S+?)\"?(?:\s|$)", re.MULTILINE)
_ARCH_LINE: Final = re.compile(r"^[ \t]*arch[ \t]+(\S+)[ \t]+\d+[ \t]*$", re.MULTILINE)
_YES: Final = re.compile(r"^Essential:[ \t]*yes[ \t]*$", re.MULTILINE | re.IGNORECASE)
_VERSION_LINE: Final = re.compile(r"^Version:[ \t]*(\S+)[ \t]*$", re.MULTILINE)

# First match wins; looked for in opkg's own lines only.  OpenWrt's flavour says of an
# unmet dependency also that architectures do not fit, so dependencies come first.
# The last column: opkg says this before it writes, or its database tells what it did,
# so that the database can be believed afterwards.
_REASONS: Final = (
    (r"Could not lock", Reason.BUSY, True),
    (r"Only have \d+kb available", Reason.NO_SPACE, True),
    (r"No space left on device", Reason.NO_SPACE, False),
    (r"wfopen: ", Reason.MALFORMED, False),
    (r"cannot find dependency|Cannot satisfy the following dep", Reason.DEPENDENCY, True),
    (r"is depended upon by packages", Reason.DEPENDENCY, True),
    (r"Refusing to remove essential", Reason.POLICY, True),
    (r"incompatible (architecture|with the arch\S+ configured)", Reason.UNSUPPORTED_ENV, True),
    (r"already provided by package|wants to install file|conflicts with", Reason.CONFLICT, True),
    (r"script returned status|script failed", Reason.SCRIPT_FAILED, True),
    (r"Malformed package file", Reason.MALFORMED, True),
    (r"[Tt]runcated|Failed to (extract|unpack)", Reason.MALFORMED, False),
    (r"Not downgrading ", Reason.POLICY, True),
    (r"Unknown package", Reason.NOT_PRESENT, True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One package as the status file knows it; `conffiles` are absolute paths."""

    name: str
    version: str
    state: str
    is_essential: bool = False
    conffiles: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Judged by the state alone: what is wanted may say deinstall after a failed prerm."""
        return self.state == "installed"

    @property
    def is_empty(self) -> bool:
        """Tell whether the state says that nothing of the package was unpacked."""
        return self.state in _EMPTY_STATES

    def presence(self, version: str) -> Presence:
        """Compare with the version wanted; "" means any."""
        if self.is_empty:
            return Presence.ABSENT
        if not self.is_installed:
            return Presence.PARTIAL
        return Presence.ACTIVE if version in ("", self.version) else Presence.ABSENT


def parse_status(text: str) -> dict[str, Row]:
    """Read a status file; stanzas of another shape are skipped.

    Where a package has several stanzas the installed one counts.
    """
    rows: dict[str, Row] = {}
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = dict(_FIELD.findall(stanza))
        name, words = fields.get("Package", ""), fields.get("Status", "").split()
        if not _NAME.fullmatch(name) or len(words) != _STATUS_WORDS:
            continue
        if name in rows and not rows[name].is_empty:
            continue
        rows[name] = Row(
            name=name,
            version=fields.get("Version", ""),
            state=words[-1],
            is_essential=fields.get("Essential", "").strip().lower() == "yes",
            conffiles=tuple(_CONFFILE.findall("\n" + fields.get("Conffiles", ""))),
        )
    return rows


def is_whole(text: str, earlier: str, in_work: AbstractSet[str]) -> bool:
    """Tell whether a status file is more than what a killed opkg had written of it.

    `earlier` is what it was before, `in_work` the packages that may come and go.  opkg
    writes the file in place: a kill leaves it empty, or cut off anywhere.
    """
    ends_well = not text or text.endswith("\n\n") or not earlier.endswith("\n\n")
    return ends_well and parse_status(earlier).keys() - in_work <= parse_status(text).keys()


def noted_version(control: str) -> str:
    """Return the version in a control file of opkg's folder, "" where there is none."""
    found = _VERSION_LINE.search(control)
    return found[1] if found else ""


def is_essential(control: str) -> bool:
    """Tell whether a control file says that the system needs the package."""
    return bool(_YES.search(control))


def feeds_in(configuration: str) -> tuple[str, ...]:
    """Return the addresses of the feeds that a file of opkg's configuration names."""
    return tuple(_FEED.findall(configuration))


def brought(stdout: str) -> frozenset[str]:
    """Name the packages that opkg says it installs, upgrades or downgrades."""
    return frozenset(_BRINGS.findall(stdout))


def parse_control(text: str) -> Facts:
    """Read the control file of an archive.

    Raises `InstallerError(MALFORMED)` for a name, version or architecture that can be none.
    """
    fields = dict(_FIELD.findall(text))
    size = fields.get("Installed-Size", "0")
    return Facts(
        id=_checked(_NAME, fields.get("Package", ""), "package name"),
        version=_checked(_VERSION, fields.get("Version", ""), "version"),
        architecture=_checked(_ARCHITECTURE, fields.get("Architecture", ""), "architecture"),
        description=fields.get("Description", "").partition("\n")[0][:_DESCRIPTION_CHARACTERS],
        installed_bytes=int(size) if re.fullmatch(r"[0-9]{1,15}", size) else 0,
    )


def parse_architectures(text: str) -> frozenset[str]:
    """Read `arch NAME PRIORITY` lines, as `opkg print-architecture` prints and files have them."""
    return frozenset(_ARCH_LINE.findall(text))


def services_in(listing: str) -> tuple[str, ...]:
    """Name the services in a package's list of files (a tab may follow a name), sorted."""
    paths = (line.partition("\t")[0] for line in listing.splitlines())
    return tuple(sorted({found[1] for path in paths if (found := _SERVICE.match(path))}))


def is_component_id(text: str) -> bool:
    """Tell whether a text can name a package at all."""
    return bool(_NAME.fullmatch(text))


def reason_of(stdout: str, stderr: str) -> Reason:
    """Say why opkg failed, from its words; INTERNAL where they are not known."""
    return _meaning(stdout, stderr)[0]


def leaves_all_well(stdout: str, stderr: str) -> bool:
    """Tell whether the database can be believed after what opkg complained of."""
    return _meaning(stdout, stderr)[1]


def denies(stdout: str, stderr: str) -> bool:
    """Tell whether opkg complains of files that it could not write; it says 0 all the same."""
    reason, is_well = _meaning(stdout, stderr)
    return reason is not Reason.INTERNAL and not is_well


def _meaning(stdout: str, stderr: str) -> tuple[Reason, bool]:
    words = "\n".join(_own_lines(stdout, stderr))
    for pattern, reason, is_well in _REASONS:
        if re.search(pattern, words):
            return reason, is_well
    return Reason.INTERNAL, False


def detail_of(stdout: str, stderr: str) -> str:
    """Pick the few lines that explain a failure, for logs and people."""
    lines = (line.strip(" *") for line in _own_lines(stdout, stderr)[:_DETAIL_LINES])
    return "; ".join(lines)[:_DETAIL_CHARACTERS] or "no explanation given"


def _own_lines(stdout: str, stderr: str) -> list[str]:
    """Leave out what maintainer scripts said: opkg's complaints begin in one way."""
    return [line for line in f"{stderr}\n{stdout}".splitlines() if _OWN_LINE.match(line)]


def _checked(grammar: re.Pattern[str], text: str, what: str) -> str:
    if not grammar.fullmatch(text):
        raise InstallerError(
            Reason.MALFORMED, f"the archive has an impossible {what}: {text!r:.80}"
        )
    return text
