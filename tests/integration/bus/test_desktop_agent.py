# SPDX-License-Identifier: Apache-2.0
"""`scomod-agent-desktop` between two real buses: the daemon on one, the desktop on the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod import agentdesktop
from scomod.buswire import open_bus
from scomod.clicall import EXIT_NOT_REACHABLE, EXIT_OK
from scomod.facade import Deferred, NotShown, Record
from scomod.popups import NOWHERE, Place, Popup, Popups
from tests.support.fake_daemon import PROMPT, RunningDaemon, running_daemon
from tests.support.notification_server import Desktop, Shown, desktop
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 100.0
ALERT: Record = {
    "id": 1,
    "server": "srv1",
    "server_name": "Example",
    "deadline": 1_900_000_000.0,
    "text": "Line one\nLine <b>two</b> & three",
}
LATER: Record = {
    **PROMPT,
    "summary": "Example asks to download and install Hello 1.2.",
    "text": "It is fetched.\n1.5 MiB are downloaded.",
    "deferrals_left": 2,
    "tonight": "22:00",
}


def is_prompt(shown: Shown) -> bool:
    return "Hello 1.2" in shown.summary


def wait_until(condition: Any) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it never came to that"
        time.sleep(0.005)


@contextlib.contextmanager
def agent(
    system: PrivateBus, session: PrivateBus, remind_s: float = 600.0, **environ: str
) -> Iterator[asyncio.AbstractEventLoop]:
    """Run the agent's program in a thread of its own, until the block is left; gives its loop."""
    loop = asyncio.new_event_loop()
    known = {"DBUS_SYSTEM_BUS_ADDRESS": system.address, **environ}
    work = agentdesktop.serve(known, session.address, retry_s=(0.05, 0.05), remind_s=remind_s)
    task = loop.create_task(work)
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=PATIENCE_S)
        assert not thread.is_alive()
        if not task.cancelled():
            task.result()
        loop.close()


@pytest.fixture(scope="module")
def buses() -> Iterator[tuple[PrivateBus, PrivateBus]]:
    with private_bus() as system, private_bus() as session:
        yield system, session


@pytest.fixture
def running(buses: tuple[PrivateBus, PrivateBus]) -> Iterator[RunningDaemon]:
    with running_daemon(buses[0].address) as started:
        yield started


@pytest.fixture
def screen(buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon) -> Iterator[Desktop]:
    with desktop(buses[1].address) as shown, agent(*buses):
        wait_until(running.bus.is_present)
        yield shown


@pytest.mark.parametrize(("key", "is_accepted"), [("allow", True), ("decline", False)])
def test_prompt_is_answered_by_a_button(
    screen: Desktop, running: RunningDaemon, key: str, is_accepted: bool
) -> None:
    answer = running.ask(LATER)
    shown = screen.wait_for(is_prompt)
    assert shown.summary == LATER["summary"]
    assert shown.body.split("\n")[:2] == ["It is fetched.", "1.5 MiB are downloaded."]
    assert "An answer is needed until 2023-11-1" in shown.body
    assert shown.labels == {"allow": "Allow", "decline": "Decline", "later": "In one hour"}
    assert (shown.expires_ms, shown.hints["urgency"]) == (0, 2), "it stays until it is answered"
    screen.press(shown, key)
    assert answer.result(timeout=PATIENCE_S) is is_accepted


def test_prompt_is_put_off_by_a_button_where_it_may_be(
    screen: Desktop, running: RunningDaemon
) -> None:
    answer = running.ask(LATER)
    screen.press(screen.wait_for(is_prompt), "later")
    with pytest.raises(Deferred) as caught:
        answer.result(timeout=PATIENCE_S)
    assert caught.value.when == "1h"
    answer = running.ask({**LATER, "deferrals_left": 0})
    shown = screen.wait_for(is_prompt)
    assert "later" not in shown.labels
    screen.press(shown, "allow")
    assert answer.result(timeout=PATIENCE_S) is True


def test_prompt_that_is_answered_elsewhere_leaves_the_screen(
    screen: Desktop, running: RunningDaemon
) -> None:
    answer = running.ask(LATER)
    shown = screen.wait_for(is_prompt)
    answer.cancel()  # as the daemon does when `scomoctl confirm` was faster
    screen.wait_until_gone(shown.number)


