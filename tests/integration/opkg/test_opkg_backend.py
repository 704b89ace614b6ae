# SPDX-License-Identifier: Apache-2.0
"""The opkg backend against stand-ins of both flavours: the table of docs/backends.md.

Debian has no opkg.  Where a real one is on the PATH, the stories at the end run with it.
"""

from __future__ import annotations

import fcntl
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from scomod.clock import SystemClock
from scomod.errors import InstallerError, Reason
from scomod.installers.base import InstalledItem, Presence
from scomod.installers.opkg import OpkgBackend
from scomod.settings import Opkg
from tests.support import opkg_stand_in
from tests.support.ipks import Ipk
from tests.support.opkg_bed import LEDE, REAL, YOCTO, Bed, install, script

if TYPE_CHECKING:
    from pathlib import Path

OLD: Final = Ipk()
NEW: Final = Ipk(version="1.1-r0")
CONF: Final = "etc/hello.conf"


@pytest.fixture(params=[YOCTO, LEDE])
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> Bed:
    return Bed(tmp_path, request.param)


# -- what works ------------------------------------------------------------------


def test_a_package_is_installed_listed_and_removed(bed: Bed) -> None:
    bed.install(OLD)
    assert bed.status() == "install user installed"
    assert bed.file() == "1.0-r1\n"
    assert bed.backend.probe("hello", "1.0-r1") is Presence.ACTIVE
    assert bed.backend.probe("hello", "1.1-r0") is Presence.ABSENT
    assert bed.backend.version("hello") == "1.0-r1"
    assert bed.backend.inventory() == [
        InstalledItem(id="hello", name="hello", version="1.0-r1", environment="ipk")
    ]
    bed.backend.remove("hello")
    assert (bed.status(), bed.file(), bed.backend.inventory()) == ("", "", [])


def test_every_verb_may_be_called_twice(bed: Bed) -> None:
    for _ in range(2):
        bed.install(OLD)
    for _ in range(2):
        bed.backend.withdraw("hello")
    for _ in range(2):
        bed.backend.remove("hello")
    assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_the_same_version_again_is_refused_by_yocto_and_done_by_us(bed: Bed) -> None:
    bed.install(OLD)
    rc, said = bed.opkg("install", str(OLD.build(bed.folder)))
    expected = {
        YOCTO: (255, "matches the installed version"),
        LEDE: (0, "is up to date"),
    }[bed.flavour]
    assert (rc, expected[1] in said) == (expected[0], True)
    bed.install(replace(OLD, files={"usr/share/hello/version": "rebuilt"}))
    assert bed.file() == "rebuilt"


def test_a_newer_version_takes_the_place_of_an_older_one(bed: Bed) -> None:
    bed.install(OLD)
    bed.install(NEW)
    assert (bed.backend.version("hello"), bed.file()) == ("1.1-r0", "1.1-r0\n")


def test_an_older_version_is_refused_although_opkg_says_0(bed: Bed) -> None:
    bed.install(NEW)
    rc, said = bed.opkg("install", str(OLD.build(bed.folder)))
    assert (rc, "Not downgrading" in said, bed.file()) == (0, True, "1.1-r0\n")
    assert bed.failure(lambda: bed.install(OLD)) is Reason.POLICY
    assert bed.file() == "1.1-r0\n"


def test_an_older_version_is_installed_where_that_is_allowed(bed: Bed) -> None:
    bed.install(NEW)
    bed.install(OLD, may_downgrade=True)
    assert (bed.backend.version("hello"), bed.file()) == ("1.0-r1", "1.0-r1\n")


