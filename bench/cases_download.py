"""Fetching a large file: how fast beside curl and sha256sum, and in how much memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from bench import measure
from bench.ground import HERE, ROOT, Device, clean_environment
from bench.verdict import Row
from scomod.lab.packages import Payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bench.ground import Ground

SMALL_MIB: Final = 16
LARGE_MIB: Final = (512, 64)
SPEED_MIB: Final = (512, 128)


@contextlib.asynccontextmanager
async def served(ground: Ground, directory: Path) -> AsyncIterator[str]:
    """Serve a directory from a process of its own; gives the base URL."""
    command = (sys.executable, str(HERE / "fileserver.py"), str(directory))
    process = await asyncio.create_subprocess_exec(
        *command, str(ground.lab.pki.server_file), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None  # noqa: S101 - as asked for
        yield f"https://localhost:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.wait()


def _file(ground: Ground, mib: int) -> Payload:
    """Make a file that does not compress, and what a device must be told of it."""
    directory = ground.directory / "files"
    directory.mkdir(exist_ok=True)
    path = directory / f"file{mib}"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mib):
            piece = os.urandom(measure.MIB)
            digest.update(piece)
            file.write(piece)
    return Payload(
        path=path,
        name=path.name,
        version="1",
        size_bytes=mib * measure.MIB,
        sha256=digest.hexdigest(),
        signature=ground.lab.pki.sign(digest.digest()),
    )


async def memory(ground: Ground) -> list[Row]:
    """Peak memory of the daemon during a small and a large download: it must not matter."""
    sizes = (SMALL_MIB, LARGE_MIB[ground.is_quick])
    payloads = [_file(ground, mib) for mib in sizes]
    peaks, written = [], []
    async with served(ground, payloads[0].path.parent) as base, Device(ground, "memory") as device:
        await device.session()
        for payload in payloads:
            before = measure.written_bytes(device.pid)
            async with measure.peak_of(device.pid) as peak:
                params = payload.order_params(f"{base}/{payload.path.name}")
                await device.operate("install", **params, primitive="Download")
            peaks.append(peak.mib)
            written.append(measure.written_bytes(device.pid) - before - payload.size_bytes)
            payload.path.unlink()
    more = f"{sizes[1]} MiB minus {sizes[0]} MiB"
    return [
        *(
            Row(name=f"pss/download of {mib} MiB peak", value=peak, unit="MiB")
            for mib, peak in zip(sizes, peaks, strict=True)
        ),
        Row(name="pss/growth with size", value=peaks[1] - peaks[0], unit="MiB", note=more),
        Row(
            name="download/written beyond the file", value=written[1], unit="bytes",
            note=f"{sizes[1]} MiB, with two sessions and the journal",
        ),
    ]  # fmt: skip


async def speed(ground: Ground) -> list[Row]:
    """Our fetcher, and `curl -o` and `sha256sum`, in turn."""
    mib = SPEED_MIB[ground.is_quick]
    payload = _file(ground, mib)
    names = ("ours", "flush", "curl", "sha256sum")
    times: dict[str, list[float]] = {name: [] for name in names}
    async with served(ground, payload.path.parent) as base:
        url = f"{base}/{payload.path.name}"
        await _curl(ground, url)  # the file is in memory, the server is warm
        for _ in range(ground.rounds(5, 3)):
            ours = await _ours(ground, url, payload.sha256)
            times["ours"].append(ours["s"])
            times["flush"].append(ours["flush_s"])
            times["curl"].append(await _curl(ground, url))
            times["sha256sum"].append(await _timed("sha256sum", str(_target(ground))))
    payload.path.unlink()
    return [*_times(times, mib), *_ratios(times)]


def _times(times: dict[str, list[float]], mib: int) -> list[Row]:
    return [
        Row(
            name=f"download/{name}", value=measure.median(some), unit="s",
            note=f"{mib} MiB, {measure.spread(some, 2)}",
        )
        for name, some in times.items()
    ]  # fmt: skip


def _ratios(times: dict[str, list[float]]) -> list[Row]:
    """Compare round by round: what else the machine does changes from one to the next."""
    rounds = list(zip(*times.values(), strict=True))
    whole = [(curl + digest) / ours for ours, _, curl, digest in rounds]
    alone = [curl / ours for ours, _, curl, _ in rounds]
    unflushed = [curl / (ours - flush) for ours, flush, curl, _ in rounds]
    values = (
        ("ours:curl and sha256sum", whole, "throughput; ours checks and flushes too"),
        ("ours:curl", alone, "curl neither checks nor flushes"),
        ("ours without flush:curl", unflushed, "curl does not check"),
    )
    return [
        Row(name=f"download/{name}", value=measure.median(some), unit="ratio", note=note)
        for name, some, note in values
    ]


def _target(ground: Ground) -> Path:
    return ground.directory / "fetched"


async def _ours(ground: Ground, url: str, sha256: str) -> dict[str, float]:
    _target(ground).unlink(missing_ok=True)
    _target(ground).with_name("fetched.state").unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.fetch", url, str(_target(ground)), sha256,
        str(ground.lab.pki.ca_file),
        env=clean_environment(), cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    found: dict[str, float] = json.loads(output)
    return found


async def _curl(ground: Ground, url: str) -> float:
    _target(ground).unlink(missing_ok=True)
    ca_file = str(ground.lab.pki.ca_file)
    return await _timed(
        "curl", "--silent", "--fail", "--cacert", ca_file, "-o", str(_target(ground)), url
    )


async def _timed(*command: str, **more: Any) -> float:
    """Run a program; returns its seconds, raises `RuntimeError` if it fails."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, **more)
    if await process.wait() != 0:
        raise RuntimeError(f"{command[0]} failed")
    return time.perf_counter() - began
