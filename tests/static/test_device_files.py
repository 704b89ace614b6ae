# SPDX-License-Identifier: Apache-2.0
"""What lies in systemd/: a catalogue of all events, and drop-ins that systemd understands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scomod.log import Event
from tests.support.units import UNITS

CATALOGUE = UNITS / "scomod.catalog"
HEAD = re.compile(r"^-- ([0-9a-f]{32})$", re.MULTILINE)
PLACE = re.compile(r"^# Install as /etc/systemd/system/(\S+)$", re.MULTILINE)
EXAMPLES = sorted(UNITS.glob("examples/*"))


def entries() -> dict[str, str]:
    """Read the catalogue: what stands under each identifier."""
    parts = HEAD.split(CATALOGUE.read_text())[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_each_event_has_an_entry_and_no_entry_is_of_nothing() -> None:
    assert sorted(entries()) == sorted(event.message_id for event in Event)


def test_each_entry_has_a_subject_a_page_and_an_explanation() -> None:
    for entry in entries().values():
        head, *paragraphs = entry.strip().split("\n\n")
        assert re.fullmatch(r"Subject: .+\nDefined-By: scomod\nDocumentation: man:.+", head)
        assert paragraphs, head


def test_the_journal_takes_the_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOGUE, folder)
    subprocess.run(["journalctl", f"--root={tmp_path}", "--update-catalog"], check=True)
    said = subprocess.run(
        ["journalctl", f"--root={tmp_path}", "--list-catalog"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    listed = dict(line.split(" ", 1) for line in said.stdout.splitlines())
    assert set(listed) == {event.message_id for event in Event}
    assert all(line.startswith("scomod: ") for line in listed.values())


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Lay our units down as on a device, with a program that is there."""
    for path in UNITS.glob("scomod*.*"):
        if path.suffix in {".service", ".socket", ".path"}:
            text = re.sub(r"/usr/(bin|lib/scomod)/scomod\S*", sys.executable, path.read_text())
            (tmp_path / path.name).write_text(text)
    return tmp_path


def lay_down(example: Path, units: Path) -> Path:
    """Put an example where it says that it belongs; returns the unit that it is or belongs to."""
    place: str
    (place,) = PLACE.findall(example.read_text())
    assert Path(place).name == example.name
    (units / place).parent.mkdir(exist_ok=True)
    (units / place).write_text(example.read_text().replace("/usr/bin/scomod", sys.executable))
    return units / place.partition(".d/")[0]


def test_systemd_understands_the_examples_where_they_say_they_belong(units: Path) -> None:
    changed = {lay_down(example, units) for example in EXAMPLES}
    assert [unit.name for unit in changed if not unit.exists()] == []
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *changed],
        env={"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