def test_yocto_takes_both_containers_and_lede_only_tar(bed: Bed) -> None:
    in_ar = replace(OLD, container="ar")
    facts = bed.backend.inspect(in_ar.build(bed.folder))
    assert (facts.id, facts.version, facts.installed_bytes) == ("hello", "1.0-r1", 2048)
    if bed.flavour == YOCTO:
        bed.install(in_ar)
        assert bed.backend.version("hello") == "1.0-r1"
    else:
        assert bed.failure(lambda: bed.install(in_ar)) is Reason.MALFORMED
        assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_services_are_found_among_the_files(bed: Bed) -> None:
    units = ("usr/lib/systemd/system/a.service", "lib/systemd/system/b@.service", "etc/c.service")
    bed.install(Ipk(files=dict.fromkeys(units, "[Service]\n")))
    assert bed.backend.units("hello") == ("a.service",)
    assert bed.backend.units("nothing") == bed.backend.units("../x") == ()


def test_the_mark_is_another_after_each_change(bed: Bed) -> None:
    marks = [bed.mark()]
    bed.install(OLD)
    marks.append(bed.mark())
    bed.backend.remove("hello")
    marks.append(bed.mark())
    assert len(set(marks)) == len(marks)
    assert bed.mark() == marks[-1]


# -- configuration files ---------------------------------------------------------


def test_a_changed_configuration_file_is_kept_and_its_notice_is_no_failure(bed: Bed) -> None:
    bed.install(Ipk(conffiles={CONF: "old\n"}))
    (bed.root / CONF).write_text("mine\n")
    archive = Ipk(version="1.1-r0", conffiles={CONF: "new\n"}).build(bed.folder)
    rc, said = bed.opkg("install", str(archive))
    assert (rc, "Collected errors" in said) == (0, bed.flavour == LEDE)
    bed.install(Ipk(version="1.2-r0", conffiles={CONF: "newer\n"}))
    assert (bed.file(CONF), bed.backend.version("hello")) == ("mine\n", "1.2-r0")


def test_withdraw_keeps_a_changed_configuration_file_and_remove_takes_it(bed: Bed) -> None:
    packed = Ipk(conffiles={CONF: "old\n"})
    bed.put(packed)
    (bed.root / CONF).write_text("mine\n")
    bed.backend.withdraw("hello")
    assert bed.file(CONF) == "mine\n"
    bed.put(packed)
    assert bed.file(CONF) == "mine\n"
    bed.backend.remove("hello")
    assert not (bed.root / CONF).exists()


# -- what fails ------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, OLD])
@pytest.mark.parametrize(
    ("ipk", "reason"),
    [
        (Ipk(version="1.1-r0", depends="nothing"), Reason.DEPENDENCY),
        (Ipk(version="1.1-r0", architecture="mips"), Reason.UNSUPPORTED_ENV),
        (Ipk(version="1.1-r0", files={"usr/share/other/version": "x"}), Reason.CONFLICT),
        (script("preinst", "exit 4", version="1.1-r0"), Reason.SCRIPT_FAILED),
        (script("postinst", "exit 3", version="1.1-r0"), Reason.SCRIPT_FAILED),
    ],
    ids=["depends", "architecture", "clash", "preinst", "postinst"],
)
def test_a_failure_has_its_reason_and_a_first_installation_leaves_nothing(
    bed: Bed, ipk: Ipk, reason: Reason, before: Ipk | None
) -> None:
    bed.put(Ipk(name="other"), *((before,) if before else ()))
    assert bed.failure(lambda: bed.install(ipk)) is reason
    assert bed.backend.probe("hello", "1.1-r0") is not Presence.ACTIVE
    assert bed.file("usr/share/other/version") == "1.0-r1\n"
    if not before:
        assert bed.backend.probe("hello", "") is Presence.ABSENT
        assert bed.file() == ""
    else:
        bed.install(OLD, may_downgrade=True)
        assert bed.backend.version("hello") == "1.0-r1"
    assert [item.id for item in bed.backend.inventory()].count("other") == 1


