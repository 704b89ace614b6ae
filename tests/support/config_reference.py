# SPDX-License-Identifier: Apache-2.0
"""The table of all configuration keys, from what the code knows and what the default file says."""

import re
from pathlib import Path
from typing import Final

from scomod.config import all_keys, describe, in_toml

PROJECT: Final = Path(__file__).parents[2]
DEFAULT_FILE: Final = PROJECT / "etc/scomod/scomod.toml"
DOCUMENT: Final = PROJECT / "docs/configuration.md"

_SECTION: Final = re.compile(r"\[([a-z.]+(?:\"(?:ID|HOST)\")?)\]")
_REPEATED: Final = re.compile(r"# (\[\[([a-z.]+)\]\])")
_COMMENTED_KEY: Final = re.compile(r"# ([a-z_]+) = (.+)")


def meanings() -> dict[str, str]:
    """Return the comment above every key of the default file, by dotted name."""
    found: dict[str, str] = {}
    section = comment = ""
    for line in DEFAULT_FILE.read_text().splitlines():
        if named := _SECTION.fullmatch(line):
            section = named[1]
        elif repeated := _REPEATED.fullmatch(line):
            section = f"{repeated[2]}[]"
        elif key := _COMMENTED_KEY.fullmatch(line):
            found[f"{section}.{key[1]}"] = comment
        else:
            comment = line.removeprefix("# ")
    return found


def uncommented() -> str:
    """Return the default file with all its keys in force."""
    lines = DEFAULT_FILE.read_text().splitlines()
    lines = [_REPEATED.sub(r"\1", line) for line in lines]
    return "\n".join(_COMMENTED_KEY.sub(r"\1 = \2", line) for line in lines)


def markdown() -> str:
    """Return the table for docs/configuration.md."""
    meaning = meanings()
    rows = [
        f"| `{key.name}` | `{in_toml(key.default)}` | {describe(key)} | {meaning[key.name]} |"
        for key in all_keys()
    ]
    return "\n".join(["| key | default | may be | meaning |", "|---|---|---|---|", *rows]) + "\n"


def refresh() -> None:
    """Write the table into the document, between its markers."""
    text = DOCUMENT.read_text()
    head, _, rest = text.partition("<!-- keys -->\n")
    _, _, tail = rest.partition("<!-- end of keys -->\n")
    DOCUMENT.write_text(f"{head}<!-- keys -->\n{markdown()}<!-- end of keys -->\n{tail}")


if __name__ == "__main__":
    refresh()
