# SPDX-License-Identifier: Apache-2.0
"""`scomod-lab record` and `replay`: sessions as files, kept and played again."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from scomod.explain import Outline
from scomod.lab import recording
from scomod.lab.devices import AUTHS
from scomod.lab.pki import Pki
from scomod.lab.recording import Writer
from scomod.lab.recordproxy import RecordProxy
from scomod.lab.replay import Departed
from scomod.lab.replayserver import USER, ReplayServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from scomod.lab.recording import Recording, Side

WAIT_S: Final = 300.0
LINGER_S: Final = 1.0
EXIT_DEPARTED: Final = 1


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    record = commands.add_parser("record", help="keep what a device and any server say in a file")
    record.add_argument("file", type=Path, help="a new file")
    record.add_argument("--to", required=True, metavar="URL", help="the DM server")
    record.add_argument(
        "--ca", type=Path, metavar="FILE", help="whom to trust as the server (the system's if not)"
    )
    _add_place(record, 8445)
    record.set_defaults(action=_record)
    replay = commands.add_parser("replay", help="play the server of such a file to a client")
    replay.add_argument("file", type=Path)
    replay.add_argument("--show", action="store_true", help="only print what is in the file")
    replay.add_argument(
        "--profile", type=Path, metavar="OUT", help="write what the client is bootstrapped from"
    )
    replay.add_argument("--user", default=USER, help="account, made if it does not exist")
    replay.add_argument("--auth", choices=AUTHS, default="md5", help="for an account that is made")
    replay.add_argument("--server-id", default="", help="for an account that is made")
    replay.add_argument("--values", action="store_true", help="values have to be the same too")
    replay.add_argument(
        "--wait", type=float, default=WAIT_S, metavar="S", help="how long the client may take"
    )
    _add_place(replay, 8446)
    replay.set_defaults(action=_replay)


def _add_place(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=port)


def _record(arguments: argparse.Namespace) -> None:
    """Keep a session until interrupted."""
    pki = Pki(arguments.dir / "pki")
    pki.ensure()
    parts = urlsplit(arguments.to)
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    writer = Writer(arguments.file, f"{parts.scheme}://{parts.hostname}{parts.path}", began)
    proxy = RecordProxy(
        arguments.to,
        writer,
        pki.server_file,
        ca_file=arguments.ca,
        host=arguments.host,
        port=arguments.port,
        notice=_say,
    )
    ends = {signal.SIGINT, signal.SIGTERM}
    # before the threads, which inherit it; not where nothing waits for these signals
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with proxy:
        _say(f"the device's server is now {proxy.url(proxy.path, 'localhost')}")
        _say(f"it must trust {pki.ca_file}; {arguments.file} grows until you interrupt")
        signal.sigwait(ends)
    writer.close()


def _replay(arguments: argparse.Namespace) -> int | None:
    """Play a file to one client; returns 1 where it departs from the record."""
    if arguments.show:
        for line in outlined(recording.read(arguments.file)):
            _say(line)
        return None
    server = ReplayServer(
        arguments.file,
        arguments.dir,
        user=arguments.user,
        server_id=arguments.server_id,
        auth=arguments.auth,
        has_values=arguments.values,
        host=arguments.host,
        port=arguments.port,
    )
    try:
        with server:
            if arguments.profile is not None:
                _write_secret(arguments.profile, server.profile)
            _say(f"{arguments.file}: {server.player.progress[1]} messages at {server.url}")
            _say(f"the client must trust {server.ca_file}")
            if server.wait(arguments.wait):
                time.sleep(LINGER_S)  # for a client that goes on where the record ends
    except Departed as departed:
        print(departed, file=sys.stderr)
        return EXIT_DEPARTED
    _say("the client did what the record says")
    return None


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def outlined(record: Recording) -> Iterator[str]:
    """Yield a recording as a readable conversation."""
    yield f"recorded {record.began} with {record.server}"
    outlines = Outline(), Outline()
    for exchange in record.exchanges:
        asked, answered = exchange.request, exchange.response
        yield ""
        yield f"{exchange.number} device, after {asked.after_s:.3f} s, to {asked.path}"
        yield from _lines(asked, outlines[0])
        said = f"HTTP {answered.status}" if not answered.failed else answered.failed
        yield f"{exchange.number} server, after {answered.after_s:.3f} s: {said}"
        yield from _lines(answered, outlines[1])


def _lines(side: Side, outline: Outline) -> Iterator[str]:
    message = side.message()
    if message is None:
        yield f"    {len(side.body)} octets of {side.content_type or 'nothing'}"
    else:
        yield from (f"    {line}" for line in outline.message(message))


def _say(line: str) -> None:
    print(line, flush=True)
