# SPDX-License-Identifier: Apache-2.0
"""Whose signature counts, and the sentence for each one that does not."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from scomod.errors import Reason, VerifyError
from scomod.settings import Paths, Settings, Time
from scomod.signature import sign
from scomod.trust import Proof, trust_of
from tests.support.signers import (
    DAY,
    NO_USAGE,
    NOW,
    Party,
    install,
    key_of,
    packed,
    party,
    signed,
    trusting,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"a package" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = "ab" * 32
KINDS = ("ed25519", "secp256r1", "secp384r1", "rsa3072")
WEAK = {"secp521r1": "the curve secp521r1", "secp224r1": "the curve", "rsa2048": "RSA of 2048 bit"}


def refused(folder: Path, signature: str, certificate: str = "", digest: str = DIGEST) -> str:
    with pytest.raises(VerifyError) as error:
        trusting(folder).check(digest, Proof(signature=signature, certificate=certificate))
    assert error.value.reason is Reason.SIGNATURE
    return str(error.value)


# -- keys ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_by_an_installed_key_counts_for_its_digest_only(
    tmp_path: Path, kind: str
) -> None:
    install(tmp_path, "a.pem", key_of("ed25519 other"))
    install(tmp_path, "b.pem", key_of(kind))
    signature = signed(key_of(kind), DIGEST)
    trusting(tmp_path).check(DIGEST, Proof(signature=signature))
    assert "fits none of the 2 keys" in refused(tmp_path, signature, digest=OTHER)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_by_another_key_is_refused(tmp_path: Path, kind: str) -> None:
    install(tmp_path, "a.pem", key_of("ed25519 other"))
    assert "fits none of the 1 keys" in refused(tmp_path, signed(key_of(kind), DIGEST))


@pytest.mark.parametrize("kind", WEAK)
def test_a_weak_key_neither_signs_nor_counts(tmp_path: Path, kind: str) -> None:
    key = key_of(kind)
    install(tmp_path, "weak.pem", key)
    with pytest.raises(ValueError, match=WEAK[kind]):
        sign(key, bytes.fromhex(DIGEST))
    if kind.startswith("rsa"):
        octets = key.sign(
            CONTENT,
            padding.PSS(padding.MGF1(hashes.SHA256()), 32),
            hashes.SHA256(),
        )
        text = refused(tmp_path, base64.b64encode(octets).decode())
        assert f"no keys are installed in {tmp_path} (not usable: weak.pem: {WEAK[kind]})" in text


def test_another_kind_of_key_cannot_sign() -> None:
    with pytest.raises(ValueError, match="must be Ed25519, ECDSA P-256 or P-384, RSA of 3072"):
        sign(ed448.Ed448PrivateKey.generate(), bytes.fromhex(DIGEST))


def test_the_older_padding_of_rsa_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "a.pem", key_of("rsa3072"))
    octets = key_of("rsa3072").sign(CONTENT, padding.PKCS1v15(), hashes.SHA256())
    assert "fits none of the 1 keys" in refused(tmp_path, base64.b64encode(octets).decode())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("secp256r1", ()),
        ("secp384r1", ()),
        ("rsa3072", ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1")),
    ],
)
def test_what_openssl_signs_counts(tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    install(tmp_path, "a.pem", key_of(kind))
    private = key_of(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(private)
    (tmp_path / "package").write_bytes(CONTENT)
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", tmp_path / "key", *options, tmp_path / "package"],
        check=True,
        capture_output=True,
    )
    signature = base64.b64encode(done.stdout).decode()
    trusting(tmp_path).check(DIGEST, Proof(signature=signature))


def test_an_unusable_key_file_hinders_no_other(tmp_path: Path) -> None:
    key = key_of("ed25519")
    (tmp_path / "a.pem").write_bytes(b"rubbish")
    (tmp_path / "b.pem").mkdir()
    (tmp_path / "c.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n")
    install(tmp_path, "d.pem", key)
    trusting(tmp_path).check(DIGEST, Proof(signature=signed(key, DIGEST)))
    text = refused(tmp_path, signed(key, DIGEST), digest=OTHER)
    assert text.endswith("(not usable: a.pem, b.pem, c.pem)")


def test_a_key_file_without_pem_at_its_end_does_not_count(tmp_path: Path) -> None:
    install(tmp_path, "a.pem.old", key_of("ed25519"))
    assert "no keys are installed" in refused(tmp_path, signed(key_of("ed25519"), DIGEST))


def test_a_missing_folder_means_no_keys(tmp_path: Path) -> None:
    text = refused(tmp_path / "absent", signed(key_of("ed25519"), DIGEST))
    assert text == f"no keys are installed in {tmp_path / 'absent'}"


@pytest.mark.parametrize("signature", ["", "****", "YWJj", "ümlaut"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_wrong_shape_is_refused(tmp_path: Path, signature: str, kind: str) -> None:
    install(tmp_path, "a.pem", key_of(kind))
    assert refused(tmp_path, signature)


@pytest.mark.parametrize("folder", ["trust.d", "keys"])
def test_keys_count_in_both_folders_of_a_device(tmp_path: Path, folder: str) -> None:
    (tmp_path / "etc/scomod").mkdir(parents=True)
    install(tmp_path / "etc/scomod" / folder, "a.pem", key_of("ed25519"))

    class Noon:
        def wall_s(self) -> float:
            return NOW.timestamp()

        def monotonic_s(self) -> float:
            return 0.0

    trust = trust_of(Settings(), Paths(tmp_path), Noon())
    trust.check(DIGEST, Proof(signature=signed(key_of("ed25519"), DIGEST)))


# -- certificates ----------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Party:
    made = party("the authority", is_authority=True)
    (tmp_path / "ca.pem").write_bytes(made.pem)
    return made


def proof(signer: Party, *links: Party) -> Proof:
    return Proof(signature=signed(signer.key, DIGEST), certificate=packed(signer, *links))


def reason_against(folder: Path, signer: Party, *links: Party) -> str:
    given = proof(signer, *links)
    return refused(folder, given.signature, given.certificate)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signer_of_a_trusted_authority_counts(
    tmp_path: Path, authority: Party, kind: str
) -> None:
    trusting(tmp_path).check(DIGEST, proof(party("signer", authority, kind=kind)))


def test_a_certificate_may_be_der(tmp_path: Path, authority: Party) -> None:
    signer = party("signer", authority)
    der = base64.b64encode(signer.certificate.public_bytes(Encoding.DER)).decode()
    trusting(tmp_path).check(DIGEST, Proof(signature=signed(signer.key, DIGEST), certificate=der))


def test_a_certificate_may_lie_beside_the_authority(tmp_path: Path, authority: Party) -> None:
    signer = party("signer", authority)
    (tmp_path / "signer.pem").write_bytes(signer.pem)
    given = Proof(signature=signed(signer.key, DIGEST))
    trusting(tmp_path).check(DIGEST, given)
    with pytest.raises(VerifyError, match="expired"):
        trusting(tmp_path, at=NOW + DAY * 2).check(DIGEST, given)


def test_links_lead_to_the_authority_in_any_order(tmp_path: Path, authority: Party) -> None:
    upper = party("upper", authority, is_authority=True)
    lower = party("lower", upper, is_authority=True)
    signer = party("signer", lower)
    for links in ((lower, upper), (upper, lower), (upper, lower, authority)):
        trusting(tmp_path).check(DIGEST, proof(signer, *links))
    with pytest.raises(VerifyError, match="more than 2 links"):
        trusting(tmp_path, chain=2).check(DIGEST, proof(signer, lower, upper))


def test_the_signature_must_be_that_of_the_certificate(tmp_path: Path, authority: Party) -> None:
    signer, other = party("signer", authority), party("other", authority)
    text = refused(tmp_path, signed(other.key, DIGEST), packed(signer))
    assert text == "the signature was not made with the key of 'CN=signer'"


def test_an_authority_of_the_same_name_is_not_the_same(tmp_path: Path, authority: Party) -> None:
    assert authority.certificate.subject is not None
    double = party("the authority", is_authority=True)
    signer = party("signer", double)
    for links in ((), (double,)):
        text = reason_against(tmp_path, signer, *links)
        assert f"was issued by 'CN=the authority', which is no authority in {tmp_path}" in text


def test_a_link_that_is_no_authority_leads_nowhere(tmp_path: Path, authority: Party) -> None:
    link = party("link", authority)
    text = reason_against(tmp_path, party("signer", link), link)
    assert "'CN=link' is not that of an authority, but issued another" in text


def test_a_chain_longer_than_its_authority_allows_is_refused(tmp_path: Path) -> None:
    top = party("top", is_authority=True, path_length=0)
    (tmp_path / "ca.pem").write_bytes(top.pem)
    link = party("link", top, is_authority=True)
    trusting(tmp_path).check(DIGEST, proof(party("signer", top)))
    text = reason_against(tmp_path, party("signer", link), link)
    assert "'CN=top' does not allow so long a chain" in text


EARLIER, LATER = (NOW - DAY * 2, NOW - DAY), (NOW + DAY, NOW + DAY * 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"valid": EARLIER}, "'CN=signer' expired on 2026-05-31 00:00 UTC"),
        ({"valid": LATER}, "'CN=signer' is valid only from 2026-06-02 00:00 UTC on"),
        ({"usage": NO_USAGE}, "'CN=signer' is not made for signatures (key usage)"),
        ({"usage": ("key_agreement",)}, "'CN=signer' is not made for signatures (key usage)"),
        (
            {"purpose": ExtendedKeyUsageOID.SERVER_AUTH},
            "'CN=signer' is not made for signing code (extended key usage)",
        ),
        ({"is_authority": True}, "'CN=signer' is that of an authority, which signs no packages"),
        (
            {"extension": x509.PolicyConstraints(1, None)},
            "'CN=signer' has a critical extension that is not understood (2.5.29.36)",
        ),
    ],
)  # fmt: skip
def test_an_unfit_certificate_of_a_signer_is_refused_with_its_own_sentence(
    tmp_path: Path, authority: Party, changes: dict[str, object], words: str
) -> None:
    text = reason_against(tmp_path, party("signer", authority, **changes))  # type: ignore[arg-type]
    assert text == f"the certificate of {words}"


@pytest.mark.parametrize("year", [1970, 2000, 2024])
def test_a_clock_that_was_never_set_is_told_from_a_certificate_of_tomorrow(
    tmp_path: Path, authority: Party, year: int
) -> None:
    given, at = proof(party("signer", authority)), NOW.replace(year=year)
    with pytest.raises(VerifyError) as error:
        trusting(tmp_path, at=at, policy=Time(when_unknown="refuse")).check(DIGEST, given)
    assert error.value.reason is Reason.SIGNATURE
    assert str(error.value) == (
        f"the clock of this device is not set: it says {year}-06-01 00:00 UTC, but must be after"
        " 2025-01-01 00:00 UTC, so the certificate of 'CN=signer' cannot be judged"
    )


def test_without_the_time_a_certificate_must_outlast_what_is_known_to_be_over(
    tmp_path: Path, authority: Party
) -> None:
    """It is not held against when it begins: that may be past, for all that is known."""
    at = NOW.replace(year=1970)
    trusting(tmp_path, at=at, policy=Time()).check(DIGEST, proof(party("s", authority)))
    over = party("over", authority, valid=(NOW.replace(year=2020), NOW.replace(year=2024)))
    with pytest.raises(VerifyError, match=r"expired on 2024-06-01 .*; the clock of this device is"):
        trusting(tmp_path, at=at, policy=Time()).check(DIGEST, proof(over))


def test_a_certificate_for_signing_code_counts(tmp_path: Path, authority: Party) -> None:
    signer = party("signer", authority, purpose=ExtendedKeyUsageOID.CODE_SIGNING)
    trusting(tmp_path).check(DIGEST, proof(signer))


def test_a_weak_key_in_a_certificate_is_refused(tmp_path: Path, authority: Party) -> None:
    signer = party("signer", authority, kind="rsa2048")
    text = refused(tmp_path, "YWJj", packed(signer))
    assert text.startswith("the key of the certificate of 'CN=signer' is too weak (RSA of 2048 bit")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"valid": EARLIER}, "'CN=old' expired on 2026-05-31 00:00 UTC"),
        ({"usage": ("digital_signature",)}, "'CN=old' may not issue others (key usage)"),
        ({"kind": "rsa2048"}, "'CN=old' is too weak (RSA of 2048 bit)"),
    ],
)
def test_an_unfit_authority_makes_its_signers_unfit(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    top = party("old", is_authority=True, **changes)  # type: ignore[arg-type]
    (tmp_path / "ca.pem").write_bytes(top.pem)
    assert words in reason_against(tmp_path, party("signer", top))


@pytest.mark.parametrize("certificate", ["****", "YWJj", "ümlaut"])
def test_a_certificate_that_is_none_is_refused(tmp_path: Path, certificate: str) -> None:
    assert refused(tmp_path, "YWJj", certificate) == "the certificate cannot be read"


def test_a_certificate_with_a_damaged_extension_is_refused(
    tmp_path: Path, authority: Party
) -> None:
    der = party("signer", authority).certificate.public_bytes(Encoding.DER)
    usage, damaged = bytes.fromhex("03020780"), bytes.fromhex("05020780")
    assert der.count(usage) == 1
    octets = base64.b64encode(der.replace(usage, damaged)).decode()
    assert refused(tmp_path, "YWJj", octets) == "the certificate cannot be read"


def test_a_certificate_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    assert "more than 16384 octets" in refused(tmp_path, "YWJj", "A" * 16388)


def test_a_raw_key_does_not_stand_in_for_a_certificate_that_came_along(tmp_path: Path) -> None:
    signer = party("signer", party("stranger", is_authority=True))
    pem = signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "a.pem").write_bytes(pem)
    assert "which is no authority" in reason_against(tmp_path, signer)
