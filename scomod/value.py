# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses of which a waiting daemon can have many.

`dataclass` writes its methods anew for each class, and those that refuse changes keep a
second copy of a class with slots in memory.  Most values the daemon knows of while it
waits are never made or compared then, so here all classes share one set (docs/bench.md).
What is made and compared by the thousand is better off with a dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Declare a class as `dataclass(frozen=True, slots=True, kw_only=True)` does."""
    make = dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
    return _completed(make(cls), _SHARED)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(cls: type[T]) -> type[T]:
    """Declare a section of the settings: a value, each field of which has a default."""
    make = dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False)
    return _completed(make(cls), {"__init__": _fill, **_SHARED})


def _completed(cls: type[T], methods: dict[str, Any]) -> type[T]:
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls


def _fill(self: Any, **given: Any) -> None:
    for each in fields(self):
        if each.name in given:
            content = given.pop(each.name)
        elif each.default_factory is not MISSING:
            content = each.default_factory()
        else:
            content = each.default
        object.__setattr__(self, each.name, content)
    if given:
        raise TypeError(f"{type(self).__qualname__} has no {', '.join(given)}")


def _contents(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, each.name) for each in fields(self) if each.compare)


def _text(self: Any) -> str:
    pairs = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(pairs)})"


def _is_equal(self: Any, other: object) -> bool:
    return _contents(self) == _contents(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_contents(self))


def _refuse(_self: Any, name: str, *_new: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


_SHARED = {
    "__repr__": _text,
    "__eq__": _is_equal,
    "__hash__": _hash,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
