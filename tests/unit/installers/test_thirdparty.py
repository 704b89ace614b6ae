# SPDX-License-Identifier: Apache-2.0
"""Backends that others bring: found by name, read as data, refused with what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scomod import config
from scomod.clock import SystemClock
from scomod.errors import ConfigError, InstallerError, Reason
from scomod.installers import kinds, registry
from scomod.installers.base import Attending, Discerning, Preparing
from scomod.installers.installpolicy import InstallPolicy
from scomod.installers.kinds import Place
from scomod.settings import Install, Paths
from tests.support.programs import DECLARATION, bring, package

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.installers.base import Backend

ACME = Install(backends=("acme", "dpkg"))
KIND = (
    "from scomod.installers.kinds import Kind",
    "KIND = Kind(name='acme', environments=('acme',), content_types=('application/x-acme',),",
    "            watched=('acme.db',), maker='acme_backend:make')",
)


def made(root: Path, settings: Install = ACME) -> dict[str, Backend]:
    return registry.backends(Place(root=root, settings=settings, clock=SystemClock()))


def refusal(root: Path, settings: Install = ACME) -> str:
    with pytest.raises(ConfigError) as caught:
        made(root, settings)
    return str(caught.value)


def test_a_program_serves_what_its_declaration_says(tmp_path: Path) -> None:
    bring(tmp_path, "acme", "exit 1", DECLARATION + 'content_types = ["application/x-acme"]\n')
    known = registry.kinds(ACME, Paths(tmp_path))
    assert kinds.backend_name("ACME", "", known) == "acme"
    assert kinds.backend_name("", "application/x-acme", known) == "acme"
    assert kinds.backend_name("deb", "", known) == "dpkg"
    assert kinds.backend_name("", "", known) == "acme"
    with pytest.raises(InstallerError) as caught:
        kinds.backend_name("ipk", "", known)
    assert caught.value.reason is Reason.UNSUPPORTED_ENV


def test_looking_and_listing_the_kinds_runs_no_program(tmp_path: Path) -> None:
    bring(tmp_path, "acme", f"touch {tmp_path}/ran")
    (kind, _) = registry.kinds(ACME, Paths(tmp_path))
    before = kind.mark(tmp_path, ACME)
    (tmp_path / "acme.db").touch()
    assert kind.mark(tmp_path, ACME) != before
    assert set(made(tmp_path)) == {"acme", "dpkg"}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("abilities", "wanted"),
    [
        ([], (False, False, False)),
        (["discerning"], (True, False, False)),
        (["attending", "preparing"], (False, True, True)),
        (["preparing", "discerning", "attending"], (True, True, True)),
    ],
)
def test_a_program_has_the_abilities_that_it_declares(
    abilities: list[str], wanted: tuple[bool, ...], tmp_path: Path
) -> None:
    bring(tmp_path, "acme", "", f"{DECLARATION}abilities = {abilities}\n")
    backend = made(tmp_path)["acme"]
    assert tuple(isinstance(backend, each) for each in (Discerning, Attending, Preparing)) == wanted


@pytest.mark.parametrize(
    ("declaration", "told"),
    [
        ("protocol = 2\nenvironments = ['a']\nwatched = ['a']\n", "protocol must be 1"),
        ("protocol = 1\nwatched = ['a']\n", "environments is missing"),
        ("protocol = 1\nenvironments = ['a']\n", "watched is missing"),
        (DECLARATION.replace("acme", "AC/ME", 1), "environments must be"),
        (DECLARATION.replace("acme.db", "../db"), "watched must be"),
        (DECLARATION.replace("acme.db", "{flatpak.dir}"), "watched must be"),
        (DECLARATION.replace('["acme"]', "[]"), "environments must not be empty"),
        (DECLARATION + "content_types = ['x']\n", "content_types must be"),
        (DECLARATION + "abilities = ['flying']\n", "abilities must be"),
        (DECLARATION + "sandbox = 1\n", "sandbox must be true or false"),
        (DECLARATION + "colour = 'red'\n", "no key 'colour'"),
        (DECLARATION + "#" * 20000, "more than"),
        ("protocol = ", "is not TOML"),
        (DECLARATION.replace("acme", "deb", 1), "both say that deb is theirs"),
        (DECLARATION.replace("acme", "bundle", 1), "both say that bundle is theirs"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_told(
    declaration: str, told: str, tmp_path: Path
) -> None:
    bring(tmp_path, "acme", "", declaration)
    assert told in refusal(tmp_path)


def test_a_name_that_nobody_brings_is_told_with_file_key_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / config.MAIN_FILE
    file.parent.mkdir(parents=True)
    file.write_text('[install]\nbackends = ["dpkg", "acme"]\n')
    told = refusal(tmp_path, config.load(Paths(tmp_path)).install)
    assert told.startswith(f"{file}: install.backends: acme is no backend")
    assert f"{tmp_path}/usr/lib/scomod/backends/acme" in told
    assert "take the name out" in told


def test_a_program_without_a_declaration_is_told(tmp_path: Path) -> None:
    bring(tmp_path, "acme", "").with_name("acme.toml").unlink()
    assert "acme.toml must say what the backend is" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["acme", "acme.toml", "."])
def test_a_program_that_others_could_have_written_is_told(name: str, tmp_path: Path) -> None:
    program = bring(tmp_path, "acme", "")
    (program.parent / name).chmod(0o777)
    assert "writable by nobody else" in refusal(tmp_path)


def test_a_program_that_is_a_link_is_told(tmp_path: Path) -> None:
    program = bring(tmp_path, "acme", "")
    program.rename(tmp_path / "elsewhere")
    program.symlink_to(tmp_path / "elsewhere")
    assert "must not be a link" in refusal(tmp_path)


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder for Python packages that are on the path."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    for name in ("acme_kind", "acme_backend"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_a_python_package_brings_a_kind_and_its_backend_comes_when_used(
    packaged: Path, tmp_path: Path
) -> None:
    package(packaged, "acme_kind", KIND, "acme_kind:KIND")
    (packaged / "acme_backend.py").write_text(
        "class Backend:\n    name, environment = 'acme', 'acme'\n"
        "def make(place):\n    return Backend()\n"
    )
    known = registry.kinds(ACME, Paths(tmp_path))
    assert kinds.backend_name("acme", "", known) == "acme"
    assert "acme_backend" not in sys.modules
    assert made(tmp_path)["acme"].environment == "acme"


def test_a_python_package_that_is_not_named_is_not_imported(packaged: Path, tmp_path: Path) -> None:
    package(packaged, "acme_kind", ("raise RuntimeError",), "acme_kind:KIND")
    assert set(made(tmp_path, Install(backends=("dpkg",)))) == {"dpkg"}
    assert "acme_kind" not in sys.modules


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("raise RuntimeError('broken')",), "cannot be loaded: RuntimeError: broken"),
        (("KIND = 1",), "is no Kind called acme"),
        ((*KIND[:1], KIND[1].replace("'acme'", "'other'", 1), KIND[2]), "no Kind called acme"),
        ((*KIND[:2], KIND[2].replace("acme.db", "../db")), "watched must be"),
    ],
)
def test_an_entry_point_that_is_no_kind_is_told(
    lines: tuple[str, ...], told: str, packaged: Path, tmp_path: Path
) -> None:
    package(packaged, "acme_kind", lines, "acme_kind:KIND")
    assert told in refusal(tmp_path)


def test_the_policy_of_a_device_knows_backends_of_others_by_name() -> None:
    InstallPolicy(backends=("acme", "dpkg")).check_backend("acme")
    with pytest.raises(InstallerError, match="packages of acme are not allowed"):
        InstallPolicy(backends=("dpkg",)).check_backend("acme")
