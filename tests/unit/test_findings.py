# SPDX-License-Identifier: Apache-2.0
"""Whether all is well: everything that can be found, each found on a device that has it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod.checkdevice import Device
from scomod.checkup import Checkup
from scomod.findings import ROWS, About, Mark
from scomod.installers.base import Action, Job
from scomod.installers.jobfile import write_job
from scomod.knowntime import KnownTime
from scomod.operation import Phase
from scomod.settings import (
    Admission,
    Bootstrap,
    Confirm,
    Download,
    Install,
    Log,
    Media,
    Notification,
    Opkg,
    Paths,
    Rule,
    Settings,
    Transport,
    Verify,
)
from tests.support.asking import SERVER, Phone
from tests.support.clocks import FakeClock
from tests.support.handset import settings_of
from tests.support.shelf import package
from tests.support.signers import DAY, NOW, party

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.facade import Record

    Make = Callable[..., Phone]

DAY_S = 86400.0
NO_TOOLS = Settings(install=Install(backends=()))  # whose versions would be asked for each time


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Make]:
    """Give what makes a device with some settings."""
    made: list[Phone] = []

    def make(confirm: str = "silent", **sections: Any) -> Phone:
        settings = replace(settings_of(confirm), **sections)
        made.append(Phone(tmp_path, settings))
        made[-1].settings = replace(settings, install=NO_TOOLS.install)
        return made[-1]

    yield make
    for each in made:
        each.close()


def found(records: list[Record]) -> dict[str, Record]:
    """Return findings by their words; the last of each."""
    for each in records:
        assert each["text"].endswith("."), each
        is_at_ease = each["mark"] in (Mark.OK, Mark.UNSEEN)
        assert is_at_ease or each["todo"] or each["finding"] in ("loose", "helper elsewhere"), each
    return {each["finding"]: each for each in records}


def of(phone: Phone, **more: Any) -> dict[str, Record]:
    return found(phone.findings(**more))


def seen(root: Path, settings: Settings | None = None, clock: FakeClock | None = None) -> Any:
    """Look without a daemon."""
    looked = Device(
        settings=settings or NO_TOOLS,
        paths=Paths(root),
        clock=clock or FakeClock(),
        floor_s=NOW.timestamp(),
    ).look()
    return found([each.record() for each in looked])


# -- what the daemon knows --------------------------------------------------------------


def test_findings_come_in_the_order_of_what_they_are_about(device: Make) -> None:
    about = [each["about"] for each in device().findings()]
    order = [*About]
    assert about == sorted(about, key=order.index)
    assert {*about} >= set(About) - {About.UNITS}  # there is no systemd here


def test_next_moment_and_that_there_is_none(device: Make) -> None:
    phone = device(admission=Admission(windows=("02:00-04:00",)))
    assert of(phone)["nothing due"]["mark"] == "note"
    phone.order()
    due = of(phone)["due"]
    assert due["text"].startswith(f"operation with {SERVER} at 2027-")


def test_last_session_with_each_server(device: Make) -> None:
    phone = device()
    assert of(phone)["no session"]["text"] == "There was no session with srv yet."
    phone.servers[0]["last_session"] = {"outcome": "ok", "detail": "", "ended_s": 0.0}
    assert of(phone)["session ok"]["text"].endswith("srv went well.")
    phone.servers[0]["last_session"] = {"outcome": "failed", "detail": "no route"}
    assert of(phone)["session failed"]["text"].endswith("srv failed: no route.")


def test_device_without_an_account_says_how_to_make_one(device: Make) -> None:
    phone = device()
    phone.servers = []
    assert "bootstrap.d" in of(phone)["no account"]["todo"]


def test_reports_that_nobody_takes_become_a_problem(device: Make) -> None:
    phone = device()
    assert of(phone)["reports taken"]["mark"] == "ok"
    phone.order()
    assert of(phone)["reports wait"]["mark"] == "note"
    phone.clock.advance(2 * DAY_S)
    assert of(phone)["reports old"]["mark"] == "problem"


def test_operation_that_could_not_be_taken_back_is_a_problem_until_the_next_one(
    device: Make,
) -> None:
    phone = device()
    phone.order(package("editor", "2", fails="script failed"))
    last = phone.records.journal.all()[-1]
    with phone.records.db.transaction():
        phone.records.journal.update(
            replace(last, detail="as ordered; undo: no archive of editor 1 is kept")
        )
    assert "no archive of editor 1 is kept" in of(phone)["not undone"]["text"]
    with phone.records.db.transaction():
        phone.records.journal.insert(replace(last, phase=Phase.SUCCEEDED))
    assert "not undone" not in of(phone)


def test_step_that_was_begun_again_and_again_is_told(device: Make) -> None:
    phone = device("ask")
    phone.order()
    (live,) = phone.records.journal.live()
    with phone.records.db.transaction():
        phone.records.journal.update(replace(live, attempts=3))
    told = of(phone)
    assert "began its step 'consent' 3 times" in told["begun again"]["text"]
    assert told["operations"]["text"].startswith("1 operations are under way")


def test_agent_is_missed_only_where_somebody_is_to_be_asked(device: Make) -> None:
    phone = device(confirm="silent")
    assert "no agent needed" in of(phone)
    assert "agent" in of(phone, agent=True)
    for policy in (Confirm(), Confirm(default="silent", rule=(Rule(),))):
        phone.settings = replace(phone.settings, confirm=policy)
        assert of(phone)["no agent"]["mark"] == "note"


def test_ways_to_be_called_are_told(device: Make) -> None:
    phone = device()
    phone.ways = {"UDP port 2948": True, "modem": False}
    told = of(phone)
    assert told["heard"]["text"] == "UDP port 2948 is listened to."
    assert told["no modem"]["mark"] == "note"
    phone.ways = {"UDP port 2948": False}
    assert of(phone)["deaf"]["mark"] == "problem"
    phone.settings = replace(phone.settings, notification=Notification(udp=False))
    assert "modem" in of(phone)["not wanted"]["text"].lower()


def test_clock_that_cannot_be_right_is_a_problem(device: Make) -> None:
    phone = device()
    assert of(phone)["time"]["mark"] == "ok"
    clock = FakeClock()
    looked = Checkup(
        settings=phone.settings,
        paths=phone.paths,
        clock=clock,
        store=phone.records,
        known=KnownTime(phone.records.db, clock),
        status={"servers": [], "agent": False},
        dues=list,
        ways={},
    ).look(0)
    assert "The clock says 1970-01-01" in found([e.record() for e in looked])["no time"]["text"]


def test_damaged_database_is_found_while_it_is_open(device: Make) -> None:
    phone = device()
    assert of(phone)["database"]["mark"] == "ok"
    phone.records.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = phone.paths.database.stat().st_size
    with phone.paths.database.open("r+b") as file:
        file.seek(1024)
        file.write(b"\xff" * (size - 1024))
    phone.records.db.execute("PRAGMA shrink_memory")
    assert of(phone)["database damaged"]["mark"] == "problem"


# -- what can be seen without it ---------------------------------------------------------


def test_disk_says_what_is_free_and_what_is_missing(tmp_path: Path) -> None:
    assert (
        seen(tmp_path, replace(NO_TOOLS, download=Download(reserve_bytes=0)))["disk"]["mark"]
        == "ok"
    )
    full = replace(NO_TOOLS, download=Download(reserve_bytes=1 << 40))
    assert "must stay free: nothing can be fetched" in seen(tmp_path, full)["disk full"]["text"]


def test_directory_that_others_may_read_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    state = Paths(tmp_path).state_dir
    state.mkdir(parents=True, mode=0o700)
    assert "directory open" not in seen(tmp_path)
    assert "directory" in seen(tmp_path)
    state.chmod(0o755)
    assert seen(tmp_path)["directory open"]["todo"] == f"chmod 0700 {state}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_what_the_user_may_not_see_is_told(tmp_path: Path) -> None:
    state = Paths(tmp_path).state_dir
    state.mkdir(parents=True)
    state.chmod(0)
    try:
        assert seen(tmp_path)["not allowed"]["mark"] == "unseen"
    finally:
        state.chmod(0o700)


def test_damaged_database_that_lies_aside_is_told(tmp_path: Path) -> None:
    state = Paths(tmp_path).state_dir
    state.mkdir(parents=True, mode=0o700)
    (state / "scomod.db.damaged-1").touch()
    assert "scomod.db.damaged-1" in seen(tmp_path)["database aside"]["text"]


@pytest.mark.parametrize(
    ("days", "word"), [(365, "certificate"), (30, "certificate ends"), (-1, "certificate ended")]
)
def test_certificate_that_ends_soon_is_a_problem(tmp_path: Path, days: int, word: str) -> None:
    (tmp_path / "ca.pem").write_bytes(
        party("authority", valid=(NOW - 9 * DAY, NOW + days * DAY), is_authority=True).pem
    )
    settings = replace(NO_TOOLS, transport=Transport(ca_file="ca.pem"))
    told = seen(tmp_path, settings)[word]
    assert told["text"].startswith(f"{tmp_path}/ca.pem (transport.ca_file)")
    assert (told["mark"] == "ok") is (days == 365)


def test_certificate_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    assert "no certificates" in seen(tmp_path)
    settings = replace(NO_TOOLS, transport=Transport(ca_file="ca.pem"))
    assert "No such file" in seen(tmp_path, settings)["certificate unreadable"]["text"]


def test_tools_of_backends_are_told_with_their_versions(tmp_path: Path) -> None:
    told = seen(tmp_path, Settings(install=Install(backends=("dpkg",))))
    assert "dpkg: Debian" in told["backend"]["text"]
    none = Settings(
        install=replace(Install(backends=("opkg",)), opkg=Opkg(program="/nowhere/opkg"))
    )
    told = seen(tmp_path, none)
    assert told["no tool"]["mark"] == "note"
    assert told["no backend"]["mark"] == "problem"


def test_helper_is_there_is_off_is_missing_or_is_something_else(tmp_path: Path) -> None:
    assert "direct" in seen(tmp_path, Settings(install=Install(runner="direct", backends=())))
    assert "helper elsewhere" in seen(tmp_path)
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    assert "helper missing" in seen(tmp_path)
    (units / "scomod-install.path").touch()
    assert seen(tmp_path)["helper off"]["todo"].startswith("systemctl enable")
    wanted = tmp_path / "etc/systemd/system/paths.target.wants"
    wanted.mkdir(parents=True)
    (wanted / "scomod-install.path").symlink_to(units / "scomod-install.path")
    assert seen(tmp_path)["helper"]["mark"] == "ok"


def test_orders_that_nobody_takes_are_a_problem(tmp_path: Path) -> None:
    jobs = Paths(tmp_path).jobs_dir
    jobs.mkdir(parents=True)
    Paths(tmp_path).state_dir.chmod(0o700)
    write_job(jobs, Job(id="1-a-install", backend="dpkg", action=Action.REMOVE))
    (order,) = jobs.iterdir()
    os.utime(order, (1000.0, 1000.0))
    clock = FakeClock()
    clock.now_s = 1100.0
    assert "orders wait" not in seen(tmp_path, clock=clock)
    clock.now_s = 2000.0
    assert seen(tmp_path, clock=clock)["orders wait"]["text"].startswith("1 orders wait")


def test_policy_file_of_the_bus_is_looked_for(tmp_path: Path) -> None:
    assert seen(tmp_path)["no policy"]["mark"] == "note"
    folder = tmp_path / "usr/share/dbus-1/system.d"
    folder.mkdir(parents=True)
    (folder / "org.scomod1.conf").touch()
    assert seen(tmp_path)["policy"]["mark"] == "ok"


def test_image_without_what_it_needs_is_told_what_is_missed(tmp_path: Path) -> None:
    units, actions = tmp_path / "usr/lib/systemd/system", tmp_path / "usr/share/polkit-1/actions"
    for folder in (units, actions):
        folder.mkdir(parents=True)
    bare = seen(tmp_path, Settings(install=NO_TOOLS.install, verify=Verify(signature="required")))
    assert bare["no keys"]["mark"] == "problem"
    assert {"unit missing", "no activation", "no actions"} <= bare.keys()
    assert "keys unneeded" in seen(tmp_path, Settings(verify=Verify(signature="optional")))


def test_image_with_all_that_it_needs_is_at_ease(tmp_path: Path) -> None:
    for name in (
        "usr/lib/systemd/system/scomod.service",
        "usr/lib/systemd/system/scomod.socket",
        "usr/lib/systemd/system/scomod.path",
        "usr/share/dbus-1/system-services/org.scomod1.service",
        "usr/share/polkit-1/actions/org.scomod1.policy",
        "etc/scomod/trust.d/maker.pem",
        "etc/systemd/system/multi-user.target.wants/scomod.service",
        "etc/systemd/system/sockets.target.wants/scomod.socket",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    looked = seen(tmp_path)
    assert looked["unit"]["mark"] == "ok"
    assert looked["unit off"]["text"].startswith("scomod.path is not enabled")
    assert {"keys", "activation", "actions"} <= looked.keys()


def test_configuration_says_from_where_it_is_and_what_takes_a_guard_away(tmp_path: Path) -> None:
    main = Paths(tmp_path).config_dir / "scomod.toml"
    main.parent.mkdir(parents=True)
    main.write_text('[verify]\nsignature = "optional"\n')
    assert str(main) in seen(tmp_path)["configuration"]["text"]
    loose = Settings(
        verify=Verify(signature="optional"),
        transport=Transport(allow_http=True),
        bootstrap=Bootstrap(unsigned="accept"),
        log=Log(trace="full"),
        media=Media(offers=True),
    )
    looked = Device(settings=loose, paths=Paths(tmp_path), clock=FakeClock(), floor_s=0.0).look()
    texts = [each.text for each in looked if each.word == "loose"]
    assert len(texts) == 5
    assert texts[0] == "Packages need not be signed (verify.signature)."


# -- the table ---------------------------------------------------------------------------


def test_every_finding_is_met_by_a_device_that_has_it() -> None:
    bus = Path(__file__).parents[1] / "integration/bus"
    pages = (Path(__file__), bus / "test_doctor.py", bus / "test_policy.py")
    texts = "".join(page.read_text() for page in pages)
    assert [word for word in ROWS if f'"{word}"' not in texts] == []
