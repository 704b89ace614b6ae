# SPDX-License-Identifier: Apache-2.0
"""A stand-in for opkg, run as a program by `opkg_bed` or called in a fork of a test.

The flavour is "yocto" (0.6.1) or "lede" (OpenWrt's).  Debian has no opkg; exit codes,
words, states and the order of writes are those seen of the real ones, also where they
lie: the status file is written in place when all else is done, a full disk is no
failure for OpenWrt's.  It knows offline roots only, keeps its lock while scripts run,
and imports nothing of scomod and nothing that takes long: a test runs it often.

A file `die` in the root, "7" or "7 parent", kills it (and who started it) at its seventh write.
A file `full` makes the disk full: only half of each file of a package is written.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
import zlib

SIGKILL = 9  # the module that names it takes longer to load than all the others
FAILED = 255
USAGE = 1
STATUS = {"yocto": "var/lib/opkg/status", "lede": "usr/lib/opkg/status"}
LOCKS = {"yocto": "run/opkg.lock", "lede": "var/lock/opkg.lock"}
CHECKSUM = {"yocto": "md5", "lede": "sha256"}
READING = ("list-installed", "status", "print-architecture")
KEPT = ("Package", "Version", "Depends", "Essential", "Architecture", "Conffiles", "Installed-Size")
THERE = ("installed", "unpacked")
ESSENTIAL = "--force-removal-of-essential-packages"

Stanza = dict[str, str]


class Archive:
    """What is in an .ipk: its control fields, its scripts and its files."""

    def __init__(self, path: str, *, takes_ar: bool) -> None:
        packed = load(path)
        is_ar = packed.startswith(b"!<arch>")
        if is_ar and not takes_ar:
            raise ValueError("ar")
        outer = un_ar(packed) if is_ar else un_tar(packed)
        self.parts = un_tar(outer["control.tar.gz"])
        self.files = un_tar(outer["data.tar.gz"])
        self.folders = un_tar(outer["data.tar.gz"], kind=b"5")
        self.control = fields(self.parts["control"].decode())
        self.conffiles = self.parts.get("conffiles", b"").decode().split()


class Tool:
    """One run."""

    def __init__(self, flavour: str, arguments: list[str]) -> None:
        self.flavour = flavour
        self.is_lede = flavour == "lede"
        words = iter(arguments)
        self.options: set[str] = set()
        self.words: list[str] = []
        self.root = ""
        for word in words:
            if word == "--offline-root":
                self.root = next(words)
            elif word.startswith("--"):
                self.options.add(word)
            else:
                self.words.append(word)
        self.status_file = f"{self.root}/{STATUS[flavour]}"
        self.folder = os.path.dirname(self.status_file)
        self.rows: dict[str, Stanza] = {}
        self.is_changed = False
        self.rc = 0
        self.order_to_die = load_text(f"{self.root}/die").split()
        self.left = int(self.order_to_die[0]) if self.order_to_die else 0
        self.is_full = os.path.exists(f"{self.root}/full")

    # -- saying, ending, dying ----------------------------------------------------

    def fail(self, *lines: str) -> None:
        self.complain(*lines)
        self.rc = FAILED

    def complain(self, *lines: str) -> None:
        heading = "Collected errors:\n" if self.is_lede else ""
        sys.stderr.write(heading + "".join(f" * {line}\n" for line in lines))

    def say(self, text: str) -> None:
        print(text, flush=True)

    def has(self, option: str) -> bool:
        return option in self.options

    def wrote(self) -> None:
        """Count a write, and die if it was the one."""
        self.left -= 1
        if self.left == 0:
            os.unlink(f"{self.root}/die")
            if "parent" in self.order_to_die:
                os.kill(os.getppid(), SIGKILL)
            os.kill(os.getpid(), SIGKILL)

    def put(self, path: str, data: bytes) -> None:
        """Write a file of opkg's own."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        self.wrote()

    def put_slowly(self, path: str, data: bytes) -> None:
        """Write a file in two halves, the second if there is room."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        half = len(data) // 2
        with open(path, "wb", buffering=0) as file:
            file.write(data[:half])
            self.wrote()
            if not self.is_full:
                file.write(data[half:])
        self.wrote()

    def drop(self, path: str) -> None:
        if os.path.lexists(path):
            os.unlink(path)
            self.wrote()

    # -- the database -------------------------------------------------------------

    def read(self) -> None:
        stanzas = (fields(part) for part in load_text(self.status_file).split("\n\n"))
        self.rows = {made["Package"]: made for made in stanzas if made}

    def write(self) -> None:
        if not self.is_changed or self.has("--noaction"):
            return
        lines = (
            "".join(f"{key}: {row[key]}\n" for key in row) + "\n" for row in self.rows.values()
        )
        self.is_full = False
        self.put_slowly(self.status_file, "".join(lines).encode())

    def record(self, control: Stanza, status: str) -> None:
        stanza = {key: control[key] for key in KEPT if key in control}
        self.rows.pop(control["Package"], None)
        self.rows[control["Package"]] = {
            **stanza,
            "Status": status,
            "Installed-Time": str(int(time.time())),
        }
        self.is_changed = True

    def is_there(self, name: str) -> bool:
        return name in self.rows and self.rows[name]["Status"].split()[2] in THERE

    def note(self, name: str, suffix: str) -> str:
        return f"{self.folder}/info/{name}.{suffix}"

    def owned(self, name: str) -> list[str]:
        return load_text(self.note(name, "list")).splitlines()

    def drop_notes(self, name: str) -> None:
        for suffix in ("list", "control", "conffiles", "preinst", "postinst", "prerm", "postrm"):
            self.drop(self.note(name, suffix))

    def configuration(self, word: str) -> list[list[str]]:
        text = load_text(f"{self.root}/etc/opkg.conf")
        rows = (line.split() for line in text.splitlines())
        return [row for row in rows if row and row[0].startswith(word)]

    # -- running ------------------------------------------------------------------

    def run(self) -> int:
        command = self.words[0] if self.words else ""
        verb = {"install": self.install, "remove": self.remove}.get(command)
        is_change = verb is not None or command == "update"
        if not is_change and command not in READING:
            self.say("usage: opkg [options...] sub-command [arguments...]")
            return USAGE
        if (is_change or self.is_lede) and not self.lock():
            return FAILED
        self.read()
        if verb is not None:
            for word in self.words[1:]:
                verb(word)
            if command == "install" and self.is_lede:
                self.configure_the_others()
            self.write()
        elif command == "update":
            self.update()
        elif command == "print-architecture":
            self.say("\n".join(" ".join(row) for row in self.configuration("arch")))
        else:
            self.show(command)
        return self.rc

    def lock(self) -> bool:
        path = f"{self.root}/{LOCKS[self.flavour]}"
        if not self.is_lede:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            self.locked = open(path, "a")  # noqa: SIM115 - kept until the end
        except OSError as error:
            self.fail(f"opkg_conf_load: Could not create lock file {path}: {error.strerror}.")
            return False
        try:
            fcntl.lockf(self.locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.fail(f"opkg_conf_load: Could not lock {path}: {error.strerror}.")
            return False
        return True

    def show(self, command: str) -> None:
        for name, row in self.rows.items():
            if command == "list-installed" and self.is_there(name):
                self.say(f"{name} - {row['Version']}")
            if command == "status" and name in self.words[1:]:
                self.say("".join(f"{key}: {value}\n" for key, value in row.items()))

    def script(self, name: str, kind: str, body: bytes = b"") -> bool:
        """Run a maintainer script; tells whether it ended well or was not to be run."""
        is_wanted = self.has("--force-postinstall") or kind in ("prerm", "postrm")
        if not is_wanted or self.has("--noaction"):
            return True
        path = self.note(name, kind)
        if body:
            path = f"{self.root}/tmp/{name}.{kind}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(body)
        if not os.path.exists(path):
            return True
        env = {**os.environ, "PKG_ROOT": self.root}
        rc = os.spawnve(os.P_WAIT, "/bin/sh", ["sh", path], env)
        if rc:
            self.fail(f'pkg_run_script: package "{name}" {kind} script returned status {rc}.')
        return rc == 0

    # -- feeds --------------------------------------------------------------------

    def update(self) -> None:
        for row in self.configuration("src"):
            name, address = row[1:3]
            source = f"{address.removeprefix('file:')}/Packages.gz"
            if not address.startswith("file:") or not os.path.exists(source):
                self.say(f"*** Failed to download the package list from {address}/Packages.gz\n")
                self.rc += 1
                continue
            self.put(f"{self.folder}/lists/{name}", gunzipped(load(source)))
            self.say(f"Updated list of available packages in {self.folder}/lists/{name}")

    def in_feeds(self, wanted: str) -> str:
        """Give the archive of a package that a list has, "" where none does."""
        for row in self.configuration("src"):
            name, address = row[1:3]
            for part in load_text(f"{self.folder}/lists/{name}").split("\n\n"):
                stanza = fields(part)
                if stanza.get("Package") == wanted:
                    return f"{address.removeprefix('file:')}/{stanza['Filename']}"
        return ""

    def satisfy(self, control: Stanza) -> bool:
        """Bring what is missing from the feeds, or say that it is nowhere."""
        name = control["Package"]
        wanted = (word.split()[0] for word in control.get("Depends", "").split(",") if word.strip())
        missing = [word for word in wanted if not self.is_there(word)]
        lost = next((word for word in missing if not self.in_feeds(word)), "")
        if lost and self.is_lede:
            self.fail(
                f"pkg_hash_check_unresolved: cannot find dependency {lost} for {name}",
                f"pkg_hash_fetch_best_installation_candidate: Packages for {name} found, but"
                " incompatible with the architectures configured",
                f"opkg_install_cmd: Cannot install package {name}.",
            )
        elif lost:
            self.fail(
                f"satisfy_dependencies_for: Cannot satisfy the following dependencies for {name}:",
                f"\t{lost} *",
            )
        else:
            for word in missing:
                self.install(self.in_feeds(word))
        return not lost and self.rc == 0

    # -- install ------------------------------------------------------------------

    def install(self, word: str) -> None:
        if not word.endswith(".ipk") or not os.path.exists(word):
            self.fail(
                f"opkg_install_cmd: Cannot install package {word}.", f"Unknown package '{word}'."
            )
            return
        try:
            archive = Archive(word, takes_ar=not self.is_lede)
        except (zlib.error, OSError, KeyError, ValueError, IndexError):
            self.fail(f"pkg_init_from_file: Malformed package file {word}.")
            return
        name = archive.control["Package"]
        was = self.rows[name]["Version"] if self.is_there(name) else ""
        if not self.takes(archive.control) or (was and not self.takes_over(archive, was, word)):
            return
        self.announce(name, was, archive.control["Version"])
        if not self.satisfy(archive.control) or self.has("--noaction"):
            return
        if not self.script(name, "preinst", archive.parts.get("preinst", b"")):
            self.complain("preinst_configure: Aborting installation.")
            if not self.is_lede:
                self.record(archive.control, "install ok half-installed")
        elif not self.clashes(name, archive):
            self.bring(name, archive)
            self.configure(name, archive.control)

    def takes(self, control: Stanza) -> bool:
        name, machine = control["Package"], control["Architecture"]
        if any(row[1] == machine for row in self.configuration("arch")):
            return True
        if self.is_lede:
            self.fail(
                f"Packages for {name} found, but incompatible with the architectures configured",
                f"opkg_install_cmd: Cannot install package {name}.",
            )
        else:
            self.fail(
                f"Not selecting {name} {control['Version']}: incompatible architecture {machine}."
            )
        return False

    def takes_over(self, archive: Archive, old: str, path: str) -> bool:
        name, new = archive.control["Package"], archive.control["Version"]
        if old == new and not self.has("--force-reinstall"):
            if self.is_lede:
                self.say(f"Package {name} ({old}) installed in root is up to date.")
            else:
                self.fail(
                    f"opkg_prepare_file_for_install: Refusing to load file '{path}' as it"
                    f" matches the installed version of {name}."
                )
            return False
        if new < old and not self.has("--force-downgrade"):
            self.say(f"Not downgrading package {name} on root from {old} to {new}.")
            return False
        return True

    def announce(self, name: str, was: str, version: str) -> None:
        if self.is_lede:
            first = f"Installing {name} ({version}) to root..."
            other = f"Upgrading {name} on root from {was} to {version}..."
        else:
            first = f"Installing {name} ({version.partition('-')[0]}) on root."
            other = f"Upgrading {name} from {was} to {version} on root."
        self.say(other if was else first)

    def clashes(self, name: str, archive: Archive) -> bool:
        others = [] if self.has("--force-overwrite") else [o for o in self.rows if o != name]
        for file in archive.files:
            for owner in others:
                if f"/{file}" in self.owned(owner):
                    state = "prefer,user not-installed" if self.is_lede else "ok half-installed"
                    self.record(archive.control, f"install {state}")
                    self.fail(
                        f"check_data_file_clashes: Package {name} wants to install file"
                        f" {self.root}/{file}",
                        f"\tBut that file is already provided by package  * {owner}",
                    )
                    return True
        return False

    def bring(self, name: str, archive: Archive) -> None:
        """The old files and notes go first, then come scripts, files, and the list of them."""
        kept = {file[1:] for file in archive.conffiles}
        for file in self.owned(name):
            if file[1:] not in kept:
                self.drop(self.root + file)
        self.drop_notes(name)
        for kind, body in archive.parts.items():
            self.put(self.note(name, kind), body)
        for file, content in archive.files.items():
            target = f"{self.root}/{file}"
            if (
                self.is_lede
                and not os.path.isdir(folder := os.path.dirname(target))
                and (folder.removeprefix(f"{self.root}/") not in archive.folders)
            ):
                # Seen: that is all, it goes on and says 0.
                self.complain(f"wfopen: {target}: No such file or directory.")
            else:
                self.put_file(target, content, is_conffile=file in kept)
        self.put(self.note(name, "list"), "".join(f"/{file}\n" for file in archive.files).encode())
        if archive.conffiles:
            sums = (
                f" {file} {self.checksum(archive.files[file[1:]])}" for file in archive.conffiles
            )
            archive.control["Conffiles"] = "\n" + "\n".join(sums)
        self.record(archive.control, "install user unpacked")

    def put_file(self, target: str, content: bytes, *, is_conffile: bool) -> None:
        if not is_conffile or not os.path.exists(target):
            self.put_slowly(target, content)
        elif load(target) != content:
            self.put(f"{target}-opkg", content)
            text = (
                f"resolve_conffiles: Existing conffile {target} is different from the"
                " conffile in the new package."
            )
            (self.complain if self.is_lede else self.say)(text)

    def checksum(self, data: bytes) -> str:
        import hashlib  # takes long, and few packages have configuration files

        return hashlib.new(CHECKSUM[self.flavour], data, usedforsecurity=False).hexdigest()

    def configure(self, name: str, control: Stanza) -> None:
        runs_scripts = self.has("--force-postinstall")
        if not runs_scripts and not self.is_lede:
            return
        self.say(f"Configuring {name}.")
        if self.script(name, "postinst"):
            self.record(control, "install user installed")
        elif self.is_lede:
            self.complain(f"opkg_configure: {name}.postinst failed.")
        else:
            # Seen below an offline root: unpacked, and 0.
            self.rc = 0

    def configure_the_others(self) -> None:
        """Try again what an earlier run left unpacked."""
        for name, row in list(self.rows.items()):
            is_mine = self.words[-1].rpartition("/")[2].startswith(f"{name}_")
            if row["Status"].endswith(" unpacked") and not is_mine and not self.has("--noaction"):
                self.configure(name, row)

    # -- remove -------------------------------------------------------------------

    def remove(self, name: str) -> None:
        if not self.is_there(name):
            self.say("No packages removed.")
            return
        row = self.rows[name]
        if row.get("Essential") == "yes" and not self.has(ESSENTIAL):
            self.say(f"Refusing to remove essential package {name}.\nNo packages removed.")
            self.rc = FAILED
            return
        users = [o for o, r in self.rows.items() if name in r.get("Depends", "").split(", ")]
        if users and not self.has("--force-depends"):
            self.say("No packages removed.")
            self.fail(
                f"print_dependents_warning: Package {name} is depended upon by packages:",
                *(f"print_dependents_warning: \t{other}" for other in users),
            )
            return
        self.say(f"Removing package {name} from root...")
        self.is_changed = True
        if not self.script(name, "prerm"):
            if not self.has("--force-remove"):
                row["Status"] = f"deinstall user {row['Status'].split()[2]}"
                self.fail("opkg_remove_pkg: not removing package: prerm script failed")
                return
            self.rc = 0
        self.take_off(name, row)

    def take_off(self, name: str, row: Stanza) -> None:
        sums = dict(line.split() for line in row.get("Conffiles", "").splitlines() if line)
        for file in self.owned(name):
            target = self.root + file
            is_mine = file in sums and os.path.exists(target)
            if not is_mine or sums[file] == self.checksum(load(target)):
                self.drop(target)
        self.script(name, "postrm")
        self.drop_notes(name)
        del self.rows[name]


def fields(text: str) -> Stanza:
    """Read a stanza; a line that begins with a space belongs to the field above."""
    found: Stanza = {}
    key = ""
    for line in text.splitlines():
        if line.startswith(" ") and key:
            found[key] += f"\n{line}"
        elif ":" in line:
            key, _, value = line.partition(":")
            found[key] = value.strip()
    return found


def load(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def load_text(path: str) -> str:
    return load(path).decode() if os.path.exists(path) else ""


def gunzipped(packed: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=31)
    data = reader.decompress(packed)
    if not reader.eof:
        raise ValueError("cut short")
    return data


def un_tar(packed: bytes, kind: bytes = b"0") -> dict[str, bytes]:
    data, found, place = gunzipped(packed), {}, 0
    while (header := data[place : place + 512]).strip(b"\0"):
        size = int(header[124:135], 8)
        if header[156:157] == kind:
            name = header[:100].rstrip(b"\0").decode().removeprefix("./").rstrip("/")
            found[name] = data[place + 512 : place + 512 + size]
        place += 512 + size + -size % 512
    return found


def un_ar(packed: bytes) -> dict[str, bytes]:
    found, place = {}, 8
    while place < len(packed):
        header = packed[place : place + 60]
        size, place = int(header[48:58]), place + 60
        found[header[:16].decode().strip()] = packed[place : place + size]
        place += size + size % 2
    return found
