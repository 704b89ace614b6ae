# SPDX-License-Identifier: Apache-2.0
"""Records of the bench as sentences: who tells what to whom.

Not the commands of a message (`websaid.py`): a record is what the bench made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod import clifmt
from scomod.codes import AlertCode, DmStatus, ResultCode, is_success
from scomod.explain import code_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.lab.devices import Record

SERVER: Final = "server"
DEVICE: Final = "device"
PERSON: Final = "person"
LAB: Final = "bench"
TO_DEVICE: Final = f"{SERVER} → {DEVICE}"
TO_SERVER: Final = f"{DEVICE} → {SERVER}"
BOTH: Final = f"{SERVER} ↔ {DEVICE}"
GOOD: Final = "good"
BAD: Final = "bad"
URIS_SHOWN: Final = 3
ORDER_TONES: Final = {"done": GOOD, "failed": BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What happened: between whom, in words, with details; `tone` is "", good or bad."""

    actors: str
    text: str
    more: tuple[str, ...] = ()
    tone: str = ""


def sentence_of(record: Record) -> Sentence:
    """Say a record; one of a kind that has no words shows as its fields."""
    teller = TELLERS.get(record["what"])
    if teller is not None:
        return teller(record)
    fields = ", ".join(
        f"{name} {value}" for name, value in record.items() if name not in ("what", "at_s")
    )
    return Sentence(actors=LAB, text=f"{record['what']}: {fields}")


def _push(record: Record) -> Sentence:
    where = f"{record['host']}:{record['port']}"
    text = f"package #0 by UDP to {where}, asks for session {record['session']}"
    return Sentence(actors=TO_DEVICE, text=text)


def _bootstrap(record: Record) -> Sentence:
    where = f"{record['host']}:{record['port']}"
    text = f"a profile by UDP to {where}, sealed with {record['seal']}"
    return Sentence(actors=TO_DEVICE, text=text)


def _challenged(record: Record) -> Sentence:
    text = code_name(record["code"], DmStatus) + ", challenge"
    return Sentence(actors=TO_DEVICE, text=text)


def _admitted(record: Record) -> Sentence:
    session = f"session {record['session']} in {record['encoding']}: {record['auth']}"
    text = f"{session}, answered {code_name(record['code'], DmStatus)}"
    return Sentence(actors=TO_SERVER, text=text)


def _start(record: Record) -> Sentence:
    return Sentence(actors=TO_SERVER, text=f"Alert {code_name(record['code'], AlertCode)}")


def _judged(record: Record) -> Sentence:
    text = f"the server proves itself: {code_name(record['code'], DmStatus)}"
    return Sentence(actors=TO_SERVER, text=text)


def _status(record: Record) -> Sentence:
    text = f"{record['command']} {record['uri']}: {code_name(record['code'], DmStatus)}"
    return Sentence(actors=TO_DEVICE, text=text, tone="" if is_success(record["code"]) else BAD)


def _results(record: Record) -> Sentence:
    uris = list(record["values"])
    rest = len(uris) - URIS_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return Sentence(actors=TO_SERVER, text=f"values of {', '.join(uris[:URIS_SHOWN])}{more}")


def _order(record: Record) -> Sentence:
    return Sentence(
        actors=TO_DEVICE,
        text=f"{record['kind']}: {record['detail']}",
        tone=ORDER_TONES.get(record["phase"], ""),
    )


def _alert(record: Record) -> Sentence:
    result = record.get("result")
    told = "" if result is None else f"result {code_name(result, ResultCode)}"
    answer = code_name(DmStatus.OK, DmStatus)
    code = code_name(record["code"], AlertCode)
    kept = ("correlator", "source", "target")
    return Sentence(
        actors=TO_SERVER,
        text=f"Alert {code}: {told}, answered {answer}",
        more=tuple(f"{name:<10} {record.get(name, '')}" for name in kept),
        tone="" if result is None else GOOD if result == ResultCode.SUCCESSFUL else BAD,
    )


def _abort(record: Record) -> Sentence:
    return Sentence(actors=TO_SERVER, text=f"session {record['session']} aborted", tone=BAD)


def _end(record: Record) -> Sentence:
    trips = f"{record['messages']} round trips" if record["messages"] > 1 else "1 round trip"
    size = clifmt.size(record["octets"])
    return Sentence(actors=BOTH, text=f"session {record['session']} is over: {trips}, {size}")


TELLERS: Final[Mapping[str, Callable[[Record], Sentence]]] = {
    "push": _push,
    "bootstrap": _bootstrap,
    "challenged": _challenged,
    "admitted": _admitted,
    "start": _start,
    "judged us": _judged,
    "status": _status,
    "results": _results,
    "order": _order,
    "alert": _alert,
    "abort": _abort,
    "end": _end,
}
