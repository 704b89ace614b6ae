# SPDX-License-Identifier: Apache-2.0
"""The session log of the console: messages as sentences, and as they were on the wire."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from scomod.clock import SystemClock
from scomod.codes import AlertCode
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Alert, Item, Message, Meta, SyncHdr
from scomod.lab import webtalk, webview
from scomod.lab.sentences import TELLERS, sentence_of
from scomod.lab.webtalk import NoMessage, Talk

if TYPE_CHECKING:
    from tests.support.lab_stand import Stand

RESULT = b"<SCOMO><ResultCode>1405</ResultCode></SCOMO>"
OUTCOME = Alert(
    code=AlertCode.GENERIC_ALERT,
    correlator="corr",
    items=(Item(source="./SCOMO/x", meta=Meta(type="urn:t"), data=RESULT),),
)


@pytest.fixture
def talk(stand: Stand) -> Talk:
    heard = Talk(SystemClock(), lambda _device: None)
    stand.server.tap(heard.hear)
    return heard


def texts(rows: list[dict[str, Any]], *, is_ours: bool) -> list[str]:
    return [said["text"] for row in rows if row["is_ours"] is is_ours for said in row["said"]]


def message(device: str, number: int = 1) -> Message:
    return Message(
        header=SyncHdr(session_id="1", msg_id=str(number), target="x", source=device), commands=()
    )


def test_a_session_reads_as_a_conversation(stand: Stand, talk: Talk) -> None:
    stand.device.tree = {"./DevInfo/Man": b"we"}
    stand.order("read", uris="./DevInfo/Man ./None")
    stand.order("put", uri="./DevInfo/Man", value="you")
    stand.device.run(alerts=(OUTCOME,))
    rows = talk.listed(stand.device.device_id)
    theirs, ours = texts(rows, is_ours=False), texts(rows, is_ours=True)
    assert theirs[:2] == ["shows credentials: syncml:auth-md5", "comes by itself"]
    assert "reports urn:t: 1405 install failed ./SCOMO/x (correlator corr)" in theirs
    assert "tells ./DevInfo/Man = we" in theirs
    assert "404 not found: Get ./None" in theirs
    assert "reads ./DevInfo/Man" in ours
    assert "adds ./DevInfo/Man = you" in ours
    assert [row["is_ours"] for row in rows] == [False, True] * (len(rows) // 2)
    assert rows[0]["encoding"] == stand.device.encoding.name


def test_no_sentence_holds_a_secret(stand: Stand, talk: Talk) -> None:
    stand.order("put", uri="./DMAcc/a/AppAuth/x/AAuthSecret", value="hidden word")
    stand.order("put", uri="./X/URL", value="https://user:hidden-word@host/")
    stand.order("ask", alert="input", text="Say it")
    stand.device.run()
    shown = str(talk.listed(None))
    assert "hidden" not in shown
    assert "AAuthSecret = ***" in shown
    assert "asks the person to enter: Say it" in shown


def test_a_message_is_shown_as_it_was_transmitted(stand: Stand, talk: Talk) -> None:
    heard: list[bytes] = []
    stand.server.tap(lambda *, octets, **_: heard.append(octets))
    stand.order("read", uris="./DevInfo")
    stand.device.run()
    for row, octets in zip(talk.listed(None), heard, strict=True):
        whole = talk.whole(row["number"])
        assert base64.b64decode(whole["octets"]) == octets
        assert row["octets"] == len(octets)
        assert "<SyncHdr>" in whole["xml"]
        assert any(line.startswith("message ") for line in whole["outline"])


def test_only_new_messages_of_one_device_come(stand: Stand, talk: Talk) -> None:
    stand.device.run()
    seen = talk.listed(stand.device.device_id)[-1]["number"]
    assert talk.listed(stand.device.device_id, after=seen) == []
    talk.hear(is_ours=False, message=message("other"), octets=b"", encoding=Encoding.XML)
    assert talk.listed(stand.device.device_id, after=seen) == []
    assert [row["device"] for row in talk.listed(None, after=seen)] == ["other"]


def test_what_is_kept_is_limited_in_number_and_octets() -> None:
    talk = Talk(SystemClock(), lambda _device: None)
    for number in range(webtalk.MAX_MESSAGES_COUNT + 10):
        talk.hear(is_ours=False, message=message("d", number), octets=b"x", encoding=Encoding.XML)
    rows = talk.listed("d")
    assert len(rows) == webtalk.SHOWN_COUNT
    with pytest.raises(NoMessage):
        talk.whole(10)
    assert talk.whole(11)["number"] == 11
    large = bytes(webtalk.MAX_KEPT_BYTES // 2 + 1)
    for number in range(3):
        talk.hear(is_ours=False, message=message("e", number), octets=large, encoding=Encoding.XML)
    assert len(talk.listed("e")) == 1
    assert talk.listed("d") == []


def test_control_characters_of_a_device_do_not_come_through() -> None:
    talk = Talk(SystemClock(), lambda _device: None)
    command = Alert(code=1226, items=(Item(source="./\u202eX", meta=Meta(type="a\x1b[2Jb")),))
    header = SyncHdr(session_id="1", msg_id="1", target="x", source="d")
    heard = Message(header=header, commands=(command,))
    talk.hear(is_ours=False, message=heard, octets=b"<", encoding=Encoding.XML)
    (said,) = talk.listed("d")[0]["said"]
    assert said["text"].isprintable()


def test_every_record_of_a_session_is_a_sentence(stand: Stand) -> None:
    stand.order("exec", uri="./X")
    stand.order("delete", uri="./None")
    stand.device.run(alerts=(OUTCOME,))
    account = stand.account
    assert {record["what"] for record in account.records} <= set(TELLERS)
    shown = webview.events(account)
    assert [event["what"] for event in shown] == [r["what"] for r in reversed(account.records)]
    tones = {event["text"]: event["tone"] for event in shown}
    assert tones["Delete ./None: 404 not found"] == "bad"
    assert sentence_of({"what": "new thing", "at_s": 1.0, "size": 3}).text == "new thing: size 3"


def test_a_device_is_new_in_session_cut_off_refused_or_idle(stand: Stand) -> None:
    account = stand.account

    def state(now_s: float) -> str:
        return str(webview.summary(account, now_s)["state"])

    assert state(0) == "new"
    stand.device.run()
    end = account.records[-1]["at_s"]
    assert (state(end + 9999), webview.summary(account, end)["sessions"]) == ("idle", 1)
    del account.records[-1]
    assert (state(end), state(end + webview.QUIET_S + 1)) == ("session", "cut off")
    stand.register.record(account, "challenged", session="2", code=401)
    assert state(end) == "refused"


def test_orders_are_shown_cut_to_a_readable_size(stand: Stand) -> None:
    stand.order("deliver", node="n", pkg_id="p", data="QUJD" * 10_000)
    stand.order("exec", uri="./X")
    stand.device.run()
    newest, oldest = webview.orders(stand.account)
    assert (newest["kind"], oldest["kind"]) == ("exec", "deliver")
    assert len(oldest["params"]["data"]) < 400
    assert newest["steps"][0]["code"] == "202 accepted for processing"
