# SPDX-License-Identifier: Apache-2.0
"""User alerts of a server on the terminal: `scomoctl agent` shows them and reads answers.

Whether a typed text is one that the server can take is judged by the daemon, which asks
again with `problem` in the record (docs/dbus.md).
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, Final

from scomod import promptview
from scomod.clifmt import printable
from scomod.facade import Cancelled, NotShown
from scomod.terminal import cancelled_by_interrupt, read_line
from scomod.wording import filled, worded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scomod.clicall import Screen
    from scomod.clifmt import Style
    from scomod.facade import Record
    from scomod.language import Tongue

# Translators: what a person may type, separated by blanks; the first stands in the questions.
YES: Final = worded("y yes")
NO: Final = worded("n no")
CANCEL: Final = worded("c cancel")
YES_OR_NO: Final[Mapping[bool | None, str]] = {
    None: worded("Yes or no? [y/n, c cancels]"),
    True: worded("Yes or no? [Y/n, c cancels]"),
    False: worded("Yes or no? [y/N, c cancels]"),
}
NUMBER: Final = worded("Number{preset}, c cancels:")
NUMBERS: Final = worded("Numbers, 0 for none{preset}, c cancels:")


def answers(tongue: Tongue) -> dict[str, bool]:
    """Return what a person may type for yes and for no; English is understood too."""
    words: dict[str, bool] = {}
    for text, is_yes in ((YES, True), (NO, False)):
        words |= dict.fromkeys(f"{text} {tongue(text)}".split(), is_yes)
    return words


async def show(
    screen: Screen, tongue: Tongue, fixed: str | None, method: str, alert: Record
) -> Any:
    """Show an alert and return the answer to its method (`AlertPort.show`).

    `fixed` ("yes" or "no") answers without asking.  Raises `Cancelled`, and `NotShown`
    where "yes" is no answer.
    """
    if screen.is_json:
        screen.write([json.dumps({"event": "alert", "method": method, **alert})])
    else:
        screen.write(lines(alert, screen.style, tongue))
    if method == "Display":
        return None
    if fixed is not None:
        return unattended(method, alert, is_yes=fixed == "yes")
    ask = {"Confirm": _confirm, "Input": _input}.get(method, _choose)
    try:
        async with cancelled_by_interrupt():
            return await ask(alert, tongue)
    except asyncio.CancelledError:
        screen.write([] if screen.is_json else ["", f"  {tongue(promptview.NOT_ASKED)}"])
        raise


def lines(alert: Record, style: Style, tongue: Tongue) -> Iterator[str]:
    """Show an alert: who asks, the text, the choices with their numbers, until when."""
    yield style.paint("head", promptview.who(alert, tongue))
    yield from (f"  {printable(line)}" for line in alert["text"].splitlines())
    for number, choice in enumerate(alert.get("choices") or [], start=1):
        yield f"  {number:>3}  {printable(choice)}"
    if problem := alert.get("problem"):
        text = tongue(worded("That cannot be taken. Needed: {what}", what=printable(problem)))
        yield style.paint("bad", f"  {text}")


def unattended(method: str, alert: Record, *, is_yes: bool) -> Any:
    """Answer without a person: yes takes what the server presets, no cancels."""
    if method == "Confirm":
        return is_yes
    if not is_yes:
        raise Cancelled("declined")
    preset = alert.get("default_text") if method == "Input" else alert.get("default_choices")
    if not preset:
        raise NotShown("nobody is here to answer")
    return preset


async def _confirm(alert: Record, tongue: Tongue) -> bool:
    preset: bool | None = alert.get("default_yes")
    words = answers(tongue)
    while True:
        word = await _word(YES_OR_NO[preset], tongue)
        if word in words:
            return words[word]
        if not word and preset is not None:
            return preset


async def _input(alert: Record, tongue: Tongue) -> str:
    """Read a text; only Ctrl-C and the end of input cancel, as any word may be the answer."""
    preset: str = alert.get("default_text") or ""
    shown = tongue(worded("hidden")) if alert.get("is_hidden") else printable(preset)
    hint = f" [{shown}]" if preset else ""
    form = f"{printable(alert['form'])}{hint}"
    question = tongue(worded("{form}, Ctrl-C cancels:", form=form)) + " "
    text = await read_line(question, is_hidden=bool(alert.get("is_hidden")))
    if text is None:
        raise Cancelled("end of input")
    return text or preset


async def _choose(alert: Record, tongue: Tongue) -> list[int]:
    """Read one number, or several with blanks or commas between; 0 is none of them."""
    is_multiple, preset = bool(alert.get("is_multiple")), list(alert.get("default_choices") or [])
    hint = f" [{' '.join(map(str, preset))}]" if preset else ""
    question = filled(NUMBERS if is_multiple else NUMBER, preset=hint)
    while True:
        word = await _word(question, tongue)
        if not word and preset:
            return preset
        if is_multiple and word == "0":
            return []
        numbers = _numbers(word, len(alert["choices"]))
        if numbers and (is_multiple or len(numbers) == 1):
            return numbers


def _numbers(text: str, highest: int) -> list[int]:
    """Return the numbers in a text, each once; [] if something else is in it."""
    parts = re.split(r"[\s,]+", text.strip(", "))
    if not all(re.fullmatch(r"[0-9]{1,6}", part) for part in parts):
        return []
    numbers = list(dict.fromkeys(int(part) for part in parts))
    return numbers if all(1 <= number <= highest for number in numbers) else []


async def _word(question: str, tongue: Tongue) -> str:
    """Read a short answer in lower case; raises `Cancelled` for c and the end of input."""
    line = await read_line(f"{tongue(question)} ")
    if line is None or line.strip().lower() in tongue(CANCEL).split():
        raise Cancelled("by the person")
    return line.strip().lower()
