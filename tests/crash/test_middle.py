# SPDX-License-Identifier: Apache-2.0
"""`kill -9` in the middle of a download, of dpkg's run, of a report, of a whole life.

The matrix dies at named boundaries; here death comes at any instant, by seeds.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scomod.codes import ResultCode
from tests.support.bundles import pack_members
from tests.support.certificates import Certificates
from tests.support.debs import Deb
from tests.support.detour import Answer, Detour
from tests.support.failing import deb_of
from tests.support.kills import await_dpkg, kill_group, working_dpkg
from tests.support.package_host import Behaviour, PackageHost
from tests.support.programs import bring_example
from tests.support.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.lab.devices import Order
    from scomod.lab.packages import Payload
    from tests.support.detour import Passage
    from tests.support.nursery import Program

pytestmark = pytest.mark.timeout(900)  # a dozen processes each; machines differ
BIG_BYTES = 8 << 20
DIES_AT_BYTES = 3 << 20
SCRIPTS = dict.fromkeys(("preinst", "postinst", "prerm", "postrm"), "sleep 0.05")
FILES = {f"usr/share/many/file{number}": f"{number}\n" * 50 for number in range(300)}
LIVES = int(os.environ.get("SCOMOD_LIVES", "1"))
SEED = 1
LONGEST_RUN_S = 0.2  # of dpkg with these, on a machine at rest
LONGEST_S = 0.35  # from the first message to the report, on a machine at rest
# dpkg's state after each: a withdrawn package may leave its configuration, a removed one nothing
LIFE = {
    "Install": ["ii 1.0"],
    "Deactivate": ["", "rc 1.0"],
    "Activate": ["ii 1.0"],
    "Remove": [""],
}


def certificates_of(rig: Rig) -> Certificates:
    pki = rig.bench.pki
    return Certificates(ca_file=pki.ca_file, server_file=pki.server_file)


def check_end(rig: Rig, order: Order, name: str, *states: str) -> None:
    """The order succeeded, was told once or in equal words, and the device agrees."""
    assert rig.result_of(order) == ResultCode.SUCCESSFUL, rig.logs()
    rig.until_reported()
    reports = rig.reports(order)
    assert 0 < len(reports) <= 2
    assert all(report == reports[0] for report in reports)
    assert rig.dpkg_state(name) in states
    assert rig.dpkg_audit() == ""
    assert rig.spool() == []


# -- a daemon: a download, a question, its answer, a report ---------------------------------

ASKS = "It may use the network."
SLOW = Behaviour(drip_bytes=512 << 10, drip_wait_s=0.03, times=1)


def bring_sandbox(rig: Rig) -> None:
    """Give the device a backend whose software says what it may do: an example's, and a word."""
    bring_example(rig.root)
    rig.override('[install]\nbackends = ["dpkg", "tarball"]\n')
    program = rig.root / "usr/lib/scomod/backends/tarball"
    says, facts = program.read_text(), '"version": "%s"}\\n\' "$name"'
    assert says.count(facts) == 1
    program.write_text(
        says.replace(facts, f'"version": "%s", "permissions": ["{ASKS}"]}}\\n\' "$name"')
    )
    declaration = program.with_name("tarball.toml")
    declaration.write_text(f"{declaration.read_text()}sandbox = true\n")


def tar_of(rig: Rig, name: str, size_bytes: int) -> Payload:
    path = rig.bench.packages.directory / f"{name}.tar"
    members = [("package", f"{name} 1.0\n".encode()), ("filler", b"x" * size_bytes)]
    return replace(rig.signed(pack_members(path, members), name), env_type="tarball")


def revived(rig: Rig, daemon: Program) -> Program:
    rig.kill(daemon)
    daemon = rig.start_daemon()
    rig.until_up()
    return daemon


def take_and_stall(passage: Passage) -> Answer:
    passage.answered()
    return Answer(is_silent=True)


def prompt_of(rig: Rig) -> dict[str, Any]:
    rig.until(lambda: rig.status()["prompts_waiting"] == 1, "the question")
    (prompt,) = rig.prompts()
    return dict(prompt)


