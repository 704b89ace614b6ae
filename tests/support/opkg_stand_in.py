"""A stand-in for opkg, as a program: `opkg_stand_in.py FLAVOUR [OPTIONS] COMMAND ...`.

FLAVOUR is "yocto" (0.6.1) or "lede" (OpenWrt's).  Debian has no opkg; exit codes,
words and states are those seen of the real ones, also where they lie.  It knows
offline roots only, keeps its lock while scripts run, and imports nothing of scomod.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import NoReturn

FAILED = 255
USAGE = 1
STATUS = {"yocto": "var/lib/opkg/status", "lede": "usr/lib/opkg/status"}
LOCKS = {"yocto": "run/opkg.lock", "lede": "var/lock/opkg.lock"}
CHECKSUM = {"yocto": "md5", "lede": "sha256"}
READING = frozenset({"list-installed", "status", "print-architecture"})


class Tool:
    """One run."""

    def __init__(self, flavour: str, arguments: list[str]) -> None:
        self.flavour = flavour
        self.is_lede = flavour == "lede"
        words = iter(arguments)
        self.options: set[str] = set()
        self.words: list[str] = []
        self.root = Path("/")
        for word in words:
            if word == "--offline-root":
                self.root = Path(next(words))
            elif word.startswith("--"):
                self.options.add(word)
            else:
                self.words.append(word)
        self.status_file = self.root / STATUS[flavour]
        self.info = self.status_file.parent / "info"

    # -- saying -------------------------------------------------------------------

    def fail(self, *lines: str) -> NoReturn:
        self.complain(*lines)
        sys.exit(FAILED)

    def complain(self, *lines: str) -> None:
        heading = "Collected errors:\n" if self.is_lede else ""
        sys.stderr.write(heading + "".join(f" * {line}\n" for line in lines))

    def say(self, text: str) -> None:
        print(text, flush=True)

    # -- the database -------------------------------------------------------------

    def read(self) -> dict[str, dict[str, str]]:
        text = self.status_file.read_text() if self.status_file.exists() else ""
        return {made["Package"]: made for part in text.split("\n\n") if (made := fields(part))}

    def write(self, name: str, stanza: dict[str, str] | None) -> None:
        rows = self.read()
        rows.pop(name, None)
        if stanza is not None:
            rows[name] = stanza
        self.info.mkdir(parents=True, exist_ok=True)
        text = "".join(
            "".join(f"{key}: {value}\n" for key, value in row.items()) + "\n"
            for row in rows.values()
        )
        new = self.status_file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.status_file)

    def put(self, control: dict[str, str], status: str) -> None:
        kept = ("Package", "Version", "Depends", "Architecture", "Conffiles", "Installed-Size")
        stanza = {key: control[key] for key in kept if key in control}
        self.write(
            control["Package"],
            {**stanza, "Status": status, "Installed-Time": str(int(time.time()))},
        )

    def note(self, name: str, suffix: str) -> Path:
        return self.info / f"{name}.{suffix}"

    def owned(self, name: str) -> list[str]:
        note = self.note(name, "list")
        return note.read_text().splitlines() if note.exists() else []

    # -- running ------------------------------------------------------------------

    def run(self) -> None:
        command = self.words[0] if self.words else ""
        verb = {"install": self.install, "remove": self.remove}.get(command)
        if verb is None and command not in READING:
            self.say("usage: opkg [options...] sub-command [arguments...]")
            sys.exit(USAGE)
        if verb is not None or self.is_lede:
            self.lock()
        if verb is not None:
            for word in self.words[1:]:
                verb(word)
        elif command == "print-architecture":
            conf = self.root / "etc/opkg.conf"
            found = [row for row in conf.read_text().splitlines() if row.startswith("arch ")]
            self.say("\n".join(found))
        else:
            self.show(command)

    def lock(self) -> None:
        path = self.root / LOCKS[self.flavour]
        if not self.is_lede:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.locked = path.open("a")
            fcntl.lockf(self.locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.fail(f"opkg_conf_load: Could not lock {path}: {error.strerror}.")

    def show(self, command: str) -> None:
        for name, row in self.read().items():
            is_there = row["Status"].split()[2] in ("installed", "unpacked")
            if command == "list-installed" and is_there:
                self.say(f"{name} - {row['Version']}")
            if command == "status" and name in self.words[1:]:
                self.say("".join(f"{key}: {value}\n" for key, value in row.items()))

    def script(self, name: str, kind: str, body: bytes | None = None) -> int:
        if "--force-postinstall" not in self.options and self.root != Path("/"):
            return 0
        file = self.note(name, kind)
        if body is not None:
            self.info.mkdir(parents=True, exist_ok=True)
            file = self.info / f".{name}.{kind}"
            file.write_bytes(body)
        if not file.exists():
            return 0
        env = {**os.environ, "PKG_ROOT": str(self.root)}
        rc = subprocess.run(["/bin/sh", str(file)], env=env, check=False).returncode
        if rc:
            self.said_of_script = (
                f'pkg_run_script: package "{name}" {kind} script returned status {rc}.'
            )
        return rc

    # -- install ------------------------------------------------------------------

    def install(self, word: str) -> None:
        path = Path(word)
        if path.suffix != ".ipk" or not path.exists():
            self.fail(
                f"opkg_install_cmd: Cannot install package {word}.", f"Unknown package '{word}'."
            )
        control, parts, data = self.unpack(path)
        name, version = control["Package"], control["Version"]
        rows = self.read()
        before = rows.get(name)
        is_there = before is not None and before["Status"].split()[2] in ("installed", "unpacked")
        self.check_machine(control)
        if is_there and before is not None:
            self.check_version(name, before["Version"], version, path)
        self.check_dependencies(control, rows)
        was = before["Version"] if is_there and before is not None else ""
        self.announce(name, was, version)
        if self.script(name, "preinst", parts.get("preinst")):
            if not self.is_lede:
                self.put(control, "install ok half-installed")
            self.fail(self.said_of_script, "Aborting installation.")
        self.check_clash(control, rows, data)
        self.bring(control, parts, data)
        self.configure(control)

    def unpack(self, path: Path) -> tuple[dict[str, str], dict[str, bytes], dict[str, bytes]]:
        packed = path.read_bytes()
        if self.is_lede and packed.startswith(b"!<arch>"):
            self.fail(f"pkg_init_from_file: Malformed package file {path}.")
        try:
            outer = un_ar(packed) if packed.startswith(b"!<arch>") else un_tar(packed)
            parts, data = un_tar(outer["control.tar.gz"]), un_tar(outer["data.tar.gz"])
        except (tarfile.TarError, EOFError, OSError, KeyError, ValueError):
            self.fail(f"pkg_init_from_file: Malformed package file {path}.")
        control = fields(parts["control"].decode())
        if "conffiles" in parts:
            names = parts["conffiles"].decode().split()
            sums = [f" {name} {self.checksum(data[name[1:]])}" for name in names]
            control["Conffiles"] = "\n" + "\n".join(sums)
        return control, parts, data

    def checksum(self, data: bytes) -> str:
        return hashlib.new(CHECKSUM[self.flavour], data, usedforsecurity=False).hexdigest()

    def check_machine(self, control: dict[str, str]) -> None:
        name, machine = control["Package"], control["Architecture"]
        conf = (self.root / "etc/opkg.conf").read_text().splitlines()
        if machine in {row.split()[1] for row in conf if row.startswith("arch ")}:
            return
        if self.is_lede:
            self.fail(
                f"Packages for {name} found, but incompatible with the architectures configured",
                f"opkg_install_cmd: Cannot install package {name}.",
            )
        self.fail(
            f"Not selecting {name} {control['Version']}: incompatible architecture {machine}."
        )

    def check_version(self, name: str, old: str, new: str, path: Path) -> None:
        if old == new and "--force-reinstall" not in self.options:
            if self.is_lede:
                self.say(f"Package {name} ({old}) installed in root is up to date.")
                sys.exit(0)
            self.fail(
                f"opkg_prepare_file_for_install: Refusing to load file '{path}' as it"
                " matches the installed version of " + name + "."
            )
        if new < old and "--force-downgrade" not in self.options:
            self.say(f"Not downgrading package {name} on root from {old} to {new}.")
            sys.exit(0)

    def check_dependencies(self, control: dict[str, str], rows: dict[str, dict[str, str]]) -> None:
        name = control["Package"]
        wanted = [word.strip() for word in control.get("Depends", "").split(",") if word.strip()]
        missing = [word for word in wanted if word not in rows]
        if not missing:
            return
        if self.is_lede:
            self.fail(
                "pkg_hash_fetch_best_installation_candidate: Packages for"
                f" {name} found, but incompatible with the architectures configured",
                f"satisfy_dependencies_for: Cannot satisfy the dependency: cannot find dependency"
                f" {missing[0]} for {name}",
            )
        self.fail(
            f"satisfy_dependencies_for: Cannot satisfy the following dependencies for {name}:",
            f"\t{missing[0]} *",
        )

    def announce(self, name: str, was: str, version: str) -> None:
        if self.is_lede:
            doing = (
                f"Upgrading {name} on root from {was} to {version}..."
                if was
                else f"Installing {name} ({version}) to root..."
            )
        else:
            doing = (
                f"Upgrading {name} from {was} to {version} on root."
                if was
                else f"Installing {name} ({version.partition('-')[0]}) on root."
            )
        self.say(doing)

    def check_clash(
        self, control: dict[str, str], rows: dict[str, dict[str, str]], data: dict[str, bytes]
    ) -> None:
        name = control["Package"]
        for file in data:
            owner = next((o for o in rows if o != name and f"/{file}" in self.owned(o)), "")
            if owner and "--force-overwrite" not in self.options:
                self.put(
                    control,
                    "install prefer,user not-installed"
                    if self.is_lede
                    else "install ok half-installed",
                )
                self.fail(
                    f"check_data_file_clashes: Package {name} wants to install file"
                    f" {self.root / file}",
                    f"\tBut that file is already provided by package  * {owner}",
                )

    def bring(
        self, control: dict[str, str], parts: dict[str, bytes], data: dict[str, bytes]
    ) -> None:
        """Scripts and notes first, then the files, then the list of them, as the real ones do."""
        name = control["Package"]
        old = set(self.owned(name))
        self.info.mkdir(parents=True, exist_ok=True)
        for note in self.info.glob(f"{name}.*"):
            note.unlink()
        for kind, body in parts.items():
            self.note(name, kind).write_bytes(body)
        for file, content in data.items():
            target = self.root / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if f"/{file}" in control.get("Conffiles", "") and target.exists():
                if target.read_bytes() != content:
                    target.with_name(f"{target.name}-opkg").write_bytes(content)
                    self.conffile_notice(target)
                continue
            target.write_bytes(content)
        for gone in old - {f"/{file}" for file in data}:
            (self.root / gone[1:]).unlink(missing_ok=True)
        self.note(name, "list").write_text("".join(f"/{file}\n" for file in data))
        self.put(control, "install user unpacked")

    def conffile_notice(self, target: Path) -> None:
        text = f"resolve_conffiles: Existing conffile {target} is different from the conffile in the new package."
        if self.is_lede:
            self.complain(text)
        else:
            self.say(text)

    def configure(self, control: dict[str, str]) -> None:
        name = control["Package"]
        runs_scripts = self.root == Path("/") or "--force-postinstall" in self.options
        if not runs_scripts and not self.is_lede:
            return
        self.say(f"Configuring {name}.")
        if self.script(name, "postinst"):
            if not self.is_lede and self.root != Path("/"):
                sys.exit(0)
            self.fail(self.said_of_script, f"opkg_configure: {name}.postinst returned 3.")
        self.put(control, "install user installed")

    # -- remove -------------------------------------------------------------------

    def remove(self, name: str) -> None:
        rows = self.read()
        row = rows.get(name)
        if row is None or row["Status"].split()[2] not in ("installed", "unpacked"):
            self.say("No packages removed.")
            return
        dependents = [o for o, r in rows.items() if name in r.get("Depends", "").split(", ")]
        if dependents and "--force-depends" not in self.options:
            self.say("No packages removed.")
            self.fail(
                f"print_dependents_warning: Package {name} is depended upon by packages:",
                *(f"print_dependents_warning: \t{other}" for other in dependents),
            )
        self.say(f"Removing package {name} from root...")
        self.options.add("--force-postinstall")
        if self.script(name, "prerm") and "--force-remove" not in self.options:
            state = row["Status"].split()[2]
            self.write(name, {**row, "Status": f"deinstall user {state}"})
            self.fail(
                self.said_of_script, "opkg_remove_pkg: not removing package: prerm script failed"
            )
        self.take_off(name, row)

    def take_off(self, name: str, row: dict[str, str]) -> None:
        sums = dict(line.split() for line in row.get("Conffiles", "").splitlines() if line)
        for file in self.owned(name):
            target = self.root / file[1:]
            is_changed = (
                file in sums
                and target.exists()
                and sums[file] != self.checksum(target.read_bytes())
            )
            if not is_changed:
                target.unlink(missing_ok=True)
        rc = self.script(name, "postrm")
        for note in self.info.glob(f"{name}.*"):
            note.unlink()
        self.write(name, None)
        if rc:
            self.fail(self.said_of_script)


def fields(text: str) -> dict[str, str]:
    """Read a stanza; a line that begins with a space belongs to the field above."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line.startswith(" ") and key:
            found[key] += f"\n{line}"
        elif ":" in line:
            key, _, value = line.partition(":")
            found[key] = value.strip()
    return found


def un_tar(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed)), mode="r:") as archive:
        return {
            info.name.removeprefix("./"): content.read()
            for info in archive
            if (content := archive.extractfile(info)) is not None
        }


def un_ar(packed: bytes) -> dict[str, bytes]:
    found, place = {}, 8
    while place < len(packed):
        header = packed[place : place + 60]
        size, place = int(header[48:58]), place + 60
        found[header[:16].decode().strip()] = packed[place : place + size]
        place += size + size % 2
    return found


if __name__ == "__main__":
    Tool(sys.argv[1], sys.argv[2:]).run()
