# SPDX-License-Identifier: Apache-2.0
"""What flatpak software may do outside of its sandbox, in sentences for a person.

Read from a metadata file (flatpak-metadata(5)): [Context], both bus policies and the
groups that nobody here knows.  It judges nothing and forbids nothing, and it does not
see what a person changed with `flatpak override`.  Known permissions come first, the
gravest at the top, so that a long list of others cannot hide them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SENTENCES_COUNT: Final = 32
WORD_CHARACTERS: Final = 60
_MORE: Final = "It asks for {} permissions more, which are not told here."

_SESSION: Final = "Session Bus Policy"
_SYSTEM: Final = "System Bus Policy"

# What is known by its name, the gravest first: (key of [Context] or group, value) -> sentence.
_KNOWN: Final[Mapping[tuple[str, str], str]] = {
    (_SESSION, "org.freedesktop.Flatpak"): "It may run programs outside of its sandbox.",
    (_SESSION, "org.freedesktop.systemd1"): "It may start and stop your services.",
    (_SYSTEM, "org.freedesktop.systemd1"): "It may start and stop services of the system.",
    ("sockets", "system-bus"): "It may talk to every service of the system.",
    ("sockets", "session-bus"): "It may talk to all your programs.",
    ("filesystems", "host"): "It may read and write all files.",
    ("filesystems", "home"): "It may read and write your home folder.",
    ("filesystems", "host-etc"): "It may read and write the settings of the system.",
    ("filesystems", "host-os"): "It may read and write the programs of the system.",
    ("filesystems", "host:ro"): "It may read all files.",
    ("filesystems", "home:ro"): "It may read your home folder.",
    ("filesystems", "host-etc:ro"): "It may read the settings of the system.",
    ("filesystems", "host-os:ro"): "It may read the programs of the system.",
    ("devices", "all"): "It may use all devices, cameras too.",
    (_SESSION, "org.freedesktop.secrets"): "It may use your stored passwords.",
    ("sockets", "ssh-auth"): "It may use your SSH keys.",
    ("sockets", "gpg-agent"): "It may use your GnuPG keys.",
    ("sockets", "x11"): "It may see and control the windows of other programs.",
    ("sockets", "fallback-x11"): (
        "It may see and control the windows of other programs where there is no Wayland."
    ),
    ("shared", "network"): "It may use the network.",
    ("sockets", "pulseaudio"): "It may play sound and listen to the microphone.",
    ("sockets", "pcsc"): "It may use smart cards.",
    ("sockets", "cups"): "It may print.",
    ("sockets", "wayland"): "It may show windows.",
    ("sockets", "inherit-wayland-socket"): "It may show windows where it was started from.",
    ("shared", "ipc"): "It may share memory with other programs.",
    ("devices", "input"): "It may read keyboards, mice and game controllers.",
    ("devices", "usb"): "It may use USB devices.",
    ("devices", "kvm"): "It may run virtual machines.",
    ("devices", "dri"): "It may use the graphics processor.",
    ("devices", "shm"): "It may use the shared memory of the system.",
    ("features", "devel"): "It may examine and trace programs.",
    ("features", "bluetooth"): "It may use Bluetooth.",
    ("features", "canbus"): "It may use the CAN bus.",
    ("features", "multiarch"): "It may run programs made for another kind of processor.",
    ("features", "per-app-dev-shm"): "It may share memory between its own copies.",
}
# What is said of a value that is not known by its name.
_OTHERS: Final[Mapping[str, str]] = {
    "shared": "It shares {} with the system.",
    "sockets": "It may use the socket {}.",
    "devices": "It may use the device {}.",
    "features": "It may use the feature {}.",
}
_PLACES: Final[Mapping[str, str]] = {
    "~": "your home folder",
    "xdg-desktop": "your desktop",
    "xdg-documents": "your documents",
    "xdg-download": "your downloads",
    "xdg-music": "your music",
    "xdg-pictures": "your pictures",
    "xdg-public-share": "your public folder",
    "xdg-templates": "your templates",
    "xdg-videos": "your videos",
    "xdg-config": "the settings of your programs",
    "xdg-cache": "the caches of your programs",
    "xdg-data": "the data of your programs",
    "xdg-run": "the run-time files of your programs",
}
_RULES: Final[Mapping[tuple[str, str], str]] = {
    (_SESSION, "talk"): "It may talk to {}.",
    (_SESSION, "own"): "It may be {} for your other programs.",
    (_SESSION, "see"): "It may see whether {} runs.",
    (_SYSTEM, "talk"): "It may talk to {} of the system.",
    (_SYSTEM, "own"): "It may be {} for the whole system.",
    (_SYSTEM, "see"): "It may see whether {} of the system runs.",
}
_NOT_MORE_THAN_ITS_OWN: Final = frozenset({"persistent", "unset-environment"})
_HARMLESS_GROUP: Final = re.compile(
    r"Application|Runtime|Instance|Build|Environment|Extra Data|ExtensionOf|Extension .*|Context"
)
_GROUP: Final = re.compile(r"\[([^\]]*)\][ \t]*")
_BLANKS: Final = " \t\r\f\v"


def sentences(metadata: str) -> tuple[str, ...]:
    """Say what a metadata file asks for, at most `SENTENCES_COUNT` sentences, in a fixed order."""
    texts = list(dict.fromkeys(text for _, text in sorted(_found(groups(metadata)))))
    left = len(texts) - SENTENCES_COUNT
    if left > 0:
        texts[SENTENCES_COUNT - 1 :] = [_MORE.format(left + 1)]
    return tuple(texts)


def groups(metadata: str) -> dict[str, dict[str, str]]:
    """Read a key file as GLib does: nothing but a line feed ends a line."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in metadata.split("\n"):
        text = line.strip(_BLANKS)
        if heading := _GROUP.fullmatch(text):
            current = found.setdefault(heading[1], {})
        elif "=" in text and not text.startswith("#"):
            key, _, value = text.partition("=")
            current[key.strip(_BLANKS)] = value.strip(_BLANKS)
    return found


