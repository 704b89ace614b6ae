# SPDX-License-Identifier: Apache-2.0
"""Keeps out of a process that mostly waits what its libraries import and it never uses.

Nothing is taken away: what is left out comes when somebody needs it.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from importlib import import_module
from itertools import repeat
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a library imports for a thing that a waiting daemon does not do.
POSTPONED: Final = (
    "ast",  # dbus_next: the annotations of its service classes
    "asyncio.sslproto",  # asyncio: TLS
    "dbus_next.glib",  # dbus_next: another loop
    "inspect",  # asyncio, dataclasses and dbus_next: whether a callback is what it should be
    "linecache",  # traceback: lines of source
    "locale",  # subprocess: the encoding of texts
    "textwrap",  # traceback: lines of source again
)
# What it imports for annotations too, which are read with the module.
ANNOTATING: Final = (
    "dbus_next.aio.proxy_object",  # objects made of foreign descriptions: we make none
    "dbus_next.introspection",  # such a description
    "dbus_next.proxy_object",  # the same objects
    "xml.etree.ElementTree",  # that description as text
)


def import_asyncio() -> None:
    """Import asyncio as if there were no `ssl`; afterwards `import ssl` works as ever.

    asyncio imports it if it can, only to offer TLS streams of its own.  The daemon
    uses none: its HTTP clients bring TLS themselves, and late (`net`).
    To be called before anything else brings asyncio in; too late it does nothing.
    """
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # makes `import ssl` an ImportError
    try:
        import asyncio  # noqa: F401, PLC0415
    finally:
        del sys.modules["ssl"]


@contextmanager
def postponed() -> Iterator[None]:
    """Let what is imported in this block have `POSTPONED` only when it uses it.

    Once the block is left, `import` gives the modules themselves again.
    """
    import_module("xml.etree")  # which is empty, and where ElementTree is looked for
    wanted = [*zip(POSTPONED, repeat(_StandIn)), *zip(ANNOTATING, repeat(_Annotating))]
    stand_ins = {name: kind(name) for name, kind in wanted if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for stand_in in stand_ins.values():
            stand_in.step_aside()


@contextmanager
def forgotten(*names: str) -> Iterator[None]:
    """Let go of modules that are first imported in this block, when it is left.

    What follows then has their memory.  A later import runs them anew, so they must be such
    as nobody keeps anything of.
    """
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in names or name in names:
            parent, _, own = name.rpartition(".")
            if parent in sys.modules and parent not in names:
                delattr(sys.modules[parent], own)
            del sys.modules[name]
    gc.collect()


class _StandIn(ModuleType):
    """Stands for a module that is imported with the first attribute asked for."""

    def __getattr__(self, name: str) -> Any:
        self.step_aside()
        return getattr(import_module(self.__name__), name)

    def step_aside(self) -> None:
        """Let the next import have the module."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


class _Annotating(_StandIn):
    """Gives a name in quotes, as one may write it in an annotation, until it stepped aside."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            return f"{self.__name__}.{name}"
        return super().__getattr__(name)
