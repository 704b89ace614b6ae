# SPDX-License-Identifier: Apache-2.0
"""Digest, signature, policy and install parameters."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scomod.errors import Reason, VerifyError
from scomod.trust import Proof
from scomod.verify import (
    InstallParams,
    check_digest,
    parse_install_params,
    sha256_of,
    verify,
)
from tests.support.signers import install, trusting

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"a package" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HEX = "ab" * 32


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def sign(key: Ed25519PrivateKey, digest: str = DIGEST) -> str:
    return base64.b64encode(key.sign(bytes.fromhex(digest))).decode()


def reason_of(error: pytest.ExceptionInfo[VerifyError]) -> Reason:
    return error.value.reason


def test_digest_counts_from_the_beginning_of_the_file() -> None:
    file = io.BytesIO(CONTENT)
    file.seek(100)
    assert sha256_of(file) == DIGEST


def test_expected_digest_may_be_in_capitals() -> None:
    assert check_digest(io.BytesIO(CONTENT), DIGEST.upper()) == DIGEST


def test_other_content_is_a_digest_error() -> None:
    with pytest.raises(VerifyError, match=DIGEST) as error:
        check_digest(io.BytesIO(CONTENT + b"!"), DIGEST)
    assert reason_of(error) is Reason.DIGEST


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, HEX + "00", HEX + "\n"])
def test_what_is_no_digest_is_malformed(text: str) -> None:
    with pytest.raises(VerifyError) as error:
        check_digest(io.BytesIO(CONTENT), text)
    assert reason_of(error) is Reason.MALFORMED


def test_required_and_absent_signature_is_against_the_policy(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="not signed") as error:
        verify(
            io.BytesIO(CONTENT),
            digest=DIGEST,
            proof=Proof(signature=""),
            signature_required=True,
            trust=trusting(tmp_path),
        )
    assert reason_of(error) is Reason.POLICY


def test_a_given_signature_is_checked_where_none_is_required(tmp_path: Path) -> None:
    with pytest.raises(VerifyError) as error:
        verify(
            io.BytesIO(CONTENT),
            digest="",
            proof=Proof(signature="YWJj"),
            signature_required=False,
            trust=trusting(tmp_path),
        )
    assert reason_of(error) is Reason.SIGNATURE


def test_a_signed_payload_passes_and_gives_its_digest(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    install(tmp_path, "a.pem", key)
    for digest in ("", DIGEST):
        found = verify(
            io.BytesIO(CONTENT),
            digest=digest,
            proof=Proof(signature=sign(key)),
            signature_required=True,
            trust=trusting(tmp_path),
        )
        assert found == DIGEST


def test_wrong_digest_is_named_before_the_signature(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    install(tmp_path, "a.pem", key)
    with pytest.raises(VerifyError) as error:
        verify(
            io.BytesIO(CONTENT),
            digest=HEX,
            proof=Proof(signature=sign(key)),
            signature_required=True,
            trust=trusting(tmp_path),
        )
    assert reason_of(error) is Reason.DIGEST


def test_neither_digest_nor_signature_passes_where_none_is_required(tmp_path: Path) -> None:
    found = verify(
        io.BytesIO(CONTENT),
        digest="",
        proof=Proof(signature=""),
        signature_required=False,
        trust=trusting(tmp_path),
    )
    assert found == DIGEST


@pytest.mark.parametrize(
    "text",
    [
        f"sha256={HEX};ed25519=QUJD+/==;other=x",
        f"sha256={HEX}&ed25519=QUJD+/==&other=x",
        f" sha256 = {HEX.upper()} ;\r\n ed25519 = QUJD+/== \nother= x\n",
        f"SHA256={HEX} Ed25519=QUJD+/== other=x",
        f"other=x;;sha256={HEX};sha256={HEX};ed25519=QUJD+/==;noise",
        f"sha256={HEX};signature=QUJD+/==;other=x",
        f"sha256={HEX};Signature=QUJD+/==;ed25519=QUJD+/==;other=x",
    ],
)
def test_install_parameters_are_read_in_any_common_spelling(text: str) -> None:
    assert parse_install_params(text) == InstallParams(
        sha256=HEX, signature="QUJD+/==", rest={"other": "x"}
    )


def test_the_certificate_of_the_signer_may_come_along() -> None:
    found = parse_install_params(f"sha256={HEX};signature=QUJD;certificate=MII+/==;a=b")
    assert found.proof == Proof(signature="QUJD", certificate="MII+/==")
    assert found.rest == {"a": "b"}


@pytest.mark.parametrize("text", ["", "  ", '<list><item type="1"/></list>', "--force"])
def test_opaque_install_parameters_say_nothing(text: str) -> None:
    assert parse_install_params(text) == InstallParams(sha256="", signature="")


@pytest.mark.parametrize(
    "text",
    [
        "sha256=12",
        "sha512=12",
        f"sha512={HEX}",
        f"sha256={HEX * 2}",
        "sha256=xyz;a=b",
        f"sha256={HEX};sha256={DIGEST}",
        "signature=QUJD;ed25519=REVG",
        "certificate=QUJD;certificate=REVG",
    ],
)
def test_bad_or_contradicting_digests_are_malformed(text: str) -> None:
    with pytest.raises(VerifyError) as error:
        parse_install_params(text)
    assert reason_of(error) is Reason.MALFORMED


def test_a_sha512_is_read_and_checked_like_a_sha256() -> None:
    right = hashlib.sha512(CONTENT).hexdigest()
    found = parse_install_params(f"sha256={HEX};SHA512={right.upper()};a=b")
    assert found == InstallParams(sha256=HEX, sha512=right, signature="", rest={"a": "b"})
    assert check_digest(io.BytesIO(CONTENT), right, "sha512") == right
    with pytest.raises(VerifyError, match="SHA-512 is"):
        check_digest(io.BytesIO(CONTENT + b"!"), right, "sha512")
