# SPDX-License-Identifier: Apache-2.0
"""A server asks the person at the device: from its order through session and bus and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from scomod.busclient import Client
from scomod.lab.devices import Phase
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.facade import Record


class Person:
    """Answers each alert from a list, and looks at the daemon while it waits."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, Record]] = []
        self.looks: list[Record] = []
        self.is_ready = asyncio.Event()

    async def ask(self, _: Record) -> bool:
        return False

    async def serve(self, address: str) -> None:
        async def show(method: str, alert: Record) -> Any:
            self.seen.append((method, alert))
            async with await Client.connect(address) as onlooker:
                self.looks.append(await onlooker.status())
            return self.answers.pop(0)

        async with await Client.connect(address) as client:
            await client.serve_agent(self.ask, lambda _: None, self.is_ready.set, show)


def test_person_answers_a_server_in_one_session(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_daemon()
        rig.until_up()
        yes = rig.order("ask", alert="confirm", text="Go on?", options="DR=1")
        colour = rig.order("ask", alert="choice", text="Which?", choices="red\ngreen")
        birthday = rig.order("ask", alert="input", text="Born?", options="IT=D&ET=P&FOO=1")
        person = Person(True, [2], "yesterday", "29022000")
        serving = asyncio.run_coroutine_threadsafe(person.serve(rig.bus_address), rig._loop)
        rig.in_bench(person.is_ready.wait())
        report = rig.session()
        assert report["outcome"] == "ok", rig.logs()
        assert [order.phase for order in (yes, colour, birthday)] == [Phase.DONE] * 3
        assert yes.detail == "answered with 200"
        assert colour.detail == "answered with 200 2"
        assert birthday.detail == "answered with 200 29022000"
        assert [method for method, _ in person.seen] == ["Confirm", "Choose", "Input", "Input"]
        assert person.seen[-1][1]["problem"] == "a date as DDMMYYYY"
        assert {look["session"] for look in person.looks} == {rig.account.server_id}
        assert "29022000" not in rig.logs(), "what was typed hidden is in no log"

        serving.cancel()
        rig.until(lambda: not rig.status()["agent"], "the agent's leaving")
        alone = rig.order("ask", alert="confirm", text="Anybody?")
        assert rig.session()["outcome"] == "ok", rig.logs()
        assert alone.detail == "answered with 406"
