# SPDX-License-Identifier: Apache-2.0
"""Who may call what: root, the daemon's own user, the group, and whom polkit lets."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod import busrights
from scomod.busaddress import BUS_NAME, CONTROL_INTERFACE, OBJECT_PATH, STATUS_INTERFACE
from scomod.busmethods import METHODS
from scomod.buspolkit import is_authorised
from scomod.buswire import Message, MessageFlag, open_bus
from tests.support.fake_daemon import running_daemon
from tests.support.polkit_stand_in import actions_of, polkit
from tests.support.private_bus import PrivateBus, private_bus

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "systemd/org.scomod1.policy"
BUS_POLICY = ROOT / "systemd/org.scomod1.conf"
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users")
GUARDED = sorted({(i, m) for i, m in METHODS if i != STATUS_INTERFACE})


@pytest.mark.parametrize(("interface", "member"), GUARDED)
def test_every_method_but_those_of_status_has_a_right_that_polkit_knows(
    interface: str, member: str
) -> None:
    right = busrights.RIGHTS.get(member)
    assert right is not None, f"{interface}.{member} is in no row of busrights.RIGHTS"
    action = actions_of(POLICY)[f"org.scomod1.{right}"]
    assert action.owner == "unix-user:scomod", "polkit answers root and the owner only"
    is_look = interface != CONTROL_INTERFACE
    assert (right == busrights.LOOK) is is_look


def test_there_is_no_right_for_nothing() -> None:
    assert {member for _, member in GUARDED} == set(busrights.RIGHTS)
    known = {f"org.scomod1.{right}" for right in busrights.RIGHTS.values()}
    assert set(actions_of(POLICY)) == known


def test_who_sits_at_the_device_may_answer_and_only_the_administrator_administers() -> None:
    actions = {name.rpartition(".")[2]: each for name, each in actions_of(POLICY).items()}
    assert {name: each.active for name, each in actions.items()} == {
        "look": "auth_admin_keep",
        "answer": "yes",
        "session": "yes",
        "install": "auth_admin_keep",
        "administer": "auth_admin_keep",
    }
    for each in actions.values():
        assert (each.any, each.inactive) == ("auth_admin", "auth_admin")
        assert each.texts == 4, "both languages"


@pytest.mark.parametrize(
    ("who", "is_member"),
    [
        ({"UnixUserID": 4242, "UnixGroupIDs": [1, 777]}, True),
        ({"UnixUserID": 4242, "UnixGroupIDs": [1]}, False),
        ({"UnixUserID": 4242}, False),  # a bus that tells no groups, a user nobody knows
        ({"UnixGroupIDs": [777]}, False),  # no user at all
        ({}, False),
    ],
)
def test_members_of_the_group_may_control_and_not_look_into_the_tree(
    monkeypatch: pytest.MonkeyPatch, who: dict[str, object], is_member: bool
) -> None:
    group = grp.struct_group(("scomod", "x", 777, []))
    monkeypatch.setattr(grp, "getgrnam", lambda _: group)
    assert busrights._is_trusted(who, CONTROL_INTERFACE) is is_member
    assert not busrights._is_trusted(who, "org.scomod1.Tree")


def test_bus_that_tells_no_groups_is_helped_by_the_list_of_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = pwd.getpwuid(NOBODY)
    monkeypatch.setattr(grp, "getgrnam", lambda _: grp.getgrgid(nobody.pw_gid))
    assert busrights._is_trusted({"UnixUserID": NOBODY}, CONTROL_INTERFACE)


def test_device_without_the_group_has_no_members(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> None:
        raise KeyError

    monkeypatch.setattr(grp, "getgrnam", none)
    who = {"UnixUserID": NOBODY, "UnixGroupIDs": [0, 777]}
    assert not busrights._is_trusted(who, CONTROL_INTERFACE)


# -- polkit is asked -----------------------------------------------------------------


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


def asked(bus: PrivateBus, right: str, flags: MessageFlag = MessageFlag.NONE) -> bool:
    async def work() -> bool:
        connection = await open_bus(bus.address)
        try:
            call = Message(
                destination=BUS_NAME, path=OBJECT_PATH, interface=CONTROL_INTERFACE,
                member="Answer", flags=flags, sender=":1.999",
            )  # fmt: skip
            return await is_authorised(connection, call, right)
        finally:
            await connection.close()

    return asyncio.run(work())


def test_polkit_decides_by_where_the_person_is(bus: PrivateBus) -> None:
    with polkit(bus.address, POLICY) as service:
        assert asked(bus, "answer") is True
        assert asked(bus, "administer") is False
        service.where = "any"
        assert asked(bus, "answer") is False
        assert [each for each, _ in service.asked] == [
            "org.scomod1.answer",
            "org.scomod1.administer",
            "org.scomod1.answer",
        ]
        assert service.passwords_count == 0


@pytest.mark.parametrize("is_known", [True, False])
def test_person_is_asked_for_a_password_only_if_the_call_lets_polkit(
    bus: PrivateBus, is_known: bool
) -> None:
    with polkit(bus.address, POLICY, types_password=is_known) as service:
        assert asked(bus, "administer") is False
        assert service.passwords_count == 0
        flags = MessageFlag.ALLOW_INTERACTIVE_AUTHORIZATION
        assert asked(bus, "administer", flags) is is_known
        assert service.passwords_count == 1


def test_where_polkit_is_not_or_knows_nothing_nobody_has_the_right(bus: PrivateBus) -> None:
    assert asked(bus, "answer") is False
    with polkit(bus.address, POLICY) as service:
        service.actions.clear()
        assert asked(bus, "answer") is False


# -- a whole bus -----------------------------------------------------------------------


def as_nobody(bus: PrivateBus, interface: str, member: str, *arguments: str) -> str:
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
         "dbus-send", f"--bus={bus.address}", "--print-reply", f"--dest={BUS_NAME}", OBJECT_PATH,
         f"{interface}.{member}", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


@contextlib.contextmanager
def bus_with_polkit(folder: Path) -> Iterator[PrivateBus]:
    """Have a bus with our policy, where root may be polkit."""
    both = folder / "both.conf"
    both.write_text(
        "<busconfig><policy user='root'><allow own='org.freedesktop.PolicyKit1'/>"
        "<allow send_destination='org.freedesktop.PolicyKit1'/></policy>"
        f"<include>{BUS_POLICY}</include></busconfig>"
    )
    folder.chmod(0o755)
    with private_bus(both) as started:
        yield started


@needs_root
def test_others_may_do_what_polkit_lets_them_and_nothing_else(tmp_path: Path) -> None:
    with (
        bus_with_polkit(tmp_path) as started,
        running_daemon(started.address) as running,
        polkit(started.address, POLICY) as service,
    ):
        bootstrap = ("array:byte:1", "string:", "string:", "string:")
        for interface, member, arguments in (
            ("org.scomod1.Control", "Bootstrap", bootstrap),
            ("org.scomod1.Control", "Cancel", ("uint64:7",)),
            ("org.scomod1.Tree", "Children", ("string:.",)),
            ("org.scomod1.Trace", "List", ()),
        ):
            said = as_nobody(started, interface, member, *arguments)
            assert "AccessDenied" in said
            assert "for root and the group scomod" in said
        assert running.daemon.profiles == []
        answer = ("org.scomod1.Control", "Answer", "uint64:7", "boolean:true")
        service.where = "inactive"
        assert "AccessDenied" in as_nobody(started, *answer)
        service.where = "active"
        assert "method return" in as_nobody(started, *answer)
        assert running.daemon.waiting == {}
        assert f"of user {NOBODY}" in running.daemon.callers[0], "the history says who it was"


RULE = """
polkit.addRule(function(action, subject) {
    if (action.id == "org.scomod1.answer" && subject.user == "nobody") {
        return polkit.Result.YES;
    }
});
"""
POLKITD = next(
    (p for p in ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd") if Path(p).exists()), ""
)


@contextlib.contextmanager
def real_polkitd(folder: Path, address: str) -> Iterator[None]:
    """Run the real polkitd, with our actions and one rule, in a mount namespace of its own."""
    for name, text in (("org.scomod1.policy", POLICY.read_text()), ("50-test.rules", RULE)):
        place = folder / name.rpartition(".")[2]
        place.mkdir()
        (place / name).write_text(text)
        place.chmod(0o755)
    binds = (
        f"mount --bind {folder}/policy /usr/share/polkit-1/actions && "
        f"mount --bind {folder}/rules /usr/share/polkit-1/rules.d && "
        f"mount --bind {folder}/rules /etc/polkit-1/rules.d && exec {POLKITD} --no-debug"
    )
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", binds],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=50)


@needs_root
def test_real_polkitd_knows_our_actions_and_gives_what_a_rule_says(tmp_path: Path) -> None:
    assert POLKITD, "polkitd is not installed (package polkitd)"
    both = tmp_path / "both.conf"
    theirs = "/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf"
    both.write_text(
        f"<busconfig><include>{theirs}</include><include>{BUS_POLICY}</include></busconfig>"
    )
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    tmp_path.parent.parent.chmod(0o755)
    with (
        private_bus(both) as started,
        running_daemon(started.address) as running,
        real_polkitd(tmp_path, started.address),
    ):
        answer = ("org.scomod1.Control", "Answer", "uint64:7", "boolean:true")
        end_s = time.monotonic() + 60
        while "AccessDenied" in (said := as_nobody(started, *answer)):
            assert time.monotonic() < end_s, said
            time.sleep(0.2)  # until polkitd is up
        assert running.daemon.waiting == {}, said
        said = as_nobody(started, "org.scomod1.Control", "Cancel", "uint64:7")
        assert "AccessDenied" in said, "nobody sits at the device, so it would need a password"


def test_waiting_daemon_loads_none_of_it() -> None:
    code = (
        "import sys\nimport scomod.daemon\n"
        "print([m for m in ('scomod.busrights', 'scomod.buspolkit', 'scomod.language',"
        " 'scomod.meanings', 'gettext', 'grp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
