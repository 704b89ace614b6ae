# SPDX-License-Identifier: Apache-2.0
"""Who signed a package, on a whole device: each wrong answer is 1407 with its own sentence."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from scomod import sigfile
from scomod.codes import ResultCode
from scomod.history import facts
from scomod.operation import Phase
from scomod.question import sentence
from scomod.settings import Time, Verify
from scomod.trust import Proof
from tests.support.clocks import FakeClock
from tests.support.executing import add, execute
from tests.support.handset import Handset, settings_of
from tests.support.shelf import Shelf, package
from tests.support.signers import DAY, NOW, Party, install, key_of, packed, party, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

X, DELIVERED = "./SCOMO/Download/x", "./SCOMO/Inventory/Delivered"
CONTENT = package("editor", "1")
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PAST, FUTURE = (NOW - DAY * 2, NOW - DAY), (NOW + DAY, NOW + DAY * 2)


@dataclass(slots=True)
class Scene:
    """One device that requires signatures, and a package server that has only files."""

    root: Path
    fetch_signature: str = "auto"
    is_required: bool = True
    at: datetime = NOW
    when_unknown: str = "floor"
    shelf: Shelf = field(default_factory=Shelf)
    told: list[str] = field(default_factory=list)
    lives: list[Handset] = field(default_factory=list)

    @property
    def trust(self) -> Path:
        folder = self.root / "etc/scomod/trust.d"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def begin(self) -> Handset:
        clock = FakeClock()
        clock.advance(self.at.timestamp())
        policy = Verify(
            signature="required" if self.is_required else "optional",
            fetch_signature=self.fetch_signature,
        )
        settings = replace(settings_of(), verify=policy, time=Time(when_unknown=self.when_unknown))
        life = Handset(self.root, self.shelf, clock, settings=settings, observer=self.told.append)
        self.lives.append(life)
        return self.lives[-1]

    def put(self, proof: Proof | None) -> str:
        """Offer the package, and its signature beside it."""
        if proof is not None:
            self.shelf.put("editor.sig?token=1", sigfile.written(proof))
        return self.shelf.put("editor?token=1", CONTENT)

    def order(self, primitive: str = "DownloadInstall", params: str = "") -> Handset:
        device = self.begin()
        url = "https://packages.example/editor?token=1"
        leaves = {"PkgID": "p", "PkgURL": url, "InstallParams": params}
        commands = [add(f"{X}/{leaf}", value) for leaf, value in leaves.items() if value]
        device.codes("srv", *commands, execute(f"{X}/Operations/{primitive}"))
        device.settle()
        return device


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    made.begin().close()  # makes the directories of a device
    made.lives.clear()
    made.told.clear()
    yield made
    for life in made.lives:
        life.close()


def authority(scene: Scene, **changes: object) -> Party:
    made = party("authority", is_authority=True, **changes)  # type: ignore[arg-type]
    (scene.trust / "ca.pem").write_bytes(made.pem)
    return made


def by(signer: Party, *links: Party, digest: str = DIGEST) -> Proof:
    return Proof(signature=signed(signer.key, digest), certificate=packed(signer, *links))


def signer(**changes: object) -> Callable[[Scene], Proof]:
    """Sign with a certificate of the device's authority that differs from a good one."""
    return lambda scene: by(party("signer", authority(scene), **changes))  # type: ignore[arg-type]


def unset_clock(scene: Scene) -> Proof:
    scene.at, scene.when_unknown = scene.at.replace(year=1970), "refuse"
    return signer()(scene)


def of_a_stranger(scene: Scene) -> Proof:
    authority(scene)
    return by(party("signer", party("stranger", is_authority=True)))


def with_another_key(scene: Scene) -> Proof:
    above = authority(scene)
    one, other = party("signer", above), party("other", above)
    return replace(by(one), signature=signed(other.key, DIGEST))


def raw_by_another_key(scene: Scene) -> Proof:
    install(scene.trust, "a.pem", key_of("ed25519 other"))
    return Proof(signature=signed(key_of("ed25519"), DIGEST))


def of_another_file(scene: Scene) -> Proof:
    return by(party("signer", authority(scene)), digest="ab" * 32)


def by_a_weak_key(scene: Scene) -> Proof:
    install(scene.trust, "weak.pem", key_of("rsa2048"))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    octets = key_of("rsa2048").sign(CONTENT, pss, hashes.SHA256())
    return Proof(signature=base64.b64encode(octets).decode())


def with_a_weak_certificate(scene: Scene) -> Proof:
    weak = party("signer", authority(scene), kind="secp224r1")
    return Proof(signature="YWJj", certificate=packed(weak))


def over_too_long_a_path(scene: Scene) -> Proof:
    link = party("link", authority(scene, path_length=0), is_authority=True)
    return by(party("signer", link), link)


def nothing(scene: Scene) -> None:
    authority(scene)


def no_signature(scene: Scene) -> None:
    scene.shelf.put("editor.sig?token=1", b"-----BEGIN PGP SIGNATURE-----\nabc=\n")


def a_page(scene: Scene) -> None:
    scene.shelf.put("editor.sig?token=1", b"<html>sorry</html>" * 1000)


