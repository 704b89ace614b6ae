# SPDX-License-Identifier: Apache-2.0
"""A package that may not or cannot be installed: one result, no trace (scomo §5, §8 N4, N5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scomod.codes import ResultCode
from scomod.lab.pki import Pki
from tests.support.debs import Deb
from tests.support.failing import check_failed, deb_of
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.lab.packages import Payload

MAX_BYTES = 400_000


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as made:
        made.override(f"[download]\nmax_bytes = {MAX_BYTES}\n")
        made.bootstrap()
        made.start_daemon()
        made.start_helper()
        made.until_up()
        yield made
        made.check_well()


def unsigned(_: Rig, payload: Payload) -> str:
    return f"sha256={payload.sha256}"


def signed_by_another(rig: Rig, payload: Payload) -> str:
    stranger = Pki(rig.directory / "stranger")
    stranger.ensure()
    return f"sha256={payload.sha256};ed25519={stranger.sign(bytes.fromhex(payload.sha256))}"


def signature_of_another(rig: Rig, payload: Payload) -> str:
    return f"sha256={payload.sha256};ed25519={rig.bench.pki.sign(bytes(32))}"


def broken_signature(_: Rig, payload: Payload) -> str:
    return f"sha256={payload.sha256};ed25519=%%%"


def broken_digest(_: Rig, payload: Payload) -> str:
    return f"sha256=zz;ed25519={payload.signature}"


def digest_of_another(_: Rig, payload: Payload) -> str:
    return f"sha256={'0' * 64};ed25519={payload.signature}"


PROOFS: dict[str, tuple[Callable[[Rig, Payload], str], str]] = {
    "unsigned": (unsigned, "not signed"),
    "signed by another": (signed_by_another, "signature"),
    "signature of another": (signature_of_another, "signature"),
    "broken signature": (broken_signature, "not base64"),
    "broken digest": (broken_digest, "not a SHA-256"),
    "digest of another": (digest_of_another, "SHA-256 is"),
}


@pytest.mark.parametrize("name", PROOFS, ids=lambda name: f"N4 {name}")
def test_a_package_without_a_proof_is_not_installed(rig: Rig, name: str) -> None:
    make, words = PROOFS[name]
    payload = deb_of(rig, Deb(name=f"proof-{name.replace(' ', '-')}"))
    order = rig.order_install(payload, params=make(rig, payload))
    check_failed(rig, order, ResultCode.PACKAGE_VALIDATION_FAILED, words)


# -- what dpkg refuses --------------------------------------------------------------

DEBS = {
    "no archive": (None, ResultCode.PACKAGE_VALIDATION_FAILED, "not a Debian format archive"),
    "failing script": (
        Deb(name="failing", scripts={"postinst": "exit 3"}), ResultCode.INSTALL_FAILED,
        "exit status 3",
    ),
    "unmet dependency": (
        Deb(name="needy", depends="not-there (>= 1)"), ResultCode.INSTALL_FAILED, "not-there",
    ),
    "other machine": (
        Deb(name="alien", architecture="hurd-i386"), ResultCode.UNSUPPORTED_ENVIRONMENT,
        "hurd-i386",
    ),
    "too large": (
        Deb(name="large", files={"usr/share/large/filler": "x" * MAX_BYTES}),
        ResultCode.DOWNLOAD_OUT_OF_MEMORY, f"{MAX_BYTES} are allowed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEBS)
def test_a_package_that_cannot_be_installed_leaves_nothing(rig: Rig, name: str) -> None:
    deb, result, words = DEBS[name]
    payload = rig.no_package() if deb is None else deb_of(rig, deb)
    check_failed(rig, rig.order_install(payload), result, words)


def test_n5_an_unknown_environment_is_refused_before_anything_is_fetched(rig: Rig) -> None:
    payload = deb_of(rig, Deb(name="elsewhere"))
    order = rig.order_install(payload, env_type="java")
    check_failed(rig, order, ResultCode.UNSUPPORTED_ENVIRONMENT, "java")
    assert payload.path.name not in {name for name, _ in rig.bench.packages.requests}
