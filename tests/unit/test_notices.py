# SPDX-License-Identifier: Apache-2.0
"""What a descriptor's server is told of an operation: which status, when, how often, until when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scomod.download.descriptor import DdStatus
from scomod.errors import DownloadError, Reason
from scomod.history import facts, told
from scomod.notice import STATUS, body_of, notice_of, status_of
from scomod.operation import NOTIFY_URL, Phase, StepKind
from scomod.settings import Confirm
from scomod.telling import TOLD
from tests.support.operations import an_operation
from tests.support.shelf import NOTIFY_URL as ADDRESS
from tests.support.shelf import Shelf
from tests.support.told import NOW_S, PACKAGE, Device, Stage, busy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.device.close()


# -- which status ---------------------------------------------------------------


@pytest.mark.spec("omadm §11.3")
def test_every_reason_has_a_status_and_none_is_success() -> None:
    assert set(STATUS) == set(Reason)
    assert DdStatus.SUCCESS not in STATUS.values()
    assert set(STATUS.values()) == set(DdStatus) - {DdStatus.SUCCESS}


@pytest.mark.parametrize(
    ("step", "reason", "status"),
    [
        (StepKind.ACQUIRE, Reason.NO_SPACE, 901),
        (StepKind.CONSENT, Reason.CANCELLED, 902),
        (StepKind.ACQUIRE, Reason.SERVER_UNAVAILABLE, 903),
        (StepKind.ACQUIRE, Reason.TIMEOUT, 903),
        (StepKind.INSTALL, Reason.TIMEOUT, 952),
        (StepKind.ACQUIRE, Reason.NOT_AS_DESCRIBED, 905),
        (StepKind.ACQUIRE, Reason.DESCRIPTOR, 906),
        (StepKind.ACQUIRE, Reason.DESCRIPTOR_VERSION, 951),
        (StepKind.INSTALL, Reason.SCRIPT_FAILED, 952),
        (StepKind.ACQUIRE, Reason.UNSUPPORTED_ENV, 953),
        (StepKind.ACQUIRE, Reason.REFUSED_BY_SERVER, 954),
    ],
)
def test_a_failure_has_the_status_of_the_standard(
    step: StepKind, reason: Reason, status: int
) -> None:
    failed = an_operation(phase=Phase.FAILED, failed_step=step, reason=reason)
    assert status_of(failed) == status


def test_what_is_sent_is_a_code_a_space_words_and_a_line_end() -> None:
    done = an_operation(phase=Phase.SUCCEEDED, data={NOTIFY_URL: ADDRESS}, changed_s=5.0)
    notice = notice_of(done)
    assert (notice.url, notice.created_s) == (ADDRESS, 5.0)
    assert body_of(notice) == b"900 Success\r\n"


# -- when -------------------------------------------------------------------------


def test_success_is_told_once(stage: Stage) -> None:
    assert stage.order(stage.shelf.describe(PACKAGE)).result == 1200
    assert stage.told == [f"{ADDRESS} 900 Success"]
    (notice,) = stage.notices.values()
    assert (notice.outcome, notice.tries, notice.settled_s) == (TOLD, 1, NOW_S)
    stage.begin_life()
    stage.wait(1000.0)
    assert len(stage.tries) == 1


def test_a_package_without_descriptor_tells_nobody(stage: Stage) -> None:
    assert stage.order(stage.shelf.put("p", PACKAGE)).result == 1200
    assert (stage.tries, stage.notices) == ([], {})
    assert not stage.device.records.journal.has_untold()


def without_address(shelf: Shelf) -> str:
    url = shelf.describe(PACKAGE)
    whole = shelf.content[url]
    shelf.content[url] = whole.replace(f"<installNotifyURI>{ADDRESS}".encode(), b"<x>").replace(
        b"</installNotifyURI>", b"</x>"
    )
    return url


def test_a_descriptor_without_address_tells_nobody(stage: Stage) -> None:
    assert stage.order(without_address(stage.shelf)).result == 1200
    assert stage.notices == {}


def test_what_was_told_to_whom_is_kept_with_what_the_descriptor_said(stage: Stage) -> None:
    words = "<vendor>Somebody</vendor><nextURL>/thanks</nextURL>"
    operation = stage.order(stage.shelf.describe(PACKAGE, words))
    assert facts(operation)["vendor"] == "Somebody"
    assert facts(operation)["next_url"] == "https://packages.example/thanks"
    assert told(stage.device.records.notices()[operation.id]) == {
        "status": 900,
        "url": ADDRESS,
        "tries": 1,
        "outcome": TOLD,
        "settled": NOW_S,
    }


# -- how often, and until when -----------------------------------------------------


def test_a_server_that_is_away_is_told_later_and_later(stage: Stage) -> None:
    stage.refusal = busy()
    stage.order(stage.shelf.describe(PACKAGE))
    for _ in range(40):
        stage.wait(1.0)
    assert stage.tries == [0.0, 10.0, 30.0]
    (notice,) = stage.notices.values()
    assert notice.outcome == "given up: HTTP 503"
    assert not stage.device.records.journal.has_untold()


def test_a_server_that_comes_back_is_told(stage: Stage) -> None:
    stage.refusal = busy(retry_after_s=50.0)
    stage.order(stage.shelf.describe(PACKAGE))
    stage.refusal = None
    stage.wait(59.0)
    assert stage.told == []
    stage.wait(1.0)
    assert stage.told == [f"{ADDRESS} 900 Success"]


def test_a_server_that_refuses_for_good_is_asked_once(stage: Stage) -> None:
    stage.refusal = DownloadError(Reason.REFUSED_BY_SERVER, "HTTP 404")
    stage.order(stage.shelf.describe(PACKAGE))
    stage.wait(1000.0)
    (notice,) = stage.notices.values()
    assert (stage.tries, notice.outcome) == ([0.0], "given up: HTTP 404")


def test_a_new_life_goes_on_and_counts_the_tries_of_the_last(stage: Stage) -> None:
    stage.refusal = busy()
    stage.order(stage.shelf.describe(PACKAGE))
    for _ in range(3):
        stage.begin_life()
    assert stage.tries == [0.0]
    stage.wait(10.0)
    stage.begin_life()
    stage.wait(20.0)
    assert stage.tries == [0.0, 10.0, 30.0]
    assert not stage.device.records.journal.has_untold()


def test_what_is_too_old_is_given_up(stage: Stage) -> None:
    stage.refusal = busy()
    stage.order(stage.shelf.describe(PACKAGE))
    stage.device.close()
    stage.clock.advance(501.0)
    stage.device = Device(stage)
    stage.device.settle()
    (notice,) = stage.notices.values()
    assert (len(stage.tries), notice.outcome) == (1, "given up: it waited too long")


def test_a_clock_that_is_set_makes_nothing_old(stage: Stage) -> None:
    stage.clock.now_s = 10.0
    stage.refusal = busy()
    stage.order(stage.shelf.describe(PACKAGE))
    stage.refusal = None
    stage.wait(NOW_S)
    assert stage.told == [f"{ADDRESS} 900 Success"]


def test_of_too_many_the_oldest_is_given_up(stage: Stage) -> None:
    stage.refusal = busy(retry_after_s=90.0)
    url = stage.shelf.describe(PACKAGE)
    for _ in range(3):
        stage.order(url)
    outcomes = [notice.outcome for notice in stage.notices.values()]
    assert outcomes == ["given up: too many others wait", "", ""]


def test_what_is_still_to_be_told_outlives_the_history(stage: Stage) -> None:
    history = replace(stage.settings.history, keep_count=1)
    stage.begin_life(replace(stage.settings, history=history))
    stage.refusal = busy(retry_after_s=90.0)
    first = stage.order(stage.shelf.describe(PACKAGE))
    for _ in range(2):
        stage.reported()
        last = stage.order(stage.shelf.put("plain", PACKAGE))
    assert stage.kept() == {first.id, last.id}
    stage.refusal = None
    stage.wait(100.0)
    assert stage.told == [f"{ADDRESS} 900 Success"]
    stage.reported()
    stage.order(stage.shelf.put("plain", PACKAGE))
    assert first.id not in stage.kept()
    assert stage.notices == {}


# -- asking again ------------------------------------------------------------------


def asking(stage: Stage) -> None:
    stage.begin_life(replace(stage.settings, confirm=Confirm(default="ask")))


def answered(stage: Stage, *, is_accepted: bool) -> None:
    (prompt,) = stage.device.confirmations.prompts()
    stage.device.answer(prompt["operation"], is_accepted=is_accepted)
    stage.device.settle()


def test_who_was_asked_is_asked_again_with_what_the_descriptor_says(stage: Stage) -> None:
    asking(stage)
    words = "<name>An editor</name><vendor>Somebody</vendor><infoURL>/info</infoURL>"
    stage.order(stage.shelf.describe(PACKAGE, words + "<iconURI>/icon.png</iconURI>"))
    answered(stage, is_accepted=True)
    (prompt,) = stage.device.confirmations.prompts()
    assert (prompt["name"], prompt["vendor"]) == ("An editor", "Somebody")
    assert prompt["info_url"] == "https://packages.example/info"
    assert prompt["icon_url"] == "https://packages.example/icon.png"
    assert prompt["size"] == len(PACKAGE)
    assert prompt["effect"].startswith("This was asked before")
    assert not (stage.root / f"var/lib/scomod/spool/{stage.last.id}.part").exists()
    answered(stage, is_accepted=True)
    assert stage.last.result == 1200
    assert stage.told == [f"{ADDRESS} 900 Success"]


def test_who_says_no_then_is_told_of(stage: Stage) -> None:
    asking(stage)
    stage.order(stage.shelf.describe(PACKAGE))
    answered(stage, is_accepted=True)
    answered(stage, is_accepted=False)
    assert stage.last.result == 1401
    assert stage.told == [f"{ADDRESS} 902 User Cancelled"]


def test_the_second_question_has_a_deadline_of_its_own(stage: Stage) -> None:
    asking(stage)
    deadline_s = stage.settings.confirm.deadline_s
    stage.order(stage.shelf.describe(PACKAGE))
    stage.wait(deadline_s - 1.0)
    answered(stage, is_accepted=True)
    stage.wait(deadline_s - 1.0)
    answered(stage, is_accepted=True)
    assert stage.last.result == 1200


@pytest.mark.parametrize("mode", ["silent", "inform"])
def test_who_was_not_asked_is_not_stopped(stage: Stage, mode: str) -> None:
    stage.begin_life(replace(stage.settings, confirm=Confirm(default=mode)))
    operation = stage.order(stage.shelf.describe(PACKAGE, "<name>An editor</name>"))
    assert (operation.result, operation.plan.count(StepKind.CONSENT)) == (1200, 1)


def test_who_knows_all_of_it_is_not_asked_again(stage: Stage) -> None:
    asking(stage)
    url = stage.shelf.describe(PACKAGE, "<name>Other</name>")
    stage.order(url, Name="An editor", InstallParams=f"size={len(PACKAGE)}")
    answered(stage, is_accepted=True)
    assert stage.last.result == 1200
