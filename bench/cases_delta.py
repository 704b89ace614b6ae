# SPDX-License-Identifier: Apache-2.0
"""A new version fetched as the difference to the one that is here, beside the whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.cases_download import served
from bench.ground import Device
from bench.verdict import Row
from scomod.lab.packages import Recipe, build, delta_params

if TYPE_CHECKING:
    from bench.ground import Ground
    from scomod.lab.packages import Payload

NAME: Final = "bench-delta"
SHARE: Final = 10  # one file of so many is another one in a new version
VERSIONS: Final = ("1.0", "2.0", "3.0")


def _package(ground: Ground, version: str, directory: Path) -> Payload:
    """Pack the Python files of this machine's interpreter; each version changes some of them."""
    files = sorted(Path(os.__file__).parent.glob("*.py"))
    number = VERSIONS.index(version)
    texts = {
        f"usr/lib/{NAME}/{path.name}": path.read_text("utf-8")
        + f"# {version}\n" * (place % SHARE < number)
        for place, path in enumerate(files)
    }
    recipe = Recipe(name=NAME, version=version, summary="a library", files=texts)
    return build(recipe, directory, ground.lab.pki, packing="none")


async def delta(ground: Ground) -> list[Row]:
    """Octets fetched and seconds of an update by a delta, and of the next one as a whole."""
    directory = ground.directory / "versions"
    directory.mkdir()
    first, second, third = (_package(ground, version, directory) for version in VERSIONS)
    times = []
    async with served(ground, directory) as base, Device(ground, "delta") as device:
        offer = delta_params(first.path, second.path, directory, base)
        for payload, more in ((first, ""), (second, f";{offer}"), (third, "")):
            params = payload.order_params(f"{base}/{payload.path.name}")
            params["params"] += more
            times.append(await device.operate("install", **params))
        told = await _told(device)
    shutil.rmtree(directory)
    if not told.startswith("used: "):
        raise RuntimeError(f"the delta was {told or 'not looked at'}")
    octets = int(told.split()[1])
    share = octets / second.size_bytes
    note = f"{octets} octets for {second.size_bytes}, one file of {SHARE} changed"
    return [
        Row(name="delta/fetched:package", value=share, unit="ratio", note=note),
        Row(name="delta/by delta", value=times[1], unit="s", note="from the Exec to the report"),
        Row(
            name="delta/whole", value=times[2], unit="s",
            note=f"the next version, {third.size_bytes / measure.MIB:.1f} MiB over the loopback",
        ),
    ]  # fmt: skip


async def _told(device: Device) -> str:
    """Return what the device says of the delta of its second operation."""
    numbers = sorted(record["id"] for record in await device.client.operations())
    record = await device.client.one_operation(numbers[1])
    return str(record.get("delta", ""))
