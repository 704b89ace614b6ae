"""`kill -9` in the middle of a download, of dpkg's run, of a report, of a whole life.

The matrix dies at named boundaries; here death comes at any instant, by seeds.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from tests.support.certificates import Certificates
from tests.support.debs import Deb
from tests.support.detour import Answer, Detour
from tests.support.failing import deb_of
from tests.support.kills import await_dpkg, kill_group, working_dpkg
from tests.support.package_host import Behaviour, PackageHost
from tests.support.rig import Rig

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from scomod.lab.devices import Order
    from tests.support.detour import Passage

pytestmark = pytest.mark.timeout(900)  # a dozen processes each; machines differ
BIG_BYTES = 24 << 20
DIES_AT_BYTES = 9 << 20
SCRIPTS = dict.fromkeys(("preinst", "postinst", "prerm", "postrm"), "sleep 0.05")
FILES = {f"usr/share/many/file{number}": f"{number}\n" * 50 for number in range(900)}
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


# -- a download ----------------------------------------------------------------------


def test_a_download_cut_by_a_kill_fetches_only_the_rest(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, PackageHost(certificates_of(rig)) as host:
        rig.bootstrap()
        daemon = rig.start_daemon()
        rig.start_helper()
        rig.until_up()
        payload = deb_of(rig, Deb(name="big", files={"usr/share/big/f": "x" * BIG_BYTES}))
        slow = Behaviour(drip_bytes=512 << 10, drip_wait_s=0.03, times=1)
        order = rig.order_install(payload, host.put("/big.deb", payload.path.read_bytes(), slow))
        rig.session()
        part = rig.root / "var/lib/scomod/spool/1.part"
        rig.until(lambda: part.exists() and part.stat().st_size >= DIES_AT_BYTES, "the first part")
        rig.kill(daemon)
        kept = part.stat().st_size
        rig.start_daemon()
        rig.until_up()
        check_end(rig, order, "big", "ii 1.0")
        first, second = host.seen("/big.deb")
        assert (first.range, second.range) == ("", f"bytes={kept}-")
        assert DIES_AT_BYTES <= kept < BIG_BYTES
        assert second.sent == payload.size_bytes - kept


# -- dpkg's run ------------------------------------------------------------------------


def kill_installing(rig: Rig, helper: subprocess.Popen[bytes], wait_s: float) -> bool:
    """Kill helper and dpkg, some time after dpkg began; tells whether dpkg was hit."""
    group = await_dpkg(rig.root, timeout_s=100)
    assert group is not None, rig.logs()
    time.sleep(wait_s)
    rig.kill(helper)
    return kill_group(group)


@pytest.mark.parametrize("seed", range(2))
def test_a_power_cut_in_the_middle_of_dpkg_is_healed(tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311 - a seed
    name, more = ("sleepy", {"scripts": SCRIPTS}) if seed % 2 else ("many", {"files": FILES})
    longest_s = 0.2 if seed % 2 else 0.08
    hits = 0
    with Rig(tmp_path) as rig:
        rig.bootstrap()
        rig.start_daemon()
        rig.until_up()
        for version in ("1.0", "2.0", ""):
            if version:
                deb = Deb(name=name, version=version, **more)  # type: ignore[arg-type]
                order = rig.order_install(deb_of(rig, deb))
            else:
                order = rig.order("component", id=name, primitive="Remove")
            helper = rig.start_helper()
            rig.session()
            hits += kill_installing(rig, helper, choice.uniform(0, longest_s))
            helper = rig.start_helper()
            check_end(rig, order, name, f"ii {version}" if version else "")
            rig.stop(helper)
        assert hits, "the kills came too late to matter"
        assert not (rig.root / "usr/share" / name).exists()
        rig.start_helper()
        rig.check_well()


# -- a report ----------------------------------------------------------------------------


def test_a_report_without_an_answer_is_repeated_word_by_word(tmp_path: Path) -> None:
    """The server has taken it, and the daemon dies before it hears so."""

    def take_and_stall(passage: Passage) -> Answer:
        passage.answered()
        return Answer(is_silent=True)

    with Rig(tmp_path) as rig, Detour(rig.bench_reply, certificates_of(rig)) as detour:
        rig.bootstrap(detour.dm_url)
        daemon = rig.start_daemon()
        rig.start_helper()
        rig.until_up()
        detour.fault = take_and_stall
        order = rig.order_install(deb_of(rig, Deb(name="told")))
        rig.session()
        rig.until(lambda: rig.reports(order), "the report at the server")
        rig.kill(daemon)
        assert order.result == ResultCode.SUCCESSFUL
        detour.clear()
        rig.start_daemon()
        rig.until_up()
        check_end(rig, order, "told", "ii 1.0")
        first, second = rig.reports(order)
        assert first == second
        assert len(rig.operations()) == 1
        assert len(rig.alerts()) == 2


# -- a whole life --------------------------------------------------------------------------


def kill_everything(rig: Rig, *processes: subprocess.Popen[bytes]) -> None:
    """A power cut: all at once, also a package tool that is at work."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    group = working_dpkg(rig.root)
    if group is not None:
        kill_group(group)
    for process in processes:
        process.wait()


@pytest.mark.parametrize("seed", range(3))
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
