# SPDX-License-Identifier: Apache-2.0
"""What would happen next: steps with figures, and every risk and every gap, each on a device."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scomod.download.spool import Spool
from scomod.errors import InstallerError, Reason
from scomod.hazards import Hazards
from scomod.operation import Primitive, StepKind
from scomod.risks import RISKS, UNKNOWN, Risk, Unknown
from scomod.settings import Admission, Download, Health, Reboot, Scomo, Verify
from scomod.steptalk import TALK
from tests.support.asking import EDITOR, SERVER, Phone
from tests.support.handset import settings_of
from tests.support.shelf import package
from tests.support.signers import packed, party

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.facade import Record

    Make = Callable[..., Phone]

GIB = 1 << 30
DEPLOYED = "./SCOMO/Inventory/Deployed"
NIGHT = Admission(windows=("02:00-04:00",))


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Make]:
    """Give what makes a device that asks a person, with some settings."""
    made: list[Phone] = []

    def make(confirm: str = "ask", **sections: Any) -> Phone:
        made.append(Phone(tmp_path, replace(settings_of(confirm), **sections)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def planned(phone: Phone) -> Record:
    (told,) = phone.plan()["operations"]
    return dict(told)


def notes(phone: Phone) -> dict[str, str]:
    """Return risks and gaps by their words."""
    told = planned(phone)
    return {each["what"]: each["text"] for key in ("risks", "unknown") for each in told[key]}


def texts(told: Record) -> dict[str, str]:
    return {step["step"]: step["text"] for step in told["steps"]}


# -- steps and figures -----------------------------------------------------------------


def test_steps_that_are_left_are_told_in_order_with_their_figures(device: Make) -> None:
    phone = device(
        admission=NIGHT,
        health=Health(time_s=600.0),
        reboot=Reboot(by="person"),
        scomo=Scomo(version="1.1"),
        download=Download(reserve_bytes=GIB),
    )
    phone.order(InstallParams=f"size={len(EDITOR)}", Reboot="after")
    told = planned(phone)
    assert (told["id"], told["name"], told["asks"], told["restart"]) == (1, "Editor", "ask", True)
    assert (told["announced"], told["fetched"], told["reserve"]) == (len(EDITOR), 0, GIB)
    assert told["free"] > 0
    steps = texts(told)
    assert [*steps] == [
        *("consent", "admit", "acquire", "verify", "install", "reboot", "health", "settle")
    ]
    assert steps["consent"] == "a person is asked (default)"
    assert steps["admit"] == "it begins in a window (02:00-04:00)"
    assert steps["acquire"] == (
        f"it is fetched from https://packages.example/p1, {len(EDITOR)} B, of which 0 B are here"
    )
    assert steps["reboot"] == "a person is asked to restart the device"
    assert steps["health"].endswith("(10 min 00 s)")


def test_only_what_is_left_is_told(device: Make) -> None:
    phone = device("silent", admission=NIGHT)
    phone.order()
    told = planned(phone)
    assert [*texts(told)] == ["admit", "acquire", "verify", "install", "settle"]
    assert told["asks"] == ""
    assert "announced" not in told


def test_policy_that_declines_is_told_with_its_rule(device: Make) -> None:
    phone = device("refuse")
    phone.busy = SERVER
    phone.order()
    assert planned(phone)["asks"] == "refuse"
    assert texts(planned(phone))["consent"] == "the rules of this device decline it (default)"


def test_places_beside_the_first_are_counted(device: Make) -> None:
    phone = device()
    phone.order(InstallParams="mirrors=https://a.example/p,https://b.example/p")
    assert "or 2 other places" in texts(planned(phone))["acquire"]


def test_what_is_over_has_no_plan(device: Make) -> None:
    phone = device("silent")
    phone.order()
    assert phone.plan()["operations"] == []


# -- risks -----------------------------------------------------------------------------


def test_package_of_unknown_size_and_content_that_nothing_proves(device: Make) -> None:
    phone = device()
    phone.order()
    found = notes(phone)
    assert [*found] == ["unsigned", "no digest", "size", "content"]
    assert found["size"] == "Nobody has said how large it is."


def test_room_that_is_missing_is_told_before_anything_is_fetched(device: Make) -> None:
    phone = device(download=Download(reserve_bytes=GIB))
    phone.order(InstallParams=f"size={1 << 49}")
    assert "524288.0 GiB" not in notes(phone)["no space"]
    assert notes(phone)["no space"].startswith("There is not enough room: 512.0 TiB are to come")


@pytest.mark.parametrize(
    ("days", "text"), [(3650, None), (30, "of its signer ends at"), (-1, "of its signer ended at")]
)
def test_certificate_that_ends_soon_is_told(device: Make, days: int, text: str | None) -> None:
    phone = device(verify=Verify(signature="required"))
    now = datetime.fromtimestamp(phone.clock.now_s, UTC)
    signer = party("signer", valid=(now - timedelta(days=9), now + timedelta(days=days)))
    phone.order(InstallParams=f"signature={'A' * 88};certificate={packed(signer)}")
    found = notes(phone)
    assert "unsigned" not in found
    assert (text in found["certificate"]) if text else "certificate" not in found


def test_environment_that_nobody_knows_will_fail(device: Make) -> None:
    phone = device()
    phone.busy = SERVER
    phone.order(EnvType="windows")
    assert notes(phone)["unsupported"].startswith("It will fail: ")


def test_package_that_is_here_tells_what_it_replaces(device: Make) -> None:
    phone = device("silent")
    phone.tool.install(_file(phone, package("editor", "3")), phone.tool.inspect(_file(phone)))
    phone.order(primitive=Primitive.DOWNLOAD)
    phone.busy = SERVER
    phone.exec("./SCOMO/Inventory/Delivered/p1/Operations/Install")
    found = notes(phone)
    assert "editor 3 cannot be brought back" in found["no way back"]
    assert found["downgrade"] == "editor 2 takes the place of the newer 3.", "says dpkg"
    assert "content" not in found
    found = hazards(phone)
    assert "Which of the versions 2 and 3 of editor is the newer" in found["versions"]


class Teller:
    """A backend that can tell what others cannot."""

    def is_older(self, version: str, than: str) -> bool:
        return version < than

    def is_essential(self, _component_id: str) -> bool:
        return True

    def scripts(self, _archive: Path) -> tuple[str, ...]:
        return ()


def hazards(phone: Phone, **more: Any) -> dict[str, str]:
    """Find what may go wrong with the live operation, by parts of which some are other ones."""
    parts: dict[str, Any] = {"runner": phone.insight().runner, "backends": dict} | more
    finder = Hazards(
        settings=phone.settings,
        paths=phone.paths,
        clock=phone.clock,
        spool=Spool(phone.paths.spool_dir, phone.paths.delivered_dir),
        **parts,
    )
    (operation,) = phone.records.journal.live()
    return {str(each.word): each.text for each in finder.of(operation, {})}


def test_removal_tells_that_it_is_final_and_whose_software_it_is(device: Make) -> None:
    phone = device("silent", scomo=Scomo(factory_owner="*"))
    phone.order()
    phone.busy = SERVER
    phone.exec(f"{DEPLOYED}/{phone.children(DEPLOYED)[0]}/Operations/Remove")
    (operation,) = phone.records.journal.live()
    found = hazards(phone, backends=lambda: {"dpkg": Teller()})
    assert {"final", "essential", "needed"} <= {*found}
    assert "editor.service" in found["services"]
    with phone.records.db.transaction():
        phone.records.journal.update(replace(operation, server_id="another"))
    assert hazards(phone)["others"] == "editor belongs to srv."


def test_software_of_the_factory_cannot_be_switched_off_and_kept(device: Make) -> None:
    phone = device("silent")
    phone.tool.install(_file(phone, package("editor", "3")), phone.tool.inspect(_file(phone)))
    phone.refresh()
    phone.busy = SERVER
    phone.exec(f"{DEPLOYED}/{phone.children(DEPLOYED)[0]}/Operations/Deactivate")
    assert "no archive of editor is kept" in notes(phone)["no archive"]


def test_bundle_and_sandbox_tell_later(device: Make) -> None:
    phone = device("silent", admission=NIGHT)
    phone.order(EnvType="bundle")
    assert {"bundle", "permissions"} <= {*notes(phone)}


def test_backend_that_cannot_be_read_is_told(device: Make) -> None:
    phone = device()
    phone.order()

    class Broken:
        kinds = phone.insight().runner.kinds

        def inventory(self) -> list[Any]:
            raise InstallerError(Reason.INTERNAL, "dpkg-query went away")

    assert "dpkg-query went away" in hazards(phone, runner=Broken())["installed"]


def _file(phone: Phone, content: bytes | None = None) -> Path:
    """Lay an archive down outside of all that scomod knows; gives its path."""
    path = phone.paths.root / "archive"
    if content is not None:
        path.write_bytes(content)
    return path


# -- the tables ------------------------------------------------------------------------


def test_every_step_has_words() -> None:
    assert set(TALK) == set(StepKind)


def test_every_risk_and_every_gap_has_a_sentence_and_a_device_that_has_it() -> None:
    assert set(RISKS) == set(Risk)
    assert set(UNKNOWN) == set(Unknown)
    here = Path(__file__).read_text()
    assert [word for word in (*Risk, *Unknown) if f'"{word}"' not in here] == []
