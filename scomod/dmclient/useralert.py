# SPDX-License-Identifier: Apache-2.0
"""User interaction alerts 1100 to 1104: what a server wants shown, what a person may answer.

Pure: nothing is shown here and nobody waits.  `parse` reads the alert, `problem`
judges a typed text, `reply` says what Status an answer gives (omadm §1.4).
Reading is tolerant where no server can mean two things: options that are unknown
or make no sense are skipped, an option Item that was left out is taken as empty.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.model import Item
from scomod.errors import IncompleteCommand, NotSupported, TooMuchToShow
from scomod.wording import worded, worded_many

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.dmclient.model import Alert


class InputType(StrEnum):
    """What a text must be (option IT); the values are those of the standard."""

    ALPHANUMERIC = "A"
    NUMERIC = "N"
    DATE = "D"
    TIME = "T"
    PHONE = "P"
    IPV4 = "I"


class Verdict(StrEnum):
    """What came of showing an alert; DONE is also the Yes to a confirmation."""

    DONE = "done"
    NO = "no"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLimits:
    """What can be shown and typed here; beyond the first three an alert is answered with 416."""

    max_text_bytes: int
    max_choices_count: int
    max_choice_bytes: int
    max_input_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAlert:
    """One alert to show; `code` is 1100 to 1104.

    `min_s` is how long it should stay, `max_s` how long an answer may take (None: the
    server does not say).  The defaults are what the answer is preset to; choices
    count from 1.  `max_count` is the longest text, in characters.
    """

    code: AlertCode
    text: str
    choices: tuple[str, ...] = ()
    min_s: int = 0
    max_s: int | None = None
    default_yes: bool | None = None
    default_text: str = ""
    default_choices: tuple[int, ...] = ()
    max_count: int = 0
    input_type: InputType = InputType.ALPHANUMERIC
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAnswer:
    """What the person said: a text to 1102, numbers from 1 to 1103 and 1104."""

    verdict: Verdict
    text: str = field(default="", repr=False)  # it may have been typed hidden (I19)
    chosen: tuple[int, ...] = ()


CHOICES: Final = (AlertCode.SINGLE_CHOICE, AlertCode.MULTIPLE_CHOICE)
KINDS: Final = (
    AlertCode.DISPLAY,
    AlertCode.CONFIRM_OR_REJECT,
    AlertCode.TEXT_INPUT,
    *CHOICES,
)
STATUS: Final[Mapping[Verdict, DmStatus]] = {
    Verdict.DONE: DmStatus.OK,
    Verdict.NO: DmStatus.NOT_MODIFIED,
    Verdict.CANCELLED: DmStatus.OPERATION_CANCELLED,
    Verdict.TIMED_OUT: DmStatus.REQUEST_TIMEOUT,
    Verdict.NOT_SHOWN: DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED,
}

_OPTION: Final = re.compile(r"[A-Za-z]{1,16}=[^\s]*")
_POSITIVE: Final = re.compile(r"0*[1-9][0-9]{0,8}")
_OCTET: Final = r"(25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_INDEXES: Final = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})*")


# -- reading ------------------------------------------------------------------------


def parse(alert: Alert, limits: AlertLimits) -> UserAlert:
    """Read a user interaction alert (omadm §1.4).

    Raises `NotSupported` for another alert code, `IncompleteCommand` where Items or
    the code are missing, `TooMuchToShow` beyond the limits.
    """
    if not alert.code:
        raise IncompleteCommand("the alert has no code")
    if alert.code not in KINDS:
        raise NotSupported(f"alert {alert.code} is none that a server sends us")
    code = AlertCode(alert.code)
    options, text, choices = _parts(code, [_text(item) for item in alert.items])
    _check_limits(text, choices, limits)
    return _with_options(code, text, choices, _options(options), limits)


def _parts(code: AlertCode, texts: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """Return option string, text and choices; options may be missing if that is plain."""
    needed = 3 if code in CHOICES else 2
    if len(texts) == needed - 1 and texts[0] and not _is_option_string(texts[0]):
        texts = ["", *texts]
    if len(texts) < needed:
        raise IncompleteCommand(f"alert {code.value} has too few Items")
    return texts[0], texts[1], tuple(texts[2:]) if code in CHOICES else ()


def _is_option_string(text: str) -> bool:
    return all(_OPTION.fullmatch(part) for part in text.split("&"))


def _check_limits(text: str, choices: tuple[str, ...], limits: AlertLimits) -> None:
    if len(text.encode()) > limits.max_text_bytes:
        raise TooMuchToShow(f"a text of more than {limits.max_text_bytes} octets")
    if len(choices) > limits.max_choices_count:
        raise TooMuchToShow(f"{len(choices)} choices")
    if any(len(choice.encode()) > limits.max_choice_bytes for choice in choices):
        raise TooMuchToShow(f"a choice of more than {limits.max_choice_bytes} octets")


def _options(text: str) -> dict[str, str]:
    """Read `NAME=value&NAME=value`, URL-encoded; of equal names the first counts."""
    found: dict[str, str] = {}
    for part in text.split("&"):
        name, separator, value = part.partition("=")
        if separator:
            found.setdefault(name.strip().upper(), unquote_plus(value).strip())
    return found


def _with_options(
    code: AlertCode,
    text: str,
    choices: tuple[str, ...],
    options: Mapping[str, str],
    limits: AlertLimits,
) -> UserAlert:
    """Apply the options that belong to this alert, as far as they make sense."""
    is_input = code is AlertCode.TEXT_INPUT
    max_s = _positive(options.get("MAXDT"))
    min_s = _positive(options.get("MINDT")) or 0
    longest = _positive(options.get("MAXLEN")) or limits.max_input_count
    preset = options.get("DR", "")
    max_count = min(longest, limits.max_input_count)
    kinds = {kind.value: kind for kind in InputType}
    return UserAlert(
        code=code,
        text=text,
        choices=choices,
        min_s=min_s if max_s is None else min(min_s, max_s),
        max_s=max_s,
        default_yes={"0": False, "1": True}.get(preset)
        if code is AlertCode.CONFIRM_OR_REJECT
        else None,
        default_text=preset[:max_count] if is_input else "",
        default_choices=_preset_choices(code, preset, len(choices)),
        max_count=max_count if is_input else 0,
        input_type=kinds.get(options.get("IT", ""), InputType.ALPHANUMERIC),
        is_hidden=is_input and options.get("ET") == "P",
    )


def _positive(value: str | None) -> int | None:
    return int(value) if value and _POSITIVE.fullmatch(value) else None


def _preset_choices(code: AlertCode, preset: str, count: int) -> tuple[int, ...]:
    """Read `i` or `i-j-k`; numbers that no choice has are left out."""
    if code not in CHOICES or not _INDEXES.fullmatch(preset):
        return ()
    numbers = dict.fromkeys(int(part) for part in preset.split("-"))
    known = tuple(number for number in numbers if 1 <= number <= count)
    return known[:1] if code is AlertCode.SINGLE_CHOICE else known


def _text(item: Item) -> str:
    return (item.data or b"").decode("utf-8", "replace")


# -- answering ----------------------------------------------------------------------


def problem(alert: UserAlert, text: str) -> str:
    """Return what is wrong with a text typed as answer to 1102, or "" (omadm §1.4, IT, MAXLEN)."""
    if len(text) > alert.max_count:
        return worded_many(
            "at most {count} character", "at most {count} characters", alert.max_count
        )
    is_good, _ = _FORMS[alert.input_type]
    return "" if is_good(text) else form(alert)


def form(alert: UserAlert) -> str:
    """Return in words what a text must be that answers 1102."""
    return _FORMS[alert.input_type][1]


def is_choice(alert: UserAlert, chosen: tuple[int, ...]) -> bool:
    """Tell whether numbers answer 1103 (exactly one) or 1104 (any, each once)."""
    if alert.code is AlertCode.SINGLE_CHOICE and len(chosen) != 1:
        return False
    is_unique = len(set(chosen)) == len(chosen)
    return is_unique and all(1 <= number <= len(alert.choices) for number in chosen)


def reply(alert: UserAlert, answer: UserAnswer) -> tuple[DmStatus, tuple[Item, ...]]:
    """Return the Status code of an answer and the Items that carry it (omadm §1.3)."""
    code = STATUS[answer.verdict]
    if answer.verdict is not Verdict.DONE:
        return code, ()
    if alert.code is AlertCode.TEXT_INPUT:
        return code, (Item(data=answer.text.encode("utf-8", "replace")),)
    return code, tuple(Item(data=str(number).encode()) for number in answer.chosen)


def _is_text(text: str) -> bool:
    return text.isprintable()


def _is_date(text: str) -> bool:
    """DDMMYYYY, of a day that exists."""
    if not re.fullmatch(r"[0-9]{8}", text):
        return False
    try:
        dt.date(int(text[4:]), int(text[2:4]), int(text[:2]))
    except ValueError:
        return False
    return True


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_FORMS: Final[Mapping[InputType, tuple[Callable[[str], bool], str]]] = {
    InputType.ALPHANUMERIC: (_is_text, worded("one line of text")),
    InputType.NUMERIC: (
        _matches(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"),
        worded("a number, such as -12.5"),
    ),
    InputType.DATE: (_is_date, worded("a date as DDMMYYYY")),
    InputType.TIME: (
        _matches(r"([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"),
        worded("a time as hhmmss"),
    ),
    InputType.PHONE: (
        _matches(r"\+?[0-9pws]+"),
        worded("a phone number: digits, p, w, s, and + only in front"),
    ),
    InputType.IPV4: (
        _matches(rf"({_OCTET}\.){{3}}{_OCTET}"),
        worded("an address such as 192.0.2.1"),
    ),
}
