# SPDX-License-Identifier: Apache-2.0
"""Which language a person reads, and texts of ours in it, from the catalogues in `locale/`.

Not the texts (`wording.py`).  `gettext` is loaded and a catalogue read when something is
shown in another language than English, and forgotten afterwards.  Whoever has no language
that there is a catalogue for gets English (docs/adr/0044).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scomod.wording import Figure, Wording, worded

if TYPE_CHECKING:
    from gettext import NullTranslations

LOCALE: Final = Path(__file__).parent / "locale"
DOMAIN: Final = "scomod"
ENGLISH: Final = ("C", "POSIX", "en")
LONGEST: Final = 64  # characters of a list of languages
_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
# a part of a file's name, so nothing else is let in
_CODE: Final = re.compile(r"[A-Za-z]{2,3}(_[A-Za-z]{2,4})?")

# How a point of time is written, for strftime.
MOMENT: Final = worded("%Y-%m-%d %H:%M")
CLOCK: Final = worded("%H:%M:%S")
# What stands between a whole number and its decimals.
POINT: Final = worded("decimal point: .")


def of_environment(environ: Mapping[str, str]) -> str:
    """Return the languages that a program is to speak, the best first, as `$LANGUAGE` has them."""
    locale = next((environ[name] for name in _VARIABLES if environ.get(name)), "C")
    wanted = "" if locale.partition(".")[0] in ENGLISH else environ.get("LANGUAGE", "")
    return (wanted or locale)[:LONGEST]


def catalogue_of(languages: str) -> Path | None:
    """Return the catalogue of the first language that there is one for; None for English.

    `languages` may come from anybody: "de_AT.UTF-8:fr".
    """
    for name in languages[:LONGEST].split(":"):
        code = re.split(r"[.@]", name)[0]
        if code in ENGLISH or code.startswith("en_"):
            return None
        for each in (code, code.partition("_")[0]):
            place = LOCALE / each / "LC_MESSAGES" / f"{DOMAIN}.mo"
            if _CODE.fullmatch(each) and place.is_file():
                return place
    return None


class Tongue:
    """Says texts of ours in the first of `languages` that is there."""

    def __init__(self, languages: str) -> None:
        place = catalogue_of(languages)
        self._catalogue = None if place is None else _opened(place)
        self._point = self(POINT)[-1]

    @property
    def is_english(self) -> bool:
        """Whether texts of ours stay as they are."""
        return self._catalogue is None

    def __call__(self, text: str) -> str:
        """Return a text in this language, that of somebody else as it is."""
        if isinstance(text, Figure):
            return text.replace(".", self._point)
        if not isinstance(text, Wording) or self._catalogue is None:
            return str(text)
        if text.many:
            template = self._catalogue.ngettext(text.template, text.many, text.number)
        else:
            template = self._catalogue.gettext(text.template) if text.template else ""
        if not text.parts:
            return template
        parts = {name: self._part(value) for name, value in text.parts.items()}
        return template.format_map(parts)

    def _part(self, value: object) -> object:
        return self(value) if isinstance(value, str) else value

    def moment(self, at_s: float) -> str:
        """Return a point of time, local, as it is written in this language."""
        return time.strftime(self(MOMENT), time.localtime(at_s))

    def clock(self, at_s: float) -> str:
        """Return the time of the day."""
        return time.strftime(self(CLOCK), time.localtime(at_s))

    def spoken(self, value: Any) -> Any:
        """Return a record, or what may stand in one, with its texts in this language."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self.spoken(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.spoken(each) for each in value]
        return value


def spoken(record: Mapping[str, Any], languages: str) -> Mapping[str, Any]:
    """Return a record for somebody who reads these languages, "" for those of this process."""
    tongue = Tongue(languages or of_environment(os.environ))
    return record if tongue.is_english else dict(tongue.spoken(record))


def _opened(place: Path) -> NullTranslations:
    from gettext import GNUTranslations  # noqa: PLC0415 - only for who does not read English

    with place.open("rb") as file:
        return GNUTranslations(file)
