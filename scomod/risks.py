# SPDX-License-Identifier: Apache-2.0
"""What may go wrong with what is planned, and what is not known: words and sentences.

Pure: the table.  Who finds them is `hazards`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


class Risk(StrEnum):
    """What a person should know beforehand; the words are part of the D-Bus interface."""

    UNSUPPORTED = "unsupported"
    NO_SPACE = "no space"
    UNSIGNED = "unsigned"
    UNTRUSTED = "no digest"
    CERTIFICATE = "certificate"
    NO_WAY_BACK = "no way back"
    NO_ARCHIVE = "no archive"
    FINAL = "final"
    DOWNGRADE = "downgrade"
    ESSENTIAL = "essential"
    OTHERS = "others"
    SERVICES = "services"


class Unknown(StrEnum):
    """What cannot be said yet, and would be a figure or a risk."""

    SIZE = "size"
    CONTENT = "content"
    BUNDLE = "bundle"
    PERMISSIONS = "permissions"
    INSTALLED = "installed"
    NEEDED = "needed"
    VERSIONS = "versions"


RISKS: Final[Mapping[Risk, str]] = {
    Risk.UNSUPPORTED: "It will fail: {how}.",
    Risk.NO_SPACE: "There is not enough room: {wanted} are to come, {free} are free, of which"
    " {reserve} stay free.",
    Risk.UNSIGNED: "It is not signed, and need not be on this device: who can change it where it"
    " lies decides what is installed.",
    Risk.UNTRUSTED: "No digest is announced: what comes from its address is taken for it.",
    Risk.CERTIFICATE: "The certificate of its signer {ends} at {until}.",
    Risk.NO_WAY_BACK: "If it goes wrong, {what} cannot be brought back: no archive of it is kept.",
    Risk.NO_ARCHIVE: "It will fail: no archive of {what} is kept, which is needed for it.",
    Risk.FINAL: "It cannot be undone here: getting it back needs the server.",
    Risk.DOWNGRADE: "{what} takes the place of the newer {old}.",
    Risk.ESSENTIAL: "The system does not work without {what}.",
    Risk.OTHERS: "{what} belongs to {owner}.",
    Risk.SERVICES: "These services stop, at least for a moment: {units}.",
}
UNKNOWN: Final[Mapping[Unknown, str]] = {
    Unknown.SIZE: "Nobody has said how large it is.",
    Unknown.CONTENT: "Which software it is and what it replaces is known when it is here.",
    Unknown.BUNDLE: "It brings several components, which are looked into when they are installed.",
    Unknown.PERMISSIONS: "Whether it asks for more than it may do now is known when it is here;"
    " then that is asked first.",
    Unknown.INSTALLED: "What is installed could not be read: {how}.",
    Unknown.NEEDED: "Whether other software needs it says only the tool that removes it.",
    Unknown.VERSIONS: "Which of the versions {new} and {old} of {what} is the newer nobody here"
    " can tell.",
}


@frozen
class Note:
    """One of them, with its sentence."""

    word: Risk | Unknown
    text: str


def note(word: Risk | Unknown, **facts: object) -> Note:
    """Make a note; `facts` are the parts of its sentence."""
    text = RISKS[word] if isinstance(word, Risk) else UNKNOWN[word]
    return Note(word=word, text=text.format(**facts))
