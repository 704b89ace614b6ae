# SPDX-License-Identifier: Apache-2.0
"""Devices the bench knows: accounts, their queue of orders, and everything they ever said.

One JSON file per account, replaced whole, so that a bench that was killed goes
on where it was.  No protocol here, and nothing of the device's own code.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from scomod.errors import ScomodError
from scomod.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scomod.clock import Clock

Record = dict[str, Any]

NAME: Final = re.compile(r"[A-Za-z0-9._@:-]{1,64}")
MAX_RECORDS_COUNT: Final = 5000
NONCE_BYTES: Final = 16  # omadm §4.5 rule 3
AUTHS: Final = ("md5", "basic", "mac")
ANY_DEVICE: Final = "any"  # what may be written for "the first that proves the account"
LAST_SESSION_ID: Final = 0xFFFF  # omadm §10.1


class AccountError(ScomodError):
    """A name that cannot be used; says which and what is allowed."""


class UnknownAccount(AccountError):  # noqa: N818 - a condition
    """No such account; says which there are."""


class Phase(StrEnum):
    """Where an order stands; ACCEPTED is an Exec whose report has still to come."""

    WAITING = "waiting"
    RUNNING = "running"
    ACCEPTED = "accepted"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_due(self) -> bool:
        """Tell whether a session still has to send something; RUNNING means it was cut off."""
        return self in (Phase.WAITING, Phase.RUNNING)


@dataclass(slots=True, kw_only=True)
class Order:
    """One thing to do with a device: a row of `scomo.ORDERS` and its parameters.

    `steps` are the commands sent and what came back, `result` the SCOMO result
    of the alert with this order's correlator.
    """

    id: int
    kind: str
    params: dict[str, str] = field(default_factory=dict)
    phase: Phase = Phase.WAITING
    correlator: str = ""
    detail: str = ""
    result: int | None = None
    steps: list[Record] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Account:
    """One device and the credentials of both sides.

    `device_id` is "" until the first device with the right user and password
    comes; from then on only that one is let in.  `client_nonce` is what the
    device must use next, `server_nonce` what it told us to use.  `auth` is how both
    sides prove themselves: one of `AUTHS`.  `offers` are parameters of `install` orders
    for a device that asks, by component (`offers.py`).
    """

    user: str
    password: Secret
    server_id: str
    server_password: Secret
    device_id: str = ""
    client_nonce: bytes = b""
    server_nonce: bytes = b""
    auth: str = "md5"
    session_id: int = 0
    devinfo: dict[str, str] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    offers: dict[str, dict[str, str]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def due(self) -> Order | None:
        """Return the first order that a session still has to work on."""
        return next((order for order in self.orders if order.phase.is_due), None)

    def next_session_id(self) -> int:
        """Count the ids of sessions that we ask for, 1 to FFFF and round again."""
        self.session_id = self.session_id % LAST_SESSION_ID + 1
        return self.session_id


class Register:
    """All accounts, in a directory; not safe for two processes at once."""

    def __init__(self, directory: Path, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._directory = directory
        self._clock = clock
        self._random = random
        self._observers: list[Callable[[Account, Record], None]] = []
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        accounts = [_from_json(path.read_text()) for path in sorted(directory.glob("*.json"))]
        self._accounts = {account.user: account for account in accounts}

    def __iter__(self) -> Iterator[Account]:
        """Walk through the accounts, by name."""
        return iter(sorted(self._accounts.values(), key=lambda account: account.user))

    def observe(self, observer: Callable[[Account, Record], None]) -> None:
        """Have every new record told to somebody."""
        self._observers.append(observer)

    def nonce(self) -> bytes:
        """Return a fresh nonce."""
        return self._random(NONCE_BYTES)

    def add(
        self,
        user: str,
        *,
        password: str = "",
        server_id: str = "",
        server_password: str = "",
        device_id: str = ANY_DEVICE,
        auth: str = "md5",
    ) -> Account:
        """Make an account; empty secrets are made up.  Raises `AccountError` if it cannot be."""
        if not NAME.fullmatch(user):
            raise AccountError(f"{user!r} is no user name: 1 to 64 of A-Z a-z 0-9 . _ @ : -")
        if user in self._accounts:
            raise AccountError(f"user {user} exists already")
        if auth not in AUTHS:
            raise AccountError(f"auth is one of {', '.join(AUTHS)}")
        account = Account(
            user=user,
            password=Secret(password or self._random(9).hex()),
            server_id=server_id or "scomod-lab",
            server_password=Secret(server_password or self._random(9).hex()),
            device_id="" if device_id == ANY_DEVICE else device_id,
            client_nonce=self.nonce(),
            server_nonce=self.nonce(),
            auth=auth,
        )
        self._accounts[user] = account
        self.save(account)
        return account

    def get(self, name: str) -> Account:
        """Return the account of a user or a device id; raises `UnknownAccount`."""
        account = self._accounts.get(name) or self.of_device(name)
        if account is None:
            known = ", ".join(sorted(self._accounts)) or "none"
            raise UnknownAccount(f"no device {name!r}; known: {known}")
        return account

    def of_user(self, user: str) -> Account | None:
        """Return the account of that user name."""
        return self._accounts.get(user)

    def of_device(self, device_id: str) -> Account | None:
        """Return the account that is bound to a device."""
        bound = (account for account in self if account.device_id == device_id)
        return next(bound, None) if device_id else None

    def enqueue(self, account: Account, kind: str, params: dict[str, str]) -> Order:
        """Put an order into the queue; its correlator names it for ever."""
        number = len(account.orders) + 1
        order = Order(
            id=number,
            kind=kind,
            params=params,
            correlator=f"{account.user}-{number}-{self._random(3).hex()}",
        )
        account.orders.append(order)
        self.save(account)
        return order

    def record(self, account: Account, what: str, **fields: Any) -> None:
        """Note something that a device said or did, and tell the observers."""
        record = {"at_s": round(self._clock.wall_s(), 3), "what": what, **fields}
        account.records.append(record)
        del account.records[:-MAX_RECORDS_COUNT]
        for observer in self._observers:
            observer(account, record)

    def save(self, account: Account) -> None:
        """Replace the account's file; only its owner may read it, it holds secrets."""
        path = self._directory / f"{quote(account.user, safe='')}.json"
        part = path.with_suffix(".part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(part, flags, 0o600), "w") as file:
            file.write(_to_json(account))
        part.replace(path)


def _to_json(account: Account) -> str:
    values = {
        name: getattr(account, name)
        for name in (
            *("user", "server_id", "device_id", "auth", "session_id"),
            *("devinfo", "offers", "records"),
        )
    }
    values |= {
        "password": account.password.reveal(),
        "server_password": account.server_password.reveal(),
        "client_nonce": base64.b64encode(account.client_nonce).decode(),
        "server_nonce": base64.b64encode(account.server_nonce).decode(),
        "orders": [asdict(order) for order in account.orders],
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _from_json(text: str) -> Account:
    values = json.loads(text)
    for name in ("password", "server_password"):
        values[name] = Secret(values[name])
    for name in ("client_nonce", "server_nonce"):
        values[name] = base64.b64decode(values[name])
    values["orders"] = [Order(**{**row, "phase": Phase(row["phase"])}) for row in values["orders"]]
    return Account(**values)
