# SPDX-License-Identifier: Apache-2.0
"""Texts of ours for people: English as they stand, and able to be said in other languages.

A `Wording` is the English text and remembers what it was made of.  Who shows it says it in
the person's language (`language.py`); what is a plain `str` came from somebody else and is
shown as it is.  Nothing is looked up here (docs/adr/0044).

`worded` and `worded_many` are also what xgettext looks for: their first arguments are literals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Wording(str):
    """`template` with `parts` in it; of two templates `many` is for a `number` that is not 1."""

    __slots__ = ("many", "number", "parts", "template")
    template: str
    many: str
    number: int
    parts: Mapping[str, object]


class Figure(str):
    """A number in digits with a decimal point, which other languages write as a comma."""

    __slots__ = ()


def worded(template: str, /, **parts: object) -> Wording:
    """Return a text with its parts in it; parts may be texts of ours too."""
    return _made(template, "", 1, parts)


def worded_many(one: str, many: str, /, count: int, **parts: object) -> Wording:
    """Return the text for a number of things; both have `{count}` as a part."""
    return _made(one, many, count, {"count": count, **parts})


def filled(text: str, /, **parts: object) -> Wording:
    """Put parts into a text of a table that was made by `worded` without them."""
    return _made(text.template if isinstance(text, Wording) else text, "", 1, parts)


def joined(texts: Iterable[str], by: str = " ") -> Wording:
    """Put texts one after the other."""
    parts = {f"p{number}": text for number, text in enumerate(texts)}
    return _made(by.join(f"{{{name}}}" for name in parts), "", 1, parts)


def _made(one: str, many: str, count: int, parts: Mapping[str, object]) -> Wording:
    template = one if count == 1 or not many else many
    made = Wording(template.format_map(parts) if parts else template)
    made.template, made.many, made.number, made.parts = one, many, count, parts
    return made


class Phrases:
    """Knows texts again that were kept as plain English, by the templates they were made from.

    `inner` knows the parts of them.  What fits no template stays what it is.
    """

    def __init__(self, templates: Iterable[str], inner: Phrases | None = None) -> None:
        # the one with the most words of its own first: it says the most
        longest = sorted(templates, key=lambda text: -len(re.sub(r"{\w*}", "", text)))
        self._patterns = [(text, _pattern(text)) for text in longest]
        self._inner = inner

    def again(self, text: str) -> str:
        """Return a text as a `Wording`, if it is one of these."""
        for template, pattern in self._patterns:
            if found := pattern.fullmatch(text):
                return worded(template, **self._parts(found.groupdict()))
        return text

    def _parts(self, found: Mapping[str, str]) -> dict[str, str]:
        if self._inner is None:
            return dict(found)
        return {name: self._inner.again(part) for name, part in found.items()}


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"{(\w+)}", template)
    literals, names = pieces[::2], [f"(?P<{name}>.*)" for name in pieces[1::2]]
    texts = [re.escape(literal) for literal in literals]
    return re.compile("".join(a + b for a, b in zip(texts, [*names, ""], strict=True)), re.DOTALL)
