# SPDX-License-Identifier: Apache-2.0
"""The figures of a device for monitoring, made of its status record; no I/O.

Counters are those of `tally`: they outlive the daemon, a restart of the device and an
upgrade, and begin anew only with a new database.  Gauges say how things are now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.openmetrics import COUNTER, Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scomod.facade import Record

GAUGE: Final = "gauge"
# Keys of the tally that are one number: name of the family, unit, meaning.
SUMS: Final = (
    ("messages", "scomod_session_messages", "", "Messages sent to DM servers."),
    ("commands", "scomod_session_commands", "", "Commands of DM servers that were carried out."),
    ("sent_bytes", "scomod_session_sent_bytes", "bytes", "Octets of messages to DM servers."),
    (
        "received_bytes",
        "scomod_session_received_bytes",
        "bytes",
        "Octets of messages from DM servers.",
    ),
    ("session_seconds", "scomod_session_seconds", "seconds", "Time spent in sessions."),
    ("reports", "scomod_reports_delivered", "", "Reports that a DM server took."),
    ("package_bytes", "scomod_package_bytes", "bytes", "Octets of packages that operations used."),
)
# Keys of the status record that are one number.
NOW: Final = (
    ("operations_live", "scomod_operations_live", "Operations that are not over."),
    ("alerts_waiting", "scomod_reports_waiting", "Reports that no server has taken yet."),
    ("prompts_waiting", "scomod_prompts_waiting", "Questions that wait for a person."),
)


def families(status: Record) -> Iterator[Family]:
    """Give all figures; `status` is what `Facade.status` says."""
    yield _family(
        "scomod_build",
        "Constant 1; the labels say what runs.",
        Sample(value=1, labels={"version": status["version"]}),
    )
    counted: Record = status.get("counters") or {}
    for key, name, unit, text in SUMS:
        yield _counter(name, unit, text, Sample(value=counted.get(key, 0), labels={}))
    yield _counter("scomod_sessions", "", "Sessions that ended.", *_sessions(counted))
    yield _counter("scomod_operations", "", "Operations that are over.", *_operations(counted))
    for key, name, text in NOW:
        yield _family(name, text, Sample(value=status[key], labels={}))
    is_open = bool(status["session"])
    yield _family("scomod_session_open", "1 in a session.", Sample(value=int(is_open), labels={}))
    yield from _servers(status["servers"])


def _sessions(counted: Record) -> Iterator[Sample]:
    known = counted.get("sessions") or {}
    for outcome in ("ok", "failed"):
        yield Sample(value=known.get(outcome, 0), labels={"outcome": outcome})


def _operations(counted: Record) -> Iterator[Sample]:
    for words, value in sorted((counted.get("operations") or {}).items()):
        primitive, _, outcome = words.partition(" ")
        yield Sample(value=value, labels={"primitive": primitive, "outcome": outcome})


def _servers(servers: list[Record]) -> Iterator[Family]:
    """Give how and when the last session with each server ended, of those that had one."""
    lasts = [
        ({"server": each["server_id"]}, each["last_session"])
        for each in servers
        if each.get("last_session")
    ]
    yield _family(
        "scomod_last_session_ok",
        "1 if the last session with the server went well.",
        *(Sample(value=int(last.get("outcome") == "ok"), labels=who) for who, last in lasts),
    )
    yield Family(
        name="scomod_last_session_end_seconds",
        kind=GAUGE,
        unit="seconds",
        help="When the last session with the server ended, since the epoch; 0: not known.",
        samples=tuple(Sample(value=last.get("ended_s", 0), labels=who) for who, last in lasts),
    )


def _family(name: str, text: str, *samples: Sample) -> Family:
    return Family(name=name, kind=GAUGE, unit="", help=text, samples=samples)


def _counter(name: str, unit: str, text: str, *samples: Sample) -> Family:
    return Family(name=name, kind=COUNTER, unit=unit, help=text, samples=samples)
