#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An agent for a product with a screen of its own: put a dialogue in place of `choose`."""

import asyncio

from dbus_next import BusType, Message, MessageFlag
from dbus_next.aio import MessageBus
from dbus_next.service import ServiceInterface, method

SCOMOD, PATH, BUS = "org.scomod1", "/com/example/agent", "/org/freedesktop/DBus"
NAMES = "org.freedesktop.DBus"
CALL = (SCOMOD, "/org/scomod1", f"{SCOMOD}.Control", "RegisterAgentIn")


async def choose(prompt):
    print(prompt["summary"].value, prompt["text"].value, "Allow it? [y/N]", sep="\n")
    return (await asyncio.to_thread(input)).strip().lower() in ("y", "yes")


class Agent(ServiceInterface):
    asking = {}  # what is on the screen, by the number of the operation

    @method()
    async def Ask(self, prompt: "a{sv}") -> "b":
        question = self.asking[prompt["operation"].value] = asyncio.ensure_future(choose(prompt))
        return (await asyncio.gather(question, return_exceptions=True))[0] is True

    @method()
    def WithdrawPrompt(self, operation: "t"):
        self.asking[operation].cancel()  # somebody else was faster

    @method()
    def Inform(self, prompt: "a{sv}"):
        print(prompt["summary"].value)

    @method()
    def Completed(self, operation: "a{sv}"):
        print(operation["text"].value)


async def main():
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bus.export(PATH, Agent(f"{SCOMOD}.Agent"))

    async def register(flags):
        said = await bus.call(Message(*CALL, flags=flags, signature="os", body=[PATH, "de"]))
        print(*said.body or ["registered"])

    def moved(name, _, owner):  # scomod leaves when it is idle; when it is back it knows no agent
        if name == SCOMOD and owner:
            asyncio.ensure_future(register(MessageFlag.NO_AUTOSTART))

    owners = bus.get_proxy_object(NAMES, BUS, await bus.introspect(NAMES, BUS))
    owners.get_interface(NAMES).on_name_owner_changed(moved)
    await register(MessageFlag.NONE)
    await bus.wait_for_disconnect()


asyncio.run(main())
