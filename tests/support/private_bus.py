# SPDX-License-Identifier: Apache-2.0
"""A real dbus-daemon of our own, on a socket in a short temporary folder, without policy.

With `policy` it is a system-like bus: everything denied but what dbus itself
and that policy file allow.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN_POLICY = """
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>"""
SYSTEM_POLICY = """
  <policy context="default">
    <allow user="*"/><deny own="*"/>
    <deny send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  <include>{file}</include>"""
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>{policy}
</busconfig>
"""


@dataclass(frozen=True)
class PrivateBus:
    address: str
    pid: int

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop the bus as a debugger or a loaded machine would, and let it go on."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def private_bus(policy: Path | None = None) -> Iterator[PrivateBus]:
    folder = Path(tempfile.mkdtemp(prefix="bus-"))
    folder.chmod(0o755)  # other users are to meet the policy, not the folder
    try:
        process = _start(folder, policy)
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            assert address, "dbus-daemon did not start: is it installed (package dbus-daemon)?"
            yield PrivateBus(address, process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=50)
    finally:
        shutil.rmtree(folder)


def _start(folder: Path, policy: Path | None) -> subprocess.Popen[str]:
    rules = OPEN_POLICY if policy is None else SYSTEM_POLICY.format(file=policy)
    config = folder / "bus.conf"
    config.write_text(CONFIG.format(socket=folder / "socket", policy=rules))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
