# SPDX-License-Identifier: Apache-2.0
"""JSON Schema and page of what `scomoctl --json` prints, made from `json_records.py`.

`python -m tests.support.json_shapes` writes both; tests hold real output against the schema.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from tests.support.json_records import COMMANDS, RECORDS

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "json.md"
SCHEMA: Final = DOCS / "schema/scomoctl.json"
BEGIN: Final = "<!-- from here on made by python -m tests.support.json_shapes -->\n\n"

PLAIN: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "string"},
    "whole": {"type": "integer"},
    "number": {"type": "number"},
    "truth": {"type": "boolean"},
    "any": {},
}
OPEN: Final = frozenset({"settings"})  # its keys are those of scomod.toml


def schema() -> dict[str, Any]:
    """Return the JSON Schema: a definition for each record, and "command NAME" for each command."""
    definitions = {name: _object(name) for name in RECORDS}
    for command, kinds in COMMANDS.items():
        definitions[f"command {command}"] = {"anyOf": [_kind(each) for each in kinds]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What scomoctl --json prints",
        "$defs": definitions,
    }


def _object(name: str) -> dict[str, Any]:
    keys = RECORDS[name]
    return {
        "type": "object",
        "properties": {
            key: {**_kind(kind), "description": text} for key, (kind, text) in keys.items()
        },
        "required": [key for key, (kind, _) in keys.items() if not kind.endswith("?")],
        "additionalProperties": name in OPEN,
    }


def _kind(kind: str) -> dict[str, Any]:
    kind = kind.removesuffix("?")
    if kind.endswith("[]"):
        return {"type": "array", "items": _kind(kind[:-2])}
    if kind.endswith("{}"):
        return {"type": "object", "additionalProperties": _kind(kind[:-2])}
    return PLAIN.get(kind, {"$ref": f"#/$defs/{kind}"})


def schema_text() -> str:
    """Return the content of the schema file."""
    return json.dumps(schema(), indent=1) + "\n"


def tables() -> str:
    """Return what is made of docs/json.md: the commands, and the records."""
    lines = ["| command | document |", "|---|---|"]
    lines += [
        f"| `{command}` | {' or '.join(map(_linked, kinds))} |"
        for command, kinds in COMMANDS.items()
    ]
    lines.append("\n## Records\n")
    for name, keys in RECORDS.items():
        lines += [f"### {name}\n"]
        if name in OPEN:
            lines += ["The keys are those of [configuration.md](configuration.md).\n"]
            continue
        lines += ["| key | kind | meaning |", "|---|---|---|"]
        lines += [f"| `{key}` | {_linked(kind)} | {text} |" for key, (kind, text) in keys.items()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _linked(kind: str) -> str:
    name = kind.rstrip("?[]{}")
    shown = name if name in PLAIN else f"[{name}](#{name})"
    shown = f"list of {shown}" if "[]" in kind else f"object of {shown}" if "{}" in kind else shown
    return f"{shown}, may be absent" if kind.endswith("?") else shown


@cache
def _validator(definition: str) -> Any:
    whole = schema()
    return Draft202012Validator({**whole, "$ref": f"#/$defs/{definition}"})


def check(command: str, document: Any) -> Any:
    """Return what a command printed; raises `ValidationError` where that is not as is said."""
    _validator(f"command {command}").validate(document)
    return document


if __name__ == "__main__":
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(schema_text())
    before, _, _ = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + tables())
