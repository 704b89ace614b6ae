# SPDX-License-Identifier: Apache-2.0
"""oFono and ModemManager that behave as real ones never should: on a private bus, in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from scomod.buswire import Message, MessageType, PacedBus, Variant, open_bus, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MM, MM_PATH = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1"
PROPERTIES = "org.freedesktop.DBus.Properties"


class StandIn:
    """Owns a name; `calls` are (member, path, body); members in `silent` are never answered."""

    name: str

    def __init__(self, bus: PacedBus) -> None:
        self._bus = bus
        self.calls: list[tuple[str, str, list[Any]]] = []
        self.silent: set[str] = set()
        self.refused: set[str] = set()
        self.lying: set[str] = set()

    @classmethod
    async def start(cls, address: str) -> Self:
        service = cls(await open_bus(address))
        service._bus.add_message_handler(service._serve)
        await service._bus.claim(cls.name)
        return service

    async def close(self) -> None:
        await self._bus.close()

    def called(self, member: str) -> list[str]:
        """The paths on which a member was called."""
        return [path for name, path, _ in self.calls if name == member]

    def tell(self, path: str, signal: str, signature: str, *body: Any) -> None:
        interface, _, member = signal.rpartition(".")
        self._bus.send(Message.new_signal(path, interface, member, signature, list(body)))

    async def call(self, receiver: str, path: str, method: str, takes: str, *body: Any) -> Any:
        interface, _, member = method.rpartition(".")
        message = Message(
            destination=receiver,
            path=path,
            interface=interface,
            member=member,
            signature=takes,
            body=list(body),
        )
        return await self._bus.invoke(message)

    def _serve(self, call: Message) -> Message | bool | None:
        if call.message_type is not MessageType.METHOD_CALL:
            return None
        self.calls.append((call.member, call.path, unpack(call.body)))
        if call.member in self.silent:
            return True
        if call.member in self.refused:
            return Message.new_error(call, "org.ofono.Error.Failed", "no")
        if call.member in self.lying:
            return Message.new_method_return(call, "as", [["something", "else"]])
        signature, body = self.answers[call.member](call)
        return Message.new_method_return(call, signature, body)

    @property
    def answers(self) -> Mapping[str, Callable[[Message], tuple[str, list[Any]]]]:
        raise NotImplementedError


class OfonoStandIn(StandIn):
    """`modems` are their interfaces by path."""

    name = "org.ofono"

    def __init__(self, bus: PacedBus) -> None:
        super().__init__(bus)
        self.modems = {"/ril_0": ["org.ofono.SimManager", "org.ofono.PushNotification"]}
        self.identity = "246813579012345"

    @property
    def answers(self) -> Mapping[str, Callable[[Message], tuple[str, list[Any]]]]:
        sim = {"SubscriberIdentity": Variant("s", self.identity)}
        return {
            "GetModems": lambda _: ("a(oa{sv})", [self._modems()]),
            "GetProperties": lambda _: ("a{sv}", [sim]),
            "RegisterAgent": lambda _: ("", []),
            "UnregisterAgent": lambda _: ("", []),
        }

    def _modems(self) -> list[Any]:
        return [[path, {"Interfaces": Variant("as", each)}] for path, each in self.modems.items()]

    def have(self, *interfaces: str) -> None:
        """Change the interfaces of the modem, and tell it."""
        self.modems["/ril_0"] = list(interfaces)
        news = Variant("as", list(interfaces))
        self.tell("/ril_0", "org.ofono.Modem.PropertyChanged", "sv", "Interfaces", news)


class ModemManagerStandIn(StandIn):
    """`messages` are (state, octets) by number."""

    name = MM

    def __init__(self, bus: PacedBus) -> None:
        super().__init__(bus)
        self.messages: dict[int, tuple[int, bytes]] = {}

    def path(self, number: int) -> str:
        return f"{MM_PATH}/SMS/{number}"

    def change(self, number: int, state: int, octets: bytes) -> None:
        """Change a message, or have a new one, and tell it."""
        is_new = number not in self.messages
        self.messages[number] = (state, octets)
        if is_new:
            method = f"{MM}.Modem.Messaging.Added"
            self.tell(f"{MM_PATH}/Modem/0", method, "ob", self.path(number), True)
        else:
            changed = {"State": Variant("u", state)}
            news = [f"{MM}.Sms", changed, []]
            self.tell(self.path(number), f"{PROPERTIES}.PropertiesChanged", "sa{sv}as", *news)

    @property
    def answers(self) -> Mapping[str, Callable[[Message], tuple[str, list[Any]]]]:
        return {
            "GetManagedObjects": lambda _: ("a{oa{sa{sv}}}", [self._objects()]),
            "GetAll": self._get_all,
            "Get": lambda _: ("v", [Variant("s", "246813579012345")]),
            "Delete": self._delete,
        }

    def _objects(self) -> Any:
        paths = [self.path(number) for number in self.messages]
        modem = {"Sim": Variant("o", f"{MM_PATH}/SIM/0")}
        messaging = {"Messages": Variant("ao", paths)}
        interfaces = {f"{MM}.Modem": modem, f"{MM}.Modem.Messaging": messaging}
        return {f"{MM_PATH}/Modem/0": interfaces}

    def _get_all(self, call: Message) -> tuple[str, list[Any]]:
        state, octets = self.messages[int(call.path.rpartition("/")[2])]
        facts = {
            "State": Variant("u", state),
            "Data": Variant("ay", octets),
            "Number": Variant("s", "+49\n170"),
        }
        return "a{sv}", [facts]

    def _delete(self, call: Message) -> tuple[str, list[Any]]:
        del self.messages[int(call.body[0].rpartition("/")[2])]
        return "", []