WRONG: dict[str, tuple[Callable[[Scene], Proof | None], str]] = {
    "expired": (signer(valid=PAST), "'CN=signer' expired on 2026-05-31 00:00 UTC"),
    "not valid yet": (signer(valid=FUTURE), "'CN=signer' is valid only from 2026-06-02"),
    "clock not set": (unset_clock, "the clock of this device is not set: it says 1970-06-01"),
    "unknown authority": (of_a_stranger, "issued by 'CN=stranger', which is no authority in"),
    "key of another": (with_another_key, "not made with the key of 'CN=signer'"),
    "unknown key": (raw_by_another_key, "the signature fits none of the 1 keys in"),
    "another digest": (of_another_file, "not made with the key of 'CN=signer'"),
    "weak key": (by_a_weak_key, "(not usable: weak.pem: RSA of 2048 bit)"),
    "weak certificate": (with_a_weak_certificate, "is too weak (the curve secp224r1)"),
    "an authority": (signer(is_authority=True), "that of an authority, which signs no packages"),
    "critical extension": (
        signer(extension=x509.PolicyConstraints(1, None)),
        "a critical extension that is not understood (2.5.29.36)",
    ),
    "path length": (over_too_long_a_path, "'CN=authority' does not allow so long a chain"),
    "unsigned": (nothing, "the package is not signed, and signatures are required: 404"),
    "another tool's": (no_signature, "the file beside the package holds no signature"),
    "a page": (a_page, "editor.sig is no signature"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_signature_is_1407_and_told(scene: Scene, name: str) -> None:
    make, words = WRONG[name]
    scene.put(make(scene))
    device = scene.order()
    ((_, alert),) = device.reports("srv")
    (item,) = alert.items
    code = int(ResultCode.PACKAGE_VALIDATION_FAILED)
    assert item.data == f"<ResultCode>{code}</ResultCode><Identifier>p</Identifier>".encode()
    (operation,) = device.finished
    assert operation.phase is Phase.FAILED
    assert words in operation.detail
    assert facts(operation)["result_text"] == "package validation failed"
    assert sentence(operation).endswith(": nobody trusted has signed the package.")
    assert device.stock() == []
    assert device.leftovers() == {"spool": [], "delivered": [], "work": []}


def test_a_proof_beside_the_url_counts(scene: Scene) -> None:
    install(scene.trust, "a.pem", key_of("ed25519"))
    scene.put(Proof(signature=signed(key_of("ed25519"), DIGEST)))
    assert [item.id for item in scene.order().stock()] == ["editor"]


def test_a_device_that_was_never_told_the_time_installs_what_may_be_valid(scene: Scene) -> None:
    valid = (NOW.replace(year=2025), NOW.replace(year=2099))  # the helper has its clock
    scene.at = scene.at.replace(year=1970)
    scene.put(by(party("signer", authority(scene, valid=valid), valid=valid)))
    assert [item.id for item in scene.order().stock()] == ["editor"]


def test_a_proof_is_kept_with_what_was_delivered(scene: Scene) -> None:
    install(scene.trust, "a.pem", key_of("ed25519"))
    scene.put(Proof(signature=signed(key_of("ed25519"), DIGEST)))
    device = scene.order("Download")
    assert device.leftovers()["delivered"] == [DIGEST, f"{DIGEST}.sig"]
    scene.shelf.content.clear()
    device.codes("srv", execute(f"{DELIVERED}/x/Operations/Install", correlator="c-2"))
    device.settle()
    assert [item.id for item in device.stock()] == ["editor"]
    device.codes("srv", execute(f"{DELIVERED}/x/Operations/Remove", correlator="c-3"))
    device.settle()
    assert device.leftovers()["delivered"] == []


@pytest.mark.parametrize(
    ("when", "is_required", "is_asked"),
    [("auto", False, False), ("always", False, True), ("never", False, False),
     ("auto", True, True), ("never", True, False)],
)  # fmt: skip
def test_when_a_signature_is_looked_for(
    scene: Scene, when: str, *, is_required: bool, is_asked: bool
) -> None:
    scene.fetch_signature, scene.is_required = when, is_required
    scene.put(raw_by_another_key(scene))
    device = scene.order()
    detail = device.finished[-1].detail
    assert ("the signature fits none" in detail) == is_asked
    assert bool(device.stock()) == (not is_required and not is_asked)


def test_without_a_signature_where_none_is_needed_the_package_is_taken(scene: Scene) -> None:
    scene.fetch_signature, scene.is_required = "always", False
    scene.put(None)
    assert scene.order().stock()


def test_a_proof_in_the_order_is_the_one_that_counts(scene: Scene) -> None:
    install(scene.trust, "a.pem", key_of("ed25519"))
    scene.put(Proof(signature=signed(key_of("ed25519 other"), DIGEST)))
    device = scene.order(params=f"signature={signed(key_of('ed25519'), DIGEST)}")
    assert device.stock()


def test_an_unsigned_package_is_refused_before_it_is_fetched(scene: Scene) -> None:
    scene.put(None)
    device = scene.order()
    assert "not signed" in device.finished[-1].detail
    assert "half" not in scene.told


def test_a_signature_is_asked_for_again_when_the_server_is_back(scene: Scene) -> None:
    install(scene.trust, "a.pem", key_of("ed25519"))
    scene.put(Proof(signature=signed(key_of("ed25519"), DIGEST)))
    scene.shelf.is_closed = True
    device = scene.order()
    assert device.finished == []
    scene.shelf.is_closed = False
    device.clock.advance(3600)
    device.settle()
    assert device.stock()
