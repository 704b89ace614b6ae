# SPDX-License-Identifier: Apache-2.0
"""Certificates are read alike with every version of the library."""

from __future__ import annotations

from datetime import UTC

import pytest
from cryptography.exceptions import InvalidSignature

from scomod import certificates
from tests.support.signers import DAY, NOW, party

KINDS = ("ed25519", "secp256r1", "secp384r1", "rsa3072")


@pytest.mark.parametrize("kind", KINDS)
def test_who_issued_is_found_with_every_kind_of_key(kind: str) -> None:
    authority = party("authority", kind=kind, is_authority=True)
    issued = party("signer", authority).certificate
    certificates.check_issued(authority.certificate, issued)
    assert certificates.has_issued(authority.certificate, issued)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_name_with_another_key_did_not_issue(kind: str) -> None:
    issued = party("signer", party("authority", is_authority=True)).certificate
    other = party("authority", kind=kind, is_authority=True)
    with pytest.raises((InvalidSignature, ValueError, TypeError)):
        certificates.check_issued(other.certificate, issued)
    assert not certificates.has_issued(other.certificate, issued)


def test_the_same_key_with_another_name_did_not_issue() -> None:
    one = party("one", kind="secp384r1", is_authority=True)
    other = party("other", kind="secp384r1", is_authority=True)
    issued = party("signer", one).certificate
    assert one.key is other.key
    with pytest.raises(ValueError, match="another name"):
        certificates.check_issued(other.certificate, issued)
    assert not certificates.has_issued(other.certificate, issued)


def test_the_time_is_that_of_the_certificate_in_utc() -> None:
    found = party("signer").certificate
    assert certificates.valid_from(found) == NOW - DAY
    assert certificates.valid_until(found) == NOW + DAY
    assert certificates.valid_from(found).tzinfo == UTC


def test_certificates_come_in_the_order_of_the_text_with_words_between() -> None:
    one, two = party("one"), party("two")
    text = b"subject: one\n" + one.pem + b"subject: two\n" + two.pem
    assert certificates.read(text) == [one.certificate, two.certificate]
    with pytest.raises(ValueError, match="no end"):
        certificates.read(text[:-30])
