# SPDX-License-Identifier: Apache-2.0
"""A machine that is killed at instants of an installation: `script/power-cut --vm N [--seed N]`.

Each time the bench orders a version of a package, and while the device is at it the power goes,
each time in another part of what an undisturbed order takes.  What is on the disk is checked, and
the machine boots again.  The order must end, with one result, told once or in equal words.
"""

from __future__ import annotations

import argparse
import functools
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
from scomod.lab.devices import Phase
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
    first = vm.order_next()
    vm.push_until(first, lambda: _is_begun(first))
    up_s, began_s = time.monotonic() - began_s, time.monotonic()
    vm.push_until(first, lambda: _is_over(first))
    whole_s = time.monotonic() - began_s
    _check(vm, first)
    print(f"up in {up_s:.0f} s, undisturbed an order takes {whole_s:.1f} s", flush=True)
    parts = list(range(count))
    choice.shuffle(parts)
    for number, part in enumerate(parts, start=1):
        order, at_s, whole_s = _under_way(vm, (part + choice.random()) / count, whole_s)
        began_s = time.monotonic()
        pending, lost = vm.cut_power(seed)
        vm.fsck()
        vm.switch_on()
        vm.push_until(order, functools.partial(_is_over, order))
        _check(vm, order)
        print(
            f"{number}: killed after {at_s:.1f} s, {lost} of {pending} unflushed pieces lost; "
            f"clean, and over {time.monotonic() - began_s:.0f} s later",
            flush=True,
        )
    vm.cut_power(seed)
    _check_disk(vm)


def _under_way(vm: PoweredVm, share: float, whole_s: float) -> tuple[Order, float, float]:
    """Give an order that has been under way for this share of the time one takes; both times.

    One that is over before shows that it takes less, and the next one is tried.
    """
    while True:
        order = vm.order_next()
        vm.push_until(order, functools.partial(_is_begun, order))
        began_s = time.monotonic()
        while (past_s := time.monotonic() - began_s) < share * whole_s and not _is_over(order):
            time.sleep(0.01)
        if not _is_over(order):
            return order, past_s, whole_s
        _check(vm, order)
        whole_s = past_s


def _is_begun(order: Order) -> bool:
    return order.phase is not Phase.WAITING


def _is_over(order: Order) -> bool:
    return order.result is not None


def _check(vm: PoweredVm, order: Order) -> None:
    """The end is what was ordered, and every report of it says the same."""
    assert order.result == ResultCode.SUCCESSFUL, f"{order}\n{vm.logs()}"
    reports = vm.reports(order)
    assert reports
    assert all(report == reports[0] for report in reports)


def _check_disk(vm: PoweredVm) -> None:
    """What the server has heard of is on the disk after one more cut, seen from outside."""
    with block_log.mounted(vm.disk, vm.root):
        assert vm.dpkg_state(PACKAGE) == f"ii {vm.version}"
        assert vm.dpkg_audit() == ""
        said = subprocess.run(
            ["dpkg", f"--root={vm.root}", "--verify", PACKAGE], capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert said.stdout == ""
    block_log.fsck(vm.disk)
    print(f"version {vm.version} is there, dpkg and the file system are in order", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
