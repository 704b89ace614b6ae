# SPDX-License-Identifier: Apache-2.0
"""What flatpak prints and what its metadata files say, as values; pure functions, no I/O.

Recorded from flatpak 1.14 (tests/vectors/tool_output/flatpak).  Names and versions
come from bundles that somebody else built, so they are matched against a grammar
before they become arguments or paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.errors import InstallerError, Reason
from scomod.installers import flatpak_permissions

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST_COLUMNS: Final = "application,version,branch,arch,active,origin,options,name,description"
PS_COLUMNS: Final = "instance,application,arch,branch,child-pid"
_LIST_FIELDS: Final = 9

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){2,}")
_BRANCH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_REF: Final = re.compile(r"(app|runtime)/([^/]+)/([a-z0-9_]{1,32})/([^/]+)")
_PROCESS: Final = re.compile(r"[1-9][0-9]{0,9}")
_COMPONENT_CHARACTERS: Final = 128
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.~:_-]{0,126}")
_COMMIT: Final = re.compile(r"[0-9a-f]{12,64}")
# As many digits of a commit as flatpak itself shows.
COMMIT_DIGITS: Final = 12

# "Installing 2/3… ███ 42%  5.2 MB/s"; nothing is counted where there is but one to install.
_PROGRESS: Final = re.compile(
    r"(?:Installing|Updating)(?: (\d{1,4})/(\d{1,4}))?… .* (\d{1,3})%(?: .*)?"
)
_ALL_PERCENT: Final = 100
_REMOTE: Final = re.compile(r'remote "([^"]+)"')
_OWN_LINE: Final = re.compile(r"error: ", re.IGNORECASE)
_DETAIL_CHARACTERS: Final = 400
# What `detail_of` says where flatpak says nothing.
NO_DETAIL: Final = "no explanation given"
# First match wins.
_REASONS: Final = (
    (r"no summary found|While fetching [^ ]+: \[", Reason.UNREACHABLE),
    (r"No such ref ", Reason.NOT_PRESENT),
    (
        r"No space left on device|min-free-space-|Disk quota exceeded|Not enough disk space",
        Reason.NO_SPACE,
    ),
    (r"requires the runtime .* not found|it is needed for: ", Reason.DEPENDENCY),
    (r"is masked", Reason.POLICY),
    # The bus of the system, which has to say what the user may install.
    (r"Could not connect: No such file", Reason.UNSUPPORTED_ENV),
    (r"GPG verification|GPG signatures|Signature made ", Reason.SIGNATURE),
    (r"Invalid checksum|Failed to open file|[Cc]orrupt|Invalid bundle", Reason.MALFORMED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One installed ref; `commit` are the first digits of what is deployed."""

    name: str
    branch: str
    architecture: str
    version: str
    commit: str
    origin: str
    kind: str
    title: str
    summary: str

    @property
    def id(self) -> str:
        """Name of the component."""
        return f"{self.name}:{self.branch}"

    @property
    def ref(self) -> str:
        """Name that the tool takes for this ref and no other."""
        return f"{self.kind}/{self.name}/{self.architecture}/{self.branch}"


