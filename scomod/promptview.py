# SPDX-License-Identifier: Apache-2.0
"""What agents of ours show of a prompt, an alert or an end, in the language of the person.

For a terminal (`clilive.py`) and a desktop alike.  What the daemon sends is in that
language already; here are the words around it.  Whatever comes from a server is made
`printable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import cliview
from scomod.clifmt import printable
from scomod.wording import filled, worded, worded_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.clifmt import Style
    from scomod.facade import Record
    from scomod.language import Tongue

FOR_INFORMATION: Final = worded("For your information; no answer is needed.")
NOT_ASKED: Final = worded("This is not asked any longer.")
_FROM: Final = worded("It comes from {url}.")
_VENDOR: Final = worded("It is made by {vendor}.")
_ABOUT: Final = worded("More about it: {url}")
_SERVER: Final = worded("The server that asks is {server}.")
_UNTIL: Final = worded("An answer is needed until {moment}.")


def headline(record: Record) -> str:
    """Say who asks for what, or what is told."""
    return printable(record.get("summary") or cliview.request(record))


def sentences(record: Record, tongue: Tongue) -> Iterator[str]:
    """Say what a prompt means, a line for each sentence, the details last."""
    text = record.get("text") or record.get("effect") or ""
    yield from (printable(line) for line in text.splitlines())
    for key, template, part in (
        ("url", _FROM, "url"),
        ("vendor", _VENDOR, "vendor"),
        ("info_url", _ABOUT, "url"),
        ("server", _SERVER, "server"),
    ):
        if record.get(key):
            yield printable(tongue(filled(template, **{part: record[key]})))
    if record.get("deadline"):
        yield tongue(filled(_UNTIL, moment=tongue.moment(record["deadline"])))
    if count := record.get("deferrals_left"):
        yield tongue(
            worded_many(
                "It can be put off once more; tonight is {tonight}.",
                "It can be put off {count} times; tonight is {tonight}.",
                count,
                tonight=record["tonight"],
            )
        )


def prompt(record: Record, style: Style, tongue: Tongue) -> Iterator[str]:
    """Show a question in full on a terminal."""
    yield style.paint("head", headline(record))
    yield from (f"  {line}" for line in sentences(record, tongue))


def completion(record: Record, style: Style) -> str:
    """Say how an operation ended, on a terminal."""
    return style.paint("good" if record.get("phase") == "succeeded" else "bad", ended(record))


def ended(record: Record) -> str:
    """Say how an operation ended that the person was asked or told about."""
    return printable(record.get("text") or cliview.operation(record))


def who(alert: Record, tongue: Tongue) -> str:
    """Say who shows an alert, and until when there is time for an answer."""
    name = printable(alert.get("server_name") or alert.get("server"))
    until = tongue.clock(alert["deadline"])
    return tongue(worded("{server} (answer until {clock}):", server=name, clock=until))
