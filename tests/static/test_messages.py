# SPDX-License-Identifier: Apache-2.0
"""Everything that is shown to a person is translated, and catalogues are what they are made of."""

from __future__ import annotations

import re
import string
import subprocess
from gettext import GNUTranslations
from pathlib import Path

import pytest

from scomod.language import DOMAIN, LOCALE

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
LANGUAGES = [place.parts[-3] for place in CATALOGUES]


def test_nothing_is_untranslated_and_every_catalogue_is_what_its_source_says() -> None:
    done = subprocess.run(
        [ROOT / "script/messages", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_german() -> None:
    assert "de" in LANGUAGES


@pytest.mark.parametrize("place", CATALOGUES, ids=LANGUAGES)
def test_nothing_is_fuzzy_and_every_text_keeps_its_parts(place: Path) -> None:
    assert "fuzzy" not in place.with_suffix(".po").read_text()
    with place.open("rb") as file:
        catalogue = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    for english, said in catalogue.items():
        text = english[0] if isinstance(english, tuple) else english
        if text:
            assert fields(said) <= fields(text) | {"count"}, f"{text!r}: {said!r}"
            assert text[-1] not in ".?!:" or said[-1] in ".?!:,", f"{text!r}: {said!r}"


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_texts_of_ours_are_literals_that_xgettext_finds() -> None:
    for path in (ROOT / "scomod").rglob("*.py"):
        if path.name == "wording.py":
            continue
        text = path.read_text()
        for found in re.finditer(r"\bworded(_many)?\(\s*(?P<first>\S)", text):
            assert found["first"] == '"', f"{path.name}: {text[found.start() : found.end() + 40]}"


def test_desktop_starts_the_agent_in_both_languages() -> None:
    place = ROOT / "etc/xdg/autostart/scomod-agent-desktop.desktop"
    done = subprocess.run(
        ["desktop-file-validate", place], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    text = place.read_text()
    assert "\nExec=scomod-agent-desktop\n" in text
    assert "scomod-agent-desktop = scomod.agentdesktop:main" in (ROOT / "setup.cfg").read_text()
    for key in ("Name", "Comment"):
        assert f"\n{key}[de]=" in text
