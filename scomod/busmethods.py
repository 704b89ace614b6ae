# SPDX-License-Identifier: Apache-2.0
"""What `org.scomod1` exports: the table of its methods and signals, and its introspection document.

Who serves a call and who hears a signal is `bus.py`.  Interfaces are split by right; the
bus policy grants them (design §11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scomod.busaddress import (
    CONTROL_INTERFACE,
    OBJECT_PATH,
    STATUS_INTERFACE,
    TRACE_INTERFACE,
    TREE_INTERFACE,
)
from scomod.buswire import clean, pack, unpack
from scomod.facade import Refused
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scomod.bus import BusServer

_DOCTYPE: Final = """<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">"""

Signature = tuple[tuple[str, str], ...]  # (name, D-Bus type) of each argument


@dataclass(frozen=True, slots=True)
class Export:
    """One method: what it takes and gives, and what serves it (service, sender, arguments)."""

    takes: Signature
    gives: Signature
    serve: Callable[..., Any]

    @property
    def signature(self) -> str:
        """The D-Bus signature of the arguments."""
        return "".join(kind for _, kind in self.takes)

    @property
    def takes_files(self) -> bool:
        """Whether open files come along."""
        return "h" in self.signature

    def arguments(self, body: Sequence[Any], files: Sequence[int]) -> list[Any]:
        """Return what is served: the body, with files in the place of their numbers in it.

        Raises `Refused` for a number without a file.
        """
        return [
            _file(files, value) if kind == "h" else value
            for (_, kind), value in zip(self.takes, body, strict=True)
        ]


def _file(files: Sequence[int], number: int) -> int:
    if number >= len(files):
        raise Refused("no open file came with the call")
    return files[number]


async def _run_session(bus: BusServer, _: str, server_id: str) -> Any:
    return pack(await bus.facade.run_session(server_id))


async def _baseline(bus: BusServer, _: str) -> Any:
    return pack(await bus.facade.baseline())


async def _plan(bus: BusServer, _: str, number: int) -> Any:
    return pack(await bus.facade.plan(number))


async def _checkup(bus: BusServer, _: str) -> Any:
    return [pack(record) for record in await bus.facade.checkup()]


async def _request(bus: BusServer, _: str, kind: str, component: str, server: str) -> Any:
    return pack(await bus.facade.request(kind, component, server))


def _prompts(bus: BusServer, _: str) -> Any:
    return [pack(bus.spoken(prompt)) for prompt in bus.facade.prompts()]


async def _answer(bus: BusServer, sender: str, operation_id: int, is_accepted: bool) -> None:
    bus.facade.answer(operation_id, is_accepted=is_accepted, by=await bus.who(sender))


async def _defer(bus: BusServer, sender: str, operation_id: int, when: str) -> float:
    return bus.facade.defer(operation_id, when, by=await bus.who(sender))


async def _cancel(bus: BusServer, sender: str, operation_id: int) -> str:
    return bus.facade.cancel(operation_id, by=await bus.who(sender))


async def _install(
    bus: BusServer, caller: str, file: int, signature: bytes, what: dict[str, Any]
) -> int:
    by = await bus.who(caller)
    return await bus.facade.install(file, bytes(signature), unpack(what), by=by)


async def _push(bus: BusServer, caller: str, kind: str, octets: bytes, sender: str) -> None:
    bus.facade.push(kind, bytes(octets), clean(sender) or await bus.who(caller))


