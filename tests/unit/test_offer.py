# SPDX-License-Identifier: Apache-2.0
"""What an offer on a medium may say, and which files it may be."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod import offer as offers
from scomod.facade import Refused
from scomod.offer import NAME, Offer
from tests.support import signers
from tests.support.media import MAKER, by_maker, by_stranger

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.trust import Trust

DIGEST = "ab" * 32
LINES = {
    "server": '"com.example.dm"',
    "package_id": '"editor"',
    "name": '"Editor"',
    "version": '"2.1"',
    "file": '"editor 2.deb"',
    "size": "100",
    "sha256": f'"{DIGEST}"',
}
LIMITS = {"max_offer_bytes": 2000, "max_signature_bytes": 1000}


def text(**changed: str) -> bytes:
    lines = {**LINES, **changed}
    return "".join(f"{key} = {value}\n" for key, value in lines.items() if value).encode()


def test_all_that_an_offer_may_say() -> None:
    more = {
        "description": '"writes"',
        "environment": '"deb"',
        "package_type": '"application/vnd.debian.binary-package"',
        "install_params": '"signature=AAAA"',
        "expires": "2030-01-31T00:00:00Z",
    }
    assert offers.read(text(**more)) == Offer(
        server_id="com.example.dm",
        pkg_id="editor",
        name="Editor",
        version="2.1",
        file="editor 2.deb",
        size_bytes=100,
        sha256=DIGEST,
        description="writes",
        environment="deb",
        pkg_type="application/vnd.debian.binary-package",
        install_params="signature=AAAA",
        expires=datetime(2030, 1, 31, tzinfo=UTC),
    )


def test_digest_and_size_go_along_as_a_server_would_give_them() -> None:
    offer = offers.read(text(install_params='"signature=AAAA"'))
    assert offer.params == f"sha256={DIGEST};size=100;signature=AAAA"


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\xff\xfe", "no TOML"),
        (b"= 1", "no TOML"),
        (b"a = " + b"[" * 5000, "no TOML"),
        (text(server=""), "server is missing"),
        (text(sha256=""), "sha256 is missing"),
        (text(server='""'), "server is empty"),
        (text(colour='"red"'), "unknown key 'colour'"),
        (text(size='"100"'), "size must be int"),
        (text(size="true"), "size must be int"),
        (text(size="-1"), "size must be above 0"),
        (text(server="1"), "server must be text"),
        (text(file='"../editor.deb"'), "a name beside the offer"),
        (text(file='"/etc/passwd"'), "a name beside the offer"),
        (text(file='".."'), "a name beside the offer"),
        (text(file='"a\\u0000b"'), "a name beside the offer"),
        (text(file=f'"{"a" * 300}"'), "a name beside the offer"),
        (text(expires="2030-01-31T00:00:00"), "time zone"),
        (text(expires="2030-01-31"), "expires must be datetime"),
        (text(install_params='"<xml/>"'), "KEY=VALUE"),
        (text(sha256=f'"{DIGEST}&&"'), "sha256 is not what"),
        (text(sha256='"abc"'), "sha256|SHA-256"),
    ],
)
def test_what_is_no_offer_is_refused_by_name(octets: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        offers.read(octets)


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    signers.install(tmp_path / "keys", "maker.pem", signers.key_of(MAKER))
    return signers.trusting(tmp_path / "keys")


def found(octets: bytes, sign: Callable[[bytes], str]) -> offers.Found:
    made = sign(hashlib.sha256(octets).digest())
    return offers.Found(octets=octets, signature=made.encode())


def test_what_somebody_trusted_signed_is_believed(trust: Trust) -> None:
    assert offers.judged(found(text(), by_maker), trust).pkg_id == "editor"


@pytest.mark.parametrize("octets", [text(), b"no offer at all"])
def test_nothing_is_read_before_the_signature_counts(trust: Trust, octets: bytes) -> None:
    with pytest.raises(Refused, match="fits none of the 1 keys"):
        offers.judged(found(octets, by_stranger), trust)
    with pytest.raises(Refused, match="must be signed"):
        offers.judged(offers.Found(octets=octets, signature=b""), trust)
    broken = offers.Found(octets=octets, signature=b"-----BEGIN CERTIFICATE")
    with pytest.raises(Refused, match="holds no signature"):
        offers.judged(broken, trust)


@pytest.mark.parametrize("digest", ["cd" * 32, "zz" * 32])
def test_another_digest_in_the_parameters_is_refused(trust: Trust, digest: str) -> None:
    octets = text(install_params=f'"sha256={digest}"')
    with pytest.raises(Refused, match=r"sha256|SHA-256"):
        offers.judged(found(octets, by_maker), trust)


def test_medium_without_an_offer_is_none(tmp_path: Path) -> None:
    assert offers.find(tmp_path, **LIMITS) is None


def test_offer_and_signature_are_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"offer")
    assert offers.find(tmp_path, **LIMITS) == offers.Found(octets=b"offer", signature=b"")
    (tmp_path / f"{NAME}.sig").write_bytes(b"signature")
    assert offers.find(tmp_path, **LIMITS) == offers.Found(octets=b"offer", signature=b"signature")


@pytest.mark.parametrize("name", [NAME, f"{NAME}.sig"])
def test_only_plain_files_of_limited_size_are_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / NAME).write_bytes(b"offer")
    (tmp_path / "elsewhere").write_bytes(b"offer")
    odd = tmp_path / name
    odd.unlink(missing_ok=True)
    os.mkfifo(odd)
    with pytest.raises(Refused, match="no plain file"):
        offers.find(tmp_path, **LIMITS)
    odd.unlink()
    odd.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="no plain file"):
        offers.find(tmp_path, **LIMITS)
    odd.unlink()
    odd.mkdir()
    with pytest.raises(Refused, match="no plain file"):
        offers.find(tmp_path, **LIMITS)
    odd.rmdir()
    odd.write_bytes(bytes(2001))
    with pytest.raises(Refused, match="more than"):
        offers.find(tmp_path, **LIMITS)


def test_package_is_a_plain_file_of_the_offered_size(tmp_path: Path) -> None:
    offer = offers.read(text())
    package = tmp_path / offer.file
    with pytest.raises(Refused, match="No such file"):
        offers.check_file(tmp_path, offer)
    os.mkfifo(package)
    with pytest.raises(Refused, match="no plain file"):
        offers.check_file(tmp_path, offer)
    package.unlink()
    package.write_bytes(bytes(99))
    with pytest.raises(Refused, match="has 99 octets, offered were 100"):
        offers.check_file(tmp_path, offer)
    package.rename(tmp_path / "other")
    package.symlink_to(tmp_path / "other")
    with pytest.raises(Refused, match="no plain file"):
        offers.check_file(tmp_path, offer)
    package.unlink()
    package.write_bytes(bytes(100))
    offers.check_file(tmp_path, offer)


def test_example_of_the_manual_is_an_offer() -> None:
    manual = Path(__file__).resolve().parents[2] / "docs/waking.md"
    _, _, rest = manual.read_text().partition("## Offers on removable media")
    example = rest.partition("```toml\n")[2].partition("```")[0]
    assert offers.read(example.encode()).server_id == "com.example.dm"
    assert {key for key in offers.KEYS if f"\n{key} = " in f"\n{example}"} == set(offers.KEYS)
