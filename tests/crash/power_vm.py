# SPDX-License-Identifier: Apache-2.0
"""A machine that is killed at instants of an installation: `script/power-cut --vm N [--seed N]`.

Each time the bench orders a version of a package, the power goes at an instant of what the
first, undisturbed order took; what is on the disk is checked, and the machine boots again.  The
order must end, with one result, told once or in equal words.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scomod.codes import ResultCode
from tests.support import block_log
from tests.support.power_vm import PACKAGE, PoweredVm

if TYPE_CHECKING:
    from scomod.lab.devices import Order


def main(arguments: list[str]) -> int:
    """Run it in namespaces of its own; 0 if everything was as it must be."""
    parser = argparse.ArgumentParser(
        prog="script/power-cut", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--vm", type=int, required=True, metavar="N", help="how often it is killed")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31), metavar="N")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    debian = Path(os.environ["SCOMOD_POWER_ROOT"])
    with tempfile.TemporaryDirectory(prefix="scomod-power-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
        try:
            with PoweredVm(Path(folder), debian) as vm:
                _play(vm, options.vm, options.seed)
        finally:
            subprocess.run(["umount", folder], check=True)
    return 0


def _play(vm: PoweredVm, count: int, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311 - a seed
    vm.switch_on()
    began_s = time.monotonic()
    first = vm.order_version("1")
    whole_s = vm.push_until_over(first)
    _check(vm, first)
    spent_s = time.monotonic() - began_s
    print(
        f"up in {spent_s - whole_s:.0f} s, undisturbed an order takes {whole_s:.0f} s", flush=True
    )
    parts = list(range(count))
    choice.shuffle(parts)
    for number, part in enumerate(parts, start=1):
        order = vm.order_version(str(number + 1))
        vm.push()
        at_s = whole_s * (part + choice.random()) / count
        time.sleep(at_s)
        stand = order.phase if order.result is None else "over"
        began_s = time.monotonic()
        pending, lost = vm.cut_power(seed)
        vm.fsck()
        vm.switch_on()
        vm.push_until_over(order)
        _check(vm, order)
        print(
            f"{number}: killed after {at_s:.1f} s ({stand}), {lost} of {pending} unflushed pieces "
            f"lost; clean, and over {time.monotonic() - began_s:.0f} s later",
            flush=True,
        )
    vm.cut_power(seed)
    _check_disk(vm, str(count + 1))


def _check(vm: PoweredVm, order: Order) -> None:
    """The end is what was ordered, and every report of it says the same."""
    assert order.result == ResultCode.SUCCESSFUL, f"{order}\n{vm.logs()}"
    reports = vm.reports(order)
    assert reports
    assert all(report == reports[0] for report in reports)


def _check_disk(vm: PoweredVm, version: str) -> None:
    """What the server has heard of is on the disk after one more cut, seen from outside."""
    with block_log.mounted(vm.disk, vm.root):
        assert vm.dpkg_state(PACKAGE) == f"ii {version}"
        assert vm.dpkg_audit() == ""
        said = subprocess.run(
            ["dpkg", f"--root={vm.root}", "--verify", PACKAGE], capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert said.stdout == ""
    block_log.fsck(vm.disk)
    print(f"version {version} is there, dpkg and the file system are in order", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
