# SPDX-License-Identifier: Apache-2.0
"""Which language is spoken, and how texts, numbers and times are said in it."""

from __future__ import annotations

import time

import pytest

from scomod.installers import flatpak_permissions
from scomod.language import LONGEST, Tongue, catalogue_of, of_environment, spoken
from scomod.question import amount
from scomod.wording import Figure, Phrases, joined, worded, worded_many

GERMAN, ENGLISH = Tongue("de"), Tongue("C")
PRINT = worded("It may print.")


@pytest.mark.parametrize(
    ("environ", "languages"),
    [
        ({}, "C"),
        ({"LANG": "de_DE.UTF-8"}, "de_DE.UTF-8"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, "C.UTF-8"),
        ({"LANG": "fr_FR", "LC_MESSAGES": "de_AT"}, "de_AT"),
        ({"LANG": "fr_FR", "LANGUAGE": "fr:de"}, "fr:de"),
        ({"LANG": "C", "LANGUAGE": "de"}, "C"),
        ({"LANG": "de", "LANGUAGE": "x" * 999}, "x" * LONGEST),
    ],
)
def test_language_of_a_program_is_what_its_environment_says(
    environ: dict[str, str], languages: str
) -> None:
    assert of_environment(environ) == languages


@pytest.mark.parametrize(
    ("languages", "code"),
    [
        ("de", "de"),
        ("de_DE.UTF-8", "de"),
        ("de_AT@euro", "de"),
        ("xx:de", "de"),
        ("xx", None),
        ("", None),
        ("C.UTF-8:de", None),
        ("en_GB:de", None),
        ("POSIX", None),
        ("../locale/de", None),
        ("de/../de", None),
        ("\0", None),
        ("DE", None),
    ],
)
def test_first_language_with_a_catalogue_counts_and_else_it_is_english(
    languages: str, code: str | None
) -> None:
    place = catalogue_of(languages)
    assert (place.parts[-3] if place else None) == code


def test_text_of_somebody_else_is_never_translated() -> None:
    record = {"text": "It may print.", "choices": ["Yes", PRINT], "id": 3, "is": True, "no": None}
    said = spoken(record, "de")
    assert said == {
        "text": "It may print.",
        "choices": ["Yes", "Es darf drucken."],
        "id": 3,
        "is": True,
        "no": None,
    }
    assert spoken(record, "xx") is record


def test_parts_are_said_too_but_for_those_of_somebody_else() -> None:
    text = worded("{component}: {text}", component="It may print.", text=PRINT)
    assert text == "It may print.: It may print."
    assert GERMAN(text) == "It may print.: Es darf drucken."
    assert GERMAN(joined((PRINT, "x", PRINT))) == "Es darf drucken. x Es darf drucken."


def test_braces_and_percent_signs_of_a_server_are_only_letters() -> None:
    name = "{evil} {0} %s {name.__class__}"
    text = worded("{name} is installed.", name=name)
    assert text == f"{name} is installed."
    assert GERMAN(text) == f"{name} ist installiert."


@pytest.mark.parametrize(
    ("octets", "english", "german"),
    [
        (0, "0 B", "0 B"),
        (1023, "1023 B", "1023 B"),
        (1536, "1.5 KiB", "1,5 KiB"),
        (1_572_864, "1.5 MiB", "1,5 MiB"),
        (5 << 40, "5.0 TiB", "5,0 TiB"),
    ],
)
def test_sizes_have_the_point_of_their_language(octets: int, english: str, german: str) -> None:
    assert (ENGLISH(amount(octets)), GERMAN(amount(octets))) == (english, german)
    assert GERMAN(Figure("1.5")) == "1,5"


@pytest.mark.parametrize(
    ("count", "english", "german"),
    [
        (1, "It asks for 1 permission more,", "Es verlangt 1 weiteres Recht,"),
        (2, "It asks for 2 permissions more,", "Es verlangt 2 weitere Rechte,"),
        (0, "It asks for 0 permissions more,", "Es verlangt 0 weitere Rechte,"),
    ],
)
def test_one_is_not_many(count: int, english: str, german: str) -> None:
    text = flatpak_permissions.more(count)
    assert ENGLISH(text).startswith(english)
    assert GERMAN(text).startswith(german)


def test_times_are_written_as_in_their_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    at_s = 1_700_000_000.0
    assert (ENGLISH.moment(at_s), GERMAN.moment(at_s)) == ("2023-11-14 22:13", "14.11.2023 22:13")
    assert ENGLISH.clock(at_s) == GERMAN.clock(at_s) == "22:13:20"
    monkeypatch.undo()
    time.tzset()


METADATA = """[Context]
shared=network;strange;
filesystems=host:ro;xdg-music/new:ro;~/notes;/srv/data;
sockets=x11;odd;
odd=thing;
[Session Bus Policy]
org.example.X=talk
org.example.Y=odd
[Strange Group]
a=b
"""


def test_permissions_that_were_kept_as_english_are_known_again() -> None:
    for text in flatpak_permissions.sentences(METADATA):
        again = flatpak_permissions.known_again(str(text))
        assert str(again) == str(text)
        assert GERMAN(again) == GERMAN(text)
        assert GERMAN(again).startswith("Es "), f"not known again: {text}"


def test_place_in_a_permission_is_said_too() -> None:
    again = flatpak_permissions.known_again("It may read new in your music.")
    assert GERMAN(again) == "Es darf lesen: new (Ihre Musik)."
    assert GERMAN(flatpak_permissions.known_again("It may fly.")) == "It may fly."


def test_phrase_with_the_most_words_of_its_own_is_the_one() -> None:
    phrases = Phrases(["It may {what}.", "It may read {what}."])
    assert phrases.again("It may read x.").template == "It may read {what}."  # type: ignore[attr-defined]
    text = worded_many("{count} thing", "{count} things", 2)
    assert (text, GERMAN(text)) == ("2 things", "2 things"), "what no catalogue has stays English"
