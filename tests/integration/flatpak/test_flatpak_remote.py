# SPDX-License-Identifier: Apache-2.0
"""The flatpak backend with .flatpakref files and a real signed remote: docs/backends.md."""

from __future__ import annotations

import os
import pickle
import stat
from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers.base import Presence
from scomod.installers.flatpak_permissions import NOT_LOOKED_AT
from tests.support.flatpak_bed import Bed
from tests.support.flatpaks import HELLO, NEW, OLD, PLATFORM, Bundle, Shop

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Facts

NOBODY = 65534
NETWORK = ("It may use the network.",)
NO_ONE_LISTENS = "http://127.0.0.1:9/repo"


@pytest.fixture
def empty(tmp_path: Path) -> Bed:
    """Make a device where flatpak was never used."""
    return Bed(tmp_path)


def configure(bed: Bed, shop: Shop, *options: str) -> None:
    """Add the remote as an administrator does."""
    key = bed.folder / "key"
    key.write_bytes(shop.shelf.keys.ours_public)
    done = bed.tool("remote-add", *(options or (f"--gpg-import={key}",)), "shop", shop.url)
    assert done.returncode == 0


def held(bed: Bed) -> list[Path]:
    """Find what was fetched and stays though nothing is deployed from it."""
    return [path for path in bed.dir.glob("repo/refs/heads/scomod/**/*") if path.is_file()]


# -- installing --------------------------------------------------------------------


def test_a_flatpakref_brings_the_commit_of_its_remote_and_the_runtime(
    empty: Bed, shop: Shop
) -> None:
    facts = empty.install_file(shop.ref_file())
    commit = shop.commit(OLD)
    assert (facts.id, facts.version) == (HELLO, commit[:12])
    assert (facts.description, facts.permissions) == ("Says hello", NETWORK)
    assert empty.deployed() == commit
    found = {item.id: item for item in empty.backend.inventory()}
    assert found.keys() == {HELLO, PLATFORM}
    assert (found[HELLO].version, found[HELLO].permissions) == (facts.version, NETWORK)
    assert empty.backend.probe(HELLO, facts.version) is Presence.ACTIVE


def test_a_remote_that_was_added_goes_with_the_last_that_came_from_it(
    empty: Bed, shop: Shop
) -> None:
    empty.install_file(shop.ref_file())
    (remote,) = empty.remotes().split()
    assert remote.startswith("scomod-")
    empty.backend.remove(HELLO)
    assert (empty.remotes().split(), held(empty)) == ([remote], [])
    empty.backend.remove(PLATFORM)
    assert empty.remotes().split() == []


def test_a_configured_remote_is_used_and_stays(empty: Bed, shop: Shop) -> None:
    configure(empty, shop)
    empty.install_file(shop.ref_file(key=b""))
    assert empty.tool("info", "--show-origin", OLD.name).stdout.strip() == "shop"
    again = empty.tool("install", "-y", "--noninteractive", "shop", OLD.ref)
    assert (again.returncode, "already installed" in again.stderr) == (0, True)
    empty.backend.remove(HELLO)
    empty.backend.remove(PLATFORM)
    assert empty.remotes().split() == ["shop"]


def test_a_remote_without_the_runtime_is_a_dependency_and_nothing_stays(
    empty: Bed, shop: Shop
) -> None:
    (shop.repo / "refs/heads/runtime").rename(shop.repo / "gone")
    shop.resign()
    archive = shop.ref_file()
    facts = empty.backend.inspect(archive)
    assert empty.failure(lambda: empty.backend.install(archive, facts)) is Reason.DEPENDENCY
    assert empty.backend.probe(HELLO, "") is Presence.ABSENT
    empty.backend.remove(HELLO)
    assert (empty.remotes().split(), held(empty)) == ([], [])


def test_software_that_the_remote_does_not_have_is_not_present(empty: Bed, shop: Shop) -> None:
    archive = shop.ref_file()
    archive.write_text(archive.read_text().replace("Name=org.scomo.Hello", "Name=org.scomo.No"))
    assert empty.failure(lambda: empty.backend.inspect(archive)) is Reason.NOT_PRESENT


