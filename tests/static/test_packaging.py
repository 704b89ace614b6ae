# SPDX-License-Identifier: Apache-2.0
"""The Debian packages have all that the project has for a device; `script/deb` builds them."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import scomod

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "packaging/debian"
UPSTREAM = re.compile(r"^scomod \(([^)-]+)[^)]*\)")


def _words(pattern: str) -> list[str]:
    """Give what stands in the lists of these names."""
    lines = [
        line
        for path in sorted(DEBIAN.glob(pattern))
        for line in path.read_text().splitlines()
        if not line.startswith("#")
    ]
    return [word for line in lines for word in line.split()]


def test_the_packages_have_the_version_of_the_program() -> None:
    found = UPSTREAM.match((DEBIAN / "changelog").read_text())
    assert found is not None
    assert found[1] == scomod.__version__


def test_each_program_is_in_one_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    scripts = setup["options.entry_points"]["console_scripts"].strip().split("\n")
    listed = [word for word in _words("*.install") if word.startswith("usr/bin/")]
    assert sorted(listed) == sorted(f"usr/bin/{line.split(' ')[0]}" for line in scripts)


def test_each_man_page_is_in_one_package() -> None:
    pages = [f"docs/man/{path.name}" for path in (ROOT / "docs/man").iterdir()]
    assert sorted(_words("*.manpages")) == sorted(pages)


def test_what_lies_in_systemd_is_in_the_packages() -> None:
    named = (DEBIAN / "rules").read_text() + "\n".join(_words("*.install"))
    here = [path.name for path in (ROOT / "systemd").iterdir()]
    assert [name for name in here if name not in named] == []