def test_questions_do_not_wait_for_one_another(screen: Desktop, running: RunningDaemon) -> None:
    first, second = running.ask(LATER), running.ask({**LATER, "operation": 8})
    alert = running.show("Confirm", ALERT)
    wait_until(lambda: len(screen.screen) == 3)
    shown = screen.wait_for(lambda each: "yes" in each.labels)
    assert shown.body == "Line one\nLine &lt;b&gt;two&lt;/b&gt; &amp; three", (
        "no markup of a server"
    )
    screen.press(shown, "yes")
    assert alert.result(timeout=PATIENCE_S) is True
    for each in list(screen.screen.values()):
        screen.press(each, "allow")
    assert first.result(timeout=PATIENCE_S) is second.result(timeout=PATIENCE_S) is True


def test_alert_with_few_choices_has_a_button_for_each(
    screen: Desktop, running: RunningDaemon
) -> None:
    answer = running.show("Choose", {**ALERT, "choices": ["red", "green"], "is_multiple": False})
    shown = screen.wait_for(lambda each: "2" in each.labels)
    assert shown.labels == {"1": "red", "2": "green"}
    screen.press(shown, "2")
    assert answer.result(timeout=PATIENCE_S) == [2]


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("Input", {"form": "one line of text", "is_hidden": True}),
        ("Choose", {"choices": ["a", "b"], "is_multiple": True}),
        ("Choose", {"choices": list("abcde"), "is_multiple": False}),
    ],
)
def test_what_buttons_cannot_answer_is_left_to_others_and_the_person_hears_how(
    screen: Desktop, running: RunningDaemon, method: str, more: Record
) -> None:
    with pytest.raises(NotShown):
        running.show(method, {**ALERT, **more}).result(timeout=PATIENCE_S)
    assert "scomoctl agent" in screen.past[-1].body
    assert running.bus.is_present(), "it stays the agent"


def test_text_of_a_server_is_shown_and_stays(screen: Desktop, running: RunningDaemon) -> None:
    assert running.show("Display", ALERT).result(timeout=PATIENCE_S) is None
    shown = screen.wait_for(lambda each: each.summary.startswith("Example (answer until"))
    assert (shown.actions, shown.expires_ms) == ([], 0)


def test_progress_is_one_notification_that_the_end_takes_over(
    screen: Desktop, running: RunningDaemon
) -> None:
    running.do(lambda: running.bus.inform(LATER))
    screen.wait_for(is_prompt)
    for done in (10, 12, 90):
        running.bus._progress_s.clear()  # a second has gone
        event = {"id": 7, "done": done, "total": 100}
        running.do(partial(running.bus.emit, "Progress", event))
    shown = screen.wait_for(lambda each: each.hints.get("value") == 90)
    assert (shown.summary, shown.body) == ("Hello", "90 percent are done.")
    assert shown.hints["urgency"] == 0
    values = [each.hints["value"] for each in screen.past if "value" in each.hints]
    assert values == [10, 90], "a little more is not worth a notification"
    running.do(lambda: running.bus.emit("Progress", {"id": 99, "done": 1, "total": 2}))
    end = {"id": 7, "phase": "succeeded", "text": "Hello 1.2 is installed."}
    running.do(lambda: running.bus.completed(end))
    last = screen.wait_for(lambda each: "is installed" in each.body)
    assert last.number == shown.number


def test_restart_that_is_needed_stays_on_the_screen(
    screen: Desktop, running: RunningDaemon
) -> None:
    told = {"operation": 7, "what": "restart the device to finish", "name": "Hello"}
    words = {"summary": "Please restart this device to finish Hello.", "text": "Save your work."}
    running.do(lambda: running.bus.inform({**told, **words}))
    shown = screen.wait_for(lambda each: "restart" in each.summary)
    assert (shown.body, shown.expires_ms) == ("Save your work.", 0)


