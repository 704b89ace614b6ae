# SPDX-License-Identifier: Apache-2.0
"""An order that replaces the very program that carries it out: answered all the same.

The program runs from a copy of its package; a maintainer script does to it what the
package of scomod itself does when it is upgraded, and worse.
"""

from __future__ import annotations

import ast
import asyncio
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod.clock import SystemClock
from scomod.errors import Reason
from scomod.installers.base import Action
from scomod.installers.runner import open_runner
from scomod.settings import Settings
from tests.support.debs import Deb
from tests.support.helper_device import PROJECT, HelperDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.installers.base import JobResult

RUBBISH = "find {code} -name '*.py' | while read file; do echo '(' > \"$file\"; done"
REMOVED = "rm -rf {code}/scomod"
NEWER = 'echo \'open("{code}/new", "w").close()\' >> {code}/scomod/errors.py'
STOPPED = "kill -TERM $(cat {code}/pid); " + RUBBISH
# Loads what the program has loaded when its first tool begins; gives names and sources.
LOADED = """
import json, sys
from pathlib import Path
from scomod.clock import SystemClock
from scomod.installers import helper, ownfiles, registry
from scomod.installers.base import ignore
from scomod.settings import Paths, Settings
registry.workshop(Settings(), Paths(Path(sys.argv[1])), SystemClock(), ignore)
ownfiles.load()
print(json.dumps({name: getattr(module, "__file__", "") for name, module in sys.modules.items()}))
"""
# These are over before the first tool of an order, or speak to a person at the start.
BEFORE_TOOLS = {
    "scomod.trust", "scomod.chain", "scomod.signature", "scomod.config",
    "scomod.installers.registry",
}  # fmt: skip
# An order to start or stop software runs nothing else.
ATTENDING = {("scomod.installers.flatpak", "scomod.installers.flatpak_life")}
# The way back is made before the first tool.
ARMING = {("scomod.installers.dpkg", "scomod.installers.dpkg_repack")}
# Runs the program and says what it loaded between its first tool and the answer.
WATCHED = """
import json, sys
from scomod.installers import helper
seen = []
def observer(boundary):
    if boundary in ("before-tool", "result"):
        seen.append(set(sys.modules))
helper.main(["--root", sys.argv[1]], observer)
print(json.dumps([len(seen), sorted(seen[-1] - seen[0])]))
"""


class Upgradable(HelperDevice):
    """A device whose program lies in a directory of its own."""

    @property
    def code(self) -> Path:
        return self.root.with_name("code")

    def lay_out(self) -> None:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "scomod", self.code / "scomod", ignore=ignored)

    def started(self, *options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "scomod.installers.helper", "--root", self.root, *options],
            cwd=self.code,
            stderr=subprocess.DEVNULL,
        )
        (self.code / "pid").write_text(str(process.pid))
        return process

    def archive(self, version: str, script: str) -> Path:
        script = script.format(code=self.code)
        return Deb(version=version, scripts={"postinst": script}).build(self.root)

    def installed(self) -> str:
        return self.workshop().mover.backends["dpkg"].version("hello")

    def awaited(self, job_id: str) -> JobResult:
        until(lambda: self.result(job_id) is not None)
        result = self.result(job_id)
        assert result is not None
        return result


@pytest.fixture
def device(tmp_path: Path) -> Upgradable:
    made = Upgradable(tmp_path / "root")
    made.configure('[verify]\nsignature = "optional"\n')
    made.lay_out()
    return made


