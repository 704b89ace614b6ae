# SPDX-License-Identifier: Apache-2.0
"""What every command of scomoctl prints: colour where it is wanted, JSON as it is described."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scomod.cli import main
from scomod.clicommands import COMMANDS
from tests.support import json_shapes, signers
from tests.support.fake_daemon import FakeDaemon, running_daemon
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = Path(__file__).parents[2] / "vectors"
STAY = ("watch", "agent")  # tested by what they print as long as they stay
# How each other command is called; {} is a folder with files for them.
CALLS = {
    "status": "status",
    "inventory": "inventory",
    "baseline": "baseline",
    "operations": "operations",
    "why": "why",
    "plan": "plan 7",
    "doctor": "doctor",
    "report": "report {}/report.tar.gz",
    "metrics": "metrics",
    "history": "history",
    "request": "request update hello",
    "session": "session",
    "tree": "tree ./DevInfo --recursive",
    "get": "get ./DevInfo/Man",
    "confirm": "confirm",
    "decline": "decline 7",
    "defer": "defer 7 1h",
    "bootstrap": "bootstrap {}/profile",
    "install": "install {}/editor.deb --no-wait",
    "notify": "notify {}/profile",
    "ddf": "ddf ./DevInfo",
    "trace": "trace 3",
    "syncml": "syncml decode {}/message",
    "sign": "sign {}/editor.deb --key {}/key.pem",
    "config": "config show",
}
PAINTED = {"status", "inventory", "baseline", "operations", "why", "plan", "doctor", "trace"}
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profile").write_bytes(b"<wap-provisioningdoc/>")
    (tmp_path / "editor.deb").write_bytes(b"package")
    (tmp_path / "editor.deb.sig").write_bytes(b"signed")
    (tmp_path / "message").write_bytes((VECTORS / "wbxml/pkg1.wbxml").read_bytes())
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(signers.key_of("ed25519").private_bytes(*form))
    (tmp_path / "key.pem").chmod(0o600)
    return tmp_path


def test_every_command_is_called_here() -> None:
    assert set(CALLS) == set(COMMANDS) - {*STAY, "help"}


@pytest.mark.parametrize("command", CALLS)
def test_output_has_colour_where_it_is_wanted_and_json_is_as_described(
    command: str,
    bus: PrivateBus,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    words = CALLS[command].replace("{}", str(folder)).split()

    def said(*more: str) -> str:
        with running_daemon(bus.address, FakeDaemon()):
            code = main(["--root", str(folder), *words, *more])
        assert code in (0, 1), capsys.readouterr().err  # doctor finds problems
        return capsys.readouterr().out

    assert ESCAPE not in said()
    assert (ESCAPE in said("--color", "always")) is (command in PAINTED)
    assert ESCAPE not in said("--color", "never")
    document = said("--json", "--color", "always")
    assert ESCAPE not in document
    json_shapes.check(command, json.loads(document))
