# SPDX-License-Identifier: Apache-2.0
"""The bench's DM server against a scripted device, in memory."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from scomod.codes import (
    ALERT_TYPE_OPERATION_COMPLETE,
    AlertCode,
    DmStatus,
    ResultCode,
)
from scomod.dmclient.auth import AuthType
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Alert, Item, ItemCommand, Meta, Status
from scomod.lab.commands import OrderError, Value, components
from scomod.lab.devices import Phase
from scomod.lab.scomo import check
from scomod.secret import Secret

if TYPE_CHECKING:
    from scomod.dmclient.model import Message
    from tests.support.lab_stand import Stand

URI = "https://localhost/dm"
HELLO = "./SCOMO/Inventory/Deployed/hello"


def header_status(message: Message) -> Status:
    first = message.commands[0]
    assert isinstance(first, Status)
    assert first.cmd_ref == "0"
    return first


def report(correlator: str | None, result: ResultCode) -> Alert:
    data = f"<ResultCode>{result:d}</ResultCode><Identifier>hello</Identifier>".encode()
    meta = Meta(type=ALERT_TYPE_OPERATION_COMPLETE, format="text/plain", mark="informational")
    item = Item(
        source="./SCOMO/Download/x/Operations/DownloadInstall", target=HELLO, meta=meta, data=data
    )
    return Alert(code=AlertCode.GENERIC_ALERT, correlator=correlator, items=(item,))


def test_an_empty_check_in_takes_one_round_trip_and_proves_the_server(stand: Stand) -> None:
    stand.device.run()
    (answer,) = stand.device.received
    assert stand.device.rounds == 1
    assert stand.device.is_server_trusted
    assert answer.final
    assert not [command for command in answer.commands if not isinstance(command, Status)]
    assert header_status(answer).code == DmStatus.AUTHENTICATION_ACCEPTED
    chal = header_status(answer).chal
    assert chal is not None
    assert chal.next_nonce
    assert stand.account.devinfo["Man"] == "we"


def test_check_ins_follow_one_another_with_new_client_nonces(stand: Stand) -> None:
    nonces = set()
    for session in range(4):
        stand.device.run(f"{session + 1:X}")
        assert stand.device.rounds == 1
        nonces.add(stand.account.client_nonce)
        assert stand.device.client_nonce == stand.account.client_nonce
    assert len(nonces) == 4


def test_the_account_is_bound_to_the_first_device_that_proves_it(stand: Stand) -> None:
    assert stand.account.device_id == ""
    stand.device.run()
    assert stand.account.device_id == "urn:test:1"
    stand.device.device_id = "urn:test:2"
    stand.device.run("2")
    assert stand.account.device_id == "urn:test:1"
    assert header_status(stand.device.received[-1]).code == DmStatus.INVALID_CREDENTIALS


def test_a_stale_client_nonce_is_mended_by_one_challenge(stand: Stand) -> None:
    stand.device.client_nonce = b"stale"
    stand.device.run()
    codes = [header_status(message).code for message in stand.device.received]
    assert codes == [DmStatus.INVALID_CREDENTIALS, DmStatus.AUTHENTICATION_ACCEPTED]
    assert {message.header.session_id for message in stand.device.received} == {"1"}


def test_nothing_of_a_device_with_a_wrong_password_counts(stand: Stand) -> None:
    stand.device.password = Secret("guess")
    order = stand.order("exec", uri="./X")
    stand.device.run(alerts=(report(order.correlator, ResultCode.SUCCESSFUL),))
    assert stand.device.rounds == 3
    assert stand.account.devinfo == {}
    assert stand.records("alert") == []
    assert order.phase is Phase.WAITING
    assert not any(isinstance(c, ItemCommand) for m in stand.device.received for c in m.commands)
    assert all(code == DmStatus.INVALID_CREDENTIALS for code in stand.device.alert_answers)


def test_a_device_without_credentials_is_told_that_they_are_missing(stand: Stand) -> None:
    stand.device.auth_type = None
    stand.device.run()
    assert header_status(stand.device.received[0]).code == DmStatus.MISSING_CREDENTIALS
    chal = header_status(stand.device.received[0]).chal
    assert chal is not None
    assert chal.type == AuthType.MD5


def test_basic_credentials_are_taken(stand: Stand) -> None:
    stand.device.auth_type = AuthType.BASIC
    stand.device.run()
    assert header_status(stand.device.received[0]).code == DmStatus.AUTHENTICATION_ACCEPTED


def test_a_stale_server_nonce_is_mended_and_the_commands_come_again(stand: Stand) -> None:
    stand.device.server_nonce = b"not what the server thinks"
    stand.device.tree = {"./DevInfo/Man": b"we"}
    order = stand.order("read", uris="./DevInfo")
    stand.device.run()
    assert order.phase is Phase.DONE
    assert order.steps[-1]["values"] == {"./DevInfo/Man": "we"}
    assert [record["code"] for record in stand.records("judged us")] == [
        DmStatus.INVALID_CREDENTIALS,
        DmStatus.AUTHENTICATION_ACCEPTED,
    ]
    assert stand.account.server_nonce == stand.device.server_nonce


def test_a_read_walks_the_tree_and_leaves_operations_out(stand: Stand) -> None:
    stand.device.tree = {
        f"{HELLO}/ID": b"hello",
        f"{HELLO}/State": b"20",
        f"{HELLO}/Operations/Remove": b"",
    }
    order = stand.order("read", uris="./SCOMO")
    stand.device.run()
    values = {uri: text for step in order.steps for uri, text in step["values"].items()}
    assert values[f"{HELLO}/ID"] == "hello"
    assert not any("Operations/" in uri for uri in values)
    assert order.detail == "6 nodes read"


def test_a_package_is_announced_and_its_exec_carries_the_correlator(stand: Stand) -> None:
    order = stand.order(
        "install", node="x", pkg_id="hello-1.0", url="https://h/p", name="hello", params="sha256=0"
    )
    stand.device.run()
    base = "./SCOMO/Download/x"
    assert stand.device.tree == {
        f"{base}/PkgID": b"hello-1.0",
        f"{base}/PkgURL": b"https://h/p",
        f"{base}/Name": b"hello",
        f"{base}/InstallParams": b"sha256=0",
    }
    assert stand.device.executed == [(f"{base}/Operations/DownloadInstall", order.correlator)]
    assert order.phase is Phase.ACCEPTED


def test_leaves_that_exist_are_replaced(stand: Stand) -> None:
    stand.device.tree = {"./SCOMO/Download/x/PkgURL": b"old"}
    stand.order("install", node="x", pkg_id="p", url="new")
    stand.device.run()
    assert stand.device.tree["./SCOMO/Download/x/PkgURL"] == b"new"
    assert len(stand.device.executed) == 1


def test_a_report_is_answered_recorded_and_ends_its_order(stand: Stand) -> None:
    order = stand.order("exec", uri="./X")
    stand.device.run()
    stand.device.alert_answers.clear()
    stand.device.run("2", alerts=(report(order.correlator, ResultCode.USER_CANCELLED),))
    (record,) = stand.records("alert")
    assert stand.device.alert_answers == [DmStatus.OK, DmStatus.OK]
    assert record["correlator"] == order.correlator
    assert record["result"] == ResultCode.USER_CANCELLED
    assert record["identifier"] == "hello"
    assert record["target"] == HELLO
    assert order.phase is Phase.DONE
    assert order.result == ResultCode.USER_CANCELLED


def test_a_report_without_correlator_ends_no_order(stand: Stand) -> None:
    order = stand.order("exec", uri="./X")
    stand.device.run()
    stand.device.run("2", alerts=(report(None, ResultCode.SUCCESSFUL),))
    assert order.phase is Phase.ACCEPTED
    assert stand.records("alert")[0]["result"] == ResultCode.SUCCESSFUL


def test_a_component_is_found_by_its_id(stand: Stand) -> None:
    stand.device.tree = {f"{HELLO}/ID": b"org.hello", "./SCOMO/Inventory/Deployed/b/ID": b"b"}
    stand.order("component", id="org.hello", primitive="Remove")
    stand.device.run()
    assert [uri for uri, _ in stand.device.executed] == [f"{HELLO}/Operations/Remove"]


def test_an_order_for_a_component_that_is_not_there_fails_with_a_sentence(stand: Stand) -> None:
    stand.device.tree = {f"{HELLO}/ID": b"hello"}
    order = stand.order("component", id="other", primitive="Remove")
    stand.device.run()
    assert order.phase is Phase.FAILED
    assert order.detail == "no component 'other' is deployed; there are 1 others"


def test_a_user_alert_has_options_text_and_choices(stand: Stand) -> None:
    order = stand.order("ask", alert="choice", text="Which?", options="DR=2", choices="a\nb")
    stand.device.run()
    (alert,) = [c for m in stand.device.received for c in m.commands if isinstance(c, Alert)]
    assert alert.code == AlertCode.SINGLE_CHOICE
    assert [item.data for item in alert.items] == [b"DR=2", b"Which?", b"a", b"b"]
    assert (order.phase, order.detail) == (Phase.DONE, "answered with 200")


def test_a_refused_command_fails_its_order_and_the_next_one_runs(stand: Stand) -> None:
    stand.device.tree = {f"{HELLO}/ID": b"hello"}
    failing = stand.order("component", id="other", primitive="Remove")
    following = stand.order("exec", uri="./X")
    stand.device.run()
    assert (failing.phase, following.phase) == (Phase.FAILED, Phase.ACCEPTED)


def test_a_package_larger_than_a_message_is_delivered_in_chunks(stand: Stand) -> None:
    payload = hashlib.shake_256(b"x").digest(40000)
    stand.device.max_msg_size = 4096
    stand.order("deliver", node="x", pkg_id="p", data=base64.b64encode(payload).decode())
    stand.device.run()
    stored = stand.device.tree["./SCOMO/Inventory/Delivered/x/Data"]
    is_binary = stand.device.encoding is Encoding.WBXML
    assert payload == (stored if is_binary else base64.b64decode(stored))
    adds = [
        item
        for message in stand.device.received
        for command in message.commands
        if isinstance(command, ItemCommand)
        for item in command.items
        if (item.target or "").endswith("/Data")
    ]
    sizes = [item.meta.size for item in adds if item.meta]
    assert sizes == [len(stored)] + [None] * (len(adds) - 1)
    assert [item.more_data for item in adds] == [True] * (len(adds) - 1) + [False]
    assert stand.device.executed[0][0] == "./SCOMO/Inventory/Delivered/x/Operations/Install"


def test_no_message_is_larger_than_the_device_takes(stand: Stand) -> None:
    sizes: list[int] = []

    def note(*, is_ours: bool, message: Message, octets: bytes, encoding: Encoding) -> None:
        if is_ours:
            sizes.append(len(octets))

    stand.server.tap(note)
    stand.device.max_msg_size = 3000
    stand.device.tree = {f"./T/n{number}/leaf": b"x" for number in range(120)}
    order = stand.order("read", uris="./T")
    stand.device.run()
    assert order.phase is Phase.DONE
    assert sum(len(step["values"]) for step in order.steps) == 1 + 120 + 120
    assert max(sizes) <= 3000
    assert len(sizes) > 4


def test_a_message_that_comes_twice_gets_the_same_answer_and_counts_once(stand: Stand) -> None:
    once = stand.device.post

    def twice(body: bytes, encoding: Encoding) -> bytes:
        first = once(body, encoding)
        assert once(body, encoding) == first
        return first

    stand.device.post = twice
    order = stand.order("exec", uri="./X")
    stand.device.run()
    assert len(stand.device.executed) == 1
    assert order.phase is Phase.ACCEPTED


def test_a_restarted_bench_goes_on_where_it_was(stand: Stand) -> None:
    stand.device.run()
    correlator = stand.order("exec", uri="./X").correlator
    stand.restart()
    stand.device.run("2")
    assert stand.device.executed == [("./X", correlator)]
    stand.restart()
    stand.device.run("3", alerts=(report(correlator, ResultCode.SUCCESSFUL),))
    assert stand.account.orders[0].result == ResultCode.SUCCESSFUL
    assert len(stand.records("alert")) == 1


def test_secrets_are_in_a_file_that_only_its_owner_reads(stand: Stand) -> None:
    (path,) = stand.directory.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert "client pw" not in repr(stand.account)


def test_a_device_that_aborts_gets_a_last_answer(stand: Stand) -> None:
    stand.order("exec", uri="./X")
    stand.device.run(alerts=(Alert(code=AlertCode.SESSION_ABORT),))
    assert stand.device.executed == []
    assert len(stand.records("abort")) == 1


@pytest.mark.parametrize(
    ("kind", "params", "text"),
    [
        ("fly", {}, "no order 'fly'"),
        ("install", {"node": "x"}, "order install needs pkg_id"),
        ("ask", {"alert": "shout", "text": "x"}, "alert is one of display, confirm, "),
    ],
)
def test_an_order_nobody_can_carry_out_is_refused_at_once(
    kind: str, params: dict[str, str], text: str
) -> None:
    with pytest.raises(OrderError, match=text):
        check(kind, params)


def test_components_make_a_table_of_the_inventory() -> None:
    base = "./SCOMO/Inventory/Deployed"
    found = {
        base: Value(format="node", data=b"b/a"),
        f"{base}/a/ID": Value(data=b"alpha"),
        f"{base}/b/ID": Value(data=b"beta"),
        f"{base}/b/State": Value(format="int", data=b"20"),
    }
    rows = components(found)
    assert [(row["ID"], row["State"], row["node"]) for row in rows] == [
        ("alpha", "", f"{base}/a"),
        ("beta", "20", f"{base}/b"),
    ]
