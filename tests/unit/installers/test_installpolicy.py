# SPDX-License-Identifier: Apache-2.0
"""The policy of the installing side: what it forbids, and whose file it must be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import installpolicy
from scomod.installers.base import Action, JobResult, Presence
from scomod.installers.installpolicy import InstallPolicy
from tests.support.bundles import pack
from tests.support.debs import Deb
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def fake(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, backend="fake")


@pytest.fixture
def real(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def write(bench: Workbench, text: str) -> Path:
    bench.paths.config_dir.mkdir(parents=True, exist_ok=True)
    file = bench.paths.config_dir / "install-policy.toml"
    file.write_text(text)
    file.chmod(0o644)
    return file


def refused(result: JobResult) -> str:
    assert (result.is_ok, result.reason) == (False, Reason.POLICY)
    return result.detail


# -- the file --------------------------------------------------------------------


def test_without_the_file_nothing_more_is_forbidden(fake: Workbench) -> None:
    assert installpolicy.load(fake.paths) == InstallPolicy()
    assert fake.do(Action.INSTALL, fake.fake_archive()).is_ok
    assert fake.do(Action.INSTALL, fake.fake_archive(version="2.0")).is_ok


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("backends = 'dpkg'", "backends must be a list of texts"),
        ("deny = [1]", "deny must be a list of texts"),
        ("allow_scripts = 'no'", "allow_scripts must be true or false"),
        ("allow_script = false", "there is no key 'allow_script'"),
        ("allow = [", "is not TOML"),
        (f"# {'x' * installpolicy.MAX_BYTES}", "has more than 65536 octets"),
    ],
)
def test_a_damaged_file_forbids_everything(fake: Workbench, text: str, words: str) -> None:
    write(fake, text)
    assert words in refused(fake.do(Action.INSTALL, fake.fake_archive()))
    assert fake.fake.calls == []
    assert fake.store() == set()


def test_only_the_file_lets_the_tools_use_the_network(fake: Workbench) -> None:
    write(fake, "")
    assert not installpolicy.load(fake.paths).allow_network
    write(fake, "allow_network = true")
    assert installpolicy.load(fake.paths).allow_network


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_forbids_everything(fake: Workbench, mode: int) -> None:
    write(fake, "").chmod(mode)
    text = refused(fake.do(Action.INSTALL, fake.fake_archive()))
    assert "others than its owner may write it" in text


def test_a_link_or_a_directory_in_its_place_forbids_everything(fake: Workbench) -> None:
    file = write(fake, "")
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")
    assert "cannot be taken" in refused(fake.do(Action.INSTALL, fake.fake_archive()))
    file.unlink()
    file.mkdir()
    assert "not a regular file" in refused(fake.do(Action.INSTALL, fake.fake_archive()))


@needs_root
def test_a_file_of_somebody_else_forbids_everything(fake: Workbench) -> None:
    os.chown(write(fake, ""), STRANGER, STRANGER)
    text = refused(fake.do(Action.INSTALL, fake.fake_archive()))
    assert f"belongs to user {STRANGER}, not to root" in text


@needs_root
def test_a_device_in_a_directory_takes_the_file_of_the_user_who_runs_it(fake: Workbench) -> None:
    file = write(fake, "deny = ['hello']")
    os.chown(file, STRANGER, STRANGER)
    info = file.stat()
    os.seteuid(STRANGER)
    try:
        installpolicy._check_owner(file, info, is_own_device=False)
        with pytest.raises(InstallerError, match="not to root"):
            installpolicy._check_owner(file, info, is_own_device=True)
    finally:
        os.seteuid(0)


# -- what it forbids -------------------------------------------------------------


def test_only_the_kinds_of_package_it_names_are_installed(fake: Workbench) -> None:
    write(fake, "backends = ['dpkg']")
    text = refused(fake.do(Action.INSTALL, fake.fake_archive()))
    assert text == "the policy of this device: packages of fake are not allowed"
    write(fake, "backends = ['fake']")
    assert fake.do(Action.INSTALL, fake.fake_archive()).is_ok


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ("allow = ['hel*', 'x']", True),
        ("allow = ['x-*']", False),
        ("allow = []", False),
        ("deny = ['hel*']", False),
        ("allow = ['hello']\ndeny = ['hell?']", False),
        ("deny = ['Hello', 'hell']", True),
    ],
)
def test_names_are_allowed_and_denied_by_globs(
    fake: Workbench, text: str, *, is_allowed: bool
) -> None:
    write(fake, text)
    result = fake.do(Action.INSTALL, fake.fake_archive())
    assert result.is_ok is is_allowed
    assert fake.fake.version("hello") == ("1.0" if is_allowed else "")
    assert is_allowed or "hello" in refused(result)


@pytest.mark.parametrize("action", [Action.REMOVE, Action.DEACTIVATE])
def test_a_denied_package_is_not_taken_off_either(fake: Workbench, action: Action) -> None:
    fake.do(Action.INSTALL, fake.fake_archive())
    write(fake, "deny = ['hello']")
    assert "hello" in refused(fake.do(action))
    assert fake.fake.version("hello") == "1.0"


def test_it_can_demand_a_signature_where_the_configuration_does_not(fake: Workbench) -> None:
    write(fake, "require_signature = true")
    assert "is not signed" in refused(fake.do(Action.INSTALL, fake.fake_archive()))


@pytest.mark.parametrize("key", ["allow_downgrade", "allow_scripts"])
def test_a_backend_that_cannot_tell_is_refused(fake: Workbench, key: str) -> None:
    fake.do(Action.INSTALL, fake.fake_archive())
    write(fake, f"{key} = false")
    result = fake.do(Action.INSTALL, fake.fake_archive(version="2.0"))
    assert "fake cannot tell whether hello" in refused(result)
    assert fake.fake.version("hello") == "1.0"


def test_an_older_version_is_refused_whatever_the_server_says(real: Workbench) -> None:
    assert real.do(Action.INSTALL, Deb(version="2.0").build(real.root)).is_ok
    write(real, "allow_downgrade = false")
    older = Deb(version="1.9").build(real.root)
    result = real.do(Action.INSTALL, older, params="allow-downgrade=yes")
    assert "downgrading hello from 2.0 to 1.9 is not allowed" in refused(result)
    assert real.do(Action.INSTALL, Deb(version="2.1").build(real.root)).is_ok


@pytest.mark.parametrize("script", ["preinst", "postinst", "prerm", "postrm"])
def test_an_archive_with_a_script_is_refused(real: Workbench, script: str) -> None:
    write(real, "allow_scripts = false")
    archive = Deb(scripts={script: "exit 0"}).build(real.root)
    assert f"hello brings scripts ({script})" in refused(real.do(Action.INSTALL, archive))
    assert real.workshop().planner.backends["dpkg"].probe("hello", "") is Presence.ABSENT
    assert real.store() == set()


def test_one_forbidden_component_forbids_its_bundle_before_anything_changes(
    real: Workbench,
) -> None:
    write(real, "deny = ['second']")
    parts = [Deb(name=name).build(real.root) for name in ("first", "second")]
    bundle = pack(real.root / "app.bundle", parts)
    assert "second is a package" in refused(real.do(Action.INSTALL, bundle, backend="bundle"))
    assert real.workshop().planner.backends["dpkg"].probe("first", "") is Presence.ABSENT
    assert not (real.root / "var/lib/dpkg").exists()


def test_an_archive_without_scripts_is_installed(real: Workbench) -> None:
    write(real, "allow_scripts = false")
    conffiles = {"etc/postinst": "preinst\n"}
    assert real.do(Action.INSTALL, Deb(conffiles=conffiles).build(real.root)).is_ok


def test_kept_software_with_a_script_is_not_activated_any_more(real: Workbench) -> None:
    archive = Deb(scripts={"postinst": "exit 0"}).build(real.root)
    assert real.do(Action.INSTALL_INACTIVE, archive).is_ok
    write(real, "allow_scripts = false")
    assert "brings scripts" in refused(real.do(Action.ACTIVATE))


@pytest.mark.parametrize("field", ["Essential", "Protected"])
def test_essential_software_is_removed_only_where_that_is_allowed(
    real: Workbench, field: str
) -> None:
    archive = Deb(extra_fields=f"{field}: yes\n").build(real.root)
    assert real.do(Action.INSTALL, archive).is_ok
    for text in ("", "allow_essential_removal = false"):
        write(real, text)
        assert "hello is essential" in refused(real.do(Action.REMOVE))
        assert "hello is essential" in refused(real.do(Action.DEACTIVATE))
    write(real, "allow_essential_removal = true")
    assert real.do(Action.REMOVE).is_ok
    assert real.workshop().planner.backends["dpkg"].probe("hello", "") is Presence.ABSENT
