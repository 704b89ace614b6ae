# SPDX-License-Identifier: Apache-2.0
"""Whom the transport trusts and as whom it comes: pins, versions, client certificates."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scomod.dmclient.transport import transport_for
from scomod.mo.account import Account, Credential
from scomod.net import Access
from scomod.secret import Secret
from scomod.settings import Server, Settings, Transport
from tests.support.certificates import (
    Certificates,
    make_certificates,
    make_client_file,
    server_context,
)
from tests.support.exchanging import USER_AGENT, exchange, failure, transport_with
from tests.support.hostile import ANSWERS
from tests.support.package_host import PackageHost
from tests.support.raw_server import RawServer

if TYPE_CHECKING:
    from pathlib import Path

    from scomod.dmclient.transport import HttpTransport

DAY = timedelta(days=1)
WRONG_PIN = "A" * 43 + "="


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("theirs"), authority="another")


def trusting(certificates: Certificates, **more: object) -> HttpTransport:
    return transport_with(Access(ca_file=str(certificates.ca_file), **more))  # type: ignore[arg-type]


def answer(server: RawServer, transport: HttpTransport) -> bytes:
    try:
        return exchange(transport, server.url("/fine", "localhost")).body
    finally:
        transport.close()


def pin_of(certificate: Path) -> str:
    """Compute a pin with OpenSSL's own tool."""
    script = (
        'openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform der'
        " | openssl dgst -sha256 -binary | openssl base64 -A"
    )
    command = ["/bin/sh", "-c", script, "sh", str(certificate)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# -- pins ------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["server_file", "ca_file"])
def test_a_pin_may_be_of_any_certificate_in_the_chain(
    certificates: Certificates, whose: str
) -> None:
    pin = pin_of(getattr(certificates, whose))
    with RawServer(ANSWERS, server_context(certificates)) as server:
        assert answer(server, trusting(certificates, pins=(WRONG_PIN, pin))) == b"hello"


def test_a_chain_without_a_pinned_key_gets_no_message(certificates: Certificates) -> None:
    with RawServer(ANSWERS, server_context(certificates)) as server:
        transport = trusting(certificates, pins=(WRONG_PIN,))
        error = failure(transport, server.url("/fine", "localhost"))
        assert server.conversations == []
    assert not error.is_retryable
    assert "among the pins" in str(error)


def test_a_pin_replaces_neither_authority_nor_name(
    certificates: Certificates, strangers: Certificates, tmp_path: Path
) -> None:
    elsewhere = make_certificates(tmp_path, names=("elsewhere.example",))
    for made, ca_file, words in (
        (strangers, certificates.ca_file, "certificate is not trusted"),
        (elsewhere, elsewhere.ca_file, "for another name"),
    ):
        access = Access(ca_file=str(ca_file), pins=(pin_of(made.server_file),))
        with RawServer(ANSWERS, server_context(made)) as server:
            error = failure(transport_with(access), server.url("/fine", "localhost"))
            assert server.conversations == []
        assert words in str(error)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "words", "is_retryable"),
    [(-2 * DAY, -DAY, "has expired", False), (DAY, 2 * DAY, "clock of this device", True)],
)
def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, valid_from: timedelta, valid_until: timedelta, words: str, is_retryable: bool
) -> None:
    made = make_certificates(tmp_path, valid_from=valid_from, valid_until=valid_until)
    with RawServer(ANSWERS, server_context(made)) as server:
        error = failure(trusting(made), server.url("/fine", "localhost"))
    assert error.is_retryable is is_retryable
    assert words in str(error)


# -- versions --------------------------------------------------------------------------


