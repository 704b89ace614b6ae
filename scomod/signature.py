# SPDX-License-Identifier: Apache-2.0
"""The kinds of key that may sign a package, and a signature by each of them.

A signature is over the SHA-256 of the file, so that signing needs no access to the whole file:
Ed25519 (RFC 8032) signs the 32 octets of the digest; ECDSA (FIPS 186-5) and RSA-PSS (RFC 8017)
take the digest as the hash of the file, so that common tools make the same signature of it.
Not whom to trust: that is `trust`; not certificates: those are `chain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import PSS
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

RSA_MIN_BITS: Final = 3072
CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384"}
WANTED: Final = f"Ed25519, ECDSA {' or '.join(CURVES.values())}, RSA of {RSA_MIN_BITS} bit or more"


def weakness(key: PublicKeyTypes) -> str:
    """Say what is wrong with a key, in a few words; "" for one that may sign packages."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    match key:
        case ed25519.Ed25519PublicKey():
            return ""
        case ec.EllipticCurvePublicKey():
            return "" if key.curve.name in CURVES else f"the curve {key.curve.name}"
        case rsa.RSAPublicKey():
            return "" if key.key_size >= RSA_MIN_BITS else f"RSA of {key.key_size} bit"
        case _:
            return type(key).__name__.strip("_").removesuffix("PublicKey") or "an unknown kind"


def is_made_by(key: PublicKeyTypes, signature: bytes, digest: bytes) -> bool:
    """Tell whether `key` made `signature` over the digest; false for a weak or foreign key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    if weakness(key):
        return False
    try:
        match key:
            case ed25519.Ed25519PublicKey():
                key.verify(signature, digest)
            case ec.EllipticCurvePublicKey():
                key.verify(signature, digest, ec.ECDSA(_prehashed()))
            case rsa.RSAPublicKey():
                # Signers differ in the length of the salt, which is no secret and no weakness.
                key.verify(signature, digest, _pss(is_signing=False), _prehashed())
    except InvalidSignature:
        return False
    return True


def sign(key: PrivateKeyTypes, digest: bytes) -> bytes:
    """Sign the 32 octets of a SHA-256; raises `ValueError` for a key that may not sign."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    if not isinstance(
        key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    ):
        raise ValueError(f"a key of this kind cannot sign packages: it must be {WANTED}")  # noqa: TRY004 - the caller tells keys by this
    if weak := weakness(key.public_key()):
        raise ValueError(f"a key is too weak to sign packages ({weak}): it must be {WANTED}")
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(digest)
        case ec.EllipticCurvePrivateKey():
            return key.sign(digest, ec.ECDSA(_prehashed()))
        case rsa.RSAPrivateKey():
            return key.sign(digest, _pss(is_signing=True), _prehashed())


def _prehashed() -> Prehashed:
    from cryptography.hazmat.primitives.asymmetric import utils  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    return utils.Prehashed(SHA256())


def _pss(*, is_signing: bool) -> PSS:
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    salt = padding.PSS.DIGEST_LENGTH if is_signing else padding.PSS.AUTO
    return padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=salt)
