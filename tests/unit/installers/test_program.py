# SPDX-License-Identifier: Apache-2.0
"""A backend that is a program: whatever it does wrong ends in a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.errors import InstallerError, Reason
from scomod.installers import answers
from scomod.installers.base import Facts, Presence
from scomod.installers.program import ProgramBackend, with_abilities
from scomod.settings import Program
from tests.support.programs import bring

if TYPE_CHECKING:
    from pathlib import Path

HELLO = Facts(id="hello", version="1.0")
LIMITS = Program(timeout_s=5.0, query_timeout_s=5.0, max_output_bytes=4096, max_items_count=2)


def backend(root: Path, body: str, settings: Program = LIMITS) -> ProgramBackend:
    return with_abilities(("discerning", "attending", "preparing"))(
        name="acme",
        environment="acme",
        program=bring(root, "acme", body),
        root=root,
        settings=settings,
    )


def refused(asked: ProgramBackend) -> InstallerError:
    with pytest.raises(InstallerError) as caught:
        asked.inventory()
    return caught.value


def test_words_and_root_arrive_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the caller")
    asked = backend(tmp_path, 'echo "$@" >$SCOMOD_ROOT/said; env >$SCOMOD_ROOT/env; cat')
    asked.start("hello")  # type: ignore[attr-defined]  # it attends
    assert (tmp_path / "said").read_text() == "start hello\n"
    assert "SECRET" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("body", "reason", "told"),
    [
        ("echo rubbish", Reason.INTERNAL, "no JSON"),
        ("echo '[]'", Reason.INTERNAL, "no JSON object"),
        ("yes | head -c 9000", Reason.INTERNAL, "more than 4096 octets"),
        ("kill -9 $$", Reason.INTERNAL, "killed by signal 9"),
        ("exit 7", Reason.INTERNAL, "ended with 7"),
        ("echo first >&2; echo last >&2; exit 1", Reason.INTERNAL, "failed: last"),
        ('echo \'{"reason": "busy", "detail": "later"}\'; exit 1', Reason.BUSY, "later"),
        ('echo \'{"reason": "signature not valid"}\'; exit 1', Reason.INTERNAL, "failed"),
    ],
)
def test_a_program_that_does_not_answer_gives_a_reason(
    body: str, reason: Reason, told: str, tmp_path: Path
) -> None:
    error = refused(backend(tmp_path, body))
    assert error.reason is reason
    assert told in str(error)


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    slow = Program(query_timeout_s=0.1)
    assert refused(backend(tmp_path, "sleep 60", slow)).reason is Reason.TIMEOUT


def test_a_program_that_is_none_gives_a_reason(tmp_path: Path) -> None:
    asked = backend(tmp_path, "")
    bring(tmp_path, "acme", "").chmod(0o644)
    assert refused(asked).reason is Reason.UNSUPPORTED_ENV


@pytest.mark.parametrize(
    ("deed", "found", "wanted"),
    [("install", "absent", "active"), ("remove", "active", "absent")],
)
def test_what_it_says_it_did_is_looked_at(
    deed: str, found: str, wanted: str, tmp_path: Path
) -> None:
    asked = backend(tmp_path, f"""[ $1 != probe ] || echo '{{"presence": "{found}"}}'""")
    with pytest.raises(InstallerError, match=f"but hello is {found}") as caught:
        asked.install(tmp_path, HELLO) if deed == "install" else asked.remove("hello")
    assert caught.value.reason is Reason.INTERNAL
    bring(tmp_path, "acme", f"""[ $1 != probe ] || echo '{{"presence": "{wanted}"}}'""")
    asked.install(tmp_path, HELLO) if deed == "install" else asked.withdraw("hello")


def test_no_option_can_be_smuggled_in_as_a_name(tmp_path: Path) -> None:
    asked = backend(tmp_path, f"touch {tmp_path}/ran")
    for name in ("-x", "--all", "a b", "../x", ""):
        with pytest.raises(InstallerError) as caught:
            asked.remove(name)
        assert caught.value.reason is Reason.POLICY
    assert not (tmp_path / "ran").exists()


def test_right_answers_are_read() -> None:
    said = {"id": "a", "version": "1", "permissions": ["It may."], "installed_bytes": 5}
    assert answers.facts(said) == Facts(
        id="a", version="1", permissions=("It may.",), installed_bytes=5
    )
    (item,) = answers.items({"items": [{"id": "a", "version": "1"}]}, "acme", 1)
    assert (item.id, item.version, item.environment) == ("a", "1", "acme")
    assert answers.presence({"presence": "partial"}) is Presence.PARTIAL
    assert (answers.version({"version": ""}), answers.version({"version": "2"})) == ("", "2")
    assert answers.units({"units": ["a@b.service"]}) == ("a@b.service",)
    assert answers.scripts({"scripts": ["postinst"]}) == ("postinst",)
    assert answers.yes_or_no({"answer": True}) is True


ONE = {"id": "a", "version": "1"}


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (answers.facts, {}),
        (answers.facts, {"id": "-a", "version": "1"}),
        (answers.facts, {"id": "a", "version": "1 2"}),
        (answers.facts, {"id": "a", "version": ""}),
        (answers.facts, {"id": "a", "version": 1}),
        (answers.facts, {**ONE, "installed_bytes": -1}),
        (answers.facts, {**ONE, "installed_bytes": True}),
        (answers.facts, {**ONE, "description": "\x1b[2J"}),
        (answers.facts, {**ONE, "description": "a" * 5000}),
        (answers.facts, {**ONE, "permissions": "all"}),
        (answers.facts, {**ONE, "permissions": ["a\nb"]}),
        (answers.facts, {**ONE, "permissions": ["a"] * 65}),
        (answers.facts, {**ONE, "colour": "red"}),
        (answers.presence, {}),
        (answers.presence, {"presence": "inactive"}),
        (answers.presence, {"presence": ["active"]}),
        (answers.version, {}),
        (answers.version, {"version": None}),
        (answers.units, {"units": ["../a.service"]}),
        (answers.units, {"units": ["a"]}),
        (answers.scripts, {}),
        (answers.yes_or_no, {"answer": 1}),
        (answers.yes_or_no, {"answer": "yes"}),
    ],
)
def test_wrong_answers_are_refused(read: object, said: dict[str, object]) -> None:
    with pytest.raises(InstallerError, match="answers wrongly") as caught:
        read(said)  # type: ignore[operator]  # one of the readers
    assert caught.value.reason is Reason.INTERNAL


@pytest.mark.parametrize(
    "said",
    [{}, {"items": {}}, {"items": [1]}, {"items": [ONE, ONE]}, {"items": [ONE] * 3}],
)
def test_wrong_inventories_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(InstallerError, match="answers wrongly"):
        answers.items(said, "acme", 2)
