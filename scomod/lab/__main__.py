# SPDX-License-Identifier: Apache-2.0
"""`scomod-lab`: the bench on the command line.

`serve` runs it; `faults` runs a package server of its own.  The other commands talk to a
running bench through its admin interface, which they find by the file `url` in its directory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
from pathlib import Path
from typing import Any, Final

from scomod.clock import SystemClock
from scomod.errors import ScomodError
from scomod.lab import clifault, clirecord, clirun
from scomod.lab.admin import Admin, BenchError
from scomod.lab.devices import AUTHS
from scomod.lab.pki import Pki
from scomod.lab.scomo import ORDERS

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
SEALS: Final = ("netwpin", "userpin", "usernetwpin", "userpinmac")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    arguments = make_parser().parse_args(argv)
    try:
        code: int | None = arguments.action(arguments)
    except (ScomodError, OSError) as error:
        print(f"scomod-lab: {error}", file=sys.stderr)
        return EXIT_FAILED
    return code or 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="scomod-lab", description="A DM server, package server and push sender to test with."
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("scomod-lab.d"), help="where the bench keeps its things"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the bench until interrupted")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=8443)
    serve.set_defaults(action=_serve)
    faults = commands.add_parser("faults", help="serve packages wrongly, as their path says")
    faults.add_argument("--host", default="127.0.0.1", help="address to listen on")
    faults.add_argument("--port", type=int, default=8444)
    faults.add_argument("--plain", action="store_true", help="http instead of https")
    faults.set_defaults(action=_serve_faults)
    profile = commands.add_parser("profile", help="print what a device is bootstrapped from")
    profile.add_argument("user", help="name of the account; made if it does not exist")
    profile.add_argument("--auth", choices=AUTHS, default="md5", help="for an account that is made")
    profile.set_defaults(action=_profile)
    devices = commands.add_parser("devices", help="list devices, or show all of one")
    devices.add_argument("name", nargs="?", help="user or device id")
    devices.set_defaults(action=_devices)
    order = commands.add_parser("order", help="queue something for a device's next session")
    order.add_argument("name", help="user or device id")
    order.add_argument("kind", choices=ORDERS)
    order.add_argument(
        "params",
        nargs="*",
        metavar="KEY=VALUE",
        help="file=X.deb fills the rest; delta_from=OLD.deb",
    )
    order.set_defaults(action=_order)
    offer = commands.add_parser("offer", help="have a package ready for when the device asks")
    offer.add_argument("name", help="user or device id")
    offer.add_argument("file", type=Path, help="a .deb")
    offer.add_argument("--delta-from", type=Path, metavar="OLD", help="serve a delta to it too")
    offer.set_defaults(action=_offer)
    push = commands.add_parser(
        "push", help="ask for a session (package #0 by UDP), or send a profile"
    )
    push.add_argument("name", help="user or device id")
    push.add_argument("address", metavar="HOST[:PORT]")
    push.add_argument("--bootstrap", choices=SEALS, help="send the profile, sealed like that")
    push.add_argument("--profile", choices=("cp", "dm"), default="cp", help="its kind")
    push.add_argument("--pin", default="", help="for userpin, usernetwpin and userpinmac")
    push.add_argument("--imsi", default="", help="for netwpin and usernetwpin")
    push.set_defaults(action=_push)
    clifault.add(commands)
    clirun.add(commands)
    clirecord.add(commands)
    return parser


def _serve(arguments: argparse.Namespace) -> None:
    asyncio.run(_serve_until_interrupted(arguments))


async def _serve_until_interrupted(arguments: argparse.Namespace) -> None:
    from scomod.lab.bench import Bench  # noqa: PLC0415 - aiohttp, not needed by the others
    from scomod.lab.webguard import is_local  # noqa: PLC0415 - the same

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bench = Bench(
        arguments.dir,
        clock=SystemClock(),
        random=secrets.token_bytes,
        host=arguments.host,
        port=arguments.port,
        token="" if is_local(arguments.host) else secrets.token_urlsafe(),
    )
    async with bench:
        with Admin(arguments.dir).announced(bench.base_url, bench.token):
            print(f"DM server at {bench.dm_url}, devices must trust {bench.pki.ca_file}")
            print(f"console at {bench.console_url}", flush=True)
            await stop.wait()


def _serve_faults(arguments: argparse.Namespace) -> None:
    from scomod.lab.faultserver import DirectoryServer  # noqa: PLC0415 - not needed by the others

    packages, pki = arguments.dir / "packages", Pki(arguments.dir / "pki")
    packages.mkdir(parents=True, exist_ok=True)
    pki.ensure()
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the threads, which inherit it
    server = DirectoryServer(
        packages,
        None if arguments.plain else pki.server_file,
        host=arguments.host,
        port=arguments.port,
    )
    with server:
        print(f"files of {packages} at {server.url('/', 'localhost')}", flush=True)
        signal.sigwait(ends)


def _profile(arguments: argparse.Namespace) -> None:
    known = {account["user"] for account in Admin(arguments.dir).call("devices")}
    if arguments.user not in known:
        Admin(arguments.dir).call("devices", {"user": arguments.user, "auth": arguments.auth})
    print(Admin(arguments.dir).fetch(f"devices/{arguments.user}/profile").decode(), end="")


def _devices(arguments: argparse.Namespace) -> None:
    if arguments.name is None:
        for account in Admin(arguments.dir).call("devices"):
            print(f"{account['user']:<20} {account['device_id'] or '(no device yet)'}")
        return
    account = Admin(arguments.dir).call(f"devices/{arguments.name}")
    account["orders"] = Admin(arguments.dir).call(f"devices/{arguments.name}/orders")
    account["records"] = Admin(arguments.dir).call(f"devices/{arguments.name}/records")
    print(json.dumps(account, indent=2, ensure_ascii=False))


def _order(arguments: argparse.Namespace) -> None:
    pairs = [text.partition("=") for text in arguments.params]
    if any(not equals for _, equals, _ in pairs):
        raise BenchError("parameters are KEY=VALUE")
    params = {key: value for key, _, value in pairs}
    if "file" in params:
        archive, older = Path(params.pop("file")), params.pop("delta_from", "")
        params = Admin(arguments.dir).publish(archive, Path(older) if older else None) | params
    order = Admin(arguments.dir).call(
        f"devices/{arguments.name}/orders", {"kind": arguments.kind, "params": params}
    )
    print(f"order {order['id']} is queued, correlator {order['correlator']}")


def _offer(arguments: argparse.Namespace) -> None:
    params = Admin(arguments.dir).publish(arguments.file, arguments.delta_from)
    wanted = {"component": params["name"], "params": params}
    Admin(arguments.dir).call(f"devices/{arguments.name}/offers", wanted)
    print(f"{params['pkg_id']} is ready for {arguments.name}")


def _push(arguments: argparse.Namespace) -> None:
    host, _, port = arguments.address.partition(":")
    wanted = {"host": host} | ({"port": int(port)} if port.isdigit() else {})
    if arguments.bootstrap:
        _bootstrap(arguments, wanted)
        return
    answer = Admin(arguments.dir).call(f"devices/{arguments.name}/push", wanted)
    print(f"asked {arguments.address} for session {answer['session_id']:X}")


def _bootstrap(arguments: argparse.Namespace, wanted: dict[str, Any]) -> None:
    texts = {"seal": arguments.bootstrap, "profile": arguments.profile}
    keys = {"pin": arguments.pin, "imsi": arguments.imsi}
    answer = Admin(arguments.dir).call(f"devices/{arguments.name}/bootstrap", wanted | texts | keys)
    hint = f"; the person enters {answer['enter']}" if answer["enter"] else ""
    print(f"sent the profile of {arguments.name} to {arguments.address}{hint}")


if __name__ == "__main__":
    sys.exit(main())
