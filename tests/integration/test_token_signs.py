# SPDX-License-Identifier: Apache-2.0
"""`scomoctl sign` with keys that stay on a token: a real SoftHSM, spoken to by the real tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod import cli, sigfile
from scomod.verify import parse_install_params
from tests.support.at_terminal import scomoctl_at_terminal
from tests.support.signers import install, key_of, party, trusting
from tests.support.tokens import PIN, SoftToken

if TYPE_CHECKING:
    from pathlib import Path


KEYS = {
    "ed": "ed25519", "p256": "secp256r1", "p384": "secp384r1", "rsa": "rsa3072",
    "weak": "secp521r1",
}  # fmt: skip


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    made = SoftToken(tmp_path_factory.mktemp("token"))
    for number, (label, kind) in enumerate(KEYS.items(), 1):
        made.put(label, number, key_of(kind))
    return made


@pytest.fixture(autouse=True)
def conf(token: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.conf))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    file = tmp_path / "hello.deb"
    file.write_bytes(b"a package" * 1000)
    (tmp_path / "pin").write_text(f"{PIN}\n")
    (tmp_path / "wrong").write_text("9999\n")
    return file


def sign(package: Path, uri: str, *more: str, pin: str = "pin") -> int:
    file = str(package.with_name(pin))
    return cli.main(["sign", str(package), "--key", uri, "--pin-file", file, *more])


@pytest.mark.parametrize("label", ["ed", "p256", "p384", "rsa"])
def test_a_device_with_the_public_key_takes_what_the_token_signed(
    token: SoftToken, package: Path, capsys: pytest.CaptureFixture[str], label: str
) -> None:
    install(package.parent / "trust.d", "token.pem", key_of(KEYS[label]))
    file = package.with_name("hello.deb.sig")
    assert sign(package, token.uri(f"token=release;object={label}"), "--output", str(file)) == 0
    params = parse_install_params(capsys.readouterr().out.strip())
    assert sigfile.read(file.read_bytes()) == params.proof
    trusting(package.parent / "trust.d").check(params.sha256, params.proof)


def test_keys_are_found_by_their_id_and_tokens_by_all_that_is_said_of_them(
    token: SoftToken, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_token = "token=release;model=SoftHSM%20v2;manufacturer=SoftHSM%20project"
    assert sign(package, token.uri(f"{of_token};type=private;id=%02")) == 0
    assert "signature=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("token=other;object=p256", "no token fits; there are: 'release'"),
        ("serial=0;object=p256", "no token fits; there are: 'release'"),
        ("slot-id=77777;object=p256", "no token fits"),
        ("token=release;object=none", "no private key fits; there are: "),
        ("token=release;id=%FF", "no private key fits"),
        ("token=release", "more than one private key fits; there are: "),
        ("token=release;object=weak", "too weak to sign packages (the curve secp521r1)"),
        ("token=release;type=cert;object=p256", "only a private key signs"),
        ("token=release;objekt=p256", "'objekt' is not understood"),
        ("id=%01;id=%02", "id is there twice"),
    ],
)
def test_what_does_not_do_is_named(
    token: SoftToken, package: Path, capsys: pytest.CaptureFixture[str], path: str, words: str
) -> None:
    assert sign(package, token.uri(path)) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""


def test_the_pin_may_be_in_the_uri_or_in_a_file_that_it_names(
    token: SoftToken, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = package.with_name("pin")
    for source in (f"pin-value={PIN}", f"pin-source={file}", f"pin-source=file:{file}"):
        uri = token.uri("token=release;object=p256", source)
        assert cli.main(["sign", str(package), "--key", uri]) == 0
    assert capsys.readouterr().err == ""
    for source, words in (
        ("pin-value=9999", "the PIN is wrong"),
        ("pin-source=" + str(package.with_name("wrong")), "the PIN is wrong"),
        ("pin-source=|cat", "pin-source must be a file"),
    ):
        uri = token.uri("token=release;object=p256", source)
        assert cli.main(["sign", str(package), "--key", uri]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert "9999" not in said
    assert cli.main(["sign", str(package), "--key", token.uri("token=release;object=p256")]) == 2
    assert "there is no terminal: give it with --pin-file" in capsys.readouterr().err


def test_whoever_sits_at_the_terminal_is_asked_for_the_pin(token: SoftToken, package: Path) -> None:
    uri = token.uri("token=release;object=p256")
    with scomoctl_at_terminal("unix:path=/none", "sign", str(package), "--key", uri) as person:
        assert "PIN of pkcs11:token=release;object=p256: " in person.until(": ")
        assert not person.is_echoing()
        person.type(f"{PIN}\n")
        assert PIN not in person.until("signature=")


def test_options_of_the_other_kind_of_key_are_refused(
    token: SoftToken, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sign(package, token.uri("token=release;object=p256"), "--passphrase-file", "x") == 2
    assert "tokens have a PIN" in capsys.readouterr().err
    assert sign(package, str(package.with_name("pin"))) == 2
    assert "--pin-file is for keys on tokens" in capsys.readouterr().err


def test_a_certificate_of_another_key_is_refused(
    token: SoftToken, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = package.with_name("chain.pem")
    chain.write_bytes(party("signer").pem)
    assert sign(package, token.uri("token=release;object=p256"), "--certificate", str(chain)) == 2
    assert "the first certificate is not that of the key" in capsys.readouterr().err


def test_a_module_or_a_tool_that_is_not_there_is_named(
    package: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign(package, "pkcs11:token=x?module-path=/none.so") == 2
    assert "the module cannot be loaded: name it with ?module-path=" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(package.parent))
    assert sign(package, "pkcs11:token=x") == 1
    said = capsys.readouterr().err
    assert "pkcs11-tool cannot be started" in said
    assert "tokens need OpenSC" in said