@pytest.mark.spec("omadm 4.6")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_versions_of_today_are_spoken(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    context = server_context(certificates)
    context.minimum_version = context.maximum_version = version
    with RawServer(ANSWERS, context) as server:
        assert answer(server, trusting(certificates)) == b"hello"


@pytest.mark.spec("omadm 4.6")
@pytest.mark.parametrize("min_tls", ["1.2", "1.3"])
def test_older_versions_than_allowed_are_not_spoken(
    certificates: Certificates, min_tls: str
) -> None:
    context = server_context(certificates)
    if min_tls == "1.3":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        context.set_ciphers("ALL:@SECLEVEL=0")  # TLS 1.1 signs with SHA-1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with RawServer(ANSWERS, context) as server:
        transport = trusting(certificates, min_tls=min_tls)
        error = failure(transport, server.url("/fine", "localhost"))
        assert server.conversations == []
    assert not error.is_retryable
    assert "no version of TLS that is allowed" in str(error)


def test_a_server_of_tls_1_1_is_there_for_who_speaks_it(certificates: Certificates) -> None:
    """Else the test above would prove nothing."""
    context = server_context(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    client = ssl.create_default_context(cafile=str(certificates.ca_file))
    client.set_ciphers("ALL:@SECLEVEL=0")
    for one in (context, client):
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            one.minimum_version = one.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        RawServer(ANSWERS, context) as server,
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() == "TLSv1.1"


def test_a_port_without_tls_is_named() -> None:
    with PackageHost() as server:
        error = failure(transport_with(), server.url("/").replace("http:", "https:"))
    assert "does not speak TLS" in str(error)


# -- client certificates ---------------------------------------------------------------


@pytest.mark.spec("omadm 4.6")
@pytest.mark.parametrize("is_one_file", [True, False])
def test_a_server_that_wants_a_certificate_gets_ours(
    certificates: Certificates, strangers: Certificates, tmp_path: Path, is_one_file: bool
) -> None:
    file = make_client_file(tmp_path, strangers)
    key_file = tmp_path / "client.key"
    if not is_one_file:
        certificate, mark, key = file.read_text().partition("-----BEGIN PRIVATE")
        file.write_text(certificate)
        key_file.write_text(mark + key)
        key_file.chmod(0o640)
    files = {"certificate_file": str(file), "key_file": "" if is_one_file else str(key_file)}
    with RawServer(ANSWERS, server_context(certificates, client_ca=strangers.ca_file)) as server:
        assert answer(server, trusting(certificates, **files)) == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_misses_our_certificate_is_understood(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    context = server_context(certificates, client_ca=certificates.ca_file)
    context.maximum_version = version
    with RawServer(ANSWERS, context) as server:
        error = failure(trusting(certificates), server.url("/fine", "localhost"))
        assert server.conversations == []
    assert "client certificate" in str(error)


def test_a_server_that_does_not_know_our_authority_is_understood(
    certificates: Certificates, strangers: Certificates, tmp_path: Path
) -> None:
    file = str(make_client_file(tmp_path, strangers))
    with RawServer(ANSWERS, server_context(certificates, client_ca=certificates.ca_file)) as server:
        transport = trusting(certificates, certificate_file=file)
        error = failure(transport, server.url("/fine", "localhost"))
    assert not error.is_retryable
    assert "does not accept our client certificate" in str(error)


def spoil(file: Path, other: Path, how: str) -> str:
    """Spoil a client's file and return the key file to configure."""
    if how == "missing":
        file.unlink()
    elif how == "readable":
        file.chmod(0o644)
    elif how == "writable":
        file.chmod(0o660)
    elif how == "text":
        file.write_text("no certificate at all")
    elif how == "other key":
        return str(other)
    return ""


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "cannot be read: No such file"),
        ("readable", "every user may read it"),
        ("writable", "others than its owner may change it"),
        ("text", "no certificate with key in"),
        ("other key", "does not belong to the certificate"),
        ("locked", "locked with a password"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_named(
    certificates: Certificates, tmp_path: Path, how: str, words: str
) -> None:
    file = make_client_file(tmp_path, certificates, password="secret" if how == "locked" else "")
    shutil.copy(certificates.server_file, tmp_path / "other.key")
    (tmp_path / "other.key").chmod(0o600)
    key_file = spoil(file, tmp_path / "other.key", how)
    access = Access(certificate_file=str(file), key_file=key_file)
    error = failure(transport_with(access), "https://localhost:1/")
    assert not error.is_retryable
    assert words in str(error)
    assert str(tmp_path) in str(error)


# -- as configured and as the account says ---------------------------------------------


def configured(account: Account, settings: Settings, root: Path) -> HttpTransport:
    return transport_for(
        account, settings, lambda name: root / name, user_agent=USER_AGENT, fresh_nonce=bytes
    )


def test_each_server_has_an_authority_of_its_own(
    certificates: Certificates, strangers: Certificates, tmp_path: Path
) -> None:
    shutil.copy(certificates.ca_file, tmp_path / "ours.pem")
    shutil.copy(strangers.ca_file, tmp_path / "theirs.pem")
    settings = Settings(
        transport=Transport(ca_file="ours.pem"), servers={"b": Server(ca_file="theirs.pem")}
    )
    for made, trusted, refused in ((certificates, "a", "b"), (strangers, "b", "a")):
        with RawServer(ANSWERS, server_context(made)) as server:
            url = server.url("/fine", "localhost")
            accounts = [
                Account(key=name, server_id=name, name=name, address=url)
                for name in (trusted, refused)
            ]
            assert answer(server, configured(accounts[0], settings, tmp_path)) == b"hello"
            error = failure(configured(accounts[1], settings, tmp_path), url)
            assert "certificate is not trusted" in str(error)


@pytest.mark.spec("omadm 8.3")
@pytest.mark.parametrize("auth_type", ["TRANSPORT", "X509"])
def test_an_account_known_by_its_certificate_needs_one(
    certificates: Certificates, tmp_path: Path, auth_type: str
) -> None:
    credential = Credential(auth_type=auth_type, name="", secret=Secret(""))
    account = Account(key="a", server_id="a", name="a", address="", client=credential)
    without = configured(account, Settings(), tmp_path)
    assert "set certificate_file" in str(failure(without, "https://localhost:1/"))
    make_client_file(tmp_path, certificates)
    shutil.copy(certificates.ca_file, tmp_path / "ca.pem")
    own = Server(ca_file="ca.pem", certificate_file="client.pem")
    context = server_context(certificates, client_ca=certificates.ca_file)
    with RawServer(ANSWERS, context) as server:
        transport = configured(account, Settings(servers={"a": own}), tmp_path)
        assert answer(server, transport) == b"hello"
