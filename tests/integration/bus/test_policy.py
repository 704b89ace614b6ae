# SPDX-License-Identifier: Apache-2.0
"""The bus policy file as a real dbus-daemon understands it: rights by user."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scomod.busaddress import BUS_NAME, OBJECT_PATH, NameTaken
from tests.support.fake_daemon import running_daemon
from tests.support.modem_stand_ins import OfonoStandIn
from tests.support.private_bus import private_bus

POLICY = Path(__file__).parents[3] / "systemd/org.scomod1.conf"
OFONO_POLICY = Path("/etc/dbus-1/system.d/ofono.conf")  # Debian's
NOBODY = 65534
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can act as two users")


def call_as_nobody(address: str, interface: str, member: str, *arguments: str) -> str:
    """Call with a program every user can run; returns what it printed."""
    return send_as_nobody(address, BUS_NAME, OBJECT_PATH, f"{interface}.{member}", *arguments)


def send_as_nobody(address: str, name: str, path: str, *call: str) -> str:
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
         "dbus-send", f"--bus={address}", "--print-reply", f"--dest={name}", path, *call],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


@needs_root
def test_everybody_may_look_at_status_and_find_the_interfaces() -> None:
    with private_bus(POLICY) as bus, running_daemon(bus.address):
        status = call_as_nobody(bus.address, "org.scomod1.Status", "GetStatus")
        assert "urn:uuid:42" in status
        xml = call_as_nobody(bus.address, "org.freedesktop.DBus.Introspectable", "Introspect")
        assert "org.scomod1.Control" in xml


@needs_root
@pytest.mark.parametrize(
    "call",
    [
        ("org.scomod1.Control", "Answer", "uint64:7", "boolean:true"),
        ("org.scomod1.Control", "RegisterAgent", "objpath:/a"),
        ("org.scomod1.Tree", "Children", "string:."),
        ("org.scomod1.Trace", "Read", "uint64:3"),
    ],
)
def test_only_root_and_the_group_may_act_and_only_root_sees_the_tree(
    call: tuple[str, str, str],
) -> None:
    with private_bus(POLICY) as bus, running_daemon(bus.address) as running:
        assert "AccessDenied" in call_as_nobody(bus.address, *call)
        assert running.daemon.waiting
        assert not running.bus.is_present()


@needs_root
def test_command_line_explains_what_the_policy_refuses(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys\n"
        "from scomod import cliactions, busclient, clilive\n"
        "from scomod.cli import main\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "sys.exit(main(['confirm', '7']))\n"
    )
    with private_bus(POLICY) as bus, running_daemon(bus.address):
        done = subprocess.run(
            [sys.executable, script],
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 4
    assert "run it as root or in the group scomod" in done.stderr


@needs_root
def test_doctor_says_who_may_look_but_not_steer(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys\n"
        "from scomod import busclient, cliactions, clidoctor\n"
        "from scomod.cli import main\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "sys.exit(main(['--root', '/nowhere', '--json', 'doctor']))\n"
    )
    with private_bus(POLICY) as bus, running_daemon(bus.address) as running:
        done = subprocess.run(
            [sys.executable, script],
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        words = [each["finding"] for each in json.loads(done.stdout)]
        assert words == ["disk", "bus", "may look"]
        assert not running.bus.is_present()


@needs_root
def test_root_may_be_asked_as_the_agent() -> None:
    with private_bus(POLICY) as bus, running_daemon(bus.address) as running:
        agent = subprocess.Popen(
            [sys.executable, "-c", "import sys; from scomod.cli import main; sys.exit(main())",
             "agent", "--answer", "yes"],
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.address},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert agent.stdout is not None
            assert "waiting for prompts" in agent.stdout.readline()
            assert running.ask({"operation": 1, "what": "x"}).result(timeout=100) is True
        finally:
            agent.terminate()
            agent.communicate()


@pytest.mark.skipif(IS_ROOT, reason="root may own the name")
def test_ordinary_user_is_told_that_the_policy_keeps_the_name() -> None:
    with (
        private_bus(POLICY) as bus,
        pytest.raises(NameTaken, match=r"does not let this user own .*org\.scomod1\.conf"),
        running_daemon(bus.address),
    ):
        pass


@needs_root
@pytest.mark.parametrize(
    ("method", "is_allowed"),
    [
        ("org.ofono.Manager.GetModems", True),
        ("org.ofono.SimManager.GetProperties", True),
        ("org.ofono.PushNotification.RegisterAgent", True),
        ("org.ofono.Modem.GetProperties", False),
    ],
)
def test_ofono_gives_the_daemon_what_it_needs_and_no_more(
    tmp_path: Path, method: str, is_allowed: bool
) -> None:
    ours = tmp_path / "ours.conf"
    ours.write_text(POLICY.read_text().replace('user="scomod"', f'user="{NOBODY}"'))
    both = tmp_path / "both.conf"
    both.write_text(
        f"<busconfig><include>{OFONO_POLICY}</include><include>{ours}</include></busconfig>"
    )
    tmp_path.chmod(0o755)

    async def story(address: str) -> str:
        ofono = await OfonoStandIn.start(address)
        try:
            return await asyncio.to_thread(send_as_nobody, address, "org.ofono", "/", method)
        finally:
            await ofono.close()

    with private_bus(both) as bus:
        said = asyncio.run(story(bus.address))
    assert ("AccessDenied" in said) is not is_allowed, said
    assert ("method return" in said) is is_allowed, said