def test_software_of_a_bundle_goes_over_to_the_remote(bed: Bed, shop: Shop) -> None:
    bed.install(OLD)
    shop.show("new")
    configure(bed, shop)
    again = bed.tool("install", "-y", "--noninteractive", "shop", OLD.ref)
    assert (again.returncode, "already installed from remote" in again.stderr) == (1, True)
    bed.install_file(shop.ref_file())
    assert bed.deployed() == shop.commit(NEW)
    assert set(bed.remotes().split()) == {"platform-origin", "shop"}


# -- never in silence ----------------------------------------------------------------


def test_a_file_means_what_it_meant_first_and_another_file_brings_what_is_new(
    empty: Bed, shop: Shop
) -> None:
    first, old = shop.ref_file("first"), shop.commit(OLD)
    empty.install_file(first)
    shop.show("new")
    empty.install_file(first)
    assert empty.deployed() == old
    second = shop.ref_file("second")
    empty.install_file(second)
    assert empty.deployed() == shop.commit(NEW)
    shop.close()
    back = empty.install_file(first, may_downgrade=True)
    assert (empty.deployed(), empty.backend.version(HELLO)) == (old, back.version)
    empty.install_file(second)
    assert empty.backend.version(HELLO) != back.version


def test_a_remote_that_went_back_is_a_downgrade(empty: Bed, shop: Shop) -> None:
    shop.show("new")
    empty.install_file(shop.ref_file("first"))
    there = shop.commit(NEW)
    shop.show("old")
    second = shop.ref_file("second")
    assert empty.failure(lambda: empty.install_file(second)) is Reason.POLICY
    assert empty.deployed() == there
    empty.install_file(second, may_downgrade=True)
    assert empty.deployed() == shop.commit(OLD)


def test_what_changed_since_it_was_looked_at_is_a_conflict(empty: Bed, shop: Shop) -> None:
    archive = shop.ref_file()
    facts = empty.backend.inspect(archive)
    shop.show("new")
    assert empty.failure(lambda: empty.backend.install(archive, facts)) is Reason.CONFLICT
    assert empty.deployed() == ""


# -- signatures -----------------------------------------------------------------------


def test_a_wrong_key_is_a_signature_failure_and_leaves_no_remote_though_flatpak_does(
    empty: Bed, shop: Shop
) -> None:
    archive = shop.ref_file(key=shop.shelf.keys.other_public)
    assert empty.failure(lambda: empty.backend.inspect(archive)) is Reason.SIGNATURE
    key = empty.folder / "key"
    key.write_bytes(shop.shelf.keys.other_public)
    assert empty.tool("remote-add", f"--gpg-import={key}", "x", shop.url).returncode == 1
    assert empty.remotes().split() == ["x"]
    told = empty.tool("remote-info", "x", OLD.ref)
    assert (told.returncode, "No such ref" in told.stderr) == (1, True)
    assert empty.failure(lambda: empty.backend.inspect(archive)) is Reason.SIGNATURE


def test_commits_without_signature_are_refused_though_their_listing_is_taken(
    empty: Bed, shop: Shop
) -> None:
    shop.unsign()
    archive = shop.ref_file()
    facts = empty.backend.inspect(archive)
    assert empty.failure(lambda: empty.backend.prepare(archive, facts)) is Reason.SIGNATURE
    assert empty.backend.probe(HELLO, "") is Presence.ABSENT


def test_an_unknown_remote_without_a_key_is_refused(empty: Bed, shop: Shop) -> None:
    archive = shop.ref_file(key=b"")
    assert empty.failure(lambda: empty.backend.inspect(archive)) is Reason.SIGNATURE


def test_a_remote_that_checks_nothing_serves_only_where_that_is_allowed(
    tmp_path: Path, shop: Shop
) -> None:
    strict, lax = Bed(tmp_path), Bed(tmp_path, signature="optional")
    configure(strict, shop, "--no-gpg-verify")
    archive = shop.ref_file()
    assert strict.failure(lambda: strict.backend.inspect(archive)) is Reason.SIGNATURE
    lax.install_file(archive)
    assert lax.deployed() == shop.commit(OLD)


# -- inactive ---------------------------------------------------------------------------