def parse_list(text: str) -> list[Row]:
    """Read what `flatpak list` printed with LIST_COLUMNS; lines of another shape are skipped."""
    rows = []
    for line in text.splitlines():
        fields = line.split("\t")
        # Empty fields at the end are left out by the tool.
        fields += [""] * (_LIST_FIELDS - len(fields))
        name, version, branch, architecture, commit, origin, options, title, summary = fields[
            :_LIST_FIELDS
        ]
        if _COMMIT.fullmatch(commit) and is_component_id(f"{name}:{branch}"):
            rows.append(
                Row(
                    name=name,
                    branch=branch,
                    architecture=architecture,
                    version=version_of(version, commit),
                    commit=commit,
                    origin=origin,
                    kind="runtime" if "runtime" in options.split(",") else "app",
                    title=title,
                    summary=summary,
                )
            )
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where flatpak fetches from; `is_verified`: it checks GPG signatures."""

    name: str
    url: str
    is_verified: bool
    is_disabled: bool
    is_listed: bool

    @property
    def is_bundle_origin(self) -> bool:
        """Tell whether flatpak made it for a bundle."""
        return self.name.endswith("-origin") and not self.is_listed and not self.url


def parse_remotes(config: str) -> list[Remote]:
    """Read the remotes of a repository's `config` (ostree.repo-config(5), and flatpak's keys)."""
    return [
        Remote(
            name=found[1],
            url=keys.get("url", ""),
            is_verified=keys.get("gpg-verify") != "false",
            is_disabled=keys.get("xa.disable") == "true",
            is_listed=keys.get("xa.noenumerate") != "true",
        )
        for group, keys in flatpak_permissions.groups(config).items()
        if (found := _REMOTE.fullmatch(group))
    ]


def parse_ps(text: str, row: Row) -> dict[str, int]:
    """Return the instances of an installed application that have a process, and its number.

    `text` is what `flatpak ps` says of PS_COLUMNS.  Until its sandbox is made an instance has no
    process in it; for some seconds after their end instances are listed as before.
    """
    wanted = [row.name, row.architecture, row.branch]
    fields = (line.split("\t") for line in text.splitlines())
    found = {each[0]: "".join(each[4:]).strip() for each in fields if each[1:4] == wanted}
    return {name: int(text) for name, text in found.items() if _PROCESS.fullmatch(text)}


def progress_of(line: str) -> float | None:
    """Read how much of a run is done, 0 to 1, from a line of `install -y`; None from any other.

    Each piece of software counts the same, whatever its size.
    """
    found = _PROGRESS.fullmatch(line)
    if found is None:
        return None
    number, count, percent = (int(each or 1) for each in found.groups())
    is_sane = 1 <= number <= count and percent <= _ALL_PERCENT
    return (number - 1 + percent / _ALL_PERCENT) / count if is_sane else None


def is_commit(text: str) -> bool:
    """Tell whether a text is a commit, or as many of its first digits as flatpak shows."""
    return bool(_COMMIT.fullmatch(text))


def split_ref(ref: str) -> tuple[str, str, str, str]:
    """Take kind, name, architecture and branch out of a ref; raises `InstallerError(MALFORMED)`."""
    found = _REF.fullmatch(ref)
    if found is None or not is_component_id(f"{found[2]}:{found[4]}"):
        raise InstallerError(Reason.MALFORMED, f"the bundle has an impossible ref: {ref!r:.80}")
    return found[1], found[2], found[3], found[4]


def is_component_id(text: str) -> bool:
    """Tell whether a text can be name and branch of a ref: "org.example.App:stable"."""
    name, _, branch = text.partition(":")
    return (
        len(text) <= _COMPONENT_CHARACTERS
        and bool(_NAME.fullmatch(name))
        and bool(_BRANCH.fullmatch(branch))
    )


def version_of(version: str, commit: str) -> str:
    """Choose what is reported as version: the one of AppStream, else the commit, shortened."""
    return version if _VERSION.fullmatch(version) else commit[:COMMIT_DIGITS]


def reason_of(stderr: str) -> Reason:
    """Say why flatpak failed, from its words; INTERNAL where they are not known."""
    words = "\n".join(_own_lines(stderr))
    return next(
        (reason for pattern, reason in _REASONS if re.search(pattern, words)), Reason.INTERNAL
    )


def detail_of(stderr: str) -> str:
    """Pick the lines that explain a failure, for logs and people."""
    return "; ".join(_own_lines(stderr))[:_DETAIL_CHARACTERS] or NO_DETAIL


def _own_lines(stderr: str) -> Iterator[str]:
    """Leave out the warnings: they are there after successes too."""
    return (line for line in stderr.splitlines() if _OWN_LINE.match(line))
