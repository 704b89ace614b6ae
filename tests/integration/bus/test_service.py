# SPDX-License-Identifier: Apache-2.0
"""The service on a real bus: every method, what errors look like, what a full socket does."""

import asyncio
import functools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from scomod.bus import BusServer
from scomod.busaddress import (
    BUS_NAME,
    CONTROL_INTERFACE,
    ERROR_FAILED,
    ERROR_REFUSED,
    ERROR_UNKNOWN,
    ERROR_WRONG_PIN,
    OBJECT_PATH,
    STATUS_INTERFACE,
    NameTaken,
    NotReachable,
    RemoteError,
    find_address,
)
from scomod.busclient import Client
from scomod.buswire import WAITING_COUNT, Message, open_bus, pack, unpack
from scomod.clock import SystemClock
from scomod.facade import Record
from scomod.secret import Secret
from tests.support.fake_daemon import (
    INVENTORY,
    OPERATION,
    PROMPT,
    RIGHT_PIN,
    FakeDaemon,
    running_daemon,
)
from tests.support.private_bus import PrivateBus, private_bus

GOLDEN = Path(__file__).parents[2] / "vectors/dbus/org.scomod1.xml"
ROOT = Path("/")


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


def use(address: str, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with await Client.connect(address) as client:
            return await work(client)

    return asyncio.run(run())


def raw_call(address: str, interface: str | None, member: str, *body: Any, **more: Any) -> Any:
    async def run() -> Any:
        connection = await open_bus(address)
        message = Message(
            destination=BUS_NAME,
            path=more.get("path", OBJECT_PATH),
            interface=interface,  # type: ignore[arg-type] # None is what some callers send
            member=member,
            signature=more.get("signature", ""),
            body=list(body),
        )
        try:
            return unpack(await connection.invoke(message))
        finally:
            await connection.close()

    return asyncio.run(run())


def error_of(address: str, interface: str | None, member: str, **more: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        raw_call(address, interface, member, *more.pop("body", ()), **more)
    return caught.value


# what is there


def test_introspection_is_the_published_document(bus: PrivateBus) -> None:
    with running_daemon(bus.address):
        [xml] = raw_call(bus.address, "org.freedesktop.DBus.Introspectable", "Introspect")
    assert xml == GOLDEN.read_text()


def test_objects_can_be_found_from_the_root(bus: PrivateBus) -> None:
    with running_daemon(bus.address):
        [top] = raw_call(bus.address, "org.freedesktop.DBus.Introspectable", "Introspect", path="/")
        [middle] = raw_call(
            bus.address, "org.freedesktop.DBus.Introspectable", "Introspect", path="/org"
        )
    assert '<node name="org"/>' in top
    assert '<node name="scomod1"/>' in middle


def test_other_tools_can_call_the_service(bus: PrivateBus) -> None:
    command = ["dbus-send", f"--bus={bus.address}", "--print-reply", f"--dest={BUS_NAME}"]
    with running_daemon(bus.address):
        done = subprocess.run(
            [*command, OBJECT_PATH, f"{STATUS_INTERFACE}.GetStatus"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "urn:uuid:42" in done.stdout


def test_records_arrive_as_they_were_given(bus: PrivateBus) -> None:
    with running_daemon(bus.address) as running:
        status = use(bus.address, Client.status)
        assert status == running.daemon.status()
        assert use(bus.address, Client.inventory) == INVENTORY
        assert use(bus.address, Client.operations) == [OPERATION]
        assert use(bus.address, Client.prompts) == [PROMPT]
    assert "result" not in OPERATION  # absent stays absent


def test_session_replies_when_it_has_ended(bus: PrivateBus) -> None:
    with running_daemon(bus.address) as running:
        record = use(bus.address, lambda client: client.run_session("srv1"))
        assert running.daemon.sessions == 1
    assert (record["outcome"], record["duration_s"]) == ("ok", 0.25)


def test_answer_reaches_the_prompt(bus: PrivateBus) -> None:
    with running_daemon(bus.address) as running:
        use(bus.address, lambda client: client.answer(7, is_accepted=False))
        assert not running.daemon.waiting
        assert running.daemon.records[0]["reason"] == "cancelled"


def test_wrong_pin_has_a_name_of_its_own(bus: PrivateBus) -> None:
    profile = b"<wap-provisioningdoc/>"
    with running_daemon(bus.address):
        wrong = error_of(
            bus.address,
            CONTROL_INTERFACE,
            "Bootstrap",
            body=(profile, "1", "00", "4321"),
            signature="aysss",
        )
        give = use(bus.address, lambda client: client.bootstrap(profile, "1", "00", RIGHT_PIN))
    assert (wrong.name, str(wrong)) == (ERROR_WRONG_PIN, "00 does not fit this PIN")
    assert give == ["srv2"]


def test_bootstrap_takes_octets(bus: PrivateBus) -> None:
    profile = b"<wap-provisioningdoc/>\0\xff"
    with running_daemon(bus.address) as running:
        assert use(bus.address, lambda client: client.bootstrap(profile)) == ["srv2"]
        assert running.daemon.profiles == [profile]


def test_tree_is_walked(bus: PrivateBus) -> None:
    with running_daemon(bus.address):
        assert use(bus.address, lambda c: c.tree_children(".")) == ["DevInfo", "SCOMO"]
        assert use(bus.address, lambda c: c.tree_children("./SCOMO")) == []
        node = use(bus.address, lambda c: c.tree_node("./DevInfo/Man"))
    assert (node["format"], node["value"]) == ("chr", "Example")


def test_text_that_d_bus_forbids_does_not_end_the_connection(bus: PrivateBus) -> None:
    with running_daemon(bus.address) as running:
        running.daemon.inventory_record = {"delivered": [{"name": "a\0b\ud800c"}]}
        assert use(bus.address, Client.inventory) == {"delivered": [{"name": "a\ufffdb?c"}]}
        assert use(bus.address, Client.prompts) == [PROMPT]


# errors


class Raising(FakeDaemon):
    def status(self) -> Record:
        raise RuntimeError("secret detail of ours")

    def prompts(self) -> list[Record]:
        return [{"bad": object()}]

    def tree_children(self, uri: str) -> list[str]:
        raise OSError(5, "secret detail of ours", uri)

    async def run_session(self, server_id: str) -> Record:
        await asyncio.sleep(0)
        raise ValueError("secret detail of ours", server_id)

    def bootstrap(self, document: bytes, sec: str, mac: str, pin: Secret) -> list[str]:
        return [len(document), sec, mac, pin]  # type: ignore[list-item] # a bug of the kind that types do not catch


@pytest.mark.parametrize(
    "call",
    [
        Client.status,
        Client.prompts,
        lambda client: client.tree_children("."),
        lambda client: client.run_session("srv1"),
        lambda client: client.bootstrap(b""),
    ],
)
def test_no_text_of_an_exception_leaves(
    bus: PrivateBus,
    call: Callable[[Client], Coroutine[Any, Any, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running_daemon(bus.address, Raising()):
        with pytest.raises(RemoteError) as caught:
            use(bus.address, call)
        assert use(bus.address, Client.inventory) == INVENTORY  # and the service goes on
    assert caught.value.name == ERROR_FAILED
    assert str(caught.value) == "scomod could not do that; its log says why"
    [record] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.getMessage().startswith("internal error: ")
    assert record.exc_info


def test_refused_and_unknown_arrive_with_their_text(bus: PrivateBus) -> None:
    with running_daemon(bus.address):
        unknown = error_of(bus.address, CONTROL_INTERFACE, "Answer", body=(9, True), signature="tb")
        document = (b"", "", "", "")
        refused = error_of(
            bus.address, CONTROL_INTERFACE, "Bootstrap", body=document, signature="aysss"
        )
    assert (unknown.name, str(unknown)) == (ERROR_UNKNOWN, "operation 9 asks nothing")
    assert (refused.name, str(refused)) == (ERROR_REFUSED, "that is no provisioning document")


@pytest.mark.parametrize(
    ("call", "more", "name"),
    [
        ((STATUS_INTERFACE, "GetAnything"), {}, "UnknownMethod"),
        ((None, "GetStatus"), {}, "UnknownMethod"),  # policy rights hang on the interface
        ((STATUS_INTERFACE, "GetStatus"), {"path": "/other"}, "UnknownMethod"),
        ((CONTROL_INTERFACE, "RunSession"), {}, "InvalidArgs"),
        ((CONTROL_INTERFACE, "RunSession"), {"body": (1,), "signature": "u"}, "InvalidArgs"),
        (
            ("org.freedesktop.DBus.Properties", "Get"),
            {"body": ("", ""), "signature": "ss"},
            "UnknownMethod",
        ),
    ],
)
def test_wrong_calls_get_the_errors_of_d_bus(
    bus: PrivateBus,
    call: tuple[str | None, str],
    more: dict[str, Any],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running_daemon(bus.address):
        error = error_of(bus.address, *call, **more)
    assert error.name == f"org.freedesktop.DBus.Error.{name}"
    assert "Traceback" not in str(error)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_second_daemon_is_told_that_the_name_is_taken(bus: PrivateBus) -> None:
    with (
        running_daemon(bus.address),
        pytest.raises(NameTaken, match=r"already owns org\.scomod1 .*: stop it first"),
        running_daemon(bus.address),
    ):
        pass


# reaching the bus


@pytest.mark.parametrize(
    ("environ", "root", "address"),
    [
        ({}, "/", "unix:path=/run/dbus/system_bus_socket"),
        ({"DBUS_SESSION_BUS_ADDRESS": "c"}, "/", "unix:path=/run/dbus/system_bus_socket"),
        ({"DBUS_SESSION_BUS_ADDRESS": "c"}, "/srv/device", "c"),
        ({"DBUS_SESSION_BUS_ADDRESS": "c", "DBUS_STARTER_ADDRESS": "b"}, "/srv/device", "b"),
        ({"DBUS_STARTER_ADDRESS": "b", "DBUS_SYSTEM_BUS_ADDRESS": "a"}, "/", "a"),
        ({"DBUS_STARTER_ADDRESS": "b", "DBUS_SYSTEM_BUS_ADDRESS": ""}, "/", "b"),
    ],
)
def test_address_comes_from_the_first_of_four_places(
    environ: dict[str, str], root: str, address: str
) -> None:
    assert find_address(environ, Path(root)) == address


@pytest.mark.parametrize(
    "address", ["unix:path=/nonexistent/bus", "rubbish", "carrier:pigeon=1", "unix:runtime=yes"]
)
def test_unreachable_bus_is_one_clear_sentence(address: str) -> None:
    with pytest.raises(NotReachable, match="DBUS_SYSTEM_BUS_ADDRESS") as caught:
        use(address, Client.status)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_peer_that_hangs_up_during_authentication_is_unreachable(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/s")
        server.listen()
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        with pytest.raises(NotReachable, match="no message bus at"):
            use(f"unix:path={tmp_path}/s", Client.status)
        thread.join()


def test_absent_daemon_is_one_clear_sentence(bus: PrivateBus) -> None:
    with pytest.raises(NotReachable, match="systemctl start scomod"):
        use(bus.address, Client.status)


def test_daemon_notices_that_the_bus_went_away() -> None:
    async def run(bus: PrivateBus) -> None:
        async with asyncio.TaskGroup() as tasks:
            service = BusServer(FakeDaemon(), tasks, SystemClock())
            await service.connect(bus.address)
            os.kill(bus.pid, signal.SIGTERM)
            async with asyncio.timeout(100):
                await service.on_disconnect()
            service.emit("SessionEnded", {"server": "srv1"})  # nobody hears it; nothing fails
            service.inform({})
            await service.close()

    with private_bus() as bus:
        asyncio.run(run(bus))


def test_call_ends_when_the_bus_goes_away() -> None:
    async def run(bus: PrivateBus) -> None:
        client = await Client.connect(bus.address)
        events = await client.subscribe()
        os.kill(bus.pid, signal.SIGTERM)
        with pytest.raises(NotReachable, match="went away"):
            await anext(events)
        with pytest.raises(NotReachable, match="went away"):
            await client.status()
        await client.close()

    with private_bus() as bus:
        asyncio.run(run(bus))


# signals


async def take(events: AsyncIterator[tuple[str, Record]], count: int) -> list[tuple[str, Record]]:
    async with asyncio.timeout(100):
        return [await anext(events) for _ in range(count)]


def test_signals_carry_records(bus: PrivateBus) -> None:
    async def work(client: Client) -> list[tuple[str, Record]]:
        events = await client.subscribe()
        await client.answer(7, is_accepted=True)
        await client.run_session("srv1")
        return await take(events, 3)

    with running_daemon(bus.address):
        [prompt, operation, session] = use(bus.address, work)
    assert prompt == ("PromptChanged", {**PROMPT, "verdict": "granted"})
    assert operation == ("OperationChanged", {**OPERATION, "phase": "running", "step": "acquire"})
    assert (session[0], session[1]["outcome"]) == ("SessionEnded", "ok")


def test_progress_leaves_once_a_second_per_operation(bus: PrivateBus) -> None:
    with running_daemon(bus.address) as running:

        async def work(client: Client) -> list[tuple[str, Record]]:
            events = await client.subscribe()
            for done in range(50):
                for number in (1, 2):
                    record: Record = {"id": number, "done": done, "total": None}
                    running.do(functools.partial(running.bus.emit, "Progress", record))
            running.do(lambda: running.bus.emit("SessionEnded", {"server": "srv1"}))
            return await take(events, 3)

        events = use(bus.address, work)
    assert events == [
        ("Progress", {"id": 1, "done": 0, "total": 0}),
        ("Progress", {"id": 2, "done": 0, "total": 0}),
        ("SessionEnded", {"server": "srv1"}),
    ]


def test_signals_of_strangers_are_not_taken_for_news(bus: PrivateBus) -> None:
    async def work(client: Client) -> list[tuple[str, Record]]:
        events = await client.subscribe()
        stranger = await open_bus(bus.address)
        lie = Message.new_signal(
            OBJECT_PATH, STATUS_INTERFACE, "SessionEnded", "a{sv}", [pack({"server": "lie"})]
        )
        lie.destination = client._bus.unique_name  # type: ignore[assignment] # to us alone
        await stranger.send(lie)
        await client.run_session("srv1")
        await stranger.close()
        return await take(events, 1)

    with running_daemon(bus.address):
        [(_, record)] = use(bus.address, work)
    assert record["server"] == "srv1"


def emit_many(running: Any, count: int) -> None:
    for number in range(count):
        record = {**OPERATION, "id": number, "detail": "x" * 200}
        running.bus.emit("OperationChanged", record)


def test_two_thousand_signals_to_a_stalled_subscriber_do_no_harm(bus: PrivateBus) -> None:
    stalled = subprocess.Popen(
        ["dbus-monitor", "--address", bus.address, "type='signal'"], stdout=subprocess.PIPE
    )
    try:
        assert stalled.stdout is not None
        stalled.stdout.readline()
        stalled.send_signal(signal.SIGSTOP)
        with running_daemon(bus.address) as running:
            running.do(lambda: emit_many(running, 2000))
            assert use(bus.address, Client.operations) == [OPERATION]
    finally:
        stalled.kill()
        stalled.communicate()


def test_two_thousand_signals_into_a_standing_bus_do_no_harm(bus: PrivateBus) -> None:
    with running_daemon(bus.address) as running:

        async def work(client: Client) -> list[tuple[str, Record]]:
            events = await client.subscribe()
            with bus.standing_still():
                running.do(lambda: emit_many(running, 2000))
                await asyncio.sleep(0.2)
            assert await client.operations() == [OPERATION]
            running.do(lambda: running.bus.emit("SessionEnded", {"server": "srv1"}))
            heard = []
            async with asyncio.timeout(100):
                async for event in events:
                    if event[0] == "SessionEnded":
                        break
                    heard.append(event[1]["id"])
            return heard

        heard = use(bus.address, work)
    assert heard == sorted(heard)
    assert heard[-1] == 1999  # the newest is what counts
    assert WAITING_COUNT <= len(heard) < 2000


def test_service_survives_on_the_interpreter_alone(bus: PrivateBus) -> None:
    """Importing the service needs no XML and no HTTP library: the idle daemon stays small."""
    code = "import sys, scomod.bus; print([m for m in ('lxml', 'requests') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
