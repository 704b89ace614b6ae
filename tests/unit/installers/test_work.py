# SPDX-License-Identifier: Apache-2.0
"""One order: what it leaves behind, and that a kill anywhere on the way is harmless."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scomod.errors import Reason
from scomod.installers.base import Action, JobResult, Presence
from scomod.settings import Settings
from tests.support.debs import sha256
from tests.support.workbench import Killed, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUNDARIES = ("payload", "verified", "planned", "before-tool", "after-tool", "indexed")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, backend="fake")


def presence(bench: Workbench, version: str = "") -> Presence:
    return bench.fake.probe("hello", version)


def dying_at(wanted: str) -> Callable[[str], None]:
    def observer(boundary: str) -> None:
        if boundary == wanted:
            raise Killed

    return observer


# -- what each action leaves behind ----------------------------------------------


def test_install_leaves_an_active_component_and_its_archive(bench: Workbench) -> None:
    archive = bench.fake_archive()
    result = bench.do(Action.INSTALL, archive, package_id="pkg")
    (item,) = result.components
    assert result.is_ok
    assert (item.id, item.version, item.is_active, item.package_id) == ("hello", "1.0", True, "pkg")
    assert item.digest == sha256(archive)
    assert [entry.item() for entry in bench.entries()] == [item]
    assert bench.store() == {sha256(archive)}
    assert presence(bench, "1.0") is Presence.ACTIVE
    assert list(bench.paths.spool_dir.iterdir()) == []
    assert list((bench.paths.install_dir / "work").iterdir()) == []


def test_install_inactive_keeps_the_archive_and_touches_nothing(bench: Workbench) -> None:
    result = bench.do(Action.INSTALL_INACTIVE, bench.fake_archive())
    assert [item.is_active for item in result.components] == [False]
    assert presence(bench) is Presence.ABSENT
    assert len(bench.store()) == 1


def test_activate_installs_what_was_kept(bench: Workbench) -> None:
    bench.do(Action.INSTALL_INACTIVE, bench.fake_archive())
    result = bench.do(Action.ACTIVATE)
    assert [item.is_active for item in result.components] == [True]
    assert presence(bench, "1.0") is Presence.ACTIVE


def test_deactivate_takes_off_what_can_come_back(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive())
    result = bench.do(Action.DEACTIVATE)
    assert [item.is_active for item in result.components] == [False]
    assert presence(bench) is Presence.ABSENT
    assert bench.do(Action.ACTIVATE).is_ok


@pytest.mark.parametrize("first", [Action.INSTALL, Action.INSTALL_INACTIVE])
def test_remove_leaves_nothing(bench: Workbench, first: Action) -> None:
    bench.do(first, bench.fake_archive())
    result = bench.do(Action.REMOVE)
    assert (result.is_ok, result.components) == (True, ())
    assert (presence(bench), bench.entries(), bench.store()) == (Presence.ABSENT, [], set())


def test_an_upgrade_drops_the_earlier_archive(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive())
    newer = bench.fake_archive(version="2.0")
    bench.do(Action.INSTALL, newer)
    assert presence(bench, "2.0") is Presence.ACTIVE
    assert bench.store() == {sha256(newer)}


def test_every_action_twice_ends_the_same(bench: Workbench) -> None:
    archive = bench.fake_archive()
    for action in (Action.INSTALL, Action.DEACTIVATE, Action.ACTIVATE, Action.REMOVE):
        job = bench.order(action, archive if action is Action.INSTALL else None)
        assert bench.perform(job) == bench.perform(job)
        assert bench.perform(job).is_ok


def test_the_same_install_again_needs_neither_payload_nor_tool(bench: Workbench) -> None:
    job = bench.order(Action.INSTALL, bench.fake_archive())
    workshop = bench.workshop()
    assert workshop.perform(job).is_ok
    assert workshop.perform(job).is_ok
    backend = workshop.mover.backends["fake"]
    assert getattr(backend, "calls", None) == ["install 1.0"]


def test_a_kept_payload_stays_delivered(bench: Workbench) -> None:
    job = bench.order(Action.INSTALL, bench.fake_archive(), keep_payload=True)
    assert bench.perform(job).is_ok
    assert (bench.paths.spool_dir / "part").exists()


# -- what is refused -------------------------------------------------------------


def failure(result: JobResult) -> str:
    assert not result.is_ok
    assert result.detail
    assert result.components == ()
    return result.reason


def test_another_digest_is_refused_and_the_payload_is_gone(bench: Workbench) -> None:
    assert failure(bench.do(Action.INSTALL, bench.fake_archive(), digest="0" * 64)) == Reason.DIGEST
    assert presence(bench) is Presence.ABSENT
    assert bench.store() == set()


@pytest.mark.parametrize("digest", ["", "x", "0" * 63, "../" * 20])
def test_an_order_without_a_digest_is_malformed(bench: Workbench, digest: str) -> None:
    result = bench.do(Action.INSTALL, bench.fake_archive(), digest=digest)
    assert failure(result) == Reason.MALFORMED


def test_a_digest_may_be_in_upper_case(bench: Workbench) -> None:
    archive = bench.fake_archive()
    assert bench.do(Action.INSTALL, archive, digest=sha256(archive).upper()).is_ok
    assert bench.store() == {sha256(archive)}


def test_what_is_no_archive_is_malformed_and_not_kept(bench: Workbench) -> None:
    junk = bench.root / "junk"
    junk.write_text("junk")
    assert failure(bench.do(Action.INSTALL_INACTIVE, junk)) == Reason.MALFORMED
    assert bench.store() == set()


def test_an_unknown_backend_is_an_unsupported_environment(bench: Workbench) -> None:
    assert failure(bench.do(Action.REMOVE, backend="rpm")) == Reason.UNSUPPORTED_ENV


def test_a_missing_payload_is_not_present(bench: Workbench) -> None:
    job = bench.order(Action.INSTALL, bench.fake_archive())
    (bench.paths.spool_dir / "part").unlink()
    assert failure(bench.perform(job)) == Reason.NOT_PRESENT


@pytest.mark.parametrize("action", [Action.ACTIVATE, Action.DEACTIVATE])
def test_what_was_never_kept_is_not_present(bench: Workbench, action: Action) -> None:
    assert failure(bench.do(action)) == Reason.NOT_PRESENT


def test_software_of_the_factory_that_is_active_stays_so(bench: Workbench) -> None:
    factory = bench.fake_archive()
    bench.fake.install(factory, bench.fake.inspect(factory))
    assert bench.do(Action.ACTIVATE).is_ok
    assert presence(bench, "1.0") is Presence.ACTIVE
    assert bench.entries() == []


def test_an_active_component_cannot_be_installed_inactive(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive())
    result = bench.do(Action.INSTALL_INACTIVE, bench.fake_archive(version="2.0"))
    assert failure(result) == Reason.CONFLICT
    assert presence(bench, "1.0") is Presence.ACTIVE
    assert [entry.version for entry in bench.entries()] == ["1.0"]


def test_a_damaged_kept_archive_is_not_activated(bench: Workbench) -> None:
    bench.do(Action.INSTALL_INACTIVE, bench.fake_archive())
    (archive,) = (bench.paths.install_dir / "store").iterdir()
    archive.write_text("rot")
    assert failure(bench.do(Action.ACTIVATE)) == Reason.DIGEST


def test_a_component_whose_archive_is_damaged_is_not_deactivated(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive())
    (archive,) = (bench.paths.install_dir / "store").iterdir()
    archive.unlink()
    assert failure(bench.do(Action.DEACTIVATE)) == Reason.NOT_PRESENT
    assert presence(bench) is Presence.ACTIVE


def test_another_version_than_the_kept_one_is_not_deactivated(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive())
    newer = bench.fake_archive(version="2.0")
    bench.fake.install(newer, bench.fake.inspect(newer))
    assert failure(bench.do(Action.DEACTIVATE)) == Reason.NOT_PRESENT
    assert presence(bench, "2.0") is Presence.ACTIVE


def test_an_older_version_needs_a_word_of_the_server(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive(version="2.0"))
    assert failure(bench.do(Action.INSTALL, bench.fake_archive())) == Reason.POLICY
    assert presence(bench, "2.0") is Presence.ACTIVE
    params = "colour=blue;allow-downgrade=yes"
    assert bench.do(Action.INSTALL, bench.fake_archive(), params=params).is_ok
    assert presence(bench, "1.0") is Presence.ACTIVE


def test_a_refusal_does_not_bring_back_what_somebody_else_replaced(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive(version="1.0"))
    newer = bench.fake_archive(version="3.0")
    bench.fake.install(newer, bench.fake.inspect(newer))
    assert failure(bench.do(Action.INSTALL, bench.fake_archive(version="2.0"))) == Reason.POLICY
    assert presence(bench, "3.0") is Presence.ACTIVE


# -- signatures ------------------------------------------------------------------


@pytest.fixture
def key(bench: Workbench) -> Ed25519PrivateKey:
    bench.settings = Settings()
    made = Ed25519PrivateKey.generate()
    key_dir = bench.paths.config_dir / "keys"
    key_dir.mkdir(parents=True)
    (key_dir / "server.pem").write_bytes(
        made.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return made


def test_a_signed_payload_is_installed(bench: Workbench, key: Ed25519PrivateKey) -> None:
    archive = bench.fake_archive()
    signature = base64.b64encode(key.sign(bytes.fromhex(sha256(archive)))).decode()
    assert bench.do(Action.INSTALL, archive, signature=signature).is_ok


@pytest.mark.usefixtures("key")
def test_without_a_signature_nothing_is_installed(bench: Workbench) -> None:
    assert failure(bench.do(Action.INSTALL, bench.fake_archive())) == Reason.POLICY
    assert presence(bench) is Presence.ABSENT


@pytest.mark.usefixtures("key")
def test_a_signature_of_somebody_else_is_refused(bench: Workbench) -> None:
    archive = bench.fake_archive()
    other = Ed25519PrivateKey.generate().sign(bytes.fromhex(sha256(archive)))
    result = bench.do(Action.INSTALL, archive, signature=base64.b64encode(other).decode())
    assert failure(result) == Reason.SIGNATURE


# -- going back ------------------------------------------------------------------


@pytest.mark.parametrize("leaves", ["partial", "untouched", "absent"])
def test_a_failed_upgrade_brings_the_earlier_version_back(bench: Workbench, leaves: str) -> None:
    first = bench.fake_archive()
    bench.do(Action.INSTALL, first)
    failing = bench.fake_archive(version="2.0", fails="script failed", leaves=leaves)
    assert failure(bench.do(Action.INSTALL, failing)) == Reason.SCRIPT_FAILED
    assert presence(bench, "1.0") is Presence.ACTIVE
    assert [entry.version for entry in bench.entries()] == ["1.0"]
    assert bench.store() == {sha256(first)}


def test_a_failed_activation_leaves_it_inactive(bench: Workbench) -> None:
    archive = bench.fake_archive(fails="dependency", leaves="partial")
    bench.do(Action.INSTALL_INACTIVE, archive)
    assert failure(bench.do(Action.ACTIVATE)) == Reason.DEPENDENCY
    assert presence(bench) is Presence.ABSENT
    assert [entry.is_active for entry in bench.entries()] == [False]
    assert bench.store() == {sha256(archive)}


def test_the_first_failure_is_the_one_reported(bench: Workbench) -> None:
    bench.do(Action.INSTALL, bench.fake_archive())
    (archive,) = (bench.paths.install_dir / "store").iterdir()
    archive.write_text("rot")
    failing = bench.fake_archive(version="2.0", fails="script failed", leaves="partial")
    result = bench.do(Action.INSTALL, failing)
    assert failure(result) == Reason.SCRIPT_FAILED
    assert "as ordered; going back to 1.0 failed: the kept archive" in result.detail


# -- kills -----------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("action", [Action.INSTALL, Action.INSTALL_INACTIVE])
def test_an_install_killed_anywhere_is_finished_by_the_next_run(
    bench: Workbench, action: Action, boundary: str
) -> None:
    bench.do(action, bench.fake_archive())
    newer = bench.fake_archive(version="2.0")
    job = bench.order(action, newer, id="2")
    try:
        bench.workshop(dying_at(boundary)).perform(job)
    except Killed:
        assert bench.perform(job).is_ok
    bench.forget(job.id)
    is_active = action is Action.INSTALL
    assert presence(bench, "2.0") is (Presence.ACTIVE if is_active else Presence.ABSENT)
    assert [(entry.version, entry.is_active) for entry in bench.entries()] == [("2.0", is_active)]
    assert bench.store() == {sha256(newer)}
    assert list((bench.paths.install_dir / "work").iterdir()) == []


@pytest.mark.parametrize("boundary", ["before-tool", "after-tool", "indexed"])
@pytest.mark.parametrize("action", [Action.ACTIVATE, Action.DEACTIVATE, Action.REMOVE])
def test_a_change_killed_anywhere_is_finished_by_the_next_run(
    bench: Workbench, action: Action, boundary: str
) -> None:
    is_first_active = action is not Action.ACTIVATE
    first = Action.INSTALL if is_first_active else Action.INSTALL_INACTIVE
    bench.do(first, bench.fake_archive())
    job = bench.order(action, id="2")
    with pytest.raises(Killed):
        bench.workshop(dying_at(boundary)).perform(job)
    assert bench.perform(job).is_ok
    is_active = action is Action.ACTIVATE
    assert presence(bench) is (Presence.ACTIVE if is_active else Presence.ABSENT)
    left = [] if action is Action.REMOVE else [is_active]
    assert [entry.is_active for entry in bench.entries()] == left
    assert len(bench.store()) == len(left)


# -- results ---------------------------------------------------------------------


def test_an_answer_is_given_again_without_work(bench: Workbench) -> None:
    job = bench.order(Action.INSTALL, bench.fake_archive())
    first = bench.workshop().answer(job)
    bench.fake.remove("hello")
    assert bench.workshop().answer(job) == first
    assert presence(bench) is Presence.ABSENT