def test_a_daemon_killed_wherever_it_waits_goes_on_there(tmp_path: Path) -> None:
    """One operation; the daemon dies in its download, question, answer and report."""
    with (
        Rig(tmp_path, confirm="ask") as rig,
        PackageHost(certificates_of(rig)) as host,
        Detour(rig.bench_reply, certificates_of(rig)) as detour,
    ):
        bring_sandbox(rig)
        rig.bootstrap(detour.dm_url)
        daemon = rig.start_daemon()
        rig.start_helper()
        rig.until_up()
        payload = tar_of(rig, "big", BIG_BYTES)
        order = rig.order_install(payload, host.put("/big.tar", payload.path.read_bytes(), SLOW))
        rig.session()
        prompt = prompt_of(rig)
        assert "permissions" not in prompt, "nobody can know them yet"
        rig.ask("answer", prompt["operation"], is_accepted=True)

        # Of a download that was cut only the rest is fetched.
        part = rig.root / "var/lib/scomod/spool/1.part"
        rig.until(lambda: part.exists() and part.stat().st_size >= DIES_AT_BYTES, "the first part")
        daemon = revived(rig, daemon)
        asked = prompt_of(rig)
        first, second = host.seen("/big.tar")
        kept = payload.size_bytes - second.sent
        assert (first.range, second.range) == ("", f"bytes={kept}-")
        assert DIES_AT_BYTES <= kept < BIG_BYTES

        # A question that was open is asked again, and an answer that was given is not.
        assert asked["permissions"] == [ASKS]
        daemon = revived(rig, daemon)
        again = prompt_of(rig)
        assert again["permissions"] == [ASKS]
        assert abs(again["deadline"] - asked["deadline"]) < 1
        detour.fault = take_and_stall
        rig.ask("answer", again["operation"], is_accepted=True)
        daemon = revived(rig, daemon)
        rig.until(lambda: rig.reports(order), "the report at the server")
        assert rig.prompts() == []

        # A report is told again word by word where the server's answer was not heard.
        detour.clear()
        revived(rig, daemon)
        assert order.result == ResultCode.SUCCESSFUL
        rig.until_reported()
        first_report, *more = rig.reports(order)
        assert more
        assert all(report == first_report for report in more)
        (operation,) = rig.operations()
        assert operation["disclosure"]["verdict"] == "granted"
        assert len(host.seen("/big.tar")) == 2
        (component,) = rig.inventory()["deployed"]
        assert (component["id"], component["version"], component["state"]) == (
            "big", "1.0", "active",
        )  # fmt: skip
        assert rig.spool() == []


# -- dpkg's run ------------------------------------------------------------------------


def kill_installing(rig: Rig, helper: Program, wait_s: float) -> bool:
    """Kill helper and dpkg, some time after dpkg began; tells whether dpkg was hit."""
    group = await_dpkg(rig.root, timeout_s=100)
    assert group is not None, rig.logs()
    time.sleep(wait_s)
    rig.kill(helper)
    return kill_group(group)


def test_a_power_cut_in_the_middle_of_dpkg_is_healed(tmp_path: Path) -> None:
    choice = random.Random(SEED)  # noqa: S311 - a seed
    hits = 0
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_daemon()
        helper = rig.start_helper()
        rig.until_up()
        for version in ("1.0", "2.0", ""):
            if version:
                deb = Deb(name="many", version=version, files=FILES, scripts=SCRIPTS)
                order = rig.order_install(deb_of(rig, deb))
            else:
                order = rig.order("component", id="many", primitive="Remove")
            rig.session()
            hits += kill_installing(rig, helper, choice.uniform(0, LONGEST_RUN_S))
            helper = rig.start_helper()
            check_end(rig, order, "many", f"ii {version}" if version else "")
        assert hits, "the kills came too late to matter"
        assert not (rig.root / "usr/share/many").exists()
        rig.check_well()


# -- a whole life --------------------------------------------------------------------------


def kill_everything(rig: Rig, *processes: Program) -> None:
    """A power cut: all at once, also a package tool that is at work."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    group = working_dpkg(rig.root)
    if group is not None:
        kill_group(group)
    for process in processes:
        process.wait()


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_life_with_power_cuts_at_any_instant_ends_the_same(tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311 - a seed
    instants = [LONGEST_S * (number + choice.random()) / len(LIFE) for number in range(len(LIFE))]
    choice.shuffle(instants)
    orders: list[Order] = []
    hits = 0
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        daemon, helper = rig.start_daemon(), rig.start_helper()
        rig.until_up()
        for primitive, states in LIFE.items():
            if primitive == "Install":
                payload = deb_of(rig, Deb(name="life", scripts={"postinst": "sleep 0.05"}))
                orders.append(rig.order_install(payload))
            else:
                orders.append(rig.order("component", id="life", primitive=primitive))
            started = len(rig.account.records)
            session = rig.start_session()
            rig.until(lambda: len(rig.account.records) > started, "the session")  # noqa: B023
            time.sleep(instants.pop())
            kill_everything(rig, daemon, helper)
            session.wait()
            hits += orders[-1].result is None
            daemon, helper = rig.start_daemon(), rig.start_helper()
            rig.until_up()
            rig.session()
            check_end(rig, orders[-1], "life", *states)
        assert hits, "the cuts came too late to matter"
        operations = rig.operations()
        assert [entry["phase"] for entry in operations] == ["succeeded"] * len(LIFE)
        assert {alert["correlator"] for alert in rig.alerts()} == {o.correlator for o in orders}
        assert rig.inventory() == {"deployed": [], "delivered": [], "download": []}
        rig.check_well()