@pytest.mark.parametrize(
    ("ipk", "yocto", "lede"),
    [
        (Ipk(files={"usr/share/other/version": "x"}), "install ok half-installed",
         "install prefer,user not-installed"),
        (script("preinst", "exit 4"), "install ok half-installed", ""),
        (script("postinst", "exit 3"), "install user unpacked", "install user unpacked"),
    ],
    ids=["clash", "preinst", "postinst"],
)  # fmt: skip
def test_what_the_bare_tool_leaves_is_never_taken_for_installed(
    bed: Bed, ipk: Ipk, yocto: str, lede: str
) -> None:
    bed.put(Ipk(name="other"))
    rc, _ = bed.opkg("install", str(ipk.build(bed.folder)))
    lies = bed.flavour == YOCTO and "postinst" in ipk.scripts
    assert rc == (0 if lies else 255)
    assert bed.status() == (yocto if bed.flavour == YOCTO else lede)
    assert bed.backend.version("hello") == ""
    assert [item.id for item in bed.backend.inventory()] == ["other"]
    bed.install(OLD)
    assert bed.backend.version("hello") == "1.0-r1"


def test_unpacked_packages_are_listed_by_opkg_and_not_by_us(bed: Bed) -> None:
    bed.opkg("install", str(script("postinst", "exit 3").build(bed.folder)))
    assert bed.opkg("list-installed") == (0, "hello - 1.0-r1\n")
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    bed.backend.remove("hello")
    assert (bed.backend.probe("hello", ""), bed.file()) == (Presence.ABSENT, "")


def test_a_failing_prerm_leaves_the_package_active(bed: Bed) -> None:
    bed.put(script("prerm", "exit 5"))
    assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.SCRIPT_FAILED
    assert bed.status() == "deinstall user installed"
    assert bed.backend.probe("hello", "") is Presence.ACTIVE
    assert bed.file() == "1.0-r1\n"


def test_after_a_failing_postrm_the_package_is_gone_whatever_opkg_says(bed: Bed) -> None:
    packed = script("postrm", "exit 6")
    bed.put(packed)
    assert bed.opkg("remove", "hello")[0] == 255
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    bed.put(packed)
    bed.backend.remove("hello")
    assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_what_others_depend_on_is_not_removed(bed: Bed) -> None:
    bed.put(OLD)
    bed.put(Ipk(name="app", depends="hello"))
    assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.DEPENDENCY
    assert bed.backend.version("hello") == "1.0-r1"


def test_removal_of_what_is_not_there_is_done_already(bed: Bed) -> None:
    rc, said = bed.opkg("remove", "hello")
    assert (rc, "No packages removed." in said) == (0, True)
    bed.backend.remove("hello")


def test_an_archive_that_vanished_is_not_present(bed: Bed) -> None:
    archive = OLD.build(bed.folder)
    facts = bed.backend.inspect(archive)
    archive.unlink()
    assert bed.failure(lambda: bed.backend.install(archive, facts)) is Reason.NOT_PRESENT


@pytest.mark.parametrize("container", ["tar", "ar"])
def test_an_archive_that_was_cut_short_is_malformed(bed: Bed, container: str) -> None:
    archive = replace(OLD, container=container).build(bed.folder)
    facts = bed.backend.inspect(archive)
    archive.write_bytes(archive.read_bytes()[:-40])
    assert bed.failure(lambda: bed.backend.inspect(archive) and None) is Reason.MALFORMED
    assert bed.failure(lambda: bed.backend.install(archive, facts)) is Reason.MALFORMED
    assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_a_package_of_an_impossible_name_reaches_no_tool(bed: Bed) -> None:
    archive = Ipk(name="--force-depends").build(bed.folder)
    assert bed.failure(lambda: bed.backend.inspect(archive) and None) is Reason.MALFORMED
    assert bed.failure(lambda: bed.backend.remove("-x")) is Reason.POLICY


# -- locks, deadlines, kills -----------------------------------------------------


def test_a_lock_that_stays_ends_with_busy_and_the_database_can_be_read(bed: Bed) -> None:
    bed.put(OLD)
    with (bed.root / opkg_stand_in.LOCKS[bed.flavour]).open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        rc = bed.opkg("list-installed")[0]
        assert rc == (0 if bed.flavour == YOCTO else 255)
        assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.BUSY
        assert bed.backend.version("hello") == "1.0-r1"
        assert len(bed.backend.inventory()) == 1


