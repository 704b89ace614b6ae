# SPDX-License-Identifier: Apache-2.0
"""User alerts of a server on the terminal: `scomoctl agent` shows them and reads answers.

Whether a typed text is one that the server can take is judged by the daemon, which asks
again with `problem` in the record (docs/dbus.md).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from scomod.clifmt import printable
from scomod.facade import Cancelled, NotShown
from scomod.terminal import cancelled_by_interrupt, read_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.clicall import Screen
    from scomod.clifmt import Style
    from scomod.facade import Record

WORDS: Final = {"y": True, "yes": True, "n": False, "no": False}
CANCEL: Final = ("c", "cancel")


async def show(screen: Screen, fixed: str | None, method: str, alert: Record) -> Any:
    """Show an alert and return the answer to its method (`AlertPort.show`).

    `fixed` ("yes" or "no") answers without asking.  Raises `Cancelled`, and `NotShown`
    where "yes" is no answer.
    """
    if screen.is_json:
        screen.write([json.dumps({"event": "alert", "method": method, **alert})])
    else:
        screen.write(lines(alert, screen.style))
    if method == "Display":
        return None
    if fixed is not None:
        return unattended(method, alert, is_yes=fixed == "yes")
    ask = {"Confirm": _confirm, "Input": _input}.get(method, _choose)
    try:
        async with cancelled_by_interrupt():
            return await ask(alert)
    except asyncio.CancelledError:
        screen.write([] if screen.is_json else ["", "  This is not asked any longer."])
        raise


def lines(alert: Record, style: Style) -> Iterator[str]:
    """Show an alert: who asks, the text, the choices with their numbers, until when."""
    who = alert.get("server_name") or alert.get("server")
    until = time.strftime("%H:%M:%S", time.localtime(alert["deadline"]))
    yield style.paint("head", f"{printable(who)} (answer until {until}):")
    yield from (f"  {printable(line)}" for line in alert["text"].splitlines())
    for number, choice in enumerate(alert.get("choices") or [], start=1):
        yield f"  {number:>3}  {printable(choice)}"
    if problem := alert.get("problem"):
        yield style.paint("bad", f"  That cannot be taken. Needed: {printable(problem)}")


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


async def _confirm(alert: Record) -> bool:
    preset: bool | None = alert.get("default_yes")
    keys = {None: "y/n", True: "Y/n", False: "y/N"}[preset]
    while True:
        word = await _word(f"Yes or no? [{keys}, c cancels] ")
        if word in WORDS:
            return WORDS[word]
        if not word and preset is not None:
            return preset


async def _input(alert: Record) -> str:
    """Read a text; only Ctrl-C and the end of input cancel, as any word may be the answer."""
    preset: str = alert.get("default_text") or ""
    shown = "hidden" if alert.get("is_hidden") else printable(preset)
    hint = f" [{shown}]" if preset else ""
    question = f"{printable(alert['form'])}{hint}, Ctrl-C cancels: "
    text = await read_line(question, is_hidden=bool(alert.get("is_hidden")))
    if text is None:
        raise Cancelled("end of input")
    return text or preset


async def _choose(alert: Record) -> list[int]:
    """Read one number, or several with blanks or commas between; 0 is none of them."""
    is_multiple, preset = bool(alert.get("is_multiple")), list(alert.get("default_choices") or [])
    what = "Numbers, 0 for none" if is_multiple else "Number"
    hint = f" [{' '.join(map(str, preset))}]" if preset else ""
    while True:
        word = await _word(f"{what}{hint}, c cancels: ")
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


async def _word(question: str) -> str:
    """Read a short answer in lower case; raises `Cancelled` for c and the end of input."""
    line = await read_line(question)
    if line is None or line.strip().lower() in CANCEL:
        raise Cancelled("by the person")
    return line.strip().lower()