METHODS: Final[Mapping[tuple[str, str], Export]] = {
    (STATUS_INTERFACE, "GetStatus"): Export(
        (), (("status", "a{sv}"),), lambda bus, _: pack(bus.facade.status())
    ),
    (STATUS_INTERFACE, "GetInventory"): Export(
        (), (("inventory", "a{sv}"),), lambda bus, _: pack(bus.facade.inventory())
    ),
    (STATUS_INTERFACE, "GetBaseline"): Export((), (("baseline", "a{sv}"),), _baseline),
    (STATUS_INTERFACE, "GetOperations"): Export(
        (),
        (("operations", "aa{sv}"),),
        lambda bus, _: [pack(record) for record in bus.facade.operations()],
    ),
    (STATUS_INTERFACE, "GetOperation"): Export(
        (("id", "t"),),
        (("operation", "a{sv}"),),
        lambda bus, _, number: pack(bus.facade.one_operation(number)),
    ),
    (STATUS_INTERFACE, "GetHistory"): Export(
        (),
        (("operations", "aa{sv}"),),
        lambda bus, _: [pack(record) for record in bus.facade.history()],
    ),
    (STATUS_INTERFACE, "GetReasons"): Export(
        (("id", "t"),),
        (("reasons", "a{sv}"),),
        lambda bus, _, number: pack(bus.facade.reasons(number)),
    ),
    (STATUS_INTERFACE, "GetPlan"): Export((("id", "t"),), (("plan", "a{sv}"),), _plan),
    (STATUS_INTERFACE, "GetCheckup"): Export((), (("findings", "aa{sv}"),), _checkup),
    (STATUS_INTERFACE, "GetPrompts"): Export((), (("prompts", "aa{sv}"),), _prompts),
    (CONTROL_INTERFACE, "RunSession"): Export(
        (("server", "s"),), (("session", "a{sv}"),), _run_session
    ),
    (CONTROL_INTERFACE, "Request"): Export(
        (("kind", "s"), ("component", "s"), ("server", "s")), (("answer", "a{sv}"),), _request
    ),
    (CONTROL_INTERFACE, "Answer"): Export((("operation", "t"), ("is_accepted", "b")), (), _answer),
    (CONTROL_INTERFACE, "Defer"): Export(
        (("operation", "t"), ("when", "s")), (("until", "d"),), _defer
    ),
    (CONTROL_INTERFACE, "Cancel"): Export((("operation", "t"),), (("what", "s"),), _cancel),
    (CONTROL_INTERFACE, "Bootstrap"): Export(
        (("document", "ay"), ("sec", "s"), ("mac", "s"), ("pin", "s")),
        (("servers", "as"),),
        lambda bus, _, document, sec, mac, pin: bus.facade.bootstrap(
            bytes(document), sec, mac, Secret(pin)
        ),
    ),
    (CONTROL_INTERFACE, "Push"): Export(
        (("kind", "s"), ("octets", "ay"), ("sender", "s")), (), _push
    ),
    (CONTROL_INTERFACE, "Install"): Export(
        (("file", "h"), ("signature", "ay"), ("what", "a{sv}")),
        (("operation", "t"),),
        _install,
    ),
    (CONTROL_INTERFACE, "RegisterAgent"): Export(
        (("agent", "o"),), (), lambda bus, sender, path: bus.agents.register(sender, path)
    ),
    (CONTROL_INTERFACE, "RegisterAgentIn"): Export(
        (("agent", "o"), ("language", "s")),
        (),
        lambda bus, sender, path, language: bus.agents.register(sender, path, language),
    ),
    (CONTROL_INTERFACE, "UnregisterAgent"): Export(
        (("agent", "o"),), (), lambda bus, sender, path: bus.agents.unregister(sender, path)
    ),
    (TREE_INTERFACE, "Children"): Export(
        (("uri", "s"),),
        (("names", "as"),),
        lambda bus, _, uri: [clean(name) for name in bus.facade.tree_children(uri)],
    ),
    (TREE_INTERFACE, "Node"): Export(
        (("uri", "s"),), (("node", "a{sv}"),), lambda bus, _, uri: pack(bus.facade.tree_node(uri))
    ),
    (TREE_INTERFACE, "Read"): Export(
        (("uri", "s"), ("offset", "t")),
        (("octets", "ay"),),
        lambda bus, _, uri, offset: bus.facade.tree_octets(uri, offset),
    ),
    (TRACE_INTERFACE, "List"): Export(
        (), (("traces", "aa{sv}"),), lambda bus, _: [pack(r) for r in bus.facade.traces()]
    ),
    (TRACE_INTERFACE, "Read"): Export(
        (("id", "t"),), (("trace", "a{sv}"),), lambda bus, _, number: pack(bus.facade.trace(number))
    ),
}

SIGNALS: Final[Mapping[str, Signature]] = {
    "SessionEnded": (("session", "a{sv}"),),
    "OperationChanged": (("operation", "a{sv}"),),
    "Progress": (("operation", "t"), ("done", "t"), ("total", "t")),
    "PromptChanged": (("prompt", "a{sv}"),),
}


def introspection(path: str) -> str:
    """Return the introspection document of an object path: ours, or a way to it."""
    lines = [_DOCTYPE, "<node>"]
    if path == OBJECT_PATH:
        for interface in dict.fromkeys(interface for interface, _ in METHODS):
            lines += [f'  <interface name="{interface}">', *_members(interface), "  </interface>"]
    elif OBJECT_PATH.startswith(prefix := path.rstrip("/") + "/"):
        lines.append(f'  <node name="{OBJECT_PATH.removeprefix(prefix).split("/")[0]}"/>')
    return "\n".join([*lines, "</node>", ""])


def _members(interface: str) -> list[str]:
    lines: list[str] = []
    for (home, member), export in METHODS.items():
        if home == interface:
            args = [*_arguments(export.takes, "in"), *_arguments(export.gives, "out")]
            lines += [f'    <method name="{member}">', *args, "    </method>"]
    for event, signature in SIGNALS.items() if interface == STATUS_INTERFACE else ():
        lines += [f'    <signal name="{event}">', *_arguments(signature, "out"), "    </signal>"]
    return lines


def _arguments(signature: Signature, direction: str) -> list[str]:
    return [
        f'      <arg name="{name}" type="{kind}" direction="{direction}"/>'
        for name, kind in signature
    ]