def test_what_is_prepared_is_not_deployed_and_is_activated_without_its_remote(
    empty: Bed, shop: Shop
) -> None:
    archive, commit = shop.ref_file(), shop.commit(OLD)
    facts = empty.backend.inspect(archive)
    for _ in range(2):
        empty.backend.prepare(archive, facts)
    assert empty.backend.inventory() == []
    shop.close()
    assert empty.backend.inspect(archive) == facts
    empty.backend.install(archive, facts)
    assert empty.deployed() == commit
    empty.backend.withdraw(HELLO)
    assert empty.tool("repair").returncode == 0
    assert empty.backend.probe(HELLO, "") is Presence.ABSENT
    empty.install_file(archive)
    assert empty.deployed() == commit


# -- network, and who only looks ----------------------------------------------------------


@pytest.mark.parametrize(
    ("is_allowed", "reason"), [(False, Reason.POLICY), (True, Reason.UNREACHABLE)]
)
def test_the_network_is_asked_only_where_the_policy_allows_it(
    tmp_path: Path, shop: Shop, is_allowed: bool, reason: Reason
) -> None:
    bed = Bed(tmp_path, may_use_network=is_allowed)
    archive = shop.ref_file(url=NO_ONE_LISTENS)
    with pytest.raises(InstallerError) as caught:
        bed.backend.inspect(archive)
    assert caught.value.reason is reason
    assert ("allow_network" in str(caught.value)) is not is_allowed


def test_a_remote_that_is_gone_is_unreachable(empty: Bed, shop: Shop) -> None:
    configure(empty, shop)
    archive = shop.ref_file()
    shop.close()
    assert empty.failure(lambda: empty.backend.inspect(archive)) is Reason.UNREACHABLE


@pytest.mark.skipif(os.getuid() != 0, reason="who owns the installation may always install")
def test_who_cannot_install_is_told_what_is_known(empty: Bed, shop: Shop) -> None:
    for place in (empty.folder, *empty.folder.parents):
        if stat.S_IMODE(place.stat().st_mode) == stat.S_IRWXU:
            place.chmod(0o755)
    archive = shop.ref_file()
    empty.dir.mkdir(parents=True)
    assert as_nobody(empty, archive).permissions == NETWORK
    shop.close()
    facts = as_nobody(empty, archive)
    assert (facts.id, facts.version, facts.permissions) == (HELLO, "", (NOT_LOOKED_AT,))


def as_nobody(bed: Bed, archive: Path) -> Facts:
    """Inspect as another user, in a process of its own."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(writing, pickle.dumps(bed.backend.inspect(archive)))
            os._exit(0)
        finally:
            # Nothing may go on being the tests.
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as file:  # noqa: PTH123 - a descriptor
        found: Facts = pickle.load(file)  # noqa: S301 - our own
    assert os.waitpid(child, 0)[1] == 0
    return found


# -- extra data, scripts ---------------------------------------------------------------------


def test_extra_data_is_a_script_and_needs_the_network(bed: Bed) -> None:
    plain, extra = OLD.build(bed.folder), Bundle(day="2024-05-05", context="[Extra Data]\n")
    archive = extra.build(bed.folder)
    assert bed.backend.scripts(plain) == ()
    assert bed.backend.scripts(archive) == ("apply_extra",)
    assert bed.failure(lambda: bed.install(extra)) is Reason.POLICY
    assert bed.deployed() == ""


def test_versions_are_compared_and_commits_by_their_times(bed: Bed) -> None:
    old, new = (bed.backend.inspect(each.build(bed.folder)).version for each in (OLD, NEW))
    is_older = bed.backend.is_older
    assert (is_older("9.0", "10.0"), is_older("10.0", "9.0")) == (True, False)
    assert (is_older(old, new), is_older(new, old)) == (True, False)
    assert bed.failure(lambda: is_older(new, "0123456789ab")) is Reason.POLICY
    assert not bed.backend.is_essential(PLATFORM)


def test_a_signed_bundle_is_checked_against_its_own_key_only(bed: Bed, shop: Shop) -> None:
    other = shop.shelf.bundle("old", OLD, bed.folder / "signed.flatpak")
    bed.install_file(other)
    assert bed.deployed() == shop.commit(OLD)
    assert bed.remotes().split() == ["hello-origin", "platform-origin"]
    bed.backend.remove(HELLO)
    key = bed.folder / "key"
    key.write_bytes(shop.shelf.keys.other_public)
    done = bed.tool("install", "-y", "--noninteractive", f"--gpg-file={key}", "--bundle", other)
    assert (done.returncode != 0, "none are in trusted keyring" in done.stderr) == (True, True)
    assert bed.deployed() == ""
