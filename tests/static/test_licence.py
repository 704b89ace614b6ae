# SPDX-License-Identifier: Apache-2.0
"""Every source file says under which licence it may be passed on; the text is in LICENSE."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPDX = "SPDX-License-Identifier: Apache-2.0"
# Theirs is another syntax, without comments.
DEBIAN = {"changelog", "copyright", "format"}
INPUTS = {"vectors", "regressions"}
HEAD_LINES = 3  # after "#!" or "<?xml"
# What has no comments, what stands as someone sent it, and prose.
PLAIN = {".md", ".json", ".txt", ".wbxml", ".libwbxml", ".png", ".svg", ".mo", ".deb", ".pem"}


def _sources() -> list[Path]:
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-z"], text=True)
    names = [Path(name) for name in listed.split("\0") if name]
    return [
        name
        for name in names
        if (ROOT / name).is_file()
        and name.suffix not in PLAIN
        and not INPUTS & set(name.parts)
        and name.name not in {"LICENSE", ".gitignore", *DEBIAN}
    ]


def test_there_are_sources_to_look_at() -> None:
    assert Path("scomod/daemon.py") in _sources()


def test_every_source_names_its_licence() -> None:
    heads = {name: (ROOT / name).read_text().splitlines()[:HEAD_LINES] for name in _sources()}
    assert [
        str(name) for name, head in heads.items() if not any(SPDX in line for line in head)
    ] == []


def test_the_licence_is_the_one_that_the_sources_name() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
