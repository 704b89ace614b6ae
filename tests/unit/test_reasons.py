# SPDX-License-Identifier: Apache-2.0
"""Why nothing happens: every cause there is, each produced by a device that has it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod.admission import Facts
from scomod.causes import SENTENCES, Word
from scomod.dmclient.client import SessionReport
from scomod.facade import Unknown as NotKnown
from scomod.findings import About
from scomod.operation import Phase, StepKind, cancelled
from scomod.quarantine import Quarantine
from scomod.reasons import PAUSES, Reasons
from scomod.risks import Risk, Unknown
from scomod.settings import Admission, Download, Health, Reboot, Request, Scomo
from scomod.turns import Turns
from scomod.wishes import OPEN_KEY, Wish
from tests.support.asking import MIDNIGHT_S, SERVER, Agent, Phone
from tests.support.handset import settings_of
from tests.support.shelf import package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from enum import StrEnum

    Make = Callable[..., Phone]

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MIB = 1 << 20
NIGHT = ("02:00-04:00",)
AT_ONCE = Download(reserve_bytes=0, spread_s=0.0)  # windows open when they say so

pytestmark = pytest.mark.usefixtures("utc")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Make]:
    """Give what makes a device with some settings."""
    made: list[Phone] = []

    def make(confirm: str = "silent", **sections: Any) -> Phone:
        settings = replace(settings_of(confirm), **sections)
        made.append(Phone(tmp_path, settings))
        return made[0]

    yield make
    for each in made:
        each.close()


def told(causes: dict[str, str], *words: str) -> list[str]:
    """Check which causes there are; gives their sentences."""
    assert list(causes) == list(words)
    assert all(text.endswith(".") for text in causes.values()), causes
    return list(causes.values())


# -- operations ------------------------------------------------------------------------


def test_closed_window_says_when_it_opens_and_until_when_that_is_waited_for(device: Make) -> None:
    phone = device(admission=Admission(windows=NIGHT, max_wait_s=DAY_S), download=AT_ONCE)
    phone.order()
    window, most = told(phone.causes(), "window", "admission")
    assert window == "The maintenance window is closed until 2027-01-16 02:00:00."
    assert most == "It waits for that until 2027-01-17 00:00:00; then it fails."
    (record,) = phone.reasons()["operations"]
    assert record["causes"][0]["until"] == MIDNIGHT_S + 2 * HOUR_S
    assert (record["name"], record["step"], record["phase"]) == ("Editor", "admit", "waiting")


def test_quiet_conditions_that_are_missing_are_named(device: Make) -> None:
    policy = Admission(on_mains_power=True, on_unmetered_network=True, at_max_wait="proceed")
    phone = device(admission=policy)
    phone.facts = None
    phone.order()
    cases = (
        (None, "news", "which have just been asked for"),
        (Facts(on_mains=False, on_unmetered=True), "mains power", "It waits for mains power."),
        (Facts(on_mains=True, on_unmetered=False), "metered network", "The network is metered"),
    )
    for phone.facts, word, text in cases:
        first, most = told(phone.causes(), word, "admission")
        assert text in first
        assert most.endswith("then it begins all the same.")


def test_person_who_is_asked_is_waited_for_since_then_and_not_for_ever(device: Make) -> None:
    phone = device("ask")
    phone.order()
    phone.clock.advance(HOUR_S)
    person, agent = told(phone.causes(), "person", "no agent")
    assert person == (
        "It has waited for the answer of a person since 2027-01-16 00:00:00; without one it is"
        " declined at 2027-01-23 00:00:00."
    )
    assert "'scomoctl confirm 1'" in agent
    phone.confirmations.agent = Agent()
    told(phone.causes(), "person")


def test_question_that_was_put_off_says_when_it_comes_again(device: Make) -> None:
    phone = device("ask")
    phone.order()
    phone.later(1, "2h")
    phone.settle()
    (text,) = told(phone.causes(), "deferred")
    assert text.endswith("the question comes again at 2027-01-16 02:00:00.")


def test_download_says_what_it_waits_for(device: Make) -> None:
    phone = device(download=replace(AT_ONCE, windows=NIGHT, give_up_s=DAY_S))
    phone.order()
    window, most = told(phone.causes(), "window", "giving up")
    assert window == "The download window is closed until 2027-01-16 02:00:00."
    assert most == "The download is given up if it is not complete at 2027-01-17 00:00:00."


def test_download_waits_for_a_network_that_is_not_metered(device: Make) -> None:
    policy = replace(AT_ONCE, on_unmetered_network=True)
    phone = device(download=policy)
    phone.facts = Facts(on_unmetered=False)
    phone.order()
    told(phone.causes(), "metered network", "giving up")


def test_octets_of_the_day_that_are_used_up_say_how_many_and_until_when(device: Make) -> None:
    phone = device(download=replace(AT_ONCE, day_max_bytes=MIB))
    phone.order(package("big", "1", filling="x" * 2 * MIB), PkgID="big")
    phone.order()
    day, _ = told(phone.causes(2), "day", "giving up")
    assert day.startswith("The 1.0 MiB that all downloads may fetch in a day are used up")
    assert "2027-01-17 00:00:00" in day


def test_failed_try_says_how_it_failed_and_when_the_next_comes(device: Make) -> None:
    phone = device(download=replace(AT_ONCE, retry_wait_s=60.0))
    phone.shelf.is_closed = True
    for number, asked_s, word in ((1, 0.0, "backing off"), (2, HOUR_S, "retry after")):
        phone.shelf.retry_after_s = asked_s
        phone.order()
        again, _ = told(phone.causes(number), word, "giving up")
        assert "(503)" in again
        assert "number 2, is at 2027-01-16 0" in again


def test_operation_that_is_at_work_keeps_the_others(device: Make) -> None:
    phone = device()
    phone.queue()
    phone.queue()
    phone.at["consent begun"] = lambda: (phone.causes(1), phone.causes(2))
    phone.settle()
    first, second = phone.heard["consent begun"]
    (working,) = told(first, "at work")
    assert working.endswith(": it looks who is to be asked.")
    (waiting,) = told(second, "in line")
    assert waiting == "It waits for its turn, operation 1 (Editor) goes first."


def test_operation_begins_when_the_session_of_its_server_is_over(device: Make) -> None:
    phone = device()
    phone.busy = SERVER
    phone.order()
    told(phone.causes(), "session")
    phone.busy = ""
    told(phone.causes(), "goes on")


def test_installation_waits_for_what_is_fetched_for_the_same_server(device: Make) -> None:
    phone = device("ask")
    phone.order()
    phone.order()
    fetching, installing = (
        replace(each, cursor=each.plan.index(step), phase=Phase.RUNNING)
        for each, step in zip(
            phone.records.journal.live(), (StepKind.ACQUIRE, StepKind.INSTALL), strict=True
        )
    )
    turns = Turns(phone.records.journal, phone.clock, is_busy=lambda _: False, fetches_count=1)
    turns.take(fetching)
    reasons = Reasons(
        settings=phone.settings,
        clock=phone.clock,
        engine=turns,  # type: ignore[arg-type]
        scheduler=phone.scheduler,
        confirmations=phone.confirmations,
        quarantine=Quarantine(phone.records.db, phone.settings.quarantine, phone.clock),
        live=phone.records.journal.live,
    )
    (found,) = reasons.of(installing, is_reported=True)
    told({str(found.word): found.text}, "fetches")


def test_cancelled_operation_says_who_did_that(device: Make) -> None:
    phone = device("ask")
    phone.order()
    phone.ledger.record(cancelled(phone.records.journal.live()[0], "uid 1000"))
    by, _ = told(phone.causes(), "cancelled", "goes on")
    assert "by uid 1000" in by


def test_failed_operation_says_that_it_is_taken_back(device: Make) -> None:
    phone = device()
    phone.at["verify failed"] = phone.causes
    phone.order(InstallParams="sha512=" + "0" * 128)
    how, _ = told(phone.heard["verify failed"], "undoing", "at work")
    assert "taken back" in how


def test_restart_that_is_waited_for_has_an_end(device: Make) -> None:
    phone = device(reboot=Reboot(by="person", wait_s=DAY_S), scomo=Scomo(version="1.1"))
    phone.order(Reboot="after")
    (text,) = told(phone.causes(), "restart")
    assert "which a person is asked for; without one it fails at 2027-01-17 00:00:00" in text


def test_what_is_watched_says_until_when(device: Make) -> None:
    phone = device(health=Health(time_s=600.0))
    phone.order()
    (text,) = told(phone.causes(), "health")
    assert "is watched until 2027-01-16 00:10:00" in text


def test_operation_that_is_over_says_how_and_whether_the_server_knows(device: Make) -> None:
    phone = device()
    phone.order()
    over, _ = told(phone.causes(), "over", "report")
    assert over == "It is over: Editor is installed."
    phone.taken(number for number, _ in phone.reports(SERVER))
    told(phone.causes(), "over")


def test_operation_that_does_not_exist_is_not_known(device: Make) -> None:
    with pytest.raises(NotKnown, match="no operation 7"):
        device().reasons(7)


# -- servers ---------------------------------------------------------------------------


def test_device_without_an_account_has_nobody_to_call(device: Make) -> None:
    phone = device()
    phone.servers = []
    (found,) = phone.reasons()["device"]
    told({found["why"]: found["text"]}, "no account")


def test_session_that_a_person_must_agree_to_is_told(device: Make) -> None:
    phone = device()
    waits = {
        "server_id": SERVER, "session_id": "1234", "mode": "ask", "is_from_server": True,
        "since_s": MIDNIGHT_S,
    }  # fmt: skip
    with phone.records.db.transaction():
        phone.records.db.set_meta(OPEN_KEY, json.dumps({SERVER: waits}))
    (found,) = phone.reasons()["device"]
    told({found["why"]: found["text"]}, "summons")
    assert (found["since"], found["until"]) == (MIDNIGHT_S, MIDNIGHT_S + DAY_S)


def test_server_for_which_nothing_waits(device: Make) -> None:
    told(device().server_causes(), "nothing")


def test_running_session_and_the_one_that_waits_for_its_end(device: Make) -> None:
    phone = device()
    phone.at["talking"] = phone.server_causes
    phone.want(Wish(server_id=SERVER))
    told(phone.heard["talking"], "talking")
    phone.scheduler.want(Wish(server_id=SERVER))
    told(phone.server_causes(), "called next")


def test_failed_session_says_why_and_when_the_next_comes(device: Make) -> None:
    phone = device()
    phone.session = SessionReport(server=SERVER, detail="no route to host", is_retryable=True)
    phone.want(Wish(server_id=SERVER, is_kept=True))
    (text,) = told(phone.server_causes(), "calling later")
    assert text == (
        "The last session failed (no route to host); the next, after 1 in vain, is at"
        " 2027-01-16 00:00:30."
    )


def test_server_that_asked_to_be_left_alone(device: Make) -> None:
    phone = device()
    phone.session = SessionReport(
        server=SERVER, detail="503", is_retryable=True, retry_after_s=HOUR_S
    )
    phone.want(Wish(server_id=SERVER, is_kept=True))
    alone, _ = told(phone.server_causes(), "left alone", "calling later")
    assert alone == "It asked to be left alone until 2027-01-16 01:00:00."


def test_reports_that_wait_and_the_version_that_is_left_alone(device: Make) -> None:
    phone = device(request=Request(check_interval_s=DAY_S))
    phone.order(package("editor", "2", fails="script failed"))
    assert phone.finished[-1].phase is Phase.FAILED
    reports, held = told(phone.server_causes(), "reports", "quarantine")
    assert reports.startswith("1 reports or requests wait for it")
    assert held.startswith("Editor failed and is left alone until 2027-01-16 01:00:00")


# -- the tables ------------------------------------------------------------------------


def test_every_pause_of_a_download_or_an_admission_has_a_word() -> None:
    assert set(PAUSES.values()) <= set(Word)


@pytest.mark.parametrize("words", [Word, Risk, Unknown, About], ids=lambda each: each.__name__)
def test_every_word_stands_in_the_page(words: type[StrEnum]) -> None:
    page = (Path(__file__).parents[2] / "docs/waking.md").read_text()
    assert [word for word in words if f"`{word}`" not in page and f"| {word} |" not in page] == []


def test_next_moments_are_told_soonest_first_in_wall_time(device: Make) -> None:
    phone = device(admission=Admission(windows=NIGHT), download=AT_ONCE)
    phone.order()
    (due,) = phone.reasons(1)["next"]
    assert due["at"] == MIDNIGHT_S + 2 * HOUR_S
    assert (due["what"], due["operation"]) == ("operation", 1)


def test_every_cause_has_a_sentence_and_a_device_that_has_it() -> None:
    assert set(SENTENCES) == set(Word)
    here = Path(__file__)
    texts = here.read_text() + here.with_name("test_doorstep.py").read_text()
    assert [word for word in Word if f'"{word}"' not in texts] == []
