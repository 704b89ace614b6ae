# SPDX-License-Identifier: Apache-2.0
"""A booted Debian in QEMU that can lose its power, and the bench on this host that it belongs to.

Its disk writes a block log (`block_log`): SIGKILL for QEMU alone would keep everything that
the guest wrote, flushed or not, in the page cache of this host.  After a cut the disk has what
was flushed, and a part of the rest.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final, Self

from scomod.lab import profile, push
from tests.support import block_log, own_package
from tests.support.block_log import Log
from tests.support.container import overlay
from tests.support.debs import Deb
from tests.support.failing import deb_of
from tests.support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scomod.lab.devices import Order

DISK_MIB: Final = 1200
PACKAGE: Final = "powered"
FILES_COUNT: Final = 300
PATIENCE_S: Final = 1800.0  # an emulated machine, on one that does something else as well
PUSH_EVERY_S: Final = 15.0
LOG_BYTES: Final = 8 << 30  # sparse
MORE: Final = """
[transport]
read_timeout_s = 120
[download]
idle_timeout_s = 60
[install.dpkg]
lock_wait_s = 120
"""
NETWORK: Final = "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n"
# The bench's certificate is for names of this host, which the guest reaches under another address.
HOSTS: Final = "10.0.2.2 localhost\n"
# They run dpkg at times of their own.
OTHERS_TIMERS: Final = ("apt-daily.timer", "apt-daily-upgrade.timer")
# An emulated timer that comes too late on a busy host is no reason not to boot.
KERNEL: Final = (
    "console=ttyS0 root=/dev/vda rw quiet mitigations=off nokaslr random.trust_cpu=on"
    " no_timer_check panic=1 systemd.journald.forward_to_console=1"
)
MACHINE: Final = (
    "qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=512", "-M", "q35", "-cpu", "qemu64",
    "-smp", "2", "-m", "512", "-display", "none", "-monitor", "none", "-no-reboot",
)  # fmt: skip


class PoweredVm(Rig):
    """Entered, its disk is there; it is switched on and off by hand.  `debian` is its root."""

    def __init__(self, directory: Path, debian: Path) -> None:
        super().__init__(directory)
        self._debian = debian
        self.root = directory / "system/root"
        self.disk = directory / "disk"
        self.console = directory / "console.log"
        self.version = 0  # of the package, as last ordered
        self._boots = 0
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.bench = self.in_bench(self._open_bench())
        self.account = self.bench.register.add("device-1")
        overlay(self.root.parent, [self._debian])
        self._install_scomod()
        self._furnish()
        self.override(MORE)
        self._settle_in()
        subprocess.run(
            ["mke2fs", "-q", "-F", "-t", "ext4", "-d", self.root, self.disk, f"{DISK_MIB}M"],
            check=True,
        )
        subprocess.run(["umount", self.root], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        super().__exit__()

    # -- what is on the disk

    def _install_scomod(self) -> None:
        """Have dpkg install the package as it is shipped."""
        inside, proc = self.root / "scomod.deb", self.root / "proc"
        shutil.copyfile(own_package.built("scomod"), inside)
        subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)
        subprocess.run(["chroot", self.root, "dpkg", "-i", "/scomod.deb"], check=True)
        subprocess.run(["umount", proc], check=True)
        inside.unlink()

    def _furnish(self) -> None:
        (self.root / "etc/scomod/keys").mkdir(exist_ok=True)
        config = self.root / "etc/scomod"
        shutil.copyfile(self.bench.pki.ca_file, config / "ca.pem")
        shutil.copyfile(self.bench.pki.signing_public_file, config / "keys/bench.pem")
        self.udp_port = push.PORT
        self.write_config()
        document = config / "bootstrap.d/bench.xml"
        document.parent.mkdir(exist_ok=True)
        document.write_text(profile.profile_of(self.account, self.bench.dm_url))

    def _settle_in(self) -> None:
        """Give it what an installer of Debian gives: a network, a name, its disk."""
        for name, text in {
            "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
            "etc/hostname": "device\n",
            "etc/hosts": HOSTS,
            "etc/systemd/network/10-all.network": NETWORK,
        }.items():
            (self.root / name).write_text(text)
        for words in (("enable", "systemd-networkd"), ("mask", *OTHERS_TIMERS)):
            subprocess.run(["systemctl", f"--root={self.root}", "--quiet", *words], check=True)

    # -- power

    def switch_on(self) -> None:
        """Start it on what the disk has; returns at once."""
        self._boots += 1
        self._log = self.directory / f"log-{self._boots}"
        over = self.directory / f"over-{self._boots}"
        with self._log.open("wb") as log:
            log.truncate(LOG_BYTES)
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", self.disk, "-F", "raw", over],
            check=True,
        )
        boot = self._debian / "boot"
        (kernel,), (initrd,) = boot.glob("vmlinuz-*"), boot.glob("initrd.img-*")
        self._process = subprocess.Popen(
            [*MACHINE,
             "-kernel", kernel, "-initrd", initrd, "-append", KERNEL,
             "-blockdev", f"driver=qcow2,node-name=over,file.driver=file,file.filename={over}",
             "-blockdev", f"driver=file,node-name=log,filename={self._log}",
             "-blockdev", f"{block_log.DRIVER},node-name=disk,file=over,log=log",
             "-device", "virtio-blk-pci,drive=disk,discard=off,write-zeroes=off",
             "-netdev", f"user,id=net,hostfwd=udp:127.0.0.1:{self._port}-:{push.PORT}",
             "-device", "virtio-net-pci,netdev=net,romfile=",
             "-chardev", f"file,id=console,path={self.console},append=on",
             "-serial", "chardev:console"],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def cut_power(self, seed: int) -> tuple[int, int]:
        """Kill it; returns how many pieces were not flushed, and how many of them are lost."""
        self._kill()
        entries = Log(self._log).entries()
        while entries and not entries[-1].is_flush and entries[-1].data:
            last = entries.pop()  # it may have been killed while it wrote this one down
            if any(last.data):
                entries.append(last)
                break
        counts = block_log.fail(self.disk, entries, seed, self._boots)
        self._forget_boot()
        return counts

    def fsck(self) -> None:
        """Mount a copy as the next boot will the disk, and check that: it must be clean."""
        copy = self.directory / "copy"
        subprocess.run(["cp", "--sparse=always", self.disk, copy], check=True)
        self.root.mkdir(exist_ok=True)
        with block_log.mounted(copy, self.root):
            pass
        block_log.fsck(copy)
        copy.unlink()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _forget_boot(self) -> None:
        self._process = None
        for name in ("log", "over"):
            (self.directory / f"{name}-{self._boots}").unlink()

    # -- the bench

    def order_next(self) -> Order:
        """Order the next version of the package."""
        self.version += 1
        version = str(self.version)
        files = {f"usr/share/{PACKAGE}/{n}": f"{version} {n}\n" * 50 for n in range(FILES_COUNT)}
        return self.order_install(deb_of(self, Deb(name=PACKAGE, version=version, files=files)))

    def push(self) -> None:
        """Ask the device for a session."""

        async def ask() -> None:
            push.ask(self.bench.register, self.account, "127.0.0.1", self._port)

        self.in_bench(ask())

    def push_until(self, order: Order, is_so: Callable[[], bool]) -> None:
        """Push until it is so: a device that boots hears nothing yet."""
        pushed_s = 0.0
        give_up_s = time.monotonic() + PATIENCE_S
        while not is_so():
            now_s = time.monotonic()
            assert now_s < give_up_s, f"no end of {order}\n{self.logs()}"
            assert self._process is not None
            assert self._process.poll() is None, f"the machine is gone\n{self.logs()}"
            if now_s - pushed_s > PUSH_EVERY_S:
                pushed_s = now_s
                self.push()
            time.sleep(0.05)

    def logs(self) -> str:
        return self.console.read_text(errors="replace")[-6000:]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])
