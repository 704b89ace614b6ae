# SPDX-License-Identifier: Apache-2.0
"""The rows of opkg's table in docs/backends.md: each has a test; here those that need no story."""

from __future__ import annotations

import ast
import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Discerning, Presence
from tests.support.ipks import Ipk
from tests.support.opkg_bed import LEDE, YOCTO, Bed, install, script

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE: Final = Path(__file__).resolve().parents[3] / "docs/backends.md"
OLD: Final = Ipk()
NEW: Final = Ipk(version="1.1-r0")

# What happens, and the tests that show it; a row of the page that is not here is a failure.
_FAILURES: Final = "test_a_failure_has_its_reason_and_a_first_installation_leaves_nothing"
_BARE: Final = "test_what_the_bare_tool_leaves_is_never_taken_for_installed"
ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "first installation": ("test_a_package_is_installed_listed_and_removed",),
    "same version again": ("test_the_same_version_again_is_refused_by_yocto_and_done_by_us",),
    "newer over older": ("test_a_newer_version_takes_the_place_of_an_older_one",),
    "older over newer": (
        "test_an_older_version_is_refused_although_opkg_says_0",
        "test_an_older_version_is_installed_where_that_is_allowed",
    ),
    "archive in an ar container": ("test_yocto_takes_both_containers_and_lede_only_tar",),
    "unmet dependency": (_FAILURES,),
    "missing dependency is in a feed": (
        "test_without_feeds_a_missing_dependency_is_a_failure_and_nothing_is_installed",
        "test_a_missing_dependency_comes_from_the_lists_that_are_there",
        "test_feeds_beyond_the_device_need_what_the_policy_says_of_the_network",
    ),
    "lists of feeds cannot be fetched": (
        "test_with_a_network_a_far_feed_that_does_not_answer_leaves_the_lists_that_are_there",
        "test_fetching_lists_is_bounded_in_time",
    ),
    "wrong architecture": (_FAILURES,),
    "file of another package": (_FAILURES, _BARE),
    "preinst fails": (_FAILURES, _BARE),
    "postinst fails": (_FAILURES, _BARE, "test_unpacked_packages_are_listed_by_opkg_and_not_by_us"),
    "prerm fails": ("test_a_failing_prerm_leaves_the_package_active",),
    "postrm fails": ("test_after_a_failing_postrm_the_package_is_gone_whatever_opkg_says",),
    "another package is left unpacked": (
        "test_a_package_of_somebody_else_that_is_left_unpacked_is_named_as_the_reason",
    ),
    "archive cut short": ("test_an_archive_that_was_cut_short_is_malformed",),
    "data damaged inside": ("test_damaged_data_are_found_before_opkg_is_run",),
    "no entries for directories": ("test_files_that_opkg_could_not_write_are_a_failure",),
    "disk full": ("test_a_full_disk_is_no_success_whatever_opkg_says",),
    "file not there": ("test_an_archive_that_vanished_is_not_present",),
    "changed configuration file": (
        "test_a_changed_configuration_file_is_kept_and_its_notice_is_no_failure",
        "test_withdraw_keeps_a_changed_configuration_file_and_remove_takes_it",
    ),
    "removal of what others depend on": ("test_what_others_depend_on_is_not_removed",),
    "removal of an essential package": ("test_essential_software_stays_unless_the_policy_allows",),
    "removal of what is not there": ("test_removal_of_what_is_not_there_is_done_already",),
    "question about what is unknown": ("test_what_nobody_knows_is_absent",),
    "scripts below a root": ("test_scripts_run_below_a_root_only_when_told",),
    "another opkg at work": (
        "test_a_lock_that_stays_ends_with_busy_and_the_database_can_be_read",
        "test_a_lock_that_is_released_is_waited_for",
    ),
    "killed": (
        "test_an_opkg_that_was_killed_is_run_once_more",
        "test_what_a_killed_opkg_worked_on_is_partial_until_the_next_order_repairs_it",
        "test_helper_and_opkg_killed_at_once_leave_what_the_next_order_repairs",
    ),
    "crash": ("test_a_crash_behind_a_wrapper_is_a_kill",),
    "deadline": ("test_a_script_that_never_ends_is_ended",),
    "no opkg": ("test_a_device_without_opkg_says_so",),
}


@pytest.fixture(params=[YOCTO, LEDE])
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> Bed:
    return Bed(tmp_path, request.param)


def test_every_row_of_the_page_has_its_tests() -> None:
    section = PAGE.read_text().partition("\n## opkg\n")[2].partition("\n## ")[0]
    table = section.partition("\n|---")[2].partition("\n\n")[0].splitlines()[1:]
    assert {line.split("|")[1].strip() for line in table} == ROWS.keys()
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    known = {
        node.name
        for source in sources
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }
    assert {name for names in ROWS.values() for name in names} <= known


def with_damaged_data(folder: Path) -> Path:
    """Make an archive whose data part ends in the middle, in a container that is whole."""
    noise = "".join(f"{number:x}" for number in range(9000))
    packed = gzip.decompress(replace(OLD, files={"usr/share/hello/data": noise}).packed())
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(packed)) as old,
        tarfile.open(fileobj=made, mode="w:gz", format=tarfile.USTAR_FORMAT) as new,
    ):
        for info in old:
            reader = old.extractfile(info)
            content = reader.read() if reader else b""
            if "data.tar" in info.name:
                content = content[: len(content) // 2]
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))
    target = folder / "damaged.ipk"
    target.write_bytes(made.getvalue())
    return target


