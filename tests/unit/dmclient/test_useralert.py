# SPDX-License-Identifier: Apache-2.0
"""User interaction alerts: what is read from them and what may answer them (omadm §1.4)."""

import pytest

from scomod.codes import AlertCode, DmStatus
from scomod.dmclient.model import Alert, Item
from scomod.dmclient.useralert import (
    AlertLimits,
    InputType,
    UserAlert,
    UserAnswer,
    Verdict,
    form,
    is_choice,
    parse,
    problem,
    reply,
)
from scomod.errors import CommandError, IncompleteCommand, NotSupported, TooMuchToShow

LIMITS = AlertLimits(
    max_text_bytes=50, max_choices_count=3, max_choice_bytes=10, max_input_count=20
)
CONFIRM, INPUT = AlertCode.CONFIRM_OR_REJECT, AlertCode.TEXT_INPUT
ONE, MANY = AlertCode.SINGLE_CHOICE, AlertCode.MULTIPLE_CHOICE


def alert(code: int, *texts: str | None) -> Alert:
    items = tuple(Item(data=None if text is None else text.encode()) for text in texts)
    return Alert(cmd_id="1", code=code, items=items)


def read(code: int, *texts: str | None) -> UserAlert:
    return parse(alert(code, *texts), LIMITS)


# -- Items -------------------------------------------------------------------------


def test_text_and_choices_are_read_in_order() -> None:
    found = read(MANY, "", "Which?", "red", "green", "blue")
    assert (found.text, found.choices) == ("Which?", ("red", "green", "blue"))
    assert (found.min_s, found.max_s) == (0, None)


@pytest.mark.parametrize("first", ["", None])
@pytest.mark.parametrize("code", [AlertCode.DISPLAY, CONFIRM, INPUT])
def test_empty_option_item_is_no_option(code: int, first: str | None) -> None:
    assert read(code, first, "Hello").text == "Hello"


@pytest.mark.parametrize(
    ("code", "texts"),
    [(AlertCode.DISPLAY, ["Hello"]), (CONFIRM, ["Really?"]), (ONE, ["Which?", "red"])],
)
def test_missing_option_item_is_taken_as_empty_where_that_is_plain(
    code: int, texts: list[str]
) -> None:
    found = read(code, *texts)
    assert [found.text, *found.choices] == texts


@pytest.mark.parametrize("code", [AlertCode.DISPLAY, CONFIRM, INPUT, ONE, MANY])
@pytest.mark.parametrize("texts", [(), ("MINDT=5",), ("",), ("MINDT=5&FOO=a+b",)])
def test_missing_items_are_an_incomplete_command(code: int, texts: tuple[str, ...]) -> None:
    with pytest.raises(IncompleteCommand):
        read(code, *texts)


@pytest.mark.parametrize("code", [ONE, MANY])
def test_choice_without_choices_is_an_incomplete_command(code: int) -> None:
    with pytest.raises(IncompleteCommand):
        read(code, "", "Which?")


@pytest.mark.parametrize(
    "code", [1105, 1199, AlertCode.CLIENT_EVENT, AlertCode.GENERIC_ALERT, 1, 999999]
)
def test_other_alerts_are_not_supported(code: int) -> None:
    with pytest.raises(NotSupported):
        read(code, "", "Hello")


def test_alert_without_code_is_an_incomplete_command() -> None:
    with pytest.raises(IncompleteCommand):
        read(0, "", "Hello")


@pytest.mark.parametrize(
    "texts",
    [("", "t" * 51, "a"), ("", "t", *"abcd"), ("", "t", "c" * 11), ("", "t", "é" * 6)],
    ids=["long text", "many choices", "long choice", "long choice in octets"],
)
def test_more_than_can_be_shown_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(TooMuchToShow):
        read(ONE, *texts)


def test_text_that_is_no_utf8_is_still_shown() -> None:
    items = (Item(data=b""), Item(data=b"caf\xe9"))
    assert parse(Alert(code=CONFIRM, items=items), LIMITS).text == "caf\ufffd"


# -- options -----------------------------------------------------------------------


def test_times_are_seconds_and_the_least_is_not_beyond_the_most() -> None:
    found = read(AlertCode.DISPLAY, "MINDT=5&MAXDT=60", "t")
    assert (found.min_s, found.max_s) == (5, 60)
    found = read(AlertCode.DISPLAY, "MINDT=90&MAXDT=60", "t")
    assert (found.min_s, found.max_s) == (60, 60)


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "x", "", "9999999999", "٣"])
def test_times_that_are_no_positive_numbers_are_skipped(value: str) -> None:
    found = read(AlertCode.DISPLAY, f"MINDT={value}&MAXDT={value}", "t")
    assert (found.min_s, found.max_s) == (0, None)


def test_unknown_options_and_rubbish_are_skipped() -> None:
    found = read(INPUT, "COLOUR=red&&=&rubbish&MAXLEN=7&MAXLEN=9&et=P", "t")
    assert (found.max_count, found.is_hidden) == (7, True)


@pytest.mark.parametrize(("value", "preset"), [("0", False), ("1", True), ("2", None), ("", None)])
def test_preset_of_a_confirmation(value: str, preset: bool | None) -> None:
    assert read(CONFIRM, f"DR={value}", "t").default_yes is preset


def test_preset_of_a_text_is_url_decoded_and_no_longer_than_the_text_may_be() -> None:
    assert read(INPUT, "DR=John+Doe%26%C3%A9", "t").default_text == "John Doe&é"
    assert read(INPUT, "DR=abcdef&MAXLEN=3", "t").default_text == "abc"


