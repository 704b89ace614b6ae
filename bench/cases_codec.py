# SPDX-License-Identifier: Apache-2.0
"""The codec on one large message, beside libwbxml's tools and beside lxml's bare parse."""

from __future__ import annotations

import resource
import subprocess
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.verdict import Row
from scomod.dmclient import syncml, wbxml, xmltext
from scomod.dmclient.model import Item, Message, Meta, Replace, SyncHdr
from scomod.dmclient.wbxml import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.ground import Ground

LIMITS: Final = Limits(max_bytes=1 << 26, max_depth=32, max_elements=1 << 22)
MIB: Final = 1 << 20
HEADER: Final = SyncHdr(session_id="1", msg_id="1", target="https://dm.example/", source="urn:1")


async def codec(ground: Ground) -> list[Row]:
    """Each way once a round, theirs and ours in turn; in processor time, as nothing waits.

    The tools' time is that of a large message less that of an empty one: what a process
    costs to start is not theirs to answer for.
    """
    count = 4000 if ground.is_quick else 16000
    large, empty = (
        Sample(ground.directory, name, n) for name, n in (("large", count), ("none", 0))
    )
    times: dict[str, list[float]] = {}
    for _ in range(ground.rounds(9, 5)):
        for name, work in large.works().items():
            times.setdefault(name, []).append(_took_s(work))
        for name, work in empty.tools().items():
            times[name][-1] -= _took_s(work)
    return [*_speeds(times, large), *_ratios(times)]


class Sample:
    """A message of so many commands, in both syntaxes, in memory and as files."""

    def __init__(self, folder: Path, name: str, count: int) -> None:
        message = Message(header=HEADER, commands=tuple(map(_command, range(count))))
        self.root = syncml.encode(message)
        self.xml = xmltext.encode(self.root)
        self.wbxml = wbxml.encode(self.root)
        self.xml_file = folder / f"{name}.xml"
        self.wbxml_file = folder / f"{name}.wbxml"
        self.xml_file.write_bytes(self.xml)
        self.wbxml_file.write_bytes(self.wbxml)

    def works(self) -> dict[str, Callable[[], object]]:
        """Return what is measured, by name."""
        from lxml import etree  # noqa: PLC0415 - one bare parse is what ours stands beside

        return {
            "wbxml decode": lambda: wbxml.decode(self.wbxml, LIMITS),
            "wbxml encode": lambda: wbxml.encode(self.root),
            "xml decode": lambda: xmltext.decode(self.xml, LIMITS),
            "xml encode": lambda: xmltext.encode(self.root),
            "lxml parse": lambda: etree.fromstring(self.xml),
            "to xml": lambda: xmltext.encode(wbxml.decode(self.wbxml, LIMITS)),
            "to wbxml": lambda: wbxml.encode(xmltext.decode(self.xml, LIMITS)),
            **self.tools(),
        }

    def tools(self) -> dict[str, Callable[[], object]]:
        """Return the same by libwbxml; no string table, as we write none, and no indentation."""
        return {
            "wbxml2xml": lambda: _run("wbxml2xml", "-m", "0", "-k", self.wbxml_file),
            "xml2wbxml": lambda: _run("xml2wbxml", "-n", "-k", self.xml_file),
        }


def _command(number: int) -> Replace:
    item = Item(
        target=f"./SCOMO/Inventory/Deployed/package-{number}/Description",
        meta=Meta(format="chr", type="text/plain"),
        data=f"what package {number} is good for, in a few words".encode(),
    )
    return Replace(cmd_id=str(number), items=(item,))


def _run(tool: str, *arguments: str | Path) -> None:
    subprocess.run([tool, "-o", "/dev/null", *arguments], check=True, capture_output=True)


def _took_s(work: Callable[[], object]) -> float:
    began_s = _processor_s()
    work()
    return _processor_s() - began_s


def _processor_s() -> float:
    """Return the processor time of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def _speeds(times: dict[str, list[float]], sample: Sample) -> list[Row]:
    rows = []
    for name, taken in times.items():
        is_binary = name.startswith("wbxml") or name == "to xml"
        octets = len(sample.wbxml if is_binary else sample.xml)
        speeds = [octets / MIB / seconds for seconds in taken]
        note = f"{measure.spread(speeds, 1)}, of {'WBXML' if is_binary else 'XML'}"
        rows.append(
            Row(name=f"codec/{name}", value=measure.median(speeds), unit="MiB/s", note=note)
        )
    return rows


def _ratios(times: dict[str, list[float]]) -> list[Row]:
    """Time of ours against theirs in the same round: below 1 is faster."""
    pairs = (("to xml", "wbxml2xml"), ("to wbxml", "xml2wbxml"), ("xml decode", "lxml parse"))
    return [
        Row(
            name=f"codec/{ours}:{theirs}", unit="ratio", note="processor time",
            value=measure.median(
                [mine / other for mine, other in zip(times[ours], times[theirs], strict=True)]
            ),
        )
        for ours, theirs in pairs
    ]  # fmt: skip