def test_damaged_data_are_found_before_opkg_is_run(bed: Bed) -> None:
    bed.put(OLD)
    archive = with_damaged_data(bed.folder)
    facts = bed.backend.inspect(archive)
    assert bed.failure(lambda: bed.backend.install(archive, facts)) is Reason.MALFORMED
    assert (bed.backend.version("hello"), bed.file()) == ("1.0-r1", "1.0-r1\n")


def test_files_that_opkg_could_not_write_are_a_failure(bed: Bed) -> None:
    archive = replace(OLD, has_folders=False).build(bed.folder)
    if bed.flavour == YOCTO:
        install(bed.backend, archive)
        assert bed.file() == "1.0-r1\n"
        return
    rc, said = bed.opkg("install", str(archive))
    assert (rc, "wfopen" in said, bed.status()) == (0, True, "install user installed")
    bed.opkg("remove", "hello")
    assert bed.failure(lambda: install(bed.backend, archive)) is Reason.MALFORMED
    assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_a_full_disk_is_no_success_whatever_opkg_says(bed: Bed) -> None:
    bed.put(OLD)
    (bed.root / "full").touch()
    new = replace(NEW, files={"usr/share/hello/version": "x" * 100}).build(bed.folder)
    first = Ipk(name="first").build(bed.folder)
    assert bed.failure(lambda: install(bed.backend, new)) is Reason.NO_SPACE
    assert bed.status() == "install user installed"
    assert bed.backend.probe("hello", "") is Presence.PARTIAL
    assert bed.failure(lambda: install(bed.backend, first)) is Reason.NO_SPACE
    assert (bed.names(), bed.file("usr/share/first/version")) == (set(), "")
    (bed.root / "full").unlink()
    bed.install(OLD, may_downgrade=True)
    assert (bed.backend.version("hello"), bed.file()) == ("1.0-r1", "1.0-r1\n")


def test_a_package_of_somebody_else_that_is_left_unpacked_is_named_as_the_reason(bed: Bed) -> None:
    bed.opkg("install", str(script("postinst", "exit 3", name="broken").build(bed.folder)))
    if bed.flavour == YOCTO:
        bed.install(OLD)
        assert bed.names() == {"hello"}
        return
    with pytest.raises(InstallerError, match='package "broken" postinst') as caught:
        bed.install(OLD)
    assert caught.value.reason is Reason.SCRIPT_FAILED
    assert (bed.names(), bed.file()) == (set(), "")


def test_essential_software_stays_unless_the_policy_allows(bed: Bed) -> None:
    bed.put(OLD)
    file = bed.status_file()
    file.write_text(file.read_text().replace("Version:", "Essential: yes\nVersion:"))
    assert bed.backend.is_essential("hello")
    assert bed.failure(lambda: bed.backend.remove("hello")) is Reason.POLICY
    assert bed.backend.probe("hello", "") is Presence.ACTIVE
    bed.backend_with(may_remove_essential=True).remove("hello")
    assert bed.backend.probe("hello", "") is Presence.ABSENT


def test_what_nobody_knows_is_absent(bed: Bed) -> None:
    assert bed.opkg("status", "hello") == (0, "")
    assert bed.backend.probe("hello", "") is Presence.ABSENT
    assert (bed.backend.version("hello"), bed.backend.inventory()) == ("", [])


def test_scripts_run_below_a_root_only_when_told(bed: Bed) -> None:
    marking = script("postinst", 'touch "$PKG_ROOT/ran"')
    argv = [bed.settings.program, "--offline-root", str(bed.root), "install"]
    archive = marking.build(bed.folder)
    bed.run(*argv, str(archive))
    unpacked = {YOCTO: "install user unpacked", LEDE: "install user installed"}
    assert bed.status() == unpacked[bed.flavour]
    assert not (bed.root / "ran").exists()
    install(bed.backend, archive)
    assert (bed.root / "ran").exists()


def test_a_crash_behind_a_wrapper_is_a_kill(bed: Bed) -> None:
    wrapper = bed.folder / "wrapper"
    wrapper.write_text('#!/bin/sh\ncase "$*" in *install*) exit 139;; esac\n')
    wrapper.chmod(0o755)
    backend = bed.backend_with(program=str(wrapper))
    with pytest.raises(InstallerError, match="was killed"):
        install(backend, OLD.build(bed.folder))


def test_a_policy_can_ask_for_what_it_may_forbid(bed: Bed) -> None:
    assert isinstance(bed.backend, Discerning)
    assert bed.backend.is_older("1.0-r1", "1.0-r10")
    assert not bed.backend.is_older("1:0.1", "2.0")
    archive = replace(OLD, scripts={"prerm": "exit 0", "preinst": "exit 0"})
    assert bed.backend.scripts(archive.build(bed.folder)) == ("preinst", "prerm")
    assert bed.backend.scripts(replace(archive, container="ar").build(bed.folder)) == (
        "preinst",
        "prerm",
    )
    assert bed.backend.scripts(NEW.build(bed.folder)) == ()
    bed.put(OLD)
    assert not bed.backend.is_essential("hello")
    control = bed.status_file().parent / "info/hello.control"
    control.write_text(f"{control.read_text()}Essential: yes\n")
    assert bed.backend.is_essential("hello")


def test_an_archive_has_no_more_files_than_allowed(bed: Bed) -> None:
    backend = bed.backend_with(max_files_count=1)
    archive = replace(OLD, files={"usr/a": "a", "usr/b": "b"}).build(bed.folder)
    assert bed.failure(lambda: install(backend, archive)) is Reason.MALFORMED
