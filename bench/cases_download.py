# SPDX-License-Identifier: Apache-2.0
"""Fetching a large file: how fast beside curl, wget and others, and in how much memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from bench import measure
from bench.ground import HERE, ROOT, Device, clean_environment
from bench.verdict import Row
from scomod.lab.packages import Payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from bench.ground import Ground

SMALL_MIB: Final = 16
LARGE_MIB: Final = (512, 64)
SPEED_MIB: Final = (512, 128)
HUGE_MIB: Final = (1024, 128)
OURS: Final = ("s", "cpu_s", "flush_s")
# What we do, by programs written in C: fetch, check and flush.
PIPE: Final = (
    'set -o pipefail; curl --silent --fail --cacert "$1" "$2" | tee "$3" | openssl dgst -sha256'
    ' && sync "$3"'
)


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


async def huge(ground: Ground) -> list[Row]:
    """Fetch a small file and a huge one, without a daemon: memory, and what reaches the disk.

    The huge file is a hole, so that the disk has to hold it once only.
    """
    sizes = (SMALL_MIB, HUGE_MIB[ground.is_quick])
    directory = ground.directory / "files"
    directory.mkdir(exist_ok=True)
    found = []
    async with served(ground, directory) as base:
        for mib in sizes:
            path = directory / f"hole{mib}"
            with path.open("wb") as file:
                file.truncate(mib * measure.MIB)
            found.append(await _ours(ground, f"{base}/{path.name}", ""))
            path.unlink()
    _target(ground).unlink()
    peaks = [each["peak_mib"] for each in found]
    written = found[1]["written_bytes"] / (sizes[1] * measure.MIB)
    more = f"{sizes[1]} MiB minus {sizes[0]} MiB"
    return [
        *(
            Row(name=f"fetch/{mib} MiB peak", value=peak, unit="MiB")
            for mib, peak in zip(sizes, peaks, strict=True)
        ),
        Row(name="fetch/growth with size", value=peaks[1] - peaks[0], unit="MiB", note=more),
        Row(
            name="fetch/written:file", value=written, unit="ratio",
            note=f"{sizes[1]} MiB, octets that reached the disk",
        ),
    ]  # fmt: skip


async def speed(ground: Ground) -> list[Row]:
    """Our fetcher, and what others have for it or for parts of it, in turn: seconds, processor."""
    mib = SPEED_MIB[ground.is_quick]
    payload = _file(ground, mib)
    others = ("curl", "wget", "sha256sum", "pipe")
    times: dict[str, list[float]] = {name: [] for name in (*OURS, *others)}
    cpu: dict[str, list[float]] = {name: [] for name in others}
    async with served(ground, payload.path.parent) as base:
        url = f"{base}/{payload.path.name}"
        await _timed(*_command(ground, "curl", url))  # the file is in memory, the server is warm
        for _ in range(ground.rounds(5, 3)):
            ours = await _ours(ground, url, payload.sha256)
            for name in OURS:
                times[name].append(ours[name])
            for name in others:
                if name != "sha256sum":
                    _target(ground).unlink()
                seconds, processor = await _timed(*_command(ground, name, url))
                times[name].append(seconds)
                cpu[name].append(processor)
    payload.path.unlink()
    return [*_times(times, cpu, mib), *_ratios(times, cpu)]


def _times(times: dict[str, list[float]], cpu: dict[str, list[float]], mib: int) -> Iterator[Row]:
    named = {"ours": "s", "ours cpu": "cpu_s", "flush": "flush_s"}
    all_times = {name: times[of] for name, of in named.items()}
    for name, some in cpu.items():
        all_times |= {name: times[name], f"{name} cpu": some}
    for name, some in all_times.items():
        note = f"{mib} MiB, {measure.spread(some, 2)}"
        yield Row(name=f"download/{name}", value=measure.median(some), unit="s", note=note)


def _ratios(times: dict[str, list[float]], cpu: dict[str, list[float]]) -> Iterator[Row]:
    """Compare round by round: what else the machine does changes from one to the next."""
    ours, flush = times["s"], times["flush_s"]
    unflushed = [whole - part for whole, part in zip(ours, flush, strict=True)]
    both = [sum(pair) for pair in zip(times["curl"], times["sha256sum"], strict=True)]
    both_cpu = [sum(pair) for pair in zip(cpu["curl"], cpu["sha256sum"], strict=True)]
    values = (
        ("ours:curl and sha256sum", both, ours, "throughput; ours checks and flushes too"),
        ("ours:pipe", times["pipe"], ours, "curl, tee, openssl and sync do the same"),
        ("pipe:curl", times["pipe"], times["curl"], "what check and flush cost anybody"),
        ("ours:curl", times["curl"], ours, "curl neither checks nor flushes"),
        ("ours:wget", times["wget"], ours, "nor does wget"),
        ("ours without flush:curl", times["curl"], unflushed, "curl does not check"),
        ("cpu, curl and sha256sum:ours", both_cpu, times["cpu_s"], "ours without its start"),
    )
    for name, theirs, own, note in values:
        found = [one / other for one, other in zip(theirs, own, strict=True)]
        yield Row(name=f"download/{name}", value=measure.median(found), unit="ratio", note=note)


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


def _command(ground: Ground, name: str, url: str) -> tuple[str, ...]:
    target, ca_file = str(_target(ground)), str(ground.lab.pki.ca_file)
    return {
        "curl": ("curl", "--silent", "--fail", "--cacert", ca_file, "-o", target, url),
        "wget": (
            "wget",
            "--quiet",
            "--no-config",
            f"--ca-certificate={ca_file}",
            "-O",
            target,
            url,
        ),
        "sha256sum": ("sha256sum", target),
        "pipe": ("bash", "-c", PIPE, "bash", ca_file, url, target),
    }[name]


async def _timed(name: str, *arguments: str) -> tuple[float, float]:
    """Run a program; returns its seconds and those of the processor.

    Raises `RuntimeError` if it fails.
    """
    before = _children_s()
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(name, *arguments, stdout=subprocess.DEVNULL)
    if await process.wait() != 0:
        raise RuntimeError(f"{name} failed")
    return time.perf_counter() - began, _children_s() - before


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