def test_a_lock_that_is_released_is_waited_for(bed: Bed) -> None:
    bed.put(OLD)
    lock = (bed.root / opkg_stand_in.LOCKS[bed.flavour]).open("a")
    fcntl.lockf(lock, fcntl.LOCK_EX)
    waited = threading.Event()

    def release(_seconds: float) -> None:
        waited.set()
        lock.close()

    patient = OpkgBackend(
        root=bed.root,
        settings=replace(bed.settings, lock_wait_s=60.0),
        clock=SystemClock(),
        sleep=release,
    )
    patient.remove("hello")
    assert waited.is_set()
    assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_a_script_that_never_ends_is_ended(bed: Bed) -> None:
    slow = replace(bed.settings, timeout_s=3.0)
    hasty = OpkgBackend(root=bed.root, settings=slow, clock=SystemClock())
    archive = script("preinst", "sleep 60").build(bed.folder)
    facts = bed.backend.inspect(archive)
    assert bed.failure(lambda: hasty.install(archive, facts)) is Reason.TIMEOUT
    assert bed.backend.probe("hello", "") is Presence.ABSENT


@pytest.mark.parametrize("kind", ["preinst", "postinst"])
def test_an_opkg_that_was_killed_is_run_once_more(bed: Bed, kind: str) -> None:
    body = 'mark="$PKG_ROOT/once"; test -e "$mark" || { touch "$mark"; kill -9 $PPID; }'
    bed.install(script(kind, body))
    assert bed.backend.version("hello") == "1.0-r1"


def test_files_that_a_kill_left_are_told_and_healed(bed: Bed) -> None:
    killed = script("postinst", "kill -9 $PPID").build(bed.folder)
    assert bed.opkg("install", str(killed))[0] == -9
    (bed.root / opkg_stand_in.STATUS[bed.flavour]).write_text("")
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    assert bed.backend.version("hello") == ""
    bed.put(OLD)
    assert bed.backend.probe("hello", "1.0-r1") is Presence.ACTIVE


def test_an_upgrade_that_was_killed_before_its_stanza_is_partial(bed: Bed) -> None:
    bed.install(OLD)
    status = bed.root / opkg_stand_in.STATUS[bed.flavour]
    before = status.read_text()
    bed.install(NEW)
    status.write_text(before)
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    bed.install(NEW)
    assert bed.backend.version("hello") == "1.1-r0"


def test_a_device_without_opkg_says_so(tmp_path: Path) -> None:
    settings = Opkg(program="/nowhere/opkg")
    backend = OpkgBackend(root=tmp_path, settings=settings, clock=SystemClock())
    archive = OLD.build(tmp_path)
    with pytest.raises(InstallerError) as caught:
        backend.inspect(archive)
    assert caught.value.reason is Reason.UNSUPPORTED_ENV
    assert backend.inventory() == []


@pytest.mark.skipif(
    shutil.which("opkg") is None, reason="Debian has no opkg; put one on the PATH to run this"
)
def test_a_real_opkg_installs_again_upgrades_downgrades_and_removes(tmp_path: Path) -> None:
    bed = Bed(tmp_path, REAL)
    bed.install(OLD)
    bed.install(OLD)
    bed.install(NEW)
    assert bed.failure(lambda: bed.install(OLD)) is Reason.POLICY
    bed.install(OLD, may_downgrade=True)
    assert bed.backend.version("hello") == "1.0-r1"
    broken = script("postinst", "exit 3", name="broken")
    assert bed.failure(lambda: bed.install(broken)) is Reason.SCRIPT_FAILED
    bed.backend.remove("hello")
    assert bed.backend.inventory() == []
    bed.configure(bed.feed(Ipk(name="lib1")))
    bed.opkg("update")
    app = Ipk(name="app", depends="lib1")
    assert bed.failure(lambda: bed.install(app)) is Reason.DEPENDENCY
    assert bed.names() == set()
    install(bed.backend_with(feeds="lists"), app.build(bed.folder))
    assert bed.names() == {"app", "lib1"}
