# SPDX-License-Identifier: Apache-2.0
"""What dpkg, dpkg-query and dpkg-deb print, as values; pure functions, no I/O.

Recorded from dpkg 1.21 (tests/vectors/tool_output/dpkg).  Everything a tool
prints is untrusted here: names and versions come from archives that somebody
else built, so they are matched against dpkg's grammar before they become
arguments or file names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Facts, Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

QUERY_FORMAT: Final = (
    r"${Package}\t${Version}\t${Architecture}\t${db:Status-Want} ${db:Status-Status}"
    r" ${db:Status-Eflag}\t${binary:Package}\t${Config-Version}\t${binary:Summary}\n"
)
ESSENTIAL_FORMAT: Final = r"${Essential} ${Protected}\n"
# A line of `dpkg-deb -I`; a description may look like one, which then refuses too much only.
_SCRIPT: Final = re.compile(
    r"^ +[0-9]+ bytes, +[0-9]+ lines +\*? *(preinst|postinst|prerm|postrm)\b", re.MULTILINE
)
_QUERY_FIELDS: Final = 7
_STATUS_WORDS: Final = 3
FACT_FIELDS: Final = ("Package", "Version", "Architecture", "Installed-Size", "Description")

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
_ARCHITECTURE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_VERSION: Final = re.compile(r"(?:[0-9]{1,9}:)?[A-Za-z0-9][A-Za-z0-9+.~:-]{0,126}")

# States of the package database that mean "there is nothing of it but perhaps its
# configuration"; `installed` with no error flag is the only good one.
_ABSENT_STATES: Final = frozenset({"not-installed", "config-files"})

# A template (name@.service) is none: it runs for no instance by itself.
_SERVICE: Final = re.compile(
    r"^/(?:usr/)?lib/systemd/system/([A-Za-z0-9][A-Za-z0-9:_.\\-]{0,200}\.service)$", re.MULTILINE
)
_DESCRIPTION_CHARACTERS: Final = 200

_OWN_LINE: Final = re.compile(r"dpkg(-deb|-query|-split)?( \(subprocess\))?: | ")
_DETAIL_LINES: Final = 4
_DETAIL_CHARACTERS: Final = 400

_LOCK_HOLDER: Final = re.compile(
    r"^dpkg: .* lock was locked by another process with pid ([0-9]{1,9})$", re.MULTILINE
)

# What a line of --status-fd says is done of a package; dpkg tells no more while it unpacks.
_UNPACKING: Final = "half-installed"
_UNPACKED: Final = "unpacked"
_SHARES: Final = {
    "install": 0.1,
    "upgrade": 0.1,
    _UNPACKING: 0.2,
    _UNPACKED: 0.6,
    "configure": 0.7,
    "installed": 1.0,
}
_STATUS_LINE: Final = re.compile(
    r"status: (?P<name>[a-z0-9+.-]+)(?::[a-z0-9-]+)?: (?P<stage>half-installed|unpacked|installed)"
    r"|processing: (?P<deed>install|upgrade|configure): (?P<processed>[a-z0-9+.-]+)(?::[a-z0-9-]+)?"
)

# First match wins; looked for in dpkg's own lines only, so that what a maintainer
# script prints is not taken for dpkg's word.
_REASONS: Final = (
    (r"lock was locked by another process|unable to lock", Reason.BUSY),
    (r"No space left on device|Disk quota exceeded", Reason.NO_SPACE),
    (r"package architecture \(.*\) does not match system", Reason.UNSUPPORTED_ENV),
    (r"trying to overwrite .*, which is also in package", Reason.CONFLICT),
    (r"conflicting packages|conflicts with", Reason.CONFLICT),
    (r"(installation|removal|maintainer) script subprocess", Reason.SCRIPT_FAILED),
    (r"dependency problems|pre-dependency problem|depends on", Reason.DEPENDENCY),
    (r"essential package|protected package", Reason.POLICY),
    (r"--control subprocess|--fsys-tarfile subprocess|not a Debian format", Reason.MALFORMED),
    (r"unexpected end of file|corrupted filesystem tarfile", Reason.MALFORMED),
    (r"cannot access archive", Reason.MALFORMED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One package as the database knows it.

    `argument` is the name the tools take, with architecture where it is needed;
    `config_version` the version that was last configured, "" while installed.
    """

    name: str
    version: str
    architecture: str
    want: str
    state: str
    error: str
    argument: str
    config_version: str
    summary: str

    @property
    def is_installed(self) -> bool:
        """Judged by the state alone: `want` may say deinstall after a refused removal."""
        return self.state == "installed" and self.error == "ok"

    @property
    def has_worked(self) -> bool:
        """Tell whether the package was configured before what was or is being done to it."""
        has_been = self.is_installed or bool(self.config_version)
        return has_been and self.state != "config-files"

    def presence(self, version: str) -> Presence:
        """Compare with the version wanted; "" means any."""
        if self.state in _ABSENT_STATES:
            return Presence.ABSENT
        if not self.is_installed:
            return Presence.PARTIAL
        return Presence.ACTIVE if version in ("", self.version) else Presence.ABSENT


