# SPDX-License-Identifier: Apache-2.0
"""script/lib.sh: finds what is missing, installs it as root, else says what to run.

The real shell on a machine made of stubs: only what stands in `bin` is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LIB = Path(__file__).parents[2] / "script/lib.sh"
ALWAYS_THERE = (
    "basename cat chmod cksum cp dirname env mkdir rm sh sort touch tr uname".split()  # noqa: SIM905
)
APT_GET = """#!/bin/sh
echo "$*" >>{log}
[ "$1" = install ] || exit 0
{policy} && echo "services may start" >>{log} || echo "services may not start: $?" >>{log}
{ends}
for package; do :; done
for tool in {gives}; do printf '#!/bin/sh\\n' >{bin}/$tool; chmod +x {bin}/$tool; done
"""
SCRIPT = """#!/bin/sh
. "$(dirname -- "$0")/lib.sh"
need dpkg-deb dbus-daemon xml2wbxml
echo reached
"""


class Machine:
    """A checkout with a script in it, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.log = folder / "apt.log"
        self.policy = folder / "policy-rc.d"
        self.script = folder / "check out/script/it"
        self.bin.mkdir()
        self.script.parent.mkdir(parents=True)
        shutil.copyfile(LIB, self.script.with_name("lib.sh"))
        self.script.write_text(SCRIPT)
        for name in ALWAYS_THERE:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.install("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self.be(0)

    def install(self, name: str, text: str = "#!/bin/sh\n") -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def be(self, uid: int) -> None:
        self.install("id", f"#!/bin/sh\necho {uid}\n")

    def has_apt_that_gives(self, *tools: str, ends: str = ":") -> None:
        text = APT_GET.format(
            log=self.log, bin=self.bin, gives=" ".join(tools), policy=self.policy, ends=ends
        )
        self.install("apt-get", text)

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", self.script],
            env={"PATH": str(self.bin), "SCOMOD_POLICY_RC_D": str(self.policy)},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_said_where_nothing_is_missing(machine: Machine) -> None:
    for tool in ("dpkg-deb", "dbus-daemon", "xml2wbxml"):
        machine.install(tool)
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "reached\n", "")


def test_an_ordinary_user_is_told_the_line_to_run(machine: Machine) -> None:
    machine.be(1000)
    machine.install("dpkg-deb")
    machine.has_apt_that_gives()
    done = machine.run()
    assert (done.returncode, done.stdout) == (1, "")
    line = "    sudo apt-get install --no-install-recommends dbus-daemon libwbxml2-utils\n"
    assert done.stderr.endswith(line)
    assert not machine.log.exists()


def test_root_gets_it_installed(machine: Machine) -> None:
    machine.has_apt_that_gives("dpkg-deb", "dbus-daemon", "xml2wbxml")
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, "reached\n")
    assert machine.log.read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends dbus-daemon dpkg libwbxml2-utils",
        "services may not start: 101",
    ]
    assert not machine.policy.exists()


@pytest.mark.parametrize("ends", ["exit 100", "kill $PPID; exit 100"], ids=["apt", "signal"])
def test_services_may_start_again_after_an_installation_that_failed(
    machine: Machine, ends: str
) -> None:
    machine.has_apt_that_gives(ends=ends)
    assert machine.run().returncode == 1
    assert "services may not start: 101" in machine.log.read_text()
    assert not machine.policy.exists()


def test_what_an_administrator_said_of_services_stays(machine: Machine) -> None:
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    machine.policy.chmod(0o755)
    machine.has_apt_that_gives("dpkg-deb", "dbus-daemon", "xml2wbxml")
    assert machine.run().returncode == 0
    assert "services may start" in machine.log.read_text()
    assert machine.policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_what_is_missing_after_the_installation_is_named(machine: Machine) -> None:
    machine.has_apt_that_gives("dpkg-deb")
    done = machine.run()
    assert done.returncode == 1
    assert "still missing after the installation: dbus-daemon libwbxml2-utils" in done.stderr


def test_without_apt_the_names_are_told(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 1
    wanted = "it: not installed (Debian names): dbus-daemon dpkg libwbxml2-utils\n"
    assert done.stderr == wanted


def test_a_python_that_is_too_old_counts_as_missing(machine: Machine) -> None:
    machine.be(1000)
    machine.has_apt_that_gives()
    machine.install("python3", "#!/bin/sh\nexit 1\n")
    done = machine.run()
    assert "ca-certificates dbus-daemon dpkg libwbxml2-utils python3 python3-venv" in done.stderr


def test_a_python_without_venv_gets_its_package(machine: Machine) -> None:
    machine.be(1000)
    machine.has_apt_that_gives()
    machine.install("python3", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    assert "python3-venv" in machine.run().stderr
