# SPDX-License-Identifier: Apache-2.0
"""What a look at the device finds: how good it is, a sentence, and what to do about it.

Pure: the table.  What can be seen from outside of a daemon finds `checkdevice`, what only the
daemon knows `checkup`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Mark(StrEnum):
    """How good a finding is; `UNSEEN` could not be looked at."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    UNSEEN = "unseen"


class About(StrEnum):
    """What was looked at, in the order in which it is told."""

    NEXT = "next call"
    SERVER = "servers"
    REPORTS = "reports"
    OPERATIONS = "operations"
    AGENT = "agent"
    LISTENING = "listening"
    CLOCK = "clock"
    DISK = "disk"
    DATABASE = "database"
    DIRECTORIES = "directories"
    CERTIFICATES = "certificates"
    KEYS = "keys"
    BACKENDS = "backends"
    HELPER = "helper"
    UNITS = "units"
    BUS = "bus"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that may be found; what is in braces is filled in."""

    about: About
    mark: Mark
    text: str
    todo: str = ""


A, M = About, Mark
_SESSION: Final = "'scomoctl session {server}' runs one now"
# The keys are words for programs: part of the D-Bus interface.
ROWS: Final[Mapping[str, Row]] = {
    "due": Row(A.NEXT, M.OK, "{what} at {at}: {why}."),
    "nothing due": Row(
        A.NEXT,
        M.NOTE,
        "Nothing is due: the device calls nobody by itself.",
        "set interval_s in [poll], if it should",
    ),
    "no account": Row(
        A.SERVER,
        M.PROBLEM,
        "There is no account, so there is no server to call.",
        "'scomoctl bootstrap FILE', or lay the document into {folder}",
    ),
    "sessions unseen": Row(
        A.SERVER, M.UNSEEN, "Sessions, operations and what comes next are known to the daemon only."
    ),
    "session ok": Row(A.SERVER, M.OK, "The last session with {server} went well{at}."),
    "session failed": Row(
        A.SERVER,
        M.PROBLEM,
        "The last session with {server} failed{at}: {how}.",
        f"{_SESSION}; 'scomoctl why' says when it is tried again",
    ),
    "no session": Row(A.SERVER, M.NOTE, "There was no session with {server} yet.", _SESSION),
    "reports taken": Row(A.REPORTS, M.OK, "Servers have taken all reports."),
    "reports wait": Row(
        A.REPORTS,
        M.NOTE,
        "{count} reports or requests wait, since {since}.",
        "nothing: they go with the next session",
    ),
    "reports old": Row(
        A.REPORTS,
        M.PROBLEM,
        "{count} reports or requests wait, the oldest since {since}.",
        "'scomoctl why' says what keeps each server from taking them",
    ),
    "operations": Row(A.OPERATIONS, M.OK, "{count} operations are under way; all others ended."),
    "not undone": Row(
        A.OPERATIONS,
        M.PROBLEM,
        "Operation {id} ({name}) failed, and what it did could not be taken back: {how}.",
        "look at it with 'scomoctl inventory', and have it installed or removed again",
    ),
    "begun again": Row(
        A.OPERATIONS,
        M.NOTE,
        "Operation {id} ({name}) began its step '{step}' {count} times.",
        "the log of scomod says what ended it before",
    ),
    "agent": Row(A.AGENT, M.OK, "An agent is registered: a person can be asked."),
    "no agent needed": Row(A.AGENT, M.OK, "No agent is registered; nobody is to be asked."),
    "no agent": Row(
        A.AGENT,
        M.NOTE,
        "No agent is registered: questions wait until somebody answers them.",
        "run an agent ('scomoctl agent'), or answer with 'scomoctl confirm' and 'decline'",
    ),
    "heard": Row(A.LISTENING, M.OK, "{way} is listened to."),
    "deaf": Row(
        A.LISTENING,
        M.PROBLEM,
        "{way} is wanted, and not listened to.",
        "the log of scomod says why",
    ),
    "no modem": Row(
        A.LISTENING,
        M.NOTE,
        "No modem is listened to: neither oFono nor ModemManager has one.",
        "without a modem that is as it should be; service in [modem] ends the search",
    ),
    "not wanted": Row(A.LISTENING, M.OK, "{way} is not wanted."),
    "time": Row(A.CLOCK, M.OK, "The clock says {now}, and can be right: it was {floor} already."),
    "no time": Row(
        A.CLOCK,
        M.PROBLEM,
        "The clock says {now}, and cannot be right: it was {floor} already.",
        "set it (NTP, a clock with a battery); until then certificates are held against {floor}",
    ),
    "time unseen": Row(A.CLOCK, M.UNSEEN, "Whether the clock can be right knows the daemon."),
    "disk": Row(
        A.DISK, M.OK, "{free} are free in {path}, {reserve} stay free; the spool has {spool}."
    ),
    "disk full": Row(
        A.DISK,
        M.PROBLEM,
        "{free} are free in {path}, and {reserve} must stay free: nothing can be fetched.",
        "make room; the spool itself has {spool}",
    ),
    "database": Row(A.DATABASE, M.OK, "The database has {size} and is sound."),
    "database damaged": Row(
        A.DATABASE,
        M.PROBLEM,
        "The database is damaged: {how}.",
        "restart scomod, which puts it aside and begins anew; then bootstrap again",
    ),
    "database unseen": Row(
        A.DATABASE,
        M.UNSEEN,
        "The database has {size}; whether it is sound finds the daemon when it starts.",
    ),
    "no database": Row(A.DATABASE, M.NOTE, "There is no database yet.", "start scomod once"),
    "database aside": Row(
        A.DATABASE,
        M.NOTE,
        "A database that was damaged lies in {path}.",
        "delete it when nobody wants to look at it",
    ),
    "directory": Row(A.DIRECTORIES, M.OK, "{path} is as it should be."),
    "directory open": Row(
        A.DIRECTORIES,
        M.PROBLEM,
        "{path} is open to others (mode {mode}).",
        "chmod {wanted} {path}",
    ),
    "certificate": Row(A.CERTIFICATES, M.OK, "{name} is good until {until}."),
    "certificate ends": Row(
        A.CERTIFICATES, M.PROBLEM, "{name} ends at {until}.", "put a new one there before that"
    ),
    "certificate ended": Row(
        A.CERTIFICATES, M.PROBLEM, "{name} ended at {until}.", "put a new one there"
    ),
    "certificate unreadable": Row(
        A.CERTIFICATES, M.PROBLEM, "{name} cannot be used: {how}.", "repair it or take it away"
    ),
    "no certificates": Row(A.CERTIFICATES, M.OK, "The configuration names no certificates."),
    "backend": Row(A.BACKENDS, M.OK, "{name}: {version}."),
    "no tool": Row(
        A.BACKENDS,
        M.NOTE,
        "{name}: its tool is not on the device, its packages are refused.",
        "install it, or take {name} out of backends in [install]",
    ),
    "no backend": Row(
        A.BACKENDS,
        M.PROBLEM,
        "No backend has its tool here: nothing can be installed.",
        "install one, or name another in backends of [install]",
    ),
    "direct": Row(A.HELPER, M.OK, "The daemon installs by itself (runner in [install])."),
    "helper": Row(A.HELPER, M.OK, "{path} is enabled: orders start scomod-install."),
    "helper missing": Row(
        A.HELPER,
        M.PROBLEM,
        "scomod-install.path is not installed: nobody carries out orders.",
        "install the unit, or what starts scomod-install when there are files in {path}",
    ),
    "helper off": Row(
        A.HELPER,
        M.PROBLEM,
        "scomod-install.path is installed, and not enabled.",
        "systemctl enable --now scomod-install.path",
    ),
    "helper elsewhere": Row(
        A.HELPER,
        M.NOTE,
        "There are no units of systemd here: something else must start the helper.",
    ),
    "orders wait": Row(
        A.HELPER,
        M.PROBLEM,
        "{count} orders wait for scomod-install, the oldest since {since}.",
        "systemctl status scomod-install.path scomod-install.service",
    ),
    "keys": Row(A.KEYS, M.OK, "{count} files in {path} say who may sign packages."),
    "keys unneeded": Row(
        A.KEYS, M.OK, "Nobody is trusted to sign, and packages need not be signed."
    ),
    "no keys": Row(
        A.KEYS,
        M.PROBLEM,
        "Packages must be signed, and {path} has nobody who may: none can be installed.",
        "lay the public key or the authority of who signs there, as a file .pem",
    ),
    "unit": Row(A.UNITS, M.OK, "{name} is enabled."),
    "unit off": Row(
        A.UNITS,
        M.NOTE,
        "{name} is not enabled: {lack}.",
        "systemctl enable --now {name}, unless that is meant",
    ),
    "unit missing": Row(
        A.UNITS, M.NOTE, "{name} is not installed: {lack}.", "install it, unless that is meant"
    ),
    "activation": Row(A.BUS, M.OK, "{path} has the daemon started by who calls it."),
    "no activation": Row(
        A.BUS,
        M.NOTE,
        "{path} is missing: a daemon that has left is not started by who calls it.",
        "install it, or start the daemon with --resident",
    ),
    "actions": Row(A.BUS, M.OK, "{path} tells polkit what there is to allow."),
    "no actions": Row(
        A.BUS,
        M.NOTE,
        "There is polkit, and {path} is missing: only root and the group scomod may steer.",
        "install it, if others should",
    ),
    "other version": Row(
        A.BUS,
        M.NOTE,
        "The daemon is of version {daemon}, this program of {ours}.",
        "systemctl restart scomod, if it was upgraded just now",
    ),
    "bus": Row(A.BUS, M.OK, "The daemon answers on the bus."),
    "no daemon": Row(
        A.BUS,
        M.PROBLEM,
        "The daemon does not answer: {how}.",
        "systemctl start scomod; see its log",
    ),
    "policy": Row(A.BUS, M.OK, "{path} lets the daemon have its name."),
    "no policy": Row(
        A.BUS,
        M.NOTE,
        "No policy file org.scomod1.conf is installed, which a system bus wants.",
        "install it into {path}",
    ),
    "may steer": Row(A.BUS, M.OK, "You may steer the daemon."),
    "may look": Row(
        A.BUS,
        M.NOTE,
        "You may look, but not steer: you are neither root nor in the group scomod.",
        "usermod -a -G scomod USER, if you should",
    ),
    "configuration": Row(A.CONFIGURATION, M.OK, "It is in order, from {files}."),
    "configuration wrong": Row(A.CONFIGURATION, M.PROBLEM, "It is refused: {how}.", "repair it"),
    "loose": Row(A.CONFIGURATION, M.NOTE, "{what} ({key})."),
    "not allowed": Row(
        A.DIRECTORIES, M.UNSEEN, "{path} cannot be looked at by you.", "run it as root"
    ),
}


@frozen
class Finding:
    """One thing that was found; `word` is its key in `ROWS`."""

    word: str
    about: About
    mark: Mark
    text: str
    todo: str = ""

    def record(self) -> dict[str, Any]:
        """Return what is told of it."""
        return {
            "about": str(self.about),
            "finding": self.word,
            "mark": str(self.mark),
            "text": self.text,
            "todo": self.todo,
        }


def finding(word: str, **facts: object) -> Finding:
    """Make a finding with its sentences, of which `facts` are the parts."""
    row = ROWS[word]
    text, todo = row.text.format(**facts), row.todo.format(**facts)
    return Finding(word=word, about=row.about, mark=row.mark, text=text, todo=todo)


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """Return the findings in the order of what they are about."""
    return sorted(found, key=lambda each: tuple(About).index(each.about))
