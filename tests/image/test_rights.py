# SPDX-License-Identifier: Apache-2.0
"""Who may call what where users, groups and polkit are real; the daemon is no root here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.image_device import ImageDevice

RULE = """
polkit.addRule(function(action, subject) {
    if (action.id == "org.scomod1.session" && subject.user == "guest") {
        return polkit.Result.YES;
    }
});
"""


def call(device: ImageDevice, user: str, method: str, *words: str) -> str:
    """Call as a user; busctl would translate the text of an error away."""
    said = device.container.run(
        "dbus-send", "--system", "--print-reply", "--dest=org.scomod1", "/org/scomod1",
        f"org.scomod1.{method}", *words, user=user, is_checked=False,
    )  # fmt: skip
    return str(said.stdout + said.stderr)


@pytest.fixture(scope="module")
def people(device: ImageDevice) -> None:
    for name, more in (("member", ("--groups", "scomod")), ("guest", ())):
        device.container.run("useradd", "--create-home", *more, name, is_checked=False)


def test_group_controls_strangers_look_and_nobody_else_sees_the_tree(
    device: ImageDevice, people: None
) -> None:
    nothing = ("Control.UnregisterAgent", "objpath:/nobody")
    assert "is not registered" in call(device, "member", *nothing)
    assert "for root and the group scomod" in call(device, "guest", *nothing)
    assert "dict entry" in call(device, "guest", "Status.GetStatus")
    tree = ("Tree.Children", "string:.")
    assert "DevInfo" in call(device, "", *tree)
    for user in ("member", "guest"):
        assert "org.scomod1.look" in call(device, user, *tree)


def test_polkit_answers_the_daemon_that_is_no_root_but_owns_the_actions(
    device: ImageDevice, people: None
) -> None:
    session = ("Control.RunSession", "string:nobody")
    assert "for root and the group scomod" in call(device, "guest", *session)
    rule = device.root / "etc/polkit-1/rules.d/50-test.rules"
    rule.write_text(RULE)
    rule.chmod(0o644)
    device.container.run("systemctl", "try-restart", "polkit.service", is_checked=False)
    assert "no account for server nobody" in call(device, "guest", *session)
    cancel = ("Control.Cancel", "uint64:1")
    assert "org.scomod1.administer" in call(device, "guest", *cancel)
