# SPDX-License-Identifier: Apache-2.0
"""Why nothing happens, on the real thing: a daemon that waits, is killed, and waits on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from scomod.lab.packages import Recipe
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

HELLO = Recipe(name="hello-test", version="1.0", summary="a text", files={"usr/share/x": "hi\n"})
GONE = "https://127.0.0.1:1/gone.deb"


def whys(rig: Rig) -> dict[str, list[str]]:
    """Return the causes by the name of the operation."""
    told = rig.ask("reasons", 0)["operations"]
    return {each["name"]: [cause["why"] for cause in each["causes"]] for each in told}


def findings(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["finding"]: each for each in records}


def test_what_a_daemon_waits_for_can_be_asked_and_is_the_same_after_a_kill(tmp_path: Path) -> None:
    with Rig(tmp_path, runner="direct", confirm="ask") as rig:
        rig.bootstrap()
        alone = findings(rig.scomoctl("doctor", code=1))
        assert {"no daemon", "sessions unseen", "database unseen", "disk"} <= set(alone)
        daemon = rig.start_daemon()
        rig.until_up()
        rig.override("[download]\nretry_wait_s = 3600\nretry_wait_max_s = 3600\n")
        payload = rig.payload(HELLO)
        rig.order_install(payload)
        assert rig.session()["outcome"] == "ok"
        rig.until(lambda: whys(rig).get("hello-test") == ["person", "no agent"], "the question")
        assert rig.scomoctl("why", "1")["operations"][0]["causes"][0]["until"] > time.time()

        plan = rig.scomoctl("plan")["operations"][0]
        assert [step["step"] for step in plan["steps"]] == [
            *("consent", "acquire", "verify", "install", "settle")
        ]
        assert plan["announced"] == payload.path.stat().st_size
        assert (plan["asks"], plan["fetched"]) == ("ask", 0)
        assert {note["what"] for note in plan["unknown"]} == {"content"}

        rig.kill(daemon)
        rig.start_daemon()
        rig.until_up()
        rig.until(lambda: whys(rig).get("hello-test") == ["person", "no agent"], "the question")
        well = findings(rig.ask("checkup"))
        assert well["session ok"]["text"].startswith("The last session with ")
        assert {"database", "time", "no agent", "backend", "direct", "operations"} <= set(well)
        assert well["disk"]["mark"] == "ok"

        rig.ask("answer", 1, is_accepted=False)
        rig.order_install(payload, url=GONE)
        assert rig.session()["outcome"] == "ok"
        rig.until(lambda: "person" in whys(rig).get("hello-test", ()), "the next question")
        rig.ask("answer", 2, is_accepted=True)
        wanted = ["backing off", "giving up"]
        rig.until(lambda: whys(rig).get("hello-test") == wanted, "a try in vain")
        (operation,) = rig.ask("reasons", 2)["operations"]
        assert "The last try failed (" in operation["causes"][0]["text"]
        assert operation["causes"][0]["until"] > time.time()
        assert [due["operation"] for due in rig.ask("reasons", 2)["next"]] == [2]