@pytest.mark.parametrize(
    ("code", "value", "preset"),
    [
        (ONE, "2", (2,)),
        (ONE, "3-1", (3,)),
        (ONE, "4", ()),
        (ONE, "0", ()),
        (MANY, "1-3", (1, 3)),
        (MANY, "3-3-9-1", (3, 1)),
        (MANY, "1-", ()),
        (MANY, "a-b", ()),
    ],
)
def test_preset_of_a_choice_names_choices_there_are(
    code: int, value: str, preset: tuple[int, ...]
) -> None:
    assert read(code, f"DR={value}", "t", "a", "b", "c").default_choices == preset


def test_preset_means_nothing_to_what_is_only_displayed() -> None:
    found = read(AlertCode.DISPLAY, "DR=1&ET=P&MAXLEN=3", "t")
    assert found == UserAlert(code=AlertCode.DISPLAY, text="t")


def test_own_limit_holds_where_a_server_asks_for_more() -> None:
    assert read(INPUT, "MAXLEN=1000", "t").max_count == LIMITS.max_input_count
    assert read(INPUT, "", "t").max_count == LIMITS.max_input_count


@pytest.mark.parametrize(("value", "is_hidden"), [("T", False), ("P", True), ("X", False)])
def test_echo(value: str, is_hidden: bool) -> None:
    assert read(INPUT, f"ET={value}", "t").is_hidden is is_hidden


@pytest.mark.parametrize("kind", InputType)
def test_input_types_are_known_by_their_letter(kind: InputType) -> None:
    assert read(INPUT, f"IT={kind.value}", "t").input_type is kind


def test_unknown_input_type_is_any_text() -> None:
    assert read(INPUT, "IT=Z", "t").input_type is InputType.ALPHANUMERIC


# -- answers -----------------------------------------------------------------------

GOOD = {
    "A": ["", "John Doe", "p@ss wörd"],
    "N": ["7", "-12.5", "+0", ".5", "3."],
    "D": ["29022024", "31121999"],
    "T": ["000000", "235959"],
    "P": ["+4930123p12w", "112"],
    "I": ["192.0.2.1", "192.000.002.001", "010.1.1.1", "255.255.255.255"],
}
BAD = {
    "A": ["two\nlines", "\0", "\x1b[2J", "x" * 21],
    "N": ["", "1,5", "12a", "--1", ".", "٣", "1e3"],
    "D": ["", "30022024", "29022023", "2024-01-01", "00012024", "01010000", "1012024"],
    "T": ["", "240000", "236000", "235960", "12:00:00"],
    "P": ["", "12+3", "(030)1", "+", "1 2"],
    "I": ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1..2.3", "a.b.c.d", "1.2.3.4 "],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in GOOD.items() for t in texts])
def test_text_in_the_form_that_was_asked_for_is_taken(kind: str, text: str) -> None:
    assert problem(read(INPUT, f"IT={kind}", "t"), text) == ""


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in BAD.items() for t in texts])
def test_text_in_another_form_is_not_taken_and_it_is_said_why(kind: str, text: str) -> None:
    asked = read(INPUT, f"IT={kind}", "t")
    assert problem(asked, text) in (form(asked), "at most 20 characters")


def test_length_counts_characters() -> None:
    asked = read(INPUT, "MAXLEN=3", "t")
    assert problem(asked, "äöü") == ""
    assert problem(asked, "äöüß") == "at most 3 characters"


@pytest.mark.parametrize(
    ("code", "chosen", "fits"),
    [
        (ONE, (1,), True), (ONE, (3,), True), (ONE, (), False), (ONE, (1, 2), False),
        (ONE, (0,), False), (ONE, (4,), False),
        (MANY, (), True), (MANY, (3, 1), True), (MANY, (1, 1), False), (MANY, (1, 4), False),
    ],
)  # fmt: skip
def test_choice_is_one_of_the_numbers_or_several(
    code: int, chosen: tuple[int, ...], fits: bool
) -> None:
    assert is_choice(read(code, "", "t", "a", "b", "c"), chosen) is fits


@pytest.mark.spec("omadm T-35")
@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.DONE, DmStatus.OK),
        (Verdict.NO, DmStatus.NOT_MODIFIED),
        (Verdict.CANCELLED, DmStatus.OPERATION_CANCELLED),
        (Verdict.TIMED_OUT, DmStatus.REQUEST_TIMEOUT),
        (Verdict.NOT_SHOWN, DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED),
    ],
)
def test_every_verdict_has_its_status(verdict: Verdict, code: DmStatus) -> None:
    assert reply(read(CONFIRM, "", "t"), UserAnswer(verdict=verdict)) == (code, ())


def test_answers_are_items_of_the_status() -> None:
    text = UserAnswer(verdict=Verdict.DONE, text="Jürgen")
    assert reply(read(INPUT, "", "t"), text) == (DmStatus.OK, (Item(data="Jürgen".encode()),))
    empty = UserAnswer(verdict=Verdict.DONE)
    assert reply(read(INPUT, "", "t"), empty)[1] == (Item(data=b""),)
    numbers = UserAnswer(verdict=Verdict.DONE, chosen=(3, 1))
    items = (Item(data=b"3"), Item(data=b"1"))
    assert reply(read(MANY, "", "t", "a", "b", "c"), numbers) == (DmStatus.OK, items)


def test_typed_text_is_in_no_representation() -> None:
    assert "secret" not in repr(UserAnswer(verdict=Verdict.DONE, text="secret"))


@pytest.mark.parametrize("code", range(1100, 1105))
def test_any_options_are_read_without_harm(code: int) -> None:
    rubbish = ["%", "%zz=%", "DR=%00&IT=&ET=&MAXLEN=+5", "=&=&=", "DR=" + "1-" * 500, "&" * 50]
    for options in rubbish:
        try:
            found = read(code, options, "t", "a", "b")
        except CommandError:
            continue
        assert found.text == "t"
