# SPDX-License-Identifier: Apache-2.0
"""The dpkg backend against the real dpkg in a scratch root: the table of docs/backends.md."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import InstallerError, Reason
from scomod.installers.base import InstalledItem, Presence
from scomod.installers.dpkg import DpkgBackend
from scomod.settings import Dpkg
from tests.support.debs import Deb
from tests.support.repositories import fill, subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = Dpkg(timeout_s=30.0, lock_wait_s=0.0)


class Bed:
    """A scratch root, its backend, and shorthand for what tests do with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.backend = self.backend_with(SETTINGS)

    def backend_with(self, settings: Dpkg) -> DpkgBackend:
        return DpkgBackend(root=self.root, settings=settings, clock=SystemClock())

    def install(self, deb: Deb, *, may_downgrade: bool = False) -> None:
        archive = deb.build(self.folder)
        facts = self.backend.inspect(archive)
        self.backend.install(archive, facts, may_downgrade=may_downgrade)

    def failure(self, action: Callable[[], None]) -> Reason:
        with pytest.raises(InstallerError) as caught:
            action()
        assert str(caught.value)
        return caught.value.reason

    def state(self, name: str = "hello") -> str:
        """Ask dpkg-query itself, not our parser."""
        done = subprocess.run(
            [
                "dpkg-query",
                f"--admindir={self.root}/var/lib/dpkg",
                "-W",
                "-f",
                "${Version} ${db:Status-Want} ${db:Status-Status} ${db:Status-Eflag}",
                name,
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def audit(self) -> str:
        return subprocess.run(
            ["dpkg", f"--root={self.root}", "--audit"], check=True, capture_output=True, text=True
        ).stdout

    @contextmanager
    def locked(self) -> Iterator[None]:
        with (self.root / "var/lib/dpkg/lock-frontend").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            yield


# Each row of the table of docs/backends.md, and the tests that show it.
ROWS = {
    "install, same again, newer": "install_brings installing_again a_newer_version",
    "several that need each other": "several_are_installed may_name_its_packages",
    "one of several fails": "of_a_circle_that_fails suite_is_installed_updated",
    "older over newer": "an_older_version",
    "unmet dependency": "an_unmet_dependency",
    "postinst fails": "a_failing_script a_failing_new_version suite_is_installed_updated",
    "preinst fails": "a_failing_script a_failing_new_preinst",
    "prerm fails": "a_failing_prerm",
    "postrm fails": "a_failing_postrm a_removal_that_fails_halfway",
    "wrong architecture": "another_architecture",
    "file of another package, declared conflict": "a_file_of_another a_declared_conflict",
    "archive cut short": "cut_early cut_late",
    "removal of what others depend on": "what_others_depend_on",
    "removal of an essential package": "an_essential_package",
    "removal of what is not there": "remove_takes withdraw_keeps",
    "database locked": "a_held_lock another_dpkg_at_work",
    "disk full": "a_full_disk finds_the_disk_full",
    "killed": "reinstreq same_order_after_a_killed_dpkg",
    "deadline": "a_hanging_script",
    "dependency missing, with apt": "apt_brings apt_removes_nothing apt_without_the_network",
}


def test_each_row_of_the_table_has_its_tests() -> None:
    page = (Path(__file__).parents[3] / "docs/backends.md").read_text()
    table = page.partition("\n## dpkg\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert rows[1:] == list(ROWS)
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = re.findall(r"^def (test_\w+)", source, re.MULTILINE)
    for words in ROWS.values():
        for word in words.split():
            assert any(word in name for name in names), word


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


# -- install ---------------------------------------------------------------------


def test_install_brings_files_and_state(bed: Bed) -> None:
    bed.install(Deb())
    assert bed.state() == "1.0 install installed ok"
    assert (bed.root / "usr/share/hello/version").read_text() == "1.0\n"
    assert bed.backend.probe("hello", "1.0") is Presence.ACTIVE
    assert bed.backend.probe("hello", "") is Presence.ACTIVE
    assert bed.backend.probe("hello", "2.0") is Presence.ABSENT


def test_installing_again_is_a_success(bed: Bed) -> None:
    bed.install(Deb())
    bed.install(Deb())
    assert bed.state() == "1.0 install installed ok"


def test_a_newer_version_replaces_an_older_one(bed: Bed) -> None:
    bed.install(Deb())
    bed.install(Deb(version="2.0"))
    assert bed.state() == "2.0 install installed ok"


def test_several_are_installed_in_one_run_that_tells_how_far_it_is(bed: Bed) -> None:
    told: list[float] = []
    backend = DpkgBackend(
        root=bed.root, settings=SETTINGS, clock=SystemClock(), progress=told.append
    )
    paths = [deb.build(bed.folder) for deb in (Deb(depends="lib1"), Deb(name="lib1"))]
    archives = [(path, backend.inspect(path)) for path in paths]
    backend.install_all(archives, may_downgrade=False)
    assert {item.id for item in backend.inventory()} == {"hello", "lib1"}
    assert told == sorted(told)
    assert (len(told) > 4, told[-1]) == (True, 1.0)
    assert bed.failure(lambda: backend.withdraw_all(["lib1"])) is Reason.DEPENDENCY
    backend.withdraw_all(["lib1", "hello"])
    assert backend.inventory() == []


def test_an_older_version_is_refused_unless_allowed(bed: Bed) -> None:
    bed.install(Deb(version="1:0.5"))
    assert bed.failure(lambda: bed.install(Deb(version="2.0"))) is Reason.POLICY
    assert bed.state() == "1:0.5 install installed ok"
    bed.install(Deb(version="2.0"), may_downgrade=True)
    assert bed.state() == "2.0 install installed ok"


def test_a_changed_configuration_file_stays(bed: Bed) -> None:
    bed.install(Deb(conffiles={"etc/hello.conf": "one\n"}))
    (bed.root / "etc/hello.conf").write_text("mine\n")
    bed.install(Deb(version="2.0", conffiles={"etc/hello.conf": "two\n"}))
    assert (bed.root / "etc/hello.conf").read_text() == "mine\n"
    assert bed.state() == "2.0 install installed ok"


def test_scripts_run_without_questions_in_a_plain_locale(bed: Bed) -> None:
    script = 'set -e; echo to-stdout; echo "$DEBIAN_FRONTEND $LC_ALL" > "$DPKG_ROOT/said"'
    bed.install(Deb(scripts={"postinst": script}))
    assert (bed.root / "said").read_text() == "noninteractive C.UTF-8\n"


@pytest.mark.parametrize("script", ["preinst", "postinst"])
def test_a_failing_script_leaves_nothing(bed: Bed, script: str) -> None:
    deb = Deb(scripts={script: "exit 3"})
    assert bed.failure(lambda: bed.install(deb)) is Reason.SCRIPT_FAILED
    assert bed.state() in ("", " unknown ok not-installed", " install not-installed ok")
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    assert not (bed.root / "usr/share/hello/version").exists()
    assert bed.audit() == ""


def test_a_script_that_fails_to_fail_cleanly_is_undone_too(bed: Bed) -> None:
    deb = Deb(scripts={"postinst": "exit 3", "postrm": "exit 6"})
    assert bed.failure(lambda: bed.install(deb)) is Reason.SCRIPT_FAILED


def test_a_failing_new_version_is_left_to_the_caller(bed: Bed) -> None:
    bed.install(Deb())
    failing = Deb(version="2.0", scripts={"postinst": "exit 3"})
    assert bed.failure(lambda: bed.install(failing)) is Reason.SCRIPT_FAILED
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    bed.install(Deb(), may_downgrade=True)
    assert bed.state() == "1.0 install installed ok"


def test_a_failing_new_preinst_is_unwound_by_dpkg(bed: Bed) -> None:
    bed.install(Deb())
    failing = Deb(version="2.0", scripts={"preinst": "exit 3"})
    assert bed.failure(lambda: bed.install(failing)) is Reason.SCRIPT_FAILED
    assert bed.backend.probe("hello", "1.0") is Presence.ACTIVE


def test_an_unmet_dependency_leaves_nothing(bed: Bed) -> None:
    deb = Deb(depends="no-such-package")
    assert bed.failure(lambda: bed.install(deb)) is Reason.DEPENDENCY
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    assert bed.audit() == ""


def test_a_file_of_another_package_is_a_conflict(bed: Bed) -> None:
    bed.install(Deb())
    clash = Deb(name="clash", files={"usr/share/hello/version": "mine\n"})
    assert bed.failure(lambda: bed.install(clash)) is Reason.CONFLICT
    assert (bed.root / "usr/share/hello/version").read_text() == "1.0\n"
    assert bed.backend.probe("clash", "") is Presence.ABSENT


def test_a_declared_conflict_is_one(bed: Bed) -> None:
    bed.install(Deb())
    rival = Deb(name="rival", conflicts="hello")
    assert bed.failure(lambda: bed.install(rival)) is Reason.CONFLICT


def test_another_architecture_is_an_unsupported_environment(bed: Bed) -> None:
    deb = Deb(architecture="no-such-cpu")
    assert bed.failure(lambda: bed.install(deb)) is Reason.UNSUPPORTED_ENV


def test_a_foreign_architecture_that_was_allowed_is_part_of_the_name(bed: Bed) -> None:
    bed.install(Deb(name="other"))
    (bed.root / "var/lib/dpkg/arch").write_text("amd64\nm68k\n")
    bed.install(Deb(architecture="m68k"))
    assert bed.backend.probe("hello:m68k", "1.0") is Presence.ACTIVE
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    assert [item.id for item in bed.backend.inventory()] == ["hello:m68k", "other"]
    bed.backend.remove("hello:m68k")
    assert bed.backend.probe("hello:m68k", "") is Presence.ABSENT


@pytest.mark.parametrize("kept_octets", [0, 5, 400])
def test_what_is_cut_early_is_malformed(bed: Bed, kept_octets: int) -> None:
    archive = Deb().build(bed.folder)
    archive.write_bytes(archive.read_bytes()[:kept_octets])
    with pytest.raises(InstallerError) as caught:
        bed.backend.inspect(archive)
    assert caught.value.reason is Reason.MALFORMED


def test_what_is_cut_late_is_malformed_when_it_is_unpacked(bed: Bed) -> None:
    bed.install(Deb())
    archive = Deb(version="2.0").build(bed.folder)
    archive.write_bytes(archive.read_bytes()[:-2000])
    facts = bed.backend.inspect(archive)  # dpkg-deb sees nothing wrong
    assert bed.failure(lambda: bed.backend.install(archive, facts)) is Reason.MALFORMED
    assert bed.backend.probe("hello", "1.0") is Presence.ACTIVE


def test_a_hanging_script_is_ended_and_undone(bed: Bed) -> None:
    bed.backend = bed.backend_with(Dpkg(timeout_s=1.0, lock_wait_s=0.0))
    deb = Deb(scripts={"postinst": "sleep 300"})
    assert bed.failure(lambda: bed.install(deb)) is Reason.TIMEOUT
    assert bed.backend.probe("hello", "") is Presence.ABSENT


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_no_space(bed: Bed) -> None:
    bed.root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "scomod-test", str(bed.root)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no right to mount")
    try:
        big = Deb(files={"usr/share/big": "x" * 2_000_000})
        assert bed.failure(lambda: bed.install(big)) is Reason.NO_SPACE
        assert bed.backend.probe("hello", "") is Presence.ABSENT
    finally:
        subprocess.run(["umount", bed.root], check=True)


# -- the lock --------------------------------------------------------------------


def test_a_held_lock_is_busy_after_the_wait(bed: Bed) -> None:
    bed.install(Deb())
    with bed.locked():
        assert bed.failure(lambda: bed.install(Deb(version="2.0"))) is Reason.BUSY
        assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.BUSY
    assert bed.state() == "1.0 install installed ok"


@contextmanager
def other_dpkg(bed: Bed, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Let another dpkg be at work on the root for so long."""
    deb = Deb(name="slow", scripts={"postinst": f"touch $DPKG_ROOT/slow; sleep {seconds}"})
    forces = ["--force-script-chrootless", "--force-not-root"]
    archive = deb.build(bed.folder)
    with subprocess.Popen(
        ["dpkg", f"--root={bed.root}", *forces, "--install", archive], stdout=subprocess.DEVNULL
    ) as process:
        while not (bed.root / "slow").exists():
            time.sleep(0.01)
        try:
            yield process
        finally:
            process.wait()


def test_another_dpkg_at_work_is_named_after_the_wait_and_waited_for_if_that_is_enough(
    bed: Bed,
) -> None:
    bed.install(Deb())
    newer = Deb(version="2.0").build(bed.folder)
    with other_dpkg(bed, 2.0) as process:
        with pytest.raises(InstallerError) as caught:
            bed.backend.install(newer, bed.backend.inspect(newer))
        assert caught.value.reason is Reason.BUSY
        assert f"pid {process.pid}" in str(caught.value)
        assert "(dpkg)" in str(caught.value)
        assert bed.state() == "1.0 install installed ok"
        bed.backend = bed.backend_with(replace(SETTINGS, lock_wait_s=60.0))
        bed.backend.install(newer, bed.backend.inspect(newer))
        assert process.wait(60) == 0
    assert bed.state() == "2.0 install installed ok"
    assert bed.state("slow") == "1.0 install installed ok"


def test_a_lock_released_in_time_is_waited_for(bed: Bed) -> None:
    bed.install(Deb())
    bed.backend = bed.backend_with(Dpkg(timeout_s=30.0, lock_wait_s=20.0))
    holder = bed.locked()
    holder.__enter__()
    timer = threading.Timer(0.4, holder.__exit__, (None, None, None))
    timer.start()
    bed.install(Deb(version="2.0"))
    timer.join()
    assert bed.state() == "2.0 install installed ok"


# -- remove and withdraw ---------------------------------------------------------


def test_remove_takes_the_configuration_too(bed: Bed) -> None:
    bed.install(Deb(conffiles={"etc/hello.conf": "one\n"}))
    bed.backend.remove("hello")
    bed.backend.remove("hello")
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    assert not (bed.root / "etc/hello.conf").exists()


def test_withdraw_keeps_the_configuration_and_remove_then_takes_it(bed: Bed) -> None:
    bed.install(Deb(conffiles={"etc/hello.conf": "one\n"}))
    bed.backend.withdraw("hello")
    bed.backend.withdraw("hello")
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    assert (bed.root / "etc/hello.conf").exists()
    assert not (bed.root / "usr/share/hello/version").exists()
    bed.backend.remove("hello")
    assert not (bed.root / "etc/hello.conf").exists()


def test_remove_keeps_the_configuration_where_the_settings_say_so(bed: Bed) -> None:
    bed.install(Deb(conffiles={"etc/hello.conf": "one\n"}))
    bed.backend = bed.backend_with(replace(SETTINGS, remove="keep"))
    bed.backend.remove("hello")
    bed.backend.remove("hello")
    assert bed.state() == "1.0 deinstall config-files ok"
    assert (bed.root / "etc/hello.conf").exists()


@pytest.mark.parametrize("verb", ["remove", "withdraw"])
def test_what_others_depend_on_stays_and_stays_wanted(bed: Bed, verb: str) -> None:
    bed.install(Deb())
    bed.install(Deb(name="user", depends="hello"))
    assert bed.failure(lambda: getattr(bed.backend, verb)("hello")) is Reason.DEPENDENCY
    assert bed.state() == "1.0 install installed ok"


@pytest.mark.parametrize("verb", ["remove", "withdraw"])
def test_a_failing_prerm_leaves_it_installed_and_wanted(bed: Bed, verb: str) -> None:
    bed.install(Deb(scripts={"prerm": "exit 5"}))
    assert bed.failure(lambda: getattr(bed.backend, verb)("hello")) is Reason.SCRIPT_FAILED
    assert bed.state() == "1.0 install installed ok"


def test_a_failing_postrm_leaves_a_part_that_an_install_heals(bed: Bed) -> None:
    deb = Deb(scripts={"postrm": 'test "$1" != remove'})
    bed.install(deb)
    assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.SCRIPT_FAILED
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    bed.install(deb)
    assert bed.state() == "1.0 install installed ok"


def test_an_essential_package_is_not_removed(bed: Bed) -> None:
    bed.install(Deb(extra_fields="Essential: yes\n"))
    assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.POLICY
    assert bed.state() == "1.0 install installed ok"


@pytest.mark.parametrize("name", ["--force-all", "../x", "", "*", "hello world"])
def test_names_that_are_none_never_reach_dpkg(bed: Bed, name: str) -> None:
    bed.install(Deb())
    assert bed.failure(lambda: bed.backend.remove(name)) is Reason.POLICY
    assert bed.state() == "1.0 install installed ok"


# -- repair ----------------------------------------------------------------------


def dpkg(bed: Bed, *arguments: str) -> None:
    forces = () if os.geteuid() == 0 else ("--force-not-root",)
    subprocess.run(
        ["dpkg", f"--root={bed.root}", "--force-script-chrootless", *forces, *arguments],
        check=False,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("verb", "state"),
    [("--unpack", "1.0 install unpacked ok"), ("--install", "1.0 install half-configured ok")],
)
def test_what_was_left_in_parts_is_repaired_by_installing(bed: Bed, verb: str, state: str) -> None:
    bed.install(Deb(name="other"))
    archive = Deb(scripts={"postinst": "test -e $DPKG_ROOT/now"}).build(bed.folder)
    dpkg(bed, verb, str(archive))
    assert bed.state() == state
    assert bed.backend.probe("hello", "1.0") is Presence.PARTIAL
    (bed.root / "now").touch()
    bed.backend.install(archive, bed.backend.inspect(archive))
    assert bed.state() == "1.0 install installed ok"


@pytest.mark.parametrize("verb", ["install", "remove"])
def test_reinstreq_is_repaired_by_installing_and_by_removing(bed: Bed, verb: str) -> None:
    bed.install(Deb())
    status = bed.root / "var/lib/dpkg/status"
    good = status.read_text()
    status.write_text(good.replace("install ok installed", "install reinstreq half-installed"))
    assert bed.backend.probe("hello", "1.0") is Presence.PARTIAL
    if verb == "install":
        bed.install(Deb())
    else:
        bed.backend.remove("hello")
    assert bed.backend.probe("hello", "") is not Presence.PARTIAL
    assert bed.audit() == ""


# -- apt -------------------------------------------------------------------------

LIBS = (Deb(name="lib1", depends="lib2"), Deb(name="lib2", extra_fields="Recommends: lib3\n"))


def with_apt(bed: Bed, *debs: Deb, sources: str = "") -> DpkgBackend:
    subscribe(bed.root, sources + fill(bed.folder / "repository", *debs))
    return bed.backend_with(replace(SETTINGS, resolve="apt"))


def test_apt_brings_what_is_missing_and_no_more(bed: Bed) -> None:
    bed.install(Deb())
    bed.backend = with_apt(bed, *LIBS, Deb(name="lib3"), Deb(name="hello", version="3.0"))
    bed.install(Deb(version="2.0", depends="lib1", extra_fields="Pre-Depends: lib2\n"))
    versions = {item.id: item.version for item in bed.backend.inventory()}
    assert versions == {"hello": "2.0", "lib1": "1.0", "lib2": "1.0"}
    assert bed.audit() == ""


def test_apt_removes_nothing_and_brings_nothing_older(bed: Bed) -> None:
    bed.install(Deb(name="rival"))
    bed.install(Deb(name="lib2", version="2.0"))
    bed.backend = with_apt(bed, Deb(name="lib1", conflicts="rival"), *LIBS[1:])
    before = bed.backend.inventory()
    for depends in ("lib1", "lib2 (= 1.0)", "no-such-package"):
        with pytest.raises(InstallerError, match="apt-get: E: ") as caught:
            bed.install(Deb(depends=depends))
        assert caught.value.reason is Reason.DEPENDENCY
        assert bed.backend.inventory() == before
        assert bed.audit() == ""


def test_apt_without_the_network_is_not_asked_unless_all_its_sources_are_files(bed: Bed) -> None:
    far = "deb [trusted=yes] http://127.0.0.1:1/ ./\n"
    bed.backend = with_apt(bed, *LIBS, sources=far)
    with pytest.raises(InstallerError, match=r"allow_network in install-policy\.toml") as caught:
        bed.install(Deb(depends="lib1"))
    assert caught.value.reason is Reason.POLICY
    assert bed.backend.inventory() == []
    assert not list((bed.root / "var/lib/apt/lists").glob("*Packages"))


# -- reading ---------------------------------------------------------------------


def test_inventory_lists_what_is_installed(bed: Bed) -> None:
    bed.install(Deb())
    bed.install(Deb(name="gone", conffiles={"etc/gone": "x"}))
    bed.backend.withdraw("gone")
    dpkg(bed, "--unpack", str(Deb(name="part").build(bed.folder)))
    assert bed.backend.inventory() == [
        InstalledItem(
            id="hello",
            name="hello",
            version="1.0",
            environment="deb",
            description="the hello of the tests",
        )
    ]


def test_a_root_without_a_database_is_empty_and_stays_so(bed: Bed) -> None:
    assert bed.backend.inventory() == []
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    bed.backend.remove("hello")
    assert not bed.root.exists()


def test_a_damaged_database_is_no_empty_one(bed: Bed) -> None:
    bed.install(Deb())
    (bed.root / "var/lib/dpkg/status").write_text("Package hello\n\x00")
    with pytest.raises(InstallerError) as caught:
        bed.backend.inventory()
    assert caught.value.reason is Reason.INTERNAL


def test_the_machine_itself_can_be_listed_without_a_change() -> None:
    backend = DpkgBackend(root=Path("/"), settings=SETTINGS, clock=SystemClock())
    items = backend.inventory()
    assert len({item.id for item in items}) == len(items)
    assert backend.probe("dpkg", "") is Presence.ACTIVE
