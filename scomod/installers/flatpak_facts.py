"""What a flatpak's metadata and AppStream file say to people and servers; pure functions.

`permissions` puts the sandbox holes of a metadata file into sentences, so that who
is asked can tell what software may do.  It judges nothing and forbids nothing.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_RELEASE: Final = re.compile(r"<release\s([^>]*)>")
_ATTRIBUTE: Final = re.compile(r"\b(version|timestamp)\s*=\s*[\"']([^\"']*)[\"']")
_SUMMARY: Final = re.compile(r"<summary>([^<]*)</summary>")
_DESCRIPTION_CHARACTERS: Final = 400
_WORD_CHARACTERS: Final = 60

# (key of [Context], its value) -> sentence; a value that is not here is told as it is.
_SENTENCES: Final[Mapping[tuple[str, str], str]] = {
    ("shared", "network"): "It may use the network.",
    ("shared", "ipc"): "It shares memory with other programs.",
    ("sockets", "x11"): "It may see and control the windows of other programs (X11).",
    ("sockets", "fallback-x11"): "It may see and control other windows where there is no Wayland.",
    ("sockets", "wayland"): "It may show windows.",
    ("sockets", "pulseaudio"): "It may play and record sound.",
    ("sockets", "session-bus"): "It may talk to every program of the user (session bus).",
    ("sockets", "system-bus"): "It may talk to every service of the system (system bus).",
    ("sockets", "ssh-auth"): "It may use the user's SSH keys.",
    ("sockets", "pcsc"): "It may use smart cards.",
    ("sockets", "cups"): "It may print.",
    ("devices", "all"): "It may use all devices.",
    ("devices", "dri"): "It may use the graphics processor.",
    ("devices", "kvm"): "It may run virtual machines.",
    ("devices", "shm"): "It may use shared memory of the device.",
    ("filesystems", "host"): "It may read and change all files.",
    ("filesystems", "host:ro"): "It may read all files.",
    ("filesystems", "home"): "It may read and change all files of the user.",
    ("filesystems", "home:ro"): "It may read all files of the user.",
    ("features", "devel"): "It may debug programs.",
    ("features", "bluetooth"): "It may use Bluetooth.",
    ("features", "canbus"): "It may use the CAN bus.",
}
_OTHERS: Final[Mapping[str, str]] = {
    "shared": "It shares {}.",
    "sockets": "It may use the socket {}.",
    "devices": "It may use the device {}.",
    "filesystems": "It may read and change {}.",
    "features": "It uses the feature {}.",
}
_BUSES: Final[Mapping[str, str]] = {
    "Session Bus Policy": "It may talk to {} of the user.",
    "System Bus Policy": "It may talk to {} of the system.",
}


def permissions(metadata: str) -> tuple[str, ...]:
    """Say in sentences what a metadata file lets the software do besides its own sandbox."""
    groups = _groups(metadata)
    found = [
        _sentence(key, value)
        for key in _OTHERS
        for value in _values(groups.get("Context", {}).get(key, ""))
    ]
    found += [
        sentence.format(name[:_WORD_CHARACTERS])
        for group, sentence in _BUSES.items()
        for name, rule in groups.get(group, {}).items()
        if rule in ("talk", "own")
    ]
    return tuple(found)


def newest_version(appdata: str) -> str:
    """Read the version that flatpak will report from an AppStream file, "" where it has none.

    That is the one of the latest release, wherever it stands.
    """
    releases = [dict(_ATTRIBUTE.findall(each)) for each in _RELEASE.findall(appdata)]
    latest = max(releases, key=_released_s, default={})
    return html.unescape(latest.get("version", ""))


def description(appdata: str, metadata: str) -> str:
    """Put a summary and the permissions into one text."""
    found = _SUMMARY.search(appdata)
    summary = html.unescape(found[1]).strip().rstrip(".") if found else ""
    sentences = ([f"{summary}."] if summary else []) + list(permissions(metadata))
    return " ".join(sentences)[:_DESCRIPTION_CHARACTERS]


def _released_s(release: Mapping[str, str]) -> int:
    text = release.get("timestamp", "")
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0


def _sentence(key: str, value: str) -> str:
    known = _SENTENCES.get((key, value))
    return known or _OTHERS[key].format(value[:_WORD_CHARACTERS])


def _values(text: str) -> list[str]:
    """Split a list of a metadata file; what is taken away ("!x") is no permission."""
    return [word for word in text.split(";") if word and not word.startswith("!")]


def _groups(metadata: str) -> dict[str, dict[str, str]]:
    """Read a key file as GLib has it: groups in brackets, key=value, comments."""
    groups: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in metadata.splitlines():
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            current = groups.setdefault(text[1:-1], {})
        elif "=" in text and not text.startswith("#"):
            key, _, value = text.partition("=")
            current[key.strip()] = value.strip()
    return groups
