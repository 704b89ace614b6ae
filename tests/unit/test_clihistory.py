# SPDX-License-Identifier: Apache-2.0
"""What the past looks like to people: lines, sentences, times."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from scomod import clihistory, cliview
from scomod.clicall import UsageError
from scomod.clifmt import Style

PLAIN = Style(is_coloured=False)
RECORD: dict[str, Any] = {
    "id": 7,
    "primitive": "DownloadInstall",
    "server": "com.example.dm",
    "exec_uri": "./SCOMO/Download/x/Operations/DownloadInstall",
    "correlator": "job-1",
    "pkg_id": "suite",
    "name": "Suite",
    "phase": "succeeded",
    "result": 1200,
    "result_text": "successful",
    "reason": "",
    "detail": "",
    "digest": "ab" * 32,
    "size": 2048,
    "consent": {"by": "jo", "how": "agent", "at": 30.0},
    "components": [
        {"id": "editor", "before": "1.0", "after": "1.1"},
        {"id": "fonts", "before": "", "after": "2"},
        {"id": "games", "before": "3", "after": ""},
        {"id": "tools", "before": "4", "after": "4"},
    ],
    "accepted": 0.0,
    "begun": 10.0,
    "finished": 70.0,
    "reported": True,
    "reported_at": 80.0,
    "report_status": 200,
    "timeline": [
        {"at": 10.0, "phase": "running", "step": "consent"},
        {"at": 70.0, "phase": "succeeded", "step": ""},
    ],
}
CHANGES = "editor 1.0 > 1.1, fonts new 2, games 3 removed, tools 4"


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_history_is_one_line_for_each_operation() -> None:
    heading, line = clihistory.listed([RECORD], PLAIN, None)
    assert heading.split() == [
        "ID", "FINISHED", "SERVER", "PRIMITIVE", "WHAT", "VERSIONS", "CONSENT", "RESULT",
    ]  # fmt: skip
    for fact in ("7", "1970-01-01 00:01:10", "Suite", CHANGES, "jo agent", "1200 successful"):
        assert fact in line


def test_second_question_is_what_the_line_shows_and_the_whole_has_both() -> None:
    more = {
        "disclosure": {"verdict": "refused", "by": "ann", "how": "person", "at": 40.0},
        "permissions": ["It may use the network.", "It may print."],
    }
    _, line = clihistory.listed([{**RECORD, **more}], PLAIN, None)
    assert "refused ann person" in line
    text = "\n".join(clihistory.shown({**RECORD, **more}, PLAIN))
    for fact in (
        "jo agent 1970-01-01 00:00:30",
        "refused ann person 1970-01-01 00:00:40",
        "It may use the network. It may print.",
    ):
        assert fact in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"tries": 2}, "901 to https://h/n: not yet, tried 2 times"),
        (
            {"tries": 1, "outcome": "told", "settled": 90.0},
            "901 to https://h/n: told 1970-01-01 00:01:30",
        ),
    ],
)
def test_what_a_descriptor_said_and_its_server_was_told_is_shown(
    outcome: dict[str, object], words: str
) -> None:
    notice = {"status": 901, "url": "https://h/n", **outcome}
    more = {"vendor": "Some Body", "next_url": "https://h/thanks", "notice": notice}
    text = "\n".join(clihistory.shown({**RECORD, **more}, PLAIN))
    assert "Some Body" in text
    assert "https://h/thanks" in text
    assert words in text


def test_empty_history_says_so() -> None:
    assert list(clihistory.listed([], PLAIN, None)) == ["nothing in the history"]


def test_operation_in_full_has_its_facts_and_its_timeline() -> None:
    text = "\n".join(clihistory.shown(RECORD, PLAIN))
    for fact in (
        "DownloadInstall of Suite", "job-1", "ab" * 32, "2.0 KiB", CHANGES,
        "jo agent 1970-01-01 00:00:30", "1200 successful",
        "1970-01-01 00:01:20, the server answered 200",
    ):  # fmt: skip
        assert fact in text
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["1970-01-01", "00:00:10", "10", "s", "running", "consent"],
        ["1970-01-01", "00:01:10", "1", "min", "10", "s", "succeeded"],
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"verdict": "granted", "by": "jo", "how": "agent"}, "jo agent"),
        ({"verdict": "refused", "by": "jo", "how": "agent"}, "refused jo agent"),
        ({"verdict": "unanswered", "by": "", "how": ""}, "unanswered"),
        ({}, ""),
    ],
)
def test_consent_says_who_and_how_and_what_else_it_came_to(
    given: dict[str, str], words: str
) -> None:
    assert clihistory.consent({"consent": given}) == words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"reported": False}, "not yet"),
        ({"reported": True}, "yes"),
        ({"reported_at": 80.0, "report_status": 404}, "1970-01-01 00:01:20, the server answered"),
    ],
)
def test_it_says_whether_the_server_has_the_report(facts: dict[str, Any], words: str) -> None:
    record = {"primitive": "Remove", "finished": 1.0, **facts}
    (line,) = [each for each in clihistory.shown(record, PLAIN) if each.startswith("reported")]
    assert words in line


def test_operation_that_has_hardly_begun_is_shown_without_what_is_not_known() -> None:
    record = {"primitive": "Remove", "component": "editor", "server": "s", "phase": "queued"}
    assert list(clihistory.shown(record, PLAIN)) == [
        "Remove of editor",
        "server  s",
        "phase   queued",
    ]


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("90m", 1_000_000 - 5400),
        ("2d", 1_000_000 - 172_800),
        ("1w", 1_000_000 - 604_800),
        ("1970-01-02", 86400),
        ("1970-01-02T01:00", 90000),
        ("1970-01-02T01:00+01:00", 86400),
    ],
)
def test_time_is_an_age_or_a_date(text: str, expected_s: float) -> None:
    assert clihistory.since(text, 1_000_000.0) == expected_s


@pytest.mark.parametrize("text", ["yesterday", "9999999d", "-2d", "2026-13-01", "2x"])
def test_what_is_no_time_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        clihistory.since(text, 0.0)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"status": 200}, "has taken the request (200)"),
        ({"status": 202}, "will look at it later (202)"),
        ({"status": 406, "is_waiting": False}, "does not take the request (406)"),
        ({"status": 500, "is_waiting": True}, "cannot say now (500): the request is kept"),
        ({"is_waiting": True}, "was not reached: the request is kept"),
    ],
)
def test_answer_to_a_request_is_a_sentence(facts: dict[str, Any], words: str) -> None:
    assert words in clihistory.answer({"server": "srv", **facts})


def test_download_that_waits_says_for_what_until_when_and_after_which_failure() -> None:
    waiting = {
        "phase": "waiting",
        "waits_for": "the next try",
        "waits_until": 90.0,
        "tries": 4,
        "tries_in_vain": 2,
        "fetched": 3 << 20,
        "last_failure": "the connection was lost",
    }
    text = "\n".join(clihistory.shown({**RECORD, **waiting}, PLAIN))
    assert f"waits for     the next try until {clihistory.moment(90.0)}" in text
    assert "tries         4, the last 2 brought nothing new; 3.0 MiB fetched" in text
    assert "last failure  the connection was lost" in text
    assert "waits for the next try until" in cliview.operation({**RECORD, **waiting})


def test_download_that_waits_for_news_says_no_time() -> None:
    record = {**RECORD, "waits_for": "a network that is not metered", "waits_until": 0.0}
    text = "\n".join(clihistory.shown(record, PLAIN))
    assert re.search(r"^waits for +a network that is not metered$", text, re.MULTILINE)
