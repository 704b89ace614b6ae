# SPDX-License-Identifier: Apache-2.0
"""What flatpak software may do outside of its sandbox, in sentences for a person.

Read from a metadata file (flatpak-metadata(5)): [Context], both bus policies and the
groups that nobody here knows.  It judges nothing and forbids nothing, and it does not
see what a person changed with `flatpak override`.  Known permissions come first, the
gravest at the top, so that a long list of others cannot hide them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from scomod.wording import Phrases, filled, worded, worded_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SENTENCES_COUNT: Final = 32
WORD_CHARACTERS: Final = 60

_SESSION: Final = "Session Bus Policy"
_SYSTEM: Final = "System Bus Policy"

# What is known by its name, the gravest first: (key of [Context] or group, value) -> sentence.
_KNOWN: Final[Mapping[tuple[str, str], str]] = {
    (_SESSION, "org.freedesktop.Flatpak"): worded("It may run programs outside of its sandbox."),
    (_SESSION, "org.freedesktop.systemd1"): worded("It may start and stop your services."),
    (_SYSTEM, "org.freedesktop.systemd1"): worded("It may start and stop services of the system."),
    ("sockets", "system-bus"): worded("It may talk to every service of the system."),
    ("sockets", "session-bus"): worded("It may talk to all your programs."),
    ("filesystems", "host"): worded("It may read and write all files."),
    ("filesystems", "home"): worded("It may read and write your home folder."),
    ("filesystems", "host-etc"): worded("It may read and write the settings of the system."),
    ("filesystems", "host-os"): worded("It may read and write the programs of the system."),
    ("filesystems", "host:ro"): worded("It may read all files."),
    ("filesystems", "home:ro"): worded("It may read your home folder."),
    ("filesystems", "host-etc:ro"): worded("It may read the settings of the system."),
    ("filesystems", "host-os:ro"): worded("It may read the programs of the system."),
    ("devices", "all"): worded("It may use all devices, cameras too."),
    (_SESSION, "org.freedesktop.secrets"): worded("It may use your stored passwords."),
    ("sockets", "ssh-auth"): worded("It may use your SSH keys."),
    ("sockets", "gpg-agent"): worded("It may use your GnuPG keys."),
    ("sockets", "x11"): worded("It may see and control the windows of other programs."),
    ("sockets", "fallback-x11"): worded(
        "It may see and control the windows of other programs where there is no Wayland."
    ),
    ("shared", "network"): worded("It may use the network."),
    ("sockets", "pulseaudio"): worded("It may play sound and listen to the microphone."),
    ("sockets", "pcsc"): worded("It may use smart cards."),
    ("sockets", "cups"): worded("It may print."),
    ("sockets", "wayland"): worded("It may show windows."),
    ("sockets", "inherit-wayland-socket"): worded("It may show windows where it was started from."),
    ("shared", "ipc"): worded("It may share memory with other programs."),
    ("devices", "input"): worded("It may read keyboards, mice and game controllers."),
    ("devices", "usb"): worded("It may use USB devices."),
    ("devices", "kvm"): worded("It may run virtual machines."),
    ("devices", "dri"): worded("It may use the graphics processor."),
    ("devices", "shm"): worded("It may use the shared memory of the system."),
    ("features", "devel"): worded("It may examine and trace programs."),
    ("features", "bluetooth"): worded("It may use Bluetooth."),
    ("features", "canbus"): worded("It may use the CAN bus."),
    ("features", "multiarch"): worded("It may run programs made for another kind of processor."),
    ("features", "per-app-dev-shm"): worded("It may share memory between its own copies."),
}
# What is said of a value that is not known by its name.
_OTHERS: Final[Mapping[str, str]] = {
    "shared": worded("It shares {what} with the system."),
    "sockets": worded("It may use the socket {what}."),
    "devices": worded("It may use the device {what}."),
    "features": worded("It may use the feature {what}."),
}
_PLACES: Final[Mapping[str, str]] = {
    "~": worded("your home folder"),
    "xdg-desktop": worded("your desktop"),
    "xdg-documents": worded("your documents"),
    "xdg-download": worded("your downloads"),
    "xdg-music": worded("your music"),
    "xdg-pictures": worded("your pictures"),
    "xdg-public-share": worded("your public folder"),
    "xdg-templates": worded("your templates"),
    "xdg-videos": worded("your videos"),
    "xdg-config": worded("the settings of your programs"),
    "xdg-cache": worded("the caches of your programs"),
    "xdg-data": worded("the data of your programs"),
    "xdg-run": worded("the run-time files of your programs"),
}
_RULES: Final[Mapping[tuple[str, str], str]] = {
    (_SESSION, "talk"): worded("It may talk to {what}."),
    (_SESSION, "own"): worded("It may be {what} for your other programs."),
    (_SESSION, "see"): worded("It may see whether {what} runs."),
    (_SYSTEM, "talk"): worded("It may talk to {what} of the system."),
    (_SYSTEM, "own"): worded("It may be {what} for the whole system."),
    (_SYSTEM, "see"): worded("It may see whether {what} of the system runs."),
}
_OTHER: Final = worded("It asks for {kind} {what}, which is not known here.")
_RULE: Final = worded("It asks for {kind} of {what}, not known here.")
_STRANGE: Final = worded("It asks for something that is not known here: {what}.")
_READ: Final = worded("It may read {what}.")
_WRITE: Final = worded("It may read and write {what}.")
_WITHIN: Final = worded("{path} in {place}")
NOT_LOOKED_AT: Final = worded("What it may do is known only once it has been fetched.")
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
        texts[SENTENCES_COUNT - 1 :] = [more(left + 1)]
    return tuple(texts)


def more(count: int) -> str:
    """Say that so many permissions are left out."""
    return worded_many(
        "It asks for {count} permission more, which is not told here.",
        "It asks for {count} permissions more, which are not told here.",
        count,
    )


def known_again(text: str) -> str:
    """Return a sentence of this module that was kept as plain English as a text of ours."""
    return _phrases().again(text)


@cache
def _phrases() -> Phrases:
    places = Phrases([*_PLACES.values(), _WITHIN], Phrases(_PLACES.values()))
    texts = (*_KNOWN.values(), *_OTHERS.values(), *_RULES.values())
    more = (_OTHER, _RULE, _STRANGE, _READ, _WRITE, NOT_LOOKED_AT)
    return Phrases([*texts, *more], places)


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
            yield _other(filled(_STRANGE, what=_shown(group)))


def _of_context(key: str, value: str) -> tuple[int, str]:
    if key == "filesystems":
        return _of_place(value)
    if (key, value) in _KNOWN:
        return _known(key, value)
    return _other(filled(_OTHERS.get(key, _OTHER), kind=_shown(key), what=_shown(value)))


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
    inside = _shown(path) if place is None else place
    within = filled(_WITHIN, path=_shown(rest), place=place) if place and rest else inside
    return _other(filled(_READ if suffix else _WRITE, what=within))


def _of_bus(group: str, name: str, rule: str) -> Iterator[tuple[int, str]]:
    """Tell of a name on a bus; "a.b.*" is "a.b" and all below it."""
    covered = [(key, each) for key, each in _KNOWN if key == group and _covers(name, each)]
    if rule != "see":
        yield from (_known(key, each) for key, each in covered)
    if rule == "see" or (group, name) not in covered:
        pattern = _RULES.get((group, rule), _RULE)
        yield _other(filled(pattern, kind=_shown(rule), what=_shown(name)))


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