def test_closed_question_comes_again_and_a_new_server_shows_it_at_once(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    with agent(*buses, remind_s=0.2):
        with desktop(buses[1].address) as first:
            wait_until(running.bus.is_present)
            answer = running.ask(LATER)
            shown = first.wait_for(is_prompt)
            first.dismiss(shown)
            first.wait_for(lambda each: is_prompt(each) and each.number != shown.number)
            assert not answer.done(), "closing is no answer"
        with desktop(buses[1].address) as second:
            second.press(second.wait_for(is_prompt), "allow")
            assert answer.result(timeout=PATIENCE_S) is True


@contextlib.contextmanager
def held(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let nothing run on another thread's loop."""
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        is_held.set()
        may_go.wait(PATIENCE_S)

    loop.call_soon_threadsafe(hold)
    assert is_held.wait(PATIENCE_S)
    try:
        yield
    finally:
        may_go.set()


@pytest.mark.parametrize("is_next_there", [False, True])
def test_server_that_goes_as_it_answers_takes_no_question_with_it(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon, is_next_there: bool
) -> None:
    with contextlib.ExitStack() as second, agent(*buses) as loop, contextlib.ExitStack() as hold:
        with desktop(buses[1].address) as first:
            wait_until(running.bus.is_present)
            first.before_answer = lambda: hold.enter_context(held(loop))
            answer = running.ask(LATER)
            first.wait_for(is_prompt)
        if is_next_there:
            screen = second.enter_context(desktop(buses[1].address))
            hold.close()
        else:
            hold.close()
            screen = second.enter_context(desktop(buses[1].address))
        screen.press(screen.wait_for(is_prompt), "allow")
        assert answer.result(timeout=PATIENCE_S) is True


def test_server_that_another_one_replaces_has_no_say_any_more(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    with agent(*buses), desktop(buses[1].address) as first:
        wait_until(running.bus.is_present)
        answer = running.ask(LATER)
        old = first.wait_for(is_prompt)
        with desktop(buses[1].address) as second:
            new = second.wait_for(is_prompt)
            assert new.number == old.number, "each server counts for itself"
            first.press(old, "decline")
            second.press(new, "allow")
            assert answer.result(timeout=PATIENCE_S) is True


def test_place_at_a_server_that_is_gone_is_no_place_at_the_next(
    buses: tuple[PrivateBus, PrivateBus],
) -> None:
    async def told(popups: Popups, text: str, replaces: Place = NOWHERE) -> Place:
        place = NOWHERE
        while not place.number:
            await popups.here()
            place = await popups.tell(Popup(summary=text), replaces)
        return place

    async def story() -> None:
        session, other = await open_bus(buses[1].address), await open_bus(buses[1].address)
        ours, theirs = Popups(session), Popups(other)
        with desktop(buses[1].address):
            await ours.begin()
            place = await told(ours, "5 percent")
        assert await ours.tell(Popup(summary="nobody sees it")) is NOWHERE
        with desktop(buses[1].address) as second:
            await theirs.begin()
            assert (await told(theirs, "of another program")).number == place.number
            await told(ours, "95 percent", place)
            assert [each.summary for each in second.screen.values()] == [
                "of another program",
                "95 percent",
            ]
        await session.close()
        await other.close()

    asyncio.run(story())


def test_desktop_without_buttons_says_how_to_answer(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    with desktop(buses[1].address, ("body",)) as screen, agent(*buses):
        wait_until(running.bus.is_present)
        answer = running.ask({**LATER, "text": "1 < 2"})
        shown = screen.wait_for(is_prompt)
        assert "scomoctl confirm 7, or: scomoctl decline 7" in shown.body
        assert "1 < 2" in shown.body, "a server without markup gets none"
        with pytest.raises(NotShown):
            running.show("Confirm", ALERT).result(timeout=PATIENCE_S)
        answer.cancel()
        screen.wait_until_gone(shown.number)


def test_nobody_is_the_agent_while_there_is_nothing_to_show_on(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    with agent(*buses):
        time.sleep(0.3)
        assert not running.bus.is_present()
        with desktop(buses[1].address):
            wait_until(running.bus.is_present)


def test_agent_outlives_the_daemon_and_asks_for_the_next_one(
    buses: tuple[PrivateBus, PrivateBus],
) -> None:
    system, session = buses
    with desktop(session.address) as screen, agent(system, session):
        for _ in range(2):
            with running_daemon(system.address) as running:
                wait_until(running.bus.is_present)
                answer = running.ask(LATER)
                shown = screen.wait_for(is_prompt)
            screen.wait_until_gone(shown.number)  # nobody waits for its answer any longer
            assert answer.exception(timeout=PATIENCE_S) is not None


def test_agent_outlives_the_system_bus(buses: tuple[PrivateBus, PrivateBus]) -> None:
    _, session = buses
    with (
        private_bus() as system,
        desktop(session.address) as screen,
        agent(system, session),
        running_daemon(system.address) as running,
    ):
        wait_until(running.bus.is_present)
        running.ask(LATER)
        shown = screen.wait_for(is_prompt)
        os.kill(system.pid, signal.SIGTERM)
        screen.wait_until_gone(shown.number)


def test_person_is_spoken_to_in_their_language(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    with desktop(buses[1].address) as screen, agent(*buses, LANG="de_DE.UTF-8"):
        wait_until(running.bus.is_present)
        answer = running.ask(LATER)
        shown = screen.wait_for(is_prompt)
        assert shown.labels == {
            "allow": "Erlauben",
            "decline": "Ablehnen",
            "later": "In einer Stunde",
        }
        assert "Eine Antwort ist nötig bis 1" in shown.body
        screen.press(shown, "allow")
        assert answer.result(timeout=PATIENCE_S) is True


def test_agent_takes_its_place_again_when_another_one_left(
    screen: Desktop, running: RunningDaemon
) -> None:
    running.do(lambda: running.bus.agents.left(running.bus.identity().split()[0]))
    assert not running.bus.is_present()
    running.do(lambda: running.bus.emit("PromptChanged", LATER))
    wait_until(running.bus.is_present)
    assert screen.screen == {}


PROGRAM = [sys.executable, "-m", "scomod.agentdesktop"]


def environment(system: PrivateBus, session: str) -> dict[str, str]:
    known = {"DBUS_SYSTEM_BUS_ADDRESS": system.address, "DBUS_SESSION_BUS_ADDRESS": session}
    return {**os.environ, **known, "LC_ALL": "C.UTF-8"}


def test_program_is_one_in_a_session_and_leaves_nothing_on_the_screen(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    environ = environment(buses[0], buses[1].address)
    with desktop(buses[1].address) as screen:
        first = subprocess.Popen(PROGRAM, env=environ)
        try:
            wait_until(running.bus.is_present)
            second = subprocess.run(
                PROGRAM, env=environ, capture_output=True, text=True, check=False
            )
            assert second.returncode == EXIT_OK
            assert "another one shows the questions in this session" in second.stderr
            running.ask(LATER)
            shown = screen.wait_for(is_prompt)
        finally:
            first.terminate()
        assert first.wait(timeout=PATIENCE_S) == EXIT_OK
        screen.wait_until_gone(shown.number)


def test_question_on_its_way_to_the_screen_when_the_program_ends_does_not_stay(
    buses: tuple[PrivateBus, PrivateBus], running: RunningDaemon
) -> None:
    with desktop(buses[1].address) as screen:
        program = subprocess.Popen(PROGRAM, env=environment(buses[0], buses[1].address))

        def end_before_the_answer() -> None:
            program.terminate()
            time.sleep(0.2)

        screen.before_answer = end_before_the_answer
        wait_until(running.bus.is_present)
        running.ask(LATER)
        assert program.wait(timeout=PATIENCE_S) == EXIT_OK
        screen.rest()
        screen.wait_until_gone(screen.past[0].number)


def test_program_ends_with_its_session(buses: tuple[PrivateBus, PrivateBus]) -> None:
    with private_bus() as session:
        process = subprocess.Popen(PROGRAM, env=environment(buses[0], session.address))
        time.sleep(0.2)
    assert process.wait(timeout=PATIENCE_S) in (EXIT_OK, EXIT_NOT_REACHABLE)


def test_program_without_a_session_says_so(buses: tuple[PrivateBus, PrivateBus]) -> None:
    done = subprocess.run(
        PROGRAM,
        env=environment(buses[0], "unix:path=/nowhere"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_NOT_REACHABLE
    assert done.stderr.startswith("scomod-agent-desktop: no message bus at unix:path=/nowhere")


REAL = Path("/usr/lib/notification-daemon/notification-daemon")


@contextlib.contextmanager
def real_notifications(session: str) -> Iterator[None]:
    """Run the real notification-daemon on a screen that nobody sees."""
    reading, writing = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as said:
            display = f":{said.readline().strip()}"
        more = {"DISPLAY": display, "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory"}
        server = subprocess.Popen(
            [REAL],
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": session, **more},
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            server.kill()
            server.wait()
    finally:
        screen.terminate()
        screen.wait()


def test_real_notification_server_takes_what_we_show(
    buses: tuple[PrivateBus, PrivateBus],
) -> None:
    async def story() -> None:
        session = await open_bus(buses[1].address)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            popups = Popups(session)
            await popups.begin()
            await popups.here()
            assert popups.has_buttons
            question = Popup(summary="A <b>", body="x < y & z", actions=(("allow", "Allow"),))
            asking = tasks.create_task(popups.ask(question))
            first = await popups.tell(Popup(summary="Hello", percent=5))
            assert first.number > 0
            assert await popups.tell(Popup(summary="Hello", percent=95), first) == first
            while not popups._open:  # noqa: ASYNC110 - nothing tells that it is on the screen
                await asyncio.sleep(0.01)
            assert first.number not in popups._open
            asking.cancel()
        await session.close()

    assert REAL.exists(), "not installed (package notification-daemon)"
    with real_notifications(buses[1].address):
        asyncio.run(story())
