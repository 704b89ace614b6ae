# SPDX-License-Identifier: Apache-2.0
"""`scomoctl sign`: its text is what a device takes, and wrong keys are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from scomod import cli, sigfile
from scomod.verify import parse_install_params, verify
from tests.support.signers import install, key_of, party, trusting

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


@pytest.fixture
def package(tmp_path: Path) -> Path:
    file = tmp_path / "hello.deb"
    file.write_bytes(b"a package" * 1000)
    return file


def write_key(folder: Path, key: Any, passphrase: bytes = b"") -> str:
    lock = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    file = folder / "signer.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return str(file)


def check(package: Path, folder: Path, text: str) -> None:
    params = parse_install_params(text)
    assert params.rest == {"size": str(package.stat().st_size)}
    with package.open("rb") as file:
        verify(
            file,
            digest=params.sha256,
            proof=params.proof,
            signature_required=True,
            trust=trusting(folder),
        )


@pytest.mark.parametrize("kind", ["ed25519", "secp256r1", "secp384r1", "rsa3072"])
def test_a_device_with_the_public_key_takes_the_text(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    install(tmp_path / "trust.d", "a.pem", key_of(kind))
    assert cli.main(["sign", str(package), "--key", write_key(tmp_path, key_of(kind))]) == 0
    check(package, tmp_path / "trust.d", capsys.readouterr().out.strip())


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_device_with_the_authority_takes_the_text(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str], *, is_linked: bool
) -> None:
    top = party("authority", is_authority=True)
    (tmp_path / "trust.d").mkdir()
    (tmp_path / "trust.d/ca.pem").write_bytes(top.pem)
    link = party("link", top, is_authority=True)
    signer = party("signer", link if is_linked else top)
    cert = tmp_path / "signer.pem"
    cert.write_bytes(signer.pem + (link.pem if is_linked else b""))
    options = ("--key", write_key(tmp_path, signer.key), "--certificate", str(cert))
    beside = sigfile.path_of(package)
    assert cli.main(["--json", "sign", str(package), *options, "--output", str(beside)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert parse_install_params(record["install_params"]).certificate == record["certificate"]
    assert beside.read_bytes().splitlines()[0].decode() == record["signature"]
    trusting(tmp_path / "trust.d").check(record["sha256"], sigfile.read(beside.read_bytes()))
    check(package, tmp_path / "trust.d", record["install_params"])


def test_a_locked_key_is_opened_with_the_line_of_a_file(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = write_key(tmp_path, key_of("ed25519"), b"open sesame")
    install(tmp_path / "trust.d", "a.pem", key_of("ed25519"))
    (tmp_path / "pass").write_text("open sesame\n")
    command = ["sign", str(package), "--key", key]
    assert cli.main([*command, "--passphrase-file", str(tmp_path / "pass")]) == 0
    check(package, tmp_path / "trust.d", capsys.readouterr().out.strip())
    assert cli.main(command) == 2
    assert capsys.readouterr().err == f"scomoctl: {key}: the key needs --passphrase-file\n"
    (tmp_path / "pass").write_text("open barley\n")
    assert cli.main([*command, "--passphrase-file", str(tmp_path / "pass")]) == 2
    assert "or the passphrase is wrong" in capsys.readouterr().err


def test_what_cannot_sign_is_named_and_nothing_printed(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, key, empty = tmp_path / "other.pem", write_key(tmp_path, key_of("ed25519")), "empty"
    other.write_bytes(party("other").pem)
    (tmp_path / empty).touch()
    (tmp_path / "weak").mkdir()
    weak = write_key(tmp_path / "weak", key_of("secp521r1"))
    for options, words in (
        (("--key", str(other)), "this is no private key in PEM"),
        (("--key", weak), "a key is too weak to sign packages (the curve secp521r1)"),
        (("--key", key, "--passphrase-file", str(other)), "the key has no passphrase"),
        (("--key", key, "--cert", str(other)), "the first certificate is not that of the key"),
        (("--key", key, "--cert", key), "this is no certificate in PEM or DER"),
        (("--key", key, "--cert", str(tmp_path / empty)), "this is no certificate"),
    ):
        assert cli.main(["sign", str(package), *options]) == 2
        shown = capsys.readouterr()
        assert words in shown.err
        assert shown.out == ""
    assert cli.main(["sign", str(tmp_path / "none"), "--key", key]) == 1
