# SPDX-License-Identifier: Apache-2.0
"""Documents given to a device, the files it was made with, and the sessions that are owed."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scomod.dmclient import seal
from scomod.dmclient.seal import Method, Profile
from scomod.enrolment import FILE_KEY, Enrolment
from scomod.facade import Refused, WrongPin
from scomod.mo import dmacc
from scomod.records import Records
from scomod.secret import Secret
from scomod.settings import Paths, Settings

VECTORS = Path(__file__).parents[1] / "vectors"
CP = (VECTORS / "provisioning/two-credentials.wbxml").read_bytes()
TWO = (VECTORS / "provisioning/two-servers.xml").read_bytes()
INBOX = (VECTORS / "bootstrap/dm-inbox.wbxml").read_bytes()
NO_PIN = Secret("")
DEFAULTS = Settings()


class Device:
    """The records of one device, over several lives."""

    def __init__(self, root: Path, **policy: Any) -> None:
        self.paths = Paths(root)
        self._settings = replace(DEFAULTS, bootstrap=replace(DEFAULTS.bootstrap, **policy))
        self.paths.bootstrap_dir.mkdir(parents=True)
        self.start()

    def start(self) -> None:
        self.records = Records(self._settings, self.paths)
        self.wanted: list[str] = []
        self.enrolment = Enrolment(
            self.records.db, self.records.tree, self._settings, self.wanted.append
        )

    def restart(self) -> None:
        self.records.db.close()
        self.start()

    def give(self, document: bytes) -> list[str]:
        return self.enrolment.document(document, "", "", NO_PIN)

    def write(self, **files: bytes) -> None:
        for name, octets in files.items():
            (self.paths.bootstrap_dir / name.replace("_", ".")).write_bytes(octets)

    def folder(self) -> list[str]:
        return self.enrolment.folder(self.paths.bootstrap_dir)

    def servers(self) -> set[str]:
        return {account.server_id for account in dmacc.accounts(self.records.tree)}

    def outcome(self, name: str) -> Any:
        return json.loads(self.records.db.meta(FILE_KEY + name) or "null")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.records.db.close()


# documents


def test_new_account_owes_its_server_a_session_until_one_went_well(device: Device) -> None:
    assert device.give(TWO) == ["first.example", "second.example"]
    assert device.wanted == ["first.example", "second.example"]
    device.restart()
    device.enrolment.resume()
    assert device.wanted == ["first.example", "second.example"]
    device.enrolment.met("first.example")
    device.enrolment.met("stranger")
    device.restart()
    device.enrolment.resume()
    assert device.wanted == ["second.example"]


def test_session_is_owed_only_where_the_document_asks_if_so_configured(tmp_path: Path) -> None:
    device = Device(tmp_path, first_session="asked")
    device.give(TWO)
    assert device.wanted == ["first.example"]
    device.records.db.close()


def test_nothing_is_owed_to_a_server_without_an_account(device: Device) -> None:
    device.give(CP)
    with device.records.db.transaction():
        device.records.tree.drop("./DMAcc/com.mgmtsrv.manage")
    device.restart()
    device.enrolment.resume()
    assert device.wanted == []


def test_refused_document_owes_nothing(device: Device) -> None:
    with pytest.raises(Refused, match="the document is not taken: no APPLICATION with APPID w7"):
        device.give(TWO.replace(b'"w7"', b'"w9"'))
    device.enrolment.resume()
    assert device.wanted == []


def test_wrong_pin_is_told_from_other_refusals(device: Device) -> None:
    key = seal.key_of(Method.USERPIN, Profile.CP, "", Secret("1234"))
    mac = seal.mac_of(key, CP)
    with pytest.raises(WrongPin, match="does not fit this PIN"):
        device.enrolment.document(CP, "USERPIN", mac, Secret("4321"))
    with pytest.raises(Refused, match="not known"):
        device.enrolment.document(CP, "9", mac, NO_PIN)
    assert device.enrolment.document(CP, "USERPIN", mac, Secret("1234")) == ["com.mgmtsrv.manage"]


# the folder


def test_files_of_every_kind_are_taken_in_the_order_of_their_names(device: Device) -> None:
    device.write(**{"20-cp_wbxml": CP, "10-two": TWO, "30-dm_bin": INBOX})
    assert device.folder() == [
        "first.example",
        "second.example",
        "com.mgmtsrv.manage",
        "com.operatorx.dm",
    ]
    assert device.servers() == set(device.wanted)
    assert device.outcome("20-cp.wbxml")["servers"] == ["com.mgmtsrv.manage"]


def test_each_file_is_taken_once(device: Device) -> None:
    device.write(a_xml=TWO)
    assert len(device.folder()) == 2
    assert device.folder() == []
    device.restart()
    assert device.folder() == []
    assert device.wanted == []


def test_file_that_changed_is_taken_again(device: Device) -> None:
    device.write(a_xml=TWO)
    device.folder()
    device.write(a_xml=TWO.replace(b"second.example", b"second.changed"))
    assert device.folder() == ["first.example", "second.changed"]


def test_bad_file_is_logged_with_its_reason_and_does_not_stop_the_rest(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.write(a_xml=b"rubbish", b_xml=TWO)
    with caplog.at_level(logging.WARNING):
        assert len(device.folder()) == 2
    [record] = caplog.records
    assert "bootstrap file a.xml is not taken: provisioning document:" in record.getMessage()
    assert device.outcome("a.xml")["problem"]
    caplog.clear()
    device.restart()
    assert device.folder() == []
    assert caplog.records == []


def test_left_overs_and_folders_are_no_files(device: Device) -> None:
    (device.paths.bootstrap_dir / "folder").mkdir()
    for name in (".hidden", "a.xml~", "a.xml.bak", "a.xml.dpkg-dist"):
        (device.paths.bootstrap_dir / name).write_bytes(CP)
    assert device.folder() == []


def test_device_without_the_folder_has_nothing_to_take(device: Device) -> None:
    device.paths.bootstrap_dir.rmdir()
    assert device.folder() == []


def test_file_that_cannot_be_read_is_tried_again_at_the_next_start(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    file = device.paths.bootstrap_dir / "a.xml"
    file.symlink_to("/proc/self/mem")  # a file that nobody can read from its beginning
    assert device.folder() == []
    assert "bootstrap file a.xml cannot be read: Input/output error" in caplog.text
    file.unlink()
    device.write(a_xml=CP)
    assert device.folder() == ["com.mgmtsrv.manage"]