def until(holds: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 100
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


@pytest.mark.parametrize("harm", [REMOVED, STOPPED], ids=["removed", "rubbish and stopped"])
def test_the_order_that_replaces_the_program_is_answered_and_the_next_is_left(
    device: Upgradable, harm: str
) -> None:
    assert device.do(Action.INSTALL, device.archive("1.0", "true")).is_ok
    device.order_file(device.order(Action.INSTALL, device.archive("2.0", harm), id="2"))
    device.order_file(device.order(Action.DEACTIVATE, id="3"))
    assert device.started().wait(200) == 0
    result = device.result("2")
    assert result is not None
    assert result.is_ok, result.detail
    assert [item.version for item in result.components] == [device.installed()] == ["2.0"]
    assert device.pending() == ["3.json"]
    # The new program, which works.
    assert device.run_helper() == 0
    assert [result and result.is_ok for result in map(device.result, "23")] == [True, True]


def test_going_back_needs_nothing_of_the_program_that_is_gone(device: Upgradable) -> None:
    assert device.do(Action.INSTALL, device.archive("1.0", "true")).is_ok
    failing = device.archive("2.0", f"{REMOVED}; exit 3")
    device.order_file(device.order(Action.INSTALL, failing, id="2"))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, device.root],
        cwd=device.code, check=True, capture_output=True, text=True,
    )  # fmt: skip
    # Its own tool, the one that goes back, and the answer: nothing is loaded after the first.
    assert json.loads(done.stdout) == [3, []]
    result = device.result("2")
    assert result is not None
    assert (result.is_ok, result.reason) == (False, Reason.SCRIPT_FAILED)
    assert "going back" not in result.detail
    assert device.installed() == "1.0"
    assert device.names("taken") == device.names("work") == []


def test_one_that_is_killed_while_it_is_replaced_is_followed_by_the_new_one(
    device: Upgradable,
) -> None:
    once = "test -e {code}/once || {{ touch {code}/once; kill -9 $(cat {code}/pid) $PPID; }}"
    device.order_file(device.order(Action.INSTALL, device.archive("1.0", f"{REMOVED}; {once}")))
    assert device.started().wait(200) == -9
    assert device.pending() == ["1.json"]
    device.lay_out()
    assert device.started().wait(200) == 0
    assert device.awaited("1").is_ok
    assert device.installed() == "1.0"


def test_a_watching_program_goes_on_as_the_new_one(device: Upgradable) -> None:
    process = device.started("--watch")
    try:
        device.order_file(device.order(Action.INSTALL, device.archive("1.0", NEWER)))
        assert device.awaited("1").is_ok
        until((device.code / "new").exists)
        device.order_file(device.order(Action.REMOVE, id="2"))
        assert device.awaited("2").is_ok
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(100) == 0


def test_a_daemon_that_restarts_meanwhile_gets_the_answer(device: Upgradable) -> None:
    script = "echo >> {code}/count; until [ -e {code}/go ]; do sleep 0.05; done"
    job = device.order(Action.INSTALL, device.archive("1.0", script))

    async def story() -> JobResult:
        first = asyncio.create_task(open_runner(Settings(), device.paths, SystemClock()).run(job))
        await asyncio.to_thread(until, (device.code / "count").exists)
        first.cancel()
        again = asyncio.create_task(open_runner(Settings(), device.paths, SystemClock()).run(job))
        await asyncio.sleep(0.1)
        (device.code / "go").touch()
        return await again

    process = device.started("--watch")
    try:
        assert asyncio.run(story()).is_ok
        until(lambda: device.pending() == [])  # the answer comes first
    finally:
        process.terminate()
        process.wait(100)
    assert (device.code / "count").read_text() == "\n"


# -- nothing is loaded after the first tool ------------------------------------------


def late_imports(source: Path) -> Iterator[str]:
    """Give the modules that functions of a module import."""
    for function in ast.walk(ast.parse(source.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    is_module = (PROJECT / Path(*full.split("."))).with_suffix(".py").exists()
                    yield full if is_module else node.module


def test_whatever_functions_import_is_loaded_before_the_first_tool(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, tmp_path],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    loaded = json.loads(done.stdout)
    ours = {name: file for name, file in loaded.items() if name.startswith("scomod.") and file}
    assert len(ours) > 20
    missing = {
        (name, late)
        for name, file in ours.items()
        if name not in BEFORE_TOOLS
        for late in late_imports(Path(file))
        if late not in loaded
    }
    assert missing - ATTENDING - ARMING == set()
