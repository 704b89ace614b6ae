# SPDX-License-Identifier: Apache-2.0
"""Who may use the admin interface and the console, by what a request says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scomod.lab.webguard import COOKIE, Asked, is_local, refusal

TOKEN = "a token of this run"
READ = Asked(
    method="GET",
    path="/api/devices",
    scheme="https",
    host="localhost:8443",
    remote="127.0.0.1",
    headers={},
    cookies={},
)
OURS = {"Origin": "https://localhost:8443", "Sec-Fetch-Site": "same-origin"}
JSON = {"Content-Type": "application/json"}


def code(token: str = "", **fields: Any) -> int:
    refused = refusal(replace(READ, **fields), token, "bench.example")
    return 200 if refused is None else int(refused[0])


@pytest.mark.parametrize(
    "fields",
    [
        {},  # curl
        {"headers": OURS},
        {"headers": {"Sec-Fetch-Site": "none"}},  # typed into the address line
        {"method": "POST", "headers": OURS | JSON},
        {"method": "POST", "headers": {"Content-Type": "Application/JSON; charset=utf-8"}},
        {"method": "PUT", "headers": OURS | {"Content-Type": "application/octet-stream"}},
        {"host": "127.0.0.1:8443"},
        {"host": "[::1]:8443", "remote": "::1"},
        {"host": "bench.example:8443"},
        {"host": "LOCALHOST:8443"},
        {"path": "/console/", "headers": {"Sec-Fetch-Site": "cross-site"}},  # a link to it
    ],
)
def test_programs_and_the_console_on_this_machine_may(fields: dict[str, Any]) -> None:
    assert code(**fields) == 200


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"remote": "192.0.2.7"}, 403),
        ({"remote": ""}, 403),
        ({"host": "evil.example:8443"}, 403),  # DNS rebinding
        ({"host": "localhost.evil.example"}, 403),
        ({"host": "192.0.2.7:8443"}, 403),
        ({"host": "[::1"}, 403),
        ({"host": ""}, 403),
        ({"headers": {"Origin": "https://evil.example"}}, 403),
        ({"headers": {"Origin": "null"}}, 403),
        ({"headers": {"Origin": "http://localhost:8443"}}, 403),
        ({"headers": {"Origin": "https://localhost:3000"}}, 403),
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"headers": {"Sec-Fetch-Site": "same-site"}}, 403),
        ({"method": "POST"}, 415),
        ({"method": "POST", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"method": "POST", "headers": {"Content-Type": "multipart/form-data; a=b"}}, 415),
        ({"method": "DELETE"}, 415),
    ],
)
def test_other_machines_names_and_sites_may_not(fields: dict[str, Any], refused: int) -> None:
    assert code(**fields) == refused


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 401),
        ({"headers": {"Authorization": "Bearer wrong"}}, 401),
        ({"headers": {"Authorization": TOKEN}}, 401),
        ({"cookies": {COOKIE: "é"}}, 401),
        ({"headers": {"Authorization": f"Bearer {TOKEN}"}}, 200),
        ({"cookies": {COOKIE: TOKEN}}, 200),
        ({"cookies": {COOKIE: TOKEN}, "host": "192.0.2.1:8443"}, 200),
        ({"cookies": {COOKIE: TOKEN}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
    ],
)
def test_a_bench_that_others_can_reach_wants_its_token_of_everybody(
    fields: dict[str, Any], expected: int
) -> None:
    for remote in ("127.0.0.1", "192.0.2.7"):
        assert code(TOKEN, remote=remote, **fields) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_a_loopback_address_is_for_this_machine_alone(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "bench"])  # noqa: S104 - a word
def test_every_other_address_is_for_other_machines_too(host: str) -> None:
    assert not is_local(host)
