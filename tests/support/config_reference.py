# SPDX-License-Identifier: Apache-2.0
"""The table of all configuration keys, from what the code knows and what the default file says.

It stands in docs/configuration.md and, with the sections apart, in docs/man/scomod.toml.5.
"""

import re
from pathlib import Path
from typing import Final

from scomod.config import all_keys, describe, in_toml

PROJECT: Final = Path(__file__).parents[2]
DEFAULT_FILE: Final = PROJECT / "etc/scomod/scomod.toml"
DOCUMENT: Final = PROJECT / "docs/configuration.md"
PAGE: Final = PROJECT / "docs/man/scomod.toml.5"

PAGE_BEGIN: Final = '.\\" keys: python -m tests.support.config_reference\n'
PAGE_END: Final = '.\\" end of keys\n'

_SECTION: Final = re.compile(r"\[([a-z_.]+(?:\"(?:ID|HOST)\")?)\]")
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


def roff(text: str) -> str:
    """Return text as roff takes it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return re.sub(r"^([.'])", r"\\&\1", text)


def _quoted(text: str) -> str:
    return roff(text).replace('"', "\\(dq")


def manual() -> str:
    """Return the sections and keys as the manual page has them."""
    meaning, lines, section = meanings(), [], ""
    for key in all_keys():
        home, _, name = key.name.rpartition(".")
        if home != section:
            section = home
            shown = f"[[{home[:-2]}]]" if home.endswith("[]") else f"[{home}]"
            lines.append(f'.SS "{_quoted(shown)}"')
        lines += [".TP", f'.BR {roff(name)} " = {_quoted(in_toml(key.default))}"']
        lines += [
            f"{roff(meaning[key.name].rstrip('.'))}.",
            ".br",
            f"May be: {roff(describe(key))}.",
        ]
    return "\n".join(lines) + "\n"


def refresh() -> None:
    """Write the table into document and page, between their markers."""
    _put_between(DOCUMENT, "<!-- keys -->\n", markdown(), "<!-- end of keys -->\n")
    _put_between(PAGE, PAGE_BEGIN, manual(), PAGE_END)


def _put_between(place: Path, begin: str, table: str, end: str) -> None:
    head, _, rest = place.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    place.write_text(f"{head}{begin}{table}{end}{tail}")


if __name__ == "__main__":
    refresh()