def parse_query(text: str) -> list[Row]:
    """Read what dpkg-query printed with QUERY_FORMAT; lines of another shape are skipped."""
    rows = []
    for line in text.splitlines():
        fields = line.split("\t", _QUERY_FIELDS - 1)
        if len(fields) == _QUERY_FIELDS and len(status := fields[3].split(" ")) == _STATUS_WORDS:
            name, version, architecture, _, argument, config_version, summary = fields
            want, state, error = status
            rows.append(
                Row(
                    name=name,
                    version=version,
                    architecture=architecture,
                    want=want,
                    state=state,
                    error=error,
                    argument=argument,
                    config_version=config_version,
                    summary=summary,
                )
            )
    return rows


def parse_fields(text: str, native: str) -> Facts:
    """Read what `dpkg-deb -f` printed of FACT_FIELDS.

    `native` is the machine's architecture; a package of another one is known as
    name:architecture.  Raises `InstallerError(MALFORMED)` for a name, version or
    architecture that dpkg's grammar does not know.
    """
    fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.MULTILINE))
    name = _checked(_NAME, fields.get("Package", ""), "package name")
    version = _checked(_VERSION, fields.get("Version", ""), "version")
    architecture = _checked(_ARCHITECTURE, fields.get("Architecture", ""), "architecture")
    size = fields.get("Installed-Size", "0")
    return Facts(
        id=component_id(name, architecture, native),
        version=version,
        architecture=architecture,
        description=fields.get("Description", "")[:_DESCRIPTION_CHARACTERS],
        installed_bytes=int(size) * 1024 if re.fullmatch(r"[0-9]{1,12}", size) else 0,
    )


def services_in(listing: str) -> tuple[str, ...]:
    """Name the services in what `dpkg-query -L` printed, sorted."""
    return tuple(sorted(set(_SERVICE.findall(listing))))


def component_id(name: str, architecture: str, native: str) -> str:
    """Name a package of this device; only a foreign architecture is part of the name."""
    return name if architecture in (native, "all", "") else f"{name}:{architecture}"


def is_component_id(text: str) -> bool:
    """Tell whether a text can name a package at all."""
    name, colon, architecture = text.partition(":")
    return bool(_NAME.fullmatch(name)) and (
        not colon or bool(_ARCHITECTURE.fullmatch(architecture))
    )


def reason_of(stderr: str) -> Reason:
    """Say why dpkg failed, from its words; INTERNAL where they are not known."""
    words = "\n".join(_own_lines(stderr))
    for pattern, reason in _REASONS:
        if re.search(pattern, words):
            return reason
    return Reason.INTERNAL


def lock_holder(stderr: str) -> int | None:
    """Give the process that holds the lock on which dpkg gave up."""
    found = _LOCK_HOLDER.search(stderr)
    return int(found[1]) if found else None


def detail_of(stderr: str) -> str:
    """Pick the few lines that explain a failure, for logs and people."""
    lines = (line.strip() for line in _own_lines(stderr)[:_DETAIL_LINES])
    return "; ".join(lines)[:_DETAIL_CHARACTERS] or "no explanation given"


def advanced(shares: Mapping[str, float], line: str) -> Mapping[str, float]:
    """Give how much of each package (0 to 1, by bare name) is done after a line of --status-fd.

    What the line says of packages that are not in `shares` counts for nothing.
    """
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        return shares
    name, stage = found["name"] or found["processed"], found["stage"] or found["deed"]
    before = shares.get(name, 1.0)
    if stage == _UNPACKED and before < _SHARES[_UNPACKING]:
        return shares  # what the earlier version becomes while it makes way
    return {**shares, name: _SHARES[stage]} if _SHARES[stage] > before else shares


def _own_lines(stderr: str) -> list[str]:
    """Leave out what maintainer scripts said, and the closing list of names."""
    words, _, _ = stderr.partition("\nErrors were encountered while processing:\n")
    return [line for line in words.splitlines() if _OWN_LINE.match(line)]


def _checked(grammar: re.Pattern[str], text: str, what: str) -> str:
    if not grammar.fullmatch(text):
        raise InstallerError(
            Reason.MALFORMED, f"the archive has an impossible {what}: {text!r:.80}"
        )
    return text


def scripts_in(text: str) -> tuple[str, ...]:
    """Name the maintainer scripts that `dpkg-deb -I` lists, each once."""
    return tuple(dict.fromkeys(_SCRIPT.findall(text)))