def _found(table: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[int, str]]:
    """Give rank and text of every permission; the same one may come twice."""
    for key, value in table.get("Context", {}).items():
        if key not in _NOT_MORE_THAN_ITS_OWN:
            yield from (_of_context(key, word) for word in _words(value))
    for group, settings in table.items():
        if group in (_SESSION, _SYSTEM):
            for name, rule in settings.items():
                if rule != "none":
                    yield from _of_bus(group, name, rule)
        elif not _HARMLESS_GROUP.fullmatch(group):
            yield _other(f"It asks for something that is not known here: {_shown(group)}.")


def _of_context(key: str, value: str) -> tuple[int, str]:
    if key == "filesystems":
        return _of_place(value)
    if (key, value) in _KNOWN:
        return _known(key, value)
    pattern = _OTHERS.get(key, f"It asks for {_shown(key)} {{}}, which is not known here.")
    return _other(pattern.format(_shown(value)))


def _of_place(value: str) -> tuple[int, str]:
    """Tell of a place in the file system: "host", "xdg-music/x:ro", "~/x", "/x:create"."""
    path, _, mode = value.rpartition(":")
    if mode not in ("ro", "rw", "create"):
        path, mode = value, "rw"
    path = path.rstrip("/") or "host"
    path = "home" if path == "~" else path
    suffix = ":ro" if mode == "ro" else ""
    if ("filesystems", path + suffix) in _KNOWN:
        return _known("filesystems", path + suffix)
    start, _, rest = path.partition("/")
    place = _PLACES.get(start)
    within = _shown(path) if place is None else f"{_shown(rest)} in {place}" if rest else place
    return _other(f"It may {'read' if suffix else 'read and write'} {within}.")


def _of_bus(group: str, name: str, rule: str) -> Iterator[tuple[int, str]]:
    """Tell of a name on a bus; "a.b.*" is "a.b" and all below it."""
    covered = [(key, each) for key, each in _KNOWN if key == group and _covers(name, each)]
    if rule != "see":
        yield from (_known(key, each) for key, each in covered)
    if rule == "see" or (group, name) not in covered:
        pattern = _RULES.get((group, rule), f"It asks for {_shown(rule)} of {{}}, not known here.")
        yield _other(pattern.format(_shown(name)))


def _covers(pattern: str, name: str) -> bool:
    if not pattern.endswith("*"):
        return name == pattern
    start = pattern.removesuffix("*").removesuffix(".")
    return name == start or not start or name.startswith(f"{start}.")


def _known(key: str, value: str) -> tuple[int, str]:
    return list(_KNOWN).index((key, value)), _KNOWN[key, value]


def _other(text: str) -> tuple[int, str]:
    return len(_KNOWN), text


def _words(text: str) -> list[str]:
    """Split a list; what is taken away ("!x") is no permission."""
    words = (word.strip(_BLANKS) for word in text.split(";"))
    return [word for word in words if word and not word.startswith("!")]


def _shown(word: str) -> str:
    """Make a word of somebody else's fit to be shown: nothing invisible, not long."""
    visible = word.encode("unicode_escape").decode("ascii")
    return visible if len(visible) <= WORD_CHARACTERS else f"{visible[: WORD_CHARACTERS - 3]}..."
